"""Finds the objects in a mask, and counts the pixels of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from utils.objects.boxes import object_boxes

MIN_AREA = 0.0002  # share of the sheet; the smallest objects on real sheets, barcodes, have about 0.0016
ROWS = 512  # rows processed at a time, to limit memory


class Region(NamedTuple):
    """One 8-connected component of a class. Lengths are in pixels, positions are (row, column)."""

    name: str
    index: int  # the class
    top: int
    left: int
    height: int
    width: int
    area: int
    centroid: tuple[float, float]


def count_pixels(mask: np.ndarray, name_classes: Sequence[str]) -> dict[str, int]:
    """How many pixels of `mask`, uint8 (H, W), each class has; absent classes have 0."""
    counts = np.zeros(256, np.int64)
    for rows, columns in object_boxes(mask):
        for top in range(rows.start, rows.stop, ROWS):
            counts += np.bincount(mask[top:min(top + ROWS, rows.stop), columns].ravel(), minlength=256)
    counts[0] = mask.size - counts[1:].sum()
    return {name: int(count) for name, count in zip(name_classes, counts)}


def find_regions(mask: np.ndarray, name_classes: Sequence[str], min_area: float = MIN_AREA) -> list[Region]:
    """The objects in `mask`, uint8 (H, W), sorted by class and then from top to bottom, without the background.

    Objects of one class that touch, even at a corner, are one region. Regions smaller than `min_area`, a share of the
    sheet, are specks and left out.
    """
    regions = []
    for box in object_boxes(mask):
        y, x = (side.start for side in box)
        for index, name in enumerate(name_classes[1:], start=1):
            inside = mask[box] == index
            if not inside.any():
                continue
            _, _, stats, centroids = cv2.connectedComponentsWithStats(inside.view(np.uint8), connectivity=8)
            for (left, top, width, height, area), (column, row) in zip(stats[1:].tolist(), centroids[1:].tolist()):
                if area >= min_area * mask.size:
                    regions.append(Region(name, index, y + top, x + left, height, width, area, (y + row, x + column)))
    return sorted(regions, key=lambda region: region[1:4])  # index, top, left
