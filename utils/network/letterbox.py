"""From a photograph of any size to the network's input and back: letterbox, normalisation, upsampling.

Training, validation, evaluation, prediction and export all use these functions.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch

from utils.utils import IGNORE

GREY: int = 128  # value of the bars around a letterboxed image
TILE: int = 128  # `unletterbox_classes` works on squares with this side, in output pixels


class Placement(NamedTuple):
    """The place of an image in its letterbox, in pixels of the letterbox."""

    top: int
    left: int
    height: int
    width: int


def place(size: tuple[int, int], shape: tuple[int, int]) -> Placement:
    """The centred place, aspect kept, of an image of `size` in a letterbox of `shape`; both are (height, width)."""
    scale = min(shape[0] / size[0], shape[1] / size[1])
    height = min(shape[0], max(1, round(size[0] * scale)))
    width = min(shape[1], max(1, round(size[1] * scale)))
    return Placement((shape[0] - height) // 2, (shape[1] - width) // 2, height, width)


def place_tightly(
    size: tuple[int, int], shape: tuple[int, int], stride: int
) -> tuple[tuple[int, int], Placement]:
    """The smallest letterbox (height, width) that scales an image as `shape` does, and the image's place in it.

    It has hardly any bars.

    Args:
        size: height and width of the image.
        shape: height and width of the letterbox that gives the scale.
        stride: the sides are multiples of it if those of `shape` are.
    """
    height, width = place(size, shape)[2:]
    tight = min(-(-height // stride) * stride, shape[0]), min(-(-width // stride) * stride, shape[1])
    return tight, Placement((tight[0] - height) // 2, (tight[1] - width) // 2, height, width)


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`image` uint8 (H, W, 3) at `size` (height, width): averaged over areas if it shrinks, else bilinear.

    A strong reduction halves the image first, which is about as good as one step and five times as fast. An odd last
    row or column is lost in halving. This shifts the result by less than half a pixel.
    """
    while image.shape[0] >= 4 * size[0] and image.shape[1] >= 4 * size[1]:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[:2 * height, :2 * width], (width, height), interpolation=cv2.INTER_AREA)
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`mask` uint8 or uint16 (H, W) at `size` (height, width). Each pixel has the value of the nearest one."""
    return cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)


def letterbox(image: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, Placement]:
    """`image` uint8 (H, W, 3) scaled into `shape` (height, width) with grey bars, and its place there."""
    placement = place(image.shape[:2], shape)
    return _add_bars(resize(image, placement[2:]), shape, placement, GREY), placement


def letterbox_tightly(
    image: np.ndarray, shape: tuple[int, int], stride: int
) -> tuple[np.ndarray, Placement]:
    """As `letterbox`, in the smallest letterbox of that scale: see `place_tightly`."""
    tight, placement = place_tightly(image.shape[:2], shape, stride)
    return _add_bars(resize(image, placement[2:]), tight, placement, GREY), placement


def letterbox_mask(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """`mask` uint8 (H, W) scaled into `shape` as `letterbox` scales its image. The bars are IGNORE."""
    placement = place(mask.shape, shape)
    return _add_bars(resize_mask(mask, placement[2:]), shape, placement, IGNORE)


def _add_bars(inner: np.ndarray, shape: tuple[int, int], placement: Placement, value: int) -> np.ndarray:
    """A letterbox, uint8 (*shape) or (*shape, 3), with an image or mask in it.

    Args:
        inner: the scaled image or mask.
        shape: (height, width) of the letterbox.
        placement: the place of `inner`.
        value: of the bars.
    """
    top, left, height, width = placement
    outer = np.full((*shape, *inner.shape[2:]), value, np.uint8)
    outer[top:top + height, left:left + width] = inner
    return outer


def network_input(images: torch.Tensor) -> torch.Tensor:
    """The network's input for `images` uint8 (N, H, W, 3) RGB: float32 (N, 3, H, W) in [0, 1] on the same device.

    Its memory format is channels-last, as that of the images, so no values move.
    """
    return images.permute(0, 3, 1, 2).float().div_(255)


def highest_class(logits: np.ndarray) -> np.ndarray:
    """The class of each pixel, uint8 (h, w), for `logits`, float (C, h, w): `argmax` in a quarter of the time.

    NumPy's argmax is slow here because the logits of one pixel lie far apart in memory.
    """
    highest, classes = logits[0].copy(), np.zeros(logits.shape[1:], np.uint8)
    for k in range(1, len(logits)):
        np.copyto(classes, np.uint8(k), where=logits[k] > highest)
        np.maximum(highest, logits[k], out=highest)
    return classes


def unletterbox_classes(logits: torch.Tensor | np.ndarray, placement: Placement, size: tuple[int, int]) -> np.ndarray:
    """The classes, uint8 (H, W), at the image's own `size`: the argmax of the bilinearly upsampled `logits`.

    Upsampling is that of `cv2.resize` and `interpolate(align_corners=False)`. A bilinear value is a weighted mean of
    four neighbours. If all four have the same highest class, the result has it too. So only tiles whose neighbours
    disagree are computed, and there is never a float array of the full size.

    logits: float (C, h, w) of the letterboxed image; the bars are cut off first.
    placement: the place of the image in the letterbox.
    size: (height, width) of the result.
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
                # A class cannot win anywhere if its highest value is below the lowest value of another.
                possible = np.flatnonzero(values.max((1, 2)) >= values.min((1, 2)).max())
                tile[:] = possible[(row_weights @ values[possible] @ column_weights.T).argmax(0)]
    return mask


def _linear_weights(start: int, stop: int, out_length: int, in_length: int) -> tuple[int, np.ndarray]:
    """The first input index and the weights, float32 (stop - start, inputs), of some outputs along one axis.

    Args:
        start: first output.
        stop: the output after the last one.
        out_length: all outputs of the axis.
        in_length: all inputs of the axis.
    """
    position = (np.arange(start, stop) + 0.5) * (in_length / out_length) - 0.5
    position = position.clip(0, in_length - 1)
    lower = np.floor(position).astype(int)
    upper = np.minimum(lower + 1, in_length - 1)
    weights = np.zeros((stop - start, upper[-1] - lower[0] + 1), np.float32)
    row = np.arange(stop - start)
    weights[row, lower - lower[0]] += (1 - (position - lower)).astype(np.float32)
    weights[row, upper - lower[0]] += (position - lower).astype(np.float32)
    return int(lower[0]), weights
