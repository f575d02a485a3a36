"""Mean shift (Comaniciu & Meer 2002, IEEE TPAMI 24:603) in the plane, on a grid.

A mode is a place that is the mean of all points within RADIUS of it. A search for one starts at a point and goes from
mean to mean. Deviations from the paper: points are counted in the cells of a grid, which replaces a search for
neighbours at every step; searches start at the mean of each square of a coarser grid, not at each point; and a point
belongs to the mode that is nearest, not to the one that its own search would reach. The last two are the rules of
scikit-learn's `MeanShift(bin_seeding=True)`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

RADIUS = 0.5        # of the flat kernel; modes that are closer than this are one
CELLS = 10          # cells to a radius; 80 instead move 0.4% of the points of clusters of spread 0.3 that lie 1.5
                    # apart, and none of spread 0.15 that lie 3 apart
SEED_POINTS = 8     # a square of the coarse grid, one radius wide, with fewer points starts no search: noise has many
MAX_SHIFTS = 100    # a search ends after so many steps
TOLERANCE = 0.01    # cells; a search ends when a step is shorter
MAX_CELLS = 20_000_000  # along one axis: beyond, float32 no longer tells cells apart


def mean_shift(points: np.ndarray) -> np.ndarray:
    """The number of each point's cluster, int64 (n,), from 0; -1 for all points if they are too few and too far apart.

    points: float (2, n), finite, less than MAX_CELLS cells apart. Memory depends on n alone, not on how far they are.
    """
    grid = (points - points.min(1, keepdims=True)).astype(np.float64)
    grid *= CELLS / RADIUS
    stride = int(grid[1].max()) + 4 * CELLS  # of the keys; discs that reach over the edge meet no cell there
    row, column = grid.astype(np.int64)
    keys, cell_of, counts = np.unique((row + CELLS) * stride + column + CELLS, return_inverse=True, return_counts=True)
    cells = np.stack((keys // stride, keys % stride), axis=1) + 0.5  # their centres
    sums = np.cumsum(np.vstack((np.zeros(3), counts[:, None] * np.insert(cells, 0, 1, axis=1))), axis=0)
    modes = _modes(_seeds(cells, counts, stride), keys, sums, stride)
    if not len(modes):
        return np.full(points.shape[1], -1)
    return _nearest_modes(cells, modes)[cell_of.ravel()]


def _seeds(cells: np.ndarray, counts: np.ndarray, stride: int) -> np.ndarray:
    """Where searches start, float64 (seeds, 2): the mean of the points in each square that holds SEED_POINTS.

    Args:
        cells: centres, float64 (cells, 2).
        counts: points in each cell.
        stride: cells from one row to the next in a key.
    """
    squares = cells.astype(np.int64) // CELLS
    _, square_of = np.unique(squares[:, 0] * stride + squares[:, 1], return_inverse=True)
    totals = np.bincount(square_of, counts)
    means = np.stack([np.bincount(square_of, counts * side) / totals for side in cells.T], axis=1)
    return means[totals >= SEED_POINTS]


def _modes(positions: np.ndarray, keys: np.ndarray, sums: np.ndarray, stride: int) -> np.ndarray:
    """The modes, float64 (modes, 2), that searches from `positions`, float64 (seeds, 2), end at.

    Of modes that are closer than the radius, the one with most points around it is kept.

    keys, sums, stride: see `_disc_means`.
    """
    positions, moving = positions.copy(), np.arange(len(positions))
    points = np.zeros(len(positions))
    for _ in range(MAX_SHIFTS):
        means, points[moving] = _disc_means(positions[moving], keys, sums, stride)
        far = np.abs(means - positions[moving]).max(1, initial=0) > TOLERANCE
        positions[moving] = means
        moving = moving[far]
        if not len(moving):
            break
    return _apart(positions[np.argsort(-points, kind="stable")])


def _apart(positions: np.ndarray) -> np.ndarray:
    """Those of `positions`, float64 (n, 2), that are farther than the radius from each one kept before them."""
    kept: dict[tuple[int, int], list[tuple[float, float]]] = {}  # by squares one radius wide
    for row, column in positions.tolist():
        y, x = int(row // CELLS), int(column // CELLS)
        around = (mode for i in (y - 1, y, y + 1) for j in (x - 1, x, x + 1) for mode in kept.get((i, j), ()))
        if all(math.hypot(row - mode[0], column - mode[1]) > CELLS for mode in around):
            kept.setdefault((y, x), []).append((row, column))
    return np.array([mode for modes in kept.values() for mode in modes])


def _disc_means(
    positions: np.ndarray, keys: np.ndarray, sums: np.ndarray, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the points within the radius of each position, float64 (n, 2), and how many they are, float64 (n,).

    A cell is inside if its centre is. The cells of one row that are inside are neighbours in `keys`, so the difference
    of two cumulative sums is their total. A position without points in reach is its own mean.

    Args:
        positions: float64 (n, 2) of row and column, in cells.
        keys: int64 (cells,), sorted: row * stride + column of each cell that holds points.
        sums: float64 (cells + 1, 3), cumulative: the points, and their sums of row and column.
        stride: see `keys`.
    """
    row, column = positions[:, :1], positions[:, 1:]
    rows = np.floor(row).astype(np.int64) + np.arange(-CELLS, CELLS + 1)
    half = np.sqrt(np.maximum(CELLS ** 2 - (rows + 0.5 - row) ** 2, 0))  # of the chord of the disc in that row
    first = np.searchsorted(keys, rows * stride + np.ceil(column - half - 0.5).astype(np.int64))
    last = np.searchsorted(keys, rows * stride + np.floor(column + half - 0.5).astype(np.int64), "right")
    totals = (sums[np.maximum(last, first)] - sums[first]).sum(1)
    points = totals[:, :1]
    return np.where(points > 0, totals[:, 1:] / np.maximum(points, 1), positions), points[:, 0]


def _nearest_modes(cells: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """The number of the mode that is nearest to each cell, int64 (cells,).

    Bands of CELLS rows look only at the modes that are near in rows, unless these turn out to be farther than that.

    cells: float64 (cells, 2), sorted by row.
    modes: float64 (modes, 2), at least one.
    """
    result = np.empty(len(cells), np.int64)
    order = np.argsort(modes[:, 0], kind="stable")
    modes = modes[order]
    bands = np.flatnonzero(np.diff(cells[:, 0] // CELLS, prepend=-1))
    for start, stop in zip(bands, [*bands[1:], len(cells)]):
        band, reach = cells[start:stop], 4 * CELLS
        first, last = np.searchsorted(modes[:, 0], (band[0, 0] - reach, band[-1, 0] + reach))
        numbers, farthest = _nearest(band, modes[first:last])
        if farthest > reach:
            first, (numbers, _) = 0, _nearest(band, modes)
        result[start:stop] = order[first + numbers]
    return result


def _nearest(cells: np.ndarray, modes: np.ndarray) -> tuple[np.ndarray, float]:
    """The number of the mode that is nearest to each cell, int64 (cells,), and the largest distance.

    cells, modes: float (cells, 2) and (modes, 2); without modes, nothing is near.
    """
    if not len(modes):
        return np.zeros(0, np.int64), np.inf
    distances, numbers = cv2.batchDistance(cells.astype(np.float32), modes.astype(np.float32), cv2.CV_32F, K=1)
    return numbers[:, 0].astype(np.int64), float(distances.max())
