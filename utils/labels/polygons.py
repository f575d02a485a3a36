"""Polygons to pixels and back, one rule for every label format.

Coordinates are continuous, as labelme's canvas, COCO and YOLO have them: pixel (row r, column c) is the square
from (x=c, y=r) to (c + 1, r + 1). A pixel belongs to a polygon when its centre does, so what is traced along pixel
edges is filled exactly, and neighbours that share an edge neither overlap nor leave a gap.

labelme's own export draws with Pillow, which cuts coordinates to whole numbers, takes them for pixel centres and adds
the outline: its masks differ by up to a pixel along the outline and are a little larger.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from utils.objects.outline import simplify, trace


class Outline(NamedTuple):
    """The outer outline of one connected object of a mask."""

    value: int  # mask value of the object
    points: np.ndarray  # float64 (N, 2), x and y
    pixels: int  # pixels of the object itself; what lies inside its outline is not counted


def fill_polygon(mask: np.ndarray, points: np.ndarray, value: int) -> int:
    """How many pixels of `mask` (H, W) have been set to `value`, in place: those with their centre in the polygon.

    points: (N, 2) x, y; the last is joined to the first; parts outside the mask are cut off. A polygon that crosses
    itself is filled by the even-odd rule. A centre that lies exactly on an edge belongs to the side with the larger
    x or y, so that it is never in two neighbours.
    """
    height, width = mask.shape
    start = np.asarray(points, np.float64)
    end = np.roll(start, -1, axis=0)
    upward = start[:, 1] > end[:, 1]
    top, bottom = np.where(upward[:, None], end, start), np.where(upward[:, None], start, end)

    # every (edge, row) where the edge crosses the line of the row's pixel centres
    first = np.ceil(top[:, 1] - 0.5).clip(0, height).astype(np.int64)
    count = np.ceil(bottom[:, 1] - 0.5).clip(0, height).astype(np.int64) - first
    edge = np.repeat(np.arange(len(start)), count)
    if not len(edge):
        return 0
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    step = (bottom - top)[edge]
    x = top[edge, 0] + (row + 0.5 - top[edge, 1]) * step[:, 0] / step[:, 1]
    column = np.ceil(x - 0.5).clip(0, width).astype(np.int64)

    # each crossing switches between outside and inside for the rest of its row
    first_row, first_column = row.min(), column.min()
    switch = np.zeros((row.max() - first_row + 1, column.max() - first_column + 1), np.uint8)
    np.bitwise_xor.at(switch, (row - first_row, column - first_column), 1)
    inside = np.bitwise_xor.accumulate(switch, axis=1)[:, :-1].astype(bool)
    box = mask[first_row : first_row + inside.shape[0], first_column : first_column + inside.shape[1]]
    box[inside] = value
    return int(inside.sum())


def rectangle(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """The four corners, float64 (4, 2), of the upright rectangle with two opposite corners in any order."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)


def area(points: np.ndarray) -> float:
    """The area inside a simple polygon (N, 2), in square pixels."""
    x, y = np.asarray(points, np.float64).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def outlines(mask: np.ndarray, tolerance: float = 0.0, min_pixels: int = 1) -> list[Outline]:
    """The outlines of all objects of a mask uint8 (H, W), largest first, so that what lies inside comes later.

    Painted in this order with `fill_polygon` they give the mask back exactly when `tolerance` is 0: a hole is the
    outline of what fills it, also when that is background. Background that reaches the edge of the mask has no
    outline. Objects are connected by edges (4-connectivity).

    tolerance: how far (pixels) an outline may leave the true one to save points (Douglas-Peucker).
    min_pixels: smaller objects are left out; the object around them then covers them.
    """
    found: list[tuple[float, Outline]] = []
    for value in np.unique(mask):
        _, components, stats, _ = cv2.connectedComponentsWithStats((mask == value).astype(np.uint8), connectivity=4)
        for index, (x, y, width, height, pixels) in enumerate(stats.tolist()):
            at_edge = x == 0 or y == 0 or x + width == mask.shape[1] or y + height == mask.shape[0]
            if index == 0 or pixels < min_pixels or (value == 0 and at_edge):  # component 0: all other values
                continue
            crop = components[y : y + height, x : x + width] == index
            points = trace(crop) + (x, y)
            found.append((area(points), Outline(int(value), simplify(points, tolerance), pixels)))
    return [outline for _, outline in sorted(found, key=lambda item: -item[0])]
