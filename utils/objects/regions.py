"""Finds the objects in a mask, and counts the pixels of each class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from utils.objects.boxes import object_boxes
from utils.objects.outline import Rectangle, simplify, smallest_rectangle, trace

MIN_AREA = 0.0002  # share of the sheet; the smallest objects on real sheets, barcodes, have about 0.0016
TOLERANCE = 0.0002  # share of the longer side of the sheet that a region's polygon may leave its outline by
ROWS = 512  # rows processed at a time, to limit memory


class Region(NamedTuple):
    """One 8-connected component of a class. Lengths are in pixels of the upright sheet."""

    name: str
    index: int  # the class
    top: int
    left: int
    height: int
    width: int
    area: int
    centroid: tuple[float, float]  # row, column
    rectangle: Rectangle  # the one of the least area around it
    polygon: tuple[tuple[float, float], ...]  # its outer outline along the pixel edges, simplified: (x, y) corners
    touches_border: bool  # whether it reaches the edge of the sheet
    confidence: float = math.nan  # mean probability of its class over its pixels, 0 to 1; NaN: not asked for


def count_pixels(mask: np.ndarray, name_classes: Sequence[str]) -> dict[str, int]:
    """How many pixels of `mask`, uint8 (H, W), each class has; absent classes have 0."""
    counts = np.zeros(256, np.int64)
    for rows, columns in object_boxes(mask):
        for top in range(rows.start, rows.stop, ROWS):
            counts += np.bincount(mask[top:min(top + ROWS, rows.stop), columns].ravel(), minlength=256)
    counts[0] = mask.size - counts[1:].sum()
    return {name: int(count) for name, count in zip(name_classes, counts)}


def find_regions(
    mask: np.ndarray,
    name_classes: Sequence[str],
    min_area: float = MIN_AREA,
    probability: np.ndarray | None = None,
) -> list[Region]:
    """The objects in a mask, sorted by class and then from top to bottom, without the background.

    Objects of one class that touch, even at a corner, are one region.

    Args:
        mask: uint8 (H, W).
        name_classes: background first.
        min_area: regions smaller than this share of the sheet are specks and left out.
        probability: float (h, w), the probability of each pixel's class, over the whole sheet but usually at a smaller
            size; it makes the confidence of the regions.
    """
    regions = []
    for box in object_boxes(mask):
        y, x = (side.start for side in box)
        for index, name in enumerate(name_classes[1:], start=1):
            inside = mask[box] == index
            if not inside.any():
                continue
            _, labels, stats, _ = cv2.connectedComponentsWithStats(inside.view(np.uint8), connectivity=8)
            for number, (left, top, width, height, area) in enumerate(stats[1:].tolist(), start=1):
                if area < min_area * mask.size:
                    continue
                own = labels[top:top + height, left:left + width] == number
                region = _region(name, index, (y + top, x + left), own, mask.shape)
                if probability is not None:
                    region = region._replace(confidence=_mean_probability(region, own, mask.shape, probability))
                regions.append(region)
    return sorted(regions, key=lambda region: region[1:4])  # index, top, left


def _region(name: str, index: int, corner: tuple[int, int], own: np.ndarray, size: tuple[int, int]) -> Region:
    """The region of one object.

    Args:
        name, index: its class.
        corner: row and column of the upper left pixel of its box.
        own: its pixels, bool (height, width) of the box.
        size: height and width of the sheet.
    """
    (top, left), (height, width) = corner, own.shape
    outline = trace(own) + (left, top)
    corners = simplify(outline, TOLERANCE * max(size))
    moments = cv2.moments(own.view(np.uint8), binaryImage=True)
    area = round(moments["m00"])
    return Region(
        name, index, top, left, height, width, area,
        (top + moments["m01"] / area, left + moments["m10"] / area),
        smallest_rectangle(outline), tuple(map(tuple, corners.tolist())),
        top == 0 or left == 0 or top + height == size[0] or left + width == size[1],
    )


def _mean_probability(
    region: Region, own: np.ndarray, size: tuple[int, int], probability: np.ndarray
) -> float:
    """The mean of `probability`, float (h, w), over the pixels of a region.

    Args:
        region: its box says where it lies.
        own: its pixels, bool (height, width) of the box.
        size: height and width of the sheet.
        probability: over the whole sheet, at any size.
    """
    rows = (region.top + np.arange(region.height)) * probability.shape[0] // size[0]
    columns = (region.left + np.arange(region.width)) * probability.shape[1] // size[1]
    return float(probability[rows[:, None], columns][own].mean(dtype=np.float64))
