"""Where on a sheet the objects are: most of a mask is background, and what follows need not look at it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def object_boxes(mask: np.ndarray, gap: int = 0) -> list[tuple[slice, slice]]:
    """Boxes (rows, columns) that hold all of `mask`, uint8 or bool (H, W), that is not 0, and do not overlap.

    Between two of them lie more than `gap` rows or columns of 0 alone. Each object lies in one box as a whole, so what
    follows looks at the boxes and not at every pixel of the sheet.
    """
    boxes = []
    for rows in _runs(mask.any(1), gap):
        for columns in _runs(mask[rows].any(0), gap):
            for inner in _runs(mask[rows, columns].any(1), gap):
                boxes.append((slice(rows.start + inner.start, rows.start + inner.stop), columns))
    return boxes


def _runs(filled: np.ndarray, gap: int) -> Iterator[slice]:
    """The runs of True in `filled`, bool (n,); those with at most `gap` values of False between them are one."""
    edges = np.flatnonzero(np.diff(filled, prepend=False, append=False))
    apart = edges[2::2] - edges[1:-1:2] > gap
    ends = edges[np.r_[True, np.repeat(apart, 2), True][:len(edges)]].tolist()
    return map(slice, ends[::2], ends[1::2])
