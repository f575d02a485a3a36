"""Random views of a sheet for training: the augmentations of the dissertation, and a few more."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import simplejpeg

from utils.network.letterbox import GREY, resize, resize_mask
from utils.objects.panoptic import classes_of
from utils.utils import GAP, IGNORE

ASPECT_JITTER = 0.3
FLIP, BLUR, ROTATE = 0.5, 0.25, 0.25  # probabilities
DEGREES = 10.0
HUE, SATURATION, VALUE = 0.1, 0.7, 0.3  # largest relative changes
EACH = 0.5  # probability of each of the three changes in `degrade`
EXPOSURE, CAST = 0.15, 0.06  # standard deviations of log(gain): for all channels together, and for each channel
NOISE, QUALITY = 16.0, (15, 90)  # largest standard deviation, in levels of 255; lowest and highest JPEG quality


def augment(
    image: np.ndarray,
    mask: np.ndarray,
    shape: tuple[int, int],
    scale: tuple[float, float],
    rng: np.random.Generator,
    onto_gap: float = 0.0,
    degraded: float = 0.0,
    turned: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """One random view of a sheet: image uint8 (h, w, 3) and mask uint8 or uint16 (h, w), both at `shape`.

    The sheet is resized with a jittered aspect, flipped, placed at a random offset (on grey bars, or cropped), blurred,
    rotated, and changed in hue, saturation and value. Pixels outside the sheet are grey in the image and IGNORE in the
    mask. Huang 2022, section on data augmentation. Deviations: the bars of the mask were background there; onto_gap,
    degraded and turned are new.

    Args:
        image: uint8 (H, W, 3) RGB.
        mask: ordinary, uint8 (H, W), or panoptic, uint16 (H, W); see `utils/objects/panoptic.py`.
        shape: (height, width) of the view.
        scale: smallest and largest size of the sheet, relative to `shape`; 0.25 and 2 in the dissertation.
        rng: for all random choices.
        onto_gap: probability that the view of a sheet with GAP pixels is placed so that it shows some of them.
        degraded: probability of a worse photograph, see `degrade`.
        turned: probability of a turn by 90, 180 or 270 degrees, all equally likely.
    """
    size = random_size(image.shape[:2], shape, scale, rng)
    image, mask = resize(image, size), resize_mask(mask, size)
    if degraded and rng.random() < degraded:
        image = degrade(image, rng)
    if turned and rng.random() < turned:
        quarters = int(rng.integers(1, 4))
        image, mask = np.rot90(image, quarters), np.rot90(mask, quarters)
    if rng.random() < FLIP:
        image, mask = image[:, ::-1], mask[:, ::-1]
    offsets = [(min(0, out - inner), max(0, out - inner)) for out, inner in zip(shape, mask.shape)]  # lowest, highest
    if onto_gap and rng.random() < onto_gap and (at_gap := classes_of(mask) == GAP).any():
        point = rng.choice(np.argwhere(at_gap))
        offsets = [(max(low, -at), min(high, out - 1 - at)) for (low, high), out, at in zip(offsets, shape, point)]
    offset = [int(rng.integers(low, high + 1)) for low, high in offsets]
    image, mask = shift(image, shape, offset, GREY), shift(mask, shape, offset, IGNORE)
    if rng.random() < BLUR:
        image = cv2.GaussianBlur(image, (5, 5), 0)
    if rng.random() < ROTATE:
        image, mask = rotate(image, mask, float(rng.uniform(-DEGREES, DEGREES)))
    return jitter_colour(image, rng.uniform(-1, 1, 3) * (HUE, SATURATION, VALUE) + 1), mask


def random_size(
    size: tuple[int, int], shape: tuple[int, int], scale: tuple[float, float], rng: np.random.Generator
) -> tuple[int, int]:
    """A random (height, width) to resize a sheet to, with a jittered aspect.

    Its longer side is a random number within `scale`, times that side of `shape`.

    Args:
        size: (height, width) of the sheet.
        shape: (height, width) of the network's input.
        scale: smallest and largest size of the sheet, relative to `shape`.
        rng: for all random choices.
    """
    low, high = 1 - ASPECT_JITTER, 1 + ASPECT_JITTER
    aspect = size[1] / size[0] * rng.uniform(low, high) / rng.uniform(low, high)
    factor = rng.uniform(*scale)
    if aspect < 1:
        return max(1, round(factor * shape[0])), max(1, round(factor * shape[0] * aspect))
    return max(1, round(factor * shape[1] / aspect)), max(1, round(factor * shape[1]))


def shift(array: np.ndarray, shape: tuple[int, int], offset: Sequence[int], fill: int) -> np.ndarray:
    """A new array of `shape` and the type of `array`, which is placed in it; parts outside are cut off.

    Args:
        array: (H, W) or (H, W, 3).
        shape: (height, width) of the result.
        offset: row and column of the first pixel of `array` in the result; may be negative.
        fill: value of all other pixels.
    """
    result = np.full((*shape, *array.shape[2:]), fill, array.dtype)
    top, left = (max(0, start) for start in offset)
    inner = array[max(0, -offset[0]):shape[0] - offset[0], max(0, -offset[1]):shape[1] - offset[1]]
    result[top:top + inner.shape[0], left:left + inner.shape[1]] = inner
    return result


def rotate(image: np.ndarray, mask: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask rotated anticlockwise about the centre. Pixels from outside are grey and IGNORE."""
    height, width = mask.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    image = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(GREY,) * 3)
    mask = cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=IGNORE)
    return image, mask


def jitter_colour(image: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """`image` uint8 (h, w, 3) RGB with hue, saturation and value multiplied by `gain` (3,). Hue wraps around."""
    steps = np.arange(256)
    tables = (steps * gain[0] % 180, (steps * gain[1]).clip(0, 255), (steps * gain[2]).clip(0, 255))
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv = cv2.LUT(hsv, np.stack(tables, axis=-1).astype(np.uint8)[None])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def degrade(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A worse photograph of `image` uint8 (h, w, 3): wrong exposure with a colour cast; noise; strong JPEG compression.

    Each of these three changes has the probability EACH. Over-exposed pixels lose their detail, as in a camera.
    """
    if rng.random() < EACH:
        gain = np.exp(rng.normal(0, EXPOSURE) + rng.normal(0, CAST, 3))
        image = cv2.LUT(image, (np.arange(256)[:, None] * gain).clip(0, 255).astype(np.uint8)[None])
    if rng.random() < EACH:
        noise = rng.standard_normal(image.shape, np.float32)
        image = cv2.addWeighted(image, 1, noise, rng.uniform(0, NOISE), 0, dtype=cv2.CV_8U)
    if rng.random() < EACH:
        quality = int(rng.integers(*QUALITY, endpoint=True))
        image = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(image, quality, colorsubsampling="420"))
    return image
