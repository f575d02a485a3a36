"""Pictures of a mask, made without a float copy of the whole sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from utils.objects.boxes import object_boxes
from utils.utils import UserError

STRENGTH: float = 0.5  # share of the class colour in a tinted pixel; text on labels stays readable at 0.5


def draw_mask(
    pixels: np.ndarray, mask: np.ndarray, colors: Sequence[Sequence[int]], mix_type: int, in_place: bool = False
) -> np.ndarray:
    """A picture of `mask`, (H, W, 3) RGB with the dtype of `pixels`.

    Args:
        pixels: the photograph, uint8 or uint16 (H, W, 3) RGB.
        mask: uint8 (H, W) of class indices.
        colors: (R, G, B) of each class, background first. Classes without a colour are not tinted.
        mix_type: 0: the photograph with tinted objects, background unchanged; 1: only the colours of the classes; 2:
            objects cut out, background black.
        in_place: True: `pixels` may be changed and returned, which saves memory.

    Raises:
        UserError: another mix_type.
    """
    if mix_type not in (0, 1, 2):
        raise UserError(f"mix_type is {mix_type}: it has to be 0 (overlay), 1 (colour mask) or 2 (objects cut out).", 2)
    highest = np.iinfo(pixels.dtype).max
    palette = np.zeros((256, 3), pixels.dtype)
    palette[:len(colors)] = np.asarray(colors) * (highest // 255)
    if mix_type == 0:
        picture = pixels if in_place else pixels.copy()
        levels = np.arange(highest + 1, dtype=np.float32)[:, None]
        for box in object_boxes(mask):
            for index in range(1, len(colors)):
                inside = mask[box] == index
                if inside.any():
                    tint = np.rint((1 - STRENGTH) * levels + STRENGTH * palette[index]).astype(pixels.dtype)
                    _copy_inside(picture[box], _apply_table(tint, pixels[box]), inside)
    elif mix_type == 1:
        picture = np.full_like(pixels, palette[0])
        for box in object_boxes(mask):
            picture[box] = palette[mask[box]]
    else:
        picture = np.zeros_like(pixels)
        for box in object_boxes(mask):
            _copy_inside(picture[box], pixels[box], mask[box] > 0)
    return picture


def _apply_table(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`values` (H, W, 3) looked up in `table` (levels, 3): each channel in its own column."""
    if values.dtype == np.uint8:
        return cv2.LUT(values, table[None])
    return np.stack([table[values[..., channel], channel] for channel in range(3)], axis=-1)


def _copy_inside(target: np.ndarray, source: np.ndarray, inside: np.ndarray) -> None:
    """Copies `source` to `target`, both (H, W, 3), where `inside`, bool (H, W), is True: 30 x as fast as NumPy."""
    copied = cv2.copyTo(source, inside.view(np.uint8), target)
    assert copied is target, "OpenCV wrote to a copy"
