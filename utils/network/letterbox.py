"""Between a photograph of any size and the network's input: letterbox, normalisation, and the way back.

Training, validation, evaluation, prediction and export all go through here.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch

from utils.utils import IGNORE

GREY: int = 128  # value of the bars beside a letterboxed image
TILE: int = 128  # side of the squares, in output pixels, in which `unletterbox_classes` works


class Placement(NamedTuple):
    """Where the image lies inside its letterbox, in pixels of the letterbox."""

    top: int
    left: int
    height: int
    width: int


def place(size: tuple[int, int], shape: tuple[int, int]) -> Placement:
    """The centred placement of an image of `size` in a letterbox of `shape` (both height, width), aspect kept."""
    scale = min(shape[0] / size[0], shape[1] / size[1])
    height = min(shape[0], max(1, round(size[0] * scale)))
    width = min(shape[1], max(1, round(size[1] * scale)))
    return Placement((shape[0] - height) // 2, (shape[1] - width) // 2, height, width)


def tight_shape(size: tuple[int, int], shape: tuple[int, int], stride: int) -> tuple[int, int]:
    """The smallest shape for an image of `size` (both height, width) that scales it as `shape` does: hardly any bars.

    Multiples of `stride`, where `shape` has them too.
    """
    placement = place(size, shape)
    height, width = (-(-side // stride) * stride for side in placement[2:])
    return min(height, shape[0]), min(width, shape[1])


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`image` uint8 (H, W, 3) at `size` (height, width): averaged over areas when it shrinks, else bilinear.

    A strong reduction begins with halving, four pixels into one: about as good as a single step and five times as
    quick. An odd last row or column is left out there: a shift of less than half a pixel of the result.
    """
    while image.shape[0] >= 4 * size[0] and image.shape[1] >= 4 * size[1]:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[:2 * height, :2 * width], (width, height), interpolation=cv2.INTER_AREA)
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`mask` uint8 (H, W) at `size` (height, width), each pixel the nearest one's class."""
    return cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)


def letterbox(image: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, Placement]:
    """`image` uint8 (H, W, 3) scaled into `shape` (height, width) with grey bars, and where it lies there."""
    placement = place(image.shape[:2], shape)
    return _pad(resize(image, placement[2:]), shape, placement, GREY), placement


def letterbox_mask(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """`mask` uint8 (H, W) scaled into `shape` as `letterbox` scales its image; the bars are IGNORE."""
    placement = place(mask.shape, shape)
    return _pad(resize_mask(mask, placement[2:]), shape, placement, IGNORE)


def _pad(inner: np.ndarray, shape: tuple[int, int], placement: Placement, value: int) -> np.ndarray:
    top, left, height, width = placement
    outer = np.full((*shape, *inner.shape[2:]), value, np.uint8)
    outer[top:top + height, left:left + width] = inner
    return outer


def network_input(images: torch.Tensor) -> torch.Tensor:
    """The network's input for `images` uint8 (N, H, W, 3) RGB: float32 (N, 3, H, W) in [0, 1] on the same device.

    The memory is channels-last (the images' own order), so nothing is permuted.
    """
    return images.permute(0, 3, 1, 2).float().div_(255)


def highest_class(logits: np.ndarray) -> np.ndarray:
    """The class of each pixel, uint8 (h, w), of `logits`, float (C, h, w): `argmax` in a quarter of its time.

    NumPy's own takes pixel by pixel along the axis that lies furthest apart in memory.
    """
    highest, classes = logits[0].copy(), np.zeros(logits.shape[1:], np.uint8)
    for k in range(1, len(logits)):
        np.copyto(classes, np.uint8(k), where=logits[k] > highest)
        np.maximum(highest, logits[k], out=highest)
    return classes


def unletterbox_classes(logits: torch.Tensor | np.ndarray, placement: Placement, size: tuple[int, int]) -> np.ndarray:
    """The classes, uint8 (H, W), at the image's own `size`: argmax of the bilinearly upsampled `logits`.

    logits: float (C, h, w) of the letterboxed image; the bars are cut off before anything is interpolated.
    Upsampling is that of `cv2.resize` and of `interpolate(align_corners=False)`. A bilinear value is a weighted mean
    of its four neighbours, so where all of them have one class as their maximum that class is the result; only
    tiles where neighbours disagree are computed, and no float array of the full size ever exists.
    """
    top, left, height, width = placement
    if isinstance(logits, torch.Tensor):
        logits = logits.detach().float().cpu().numpy()
    logits = logits[:, top:top + height, left:left + width]
    coarse = highest_class(logits)
    mask = np.empty(size, np.uint8)
    columns = [(x, _linear_weights(x, min(x + TILE, size[1]), size[1], width)) for x in range(0, size[1], TILE)]
    for y in range(0, size[0], TILE):
        row, row_weights = _linear_weights(y, min(y + TILE, size[0]), size[0], height)
        rows = slice(row, row + row_weights.shape[1])
        for x, (column, column_weights) in columns:
            cols = slice(column, column + column_weights.shape[1])
            near = coarse[rows, cols]
            tile = mask[y:y + TILE, x:x + TILE]
            if (near == near[0, 0]).all():
                tile[:] = near[0, 0]
            else:
                values = logits[:, rows, cols]
                # A class whose highest value is below the lowest of another is nowhere the maximum.
                possible = np.flatnonzero(values.max((1, 2)) >= values.min((1, 2)).max())
                tile[:] = possible[(row_weights @ values[possible] @ column_weights.T).argmax(0)]
    return mask


def _linear_weights(start: int, stop: int, out_length: int, in_length: int) -> tuple[int, np.ndarray]:
    """First input index and weights, float32 (stop - start, inputs), of the outputs `start` to `stop` of one axis."""
    position = (np.arange(start, stop) + 0.5) * (in_length / out_length) - 0.5
    position = position.clip(0, in_length - 1)
    lower = np.floor(position).astype(int)
    upper = np.minimum(lower + 1, in_length - 1)
    weights = np.zeros((stop - start, upper[-1] - lower[0] + 1), np.float32)
    row = np.arange(stop - start)
    weights[row, lower - lower[0]] += (1 - (position - lower)).astype(np.float32)
    weights[row, upper - lower[0]] += (position - lower).astype(np.float32)
    return int(lower[0]), weights
