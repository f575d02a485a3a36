"""Pictures, counts and regions of a mask; nothing here makes a float copy of the whole sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from utils.objects import MIN_AREA
from utils.utils import UserError

STRENGTH: float = 0.5  # share of the class colour in a tinted pixel: what is written on a label stays readable
ROWS: int = 512  # rows worked on at a time


class Region(NamedTuple):
    """One 8-connected component of a class; lengths in pixels, positions as (row, column)."""

    name: str
    index: int  # of the class
    top: int
    left: int
    height: int
    width: int
    area: int
    centroid: tuple[float, float]


def draw(pixels: np.ndarray, mask: np.ndarray, colors: Sequence[Sequence[int]], mix_type: int) -> np.ndarray:
    """A picture of `mask`, (H, W, 3) RGB in the type of `pixels`; `pixels` stays as it is.

    pixels: uint8 or uint16 (H, W, 3) RGB. mask: uint8 (H, W). mix_type 0: `pixels` with the objects tinted, background
    exactly as it is; 1: the colours of the classes alone; 2: the objects cut out, background black.
    Raises UserError for another mix_type.
    """
    if mix_type not in (0, 1, 2):
        raise UserError(f"mix_type is {mix_type}: it has to be 0 (overlay), 1 (colour mask) or 2 (objects cut out).", 2)
    palette = np.zeros((256, 3), pixels.dtype)
    palette[:len(colors)] = np.asarray(colors) * (np.iinfo(pixels.dtype).max // 255)
    if mix_type == 1:
        return palette[mask]
    picture = pixels.copy()
    for rows in _bands(mask):
        if mix_type == 2:
            picture[rows][mask[rows] == 0] = 0
        else:
            inside = (mask[rows] > 0) & (mask[rows] < len(colors))
            mixed = (1 - STRENGTH) * pixels[rows][inside] + STRENGTH * palette[mask[rows][inside]].astype(np.float32)
            picture[rows][inside] = np.rint(mixed)
    return picture


def count_pixels(mask: np.ndarray, name_classes: Sequence[str]) -> dict[str, int]:
    """How many pixels of `mask`, uint8 (H, W), each class has; classes that are absent too."""
    counts = sum(np.bincount(mask[rows].ravel(), minlength=256) for rows in _bands(mask))
    return {name: int(count) for name, count in zip(name_classes, counts)}


def find_regions(mask: np.ndarray, name_classes: Sequence[str], min_area: float = MIN_AREA) -> list[Region]:
    """The objects in `mask`, uint8 (H, W), by class and then from top to bottom; the background is none.

    Objects of one class that touch, be it by a corner, are one region. Smaller ones than `min_area`, a share of the
    sheet, are left out as specks.
    """
    regions = []
    for index, name in enumerate(name_classes[1:], start=1):
        x, y, width, height = cv2.boundingRect((mask == index).view(np.uint8))
        # Components are labelled within the box of all of them: the labels need 4 bytes a pixel.
        inside = (mask[y:y + height, x:x + width] == index).view(np.uint8)
        if not inside.size:
            continue
        _, _, stats, centroids = cv2.connectedComponentsWithStats(inside, connectivity=8)
        for (left, top, width, height, area), (column, row) in zip(stats[1:].tolist(), centroids[1:].tolist()):
            if area >= min_area * mask.size:
                regions.append(Region(name, index, y + top, x + left, height, width, area, (y + row, x + column)))
    return sorted(regions, key=lambda region: region[1:4])  # index, top, left


def _bands(mask: np.ndarray) -> Iterator[slice]:
    """Slices of rows that cover the mask, so that what is computed of them stays small."""
    return (slice(top, top + ROWS) for top in range(0, len(mask), ROWS))
