"""Labelled objects, whatever format they were read from, and the masks that are painted of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from utils.files.images import MAX_PIXELS
from utils.labels.polygons import area, fill_polygon
from utils.utils import IGNORE, UserError


class LabelledObject(NamedTuple):
    """One object: its name and either polygons, float64 (N, 2) each, or COCO's run lengths, int64 (K,)."""

    name: str
    polygons: list[np.ndarray]
    runs: np.ndarray | None = None  # down the columns, not-object and object by turns
    crowd: bool = False  # a region with objects that have not been told apart

    def size(self) -> float:
        """Square pixels."""
        return float(self.runs[1::2].sum()) if self.runs is not None else sum(map(area, self.polygons))


def paint_objects(objects: Sequence[LabelledObject], size: tuple[int, int], values: Mapping[str, int]) -> np.ndarray:
    """The mask, uint8 (H, W), with the larger objects below the smaller: a barcode on a label is kept.

    These formats say nothing of which object lies on top. Crowds become IGNORE, below everything. `values` has the
    name of every object. Raises ValueError when run lengths do not fit the size.
    """
    mask = np.zeros(size, np.uint8)
    for item in sorted(objects, key=lambda item: (not item.crowd, -item.size())):
        value = IGNORE if item.crowd else values[item.name]
        for polygon in item.polygons:
            fill_polygon(mask, polygon, value)
        if item.runs is not None:
            mask[decode_runs(item.runs, size)] = value
    return mask


def require_size(what: str, size: tuple[int, int]) -> None:
    """Raises UserError for a size (height, width) that no image has."""
    if min(size) < 1 or math.prod(size) > MAX_PIXELS:
        raise UserError(f"{what} has the size {size[1]} x {size[0]}: put it right in the label file.")


def decode_runs(runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The object that COCO's run lengths describe, bool (H, W)."""
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size[::-1]).T
