"""How unlike all others a sheet is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.digitise.outliers import robust_scores

FLOOR = 0.1   # least standard deviation of the logarithm of a distance: batches of copies have hardly any
FAR = 3.5     # deviations above the usual distance from which a sheet is unusual, see `robust_scores`
ROWS = 1000   # sheets that are compared with all others at a time


def deviations(blocks: Sequence[np.ndarray], k: int) -> np.ndarray:
    """How many standard deviations each sheet's distance to its k-th nearest is above the usual one, float64 (N,).

    Ramaswamy, Rastogi and Shim 2000, "Efficient algorithms for mining outliers from large data sets". Distances, not
    cosines: what is no plant has features of extreme sizes, and its direction may be anyone's.

    Args:
        blocks: float32 (N, d) each, from `standardise`; each gets the same weight.
        k: with fewer other sheets, the farthest.
    """
    points = np.concatenate([block / np.float32(block.shape[1] ** 0.5) for block in blocks], 1)
    k, lengths = min(k, len(points) - 1), (points ** 2).sum(1)
    squared = np.empty(len(points))
    for start in range(0, len(points), ROWS):
        part = slice(start, start + ROWS)
        apart = lengths[part, None] + lengths - 2 * points[part] @ points.T
        squared[part] = np.partition(apart, k, axis=1)[:, k]  # the sheet itself is at 0
    return robust_scores(0.5 * np.log(np.maximum(squared, 1e-12)), FLOOR)


def unusual_score(values: np.ndarray) -> np.ndarray:
    """0 to 1 for so many deviations, float (N,): 0 for a usual sheet, 0.5 for FAR of them."""
    above = np.maximum(values, 0)
    return above / (above + FAR)
