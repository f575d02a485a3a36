"""Label images in which each class has a colour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from utils.utils import IGNORE


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
