"""Boxes around the objects of a sheet. Most of a mask is background, and later steps can skip it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def object_boxes(mask: np.ndarray, gap: int = 0) -> list[tuple[slice, slice]]:
    """Boxes (rows, columns) that do not overlap and hold every pixel of `mask` that is not 0.

    Each object lies completely in one box, so later steps look only at the boxes instead of the whole sheet.

    mask: uint8 or bool (H, W).
    gap: two boxes are more than this many empty rows or columns apart.
    """
    boxes = []
    for rows in _find_runs(mask.any(1), gap):
        for columns in _find_runs(mask[rows].any(0), gap):
            for inner in _find_runs(mask[rows, columns].any(1), gap):
                boxes.append((slice(rows.start + inner.start, rows.start + inner.stop), columns))
    return boxes


def _find_runs(filled: np.ndarray, gap: int) -> Iterator[slice]:
    """The runs of True in `filled`, bool (n,). Runs with at most `gap` values of False between them are joined."""
    edges = np.flatnonzero(np.diff(filled, prepend=False, append=False))
    apart = edges[2::2] - edges[1:-1:2] > gap
    ends = edges[np.r_[True, np.repeat(apart, 2), True][:len(edges)]].tolist()
    return map(slice, ends[::2], ends[1::2])
