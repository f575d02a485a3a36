"""Label images in which each class has a colour, and grey ones whose values are the classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from utils.utils import IGNORE, UserError


def nearest_classes(
    image: np.ndarray, colors: Mapping[tuple[int, int, int], int], tolerance: float
) -> tuple[np.ndarray, float]:
    """The mask, uint8 (H, W), of a colour label image uint8 (H, W, 3), and the share of pixels that fit no colour.

    Each pixel gets the value of its nearest colour, or IGNORE when that is farther than `tolerance` (Euclidean in
    RGB, 0 to 442); of two colours equally near, the first. colors: (R, G, B) -> mask value, one table for all files.
    """
    red, green, blue = (image[..., channel].astype(np.uint32) for channel in range(3))
    packed = red << 16 | green << 8 | blue
    value_of, fits = np.zeros(1 << 24, np.uint8), np.zeros(1 << 24, bool)  # by packed colour
    fits[packed] = True
    present = np.flatnonzero(fits)
    channels = np.stack([present >> 16, present >> 8 & 255, present & 255], axis=1)
    distance = np.stack([((channels - color) ** 2).sum(1) for color in colors], axis=1)
    near = distance.min(1) <= tolerance**2
    value_of[present] = np.where(near, np.array(list(colors.values()))[distance.argmin(1)], IGNORE)
    fits[present] = near
    return value_of[packed], 1 - float(fits[packed].mean())


def grey_classes(source: Path, image: np.ndarray, num_classes: int) -> np.ndarray | None:
    """The mask, uint8 (H, W), of a label image uint8 (H, W, 3) whose channels are equal and hold class numbers.

    Many programs save index masks so. None for colour images and for ones that are black throughout. Raises UserError
    for an image of 0 and 255 alone, which does not say which class its objects are.
    """
    grey = image[..., 0]
    if (image != grey[..., None]).any():
        return None
    present = set(np.unique(grey).tolist())
    if present == {0, IGNORE}:
        raise UserError(
            f"{source} holds only 0 and 255: white objects do not say which class they are. Give the objects the "
            "colours of color_table, or, if all are of one class, give that class (255, 255, 255) there."
        )
    classes = present - {IGNORE}
    return grey.copy() if classes - {0} and max(classes) < num_classes else None
