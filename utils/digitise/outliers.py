"""Finds values that lie far from the others of a batch."""

from __future__ import annotations

import numpy as np

FAR = 3.5  # modified z-score above which Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers, call it one
NEIGHBOURS = 0.02  # share of the points that makes a place usual, see `distances_to_others`
REFERENCES = 300  # points that each point is compared with: all pairs of 100,000 would take minutes


def robust_scores(values: np.ndarray, floor: float) -> np.ndarray:
    """How many standard deviations each value, float (N,), lies from the median: float64 (N,).

    The deviation is 1.4826 x the median distance from the median, which is the standard deviation of a normal
    distribution, as in Iglewicz and Hoaglin's modified z-score.

    floor: the least deviation, so that in a batch where most values are equal not every other one is far away.
    """
    distances = values - np.median(values)
    return distances / max(1.4826 * float(np.median(np.abs(distances))), floor)


def outliers(values: np.ndarray, floor: float, most: int) -> np.ndarray:
    """Which values, float (N,), lie far from the median and are rare: bool (N,).

    floor: see `robust_scores`.
    most: on either side at most so many are outliers, and none that is no farther than the next one: what is common
        belongs to the batch.
    """
    if len(values) <= most:
        return np.zeros(len(values), bool)
    scores = robust_scores(values, floor)
    next_low, next_high = np.partition(scores, [most, -1 - most])[[most, -1 - most]]
    return (scores > np.maximum(FAR, next_high)) | (scores < np.minimum(-FAR, next_low))


def distances_to_others(points: np.ndarray) -> np.ndarray:
    """How far each point, float (N, 2), is from the nearest place where several others are: float64 (N,).

    The distance to its k-th nearest neighbour (Ramaswamy, Rastogi and Shim 2000) among at most 300 of the points, where
    k is 2% of them, at least 3, itself included. So objects may have several usual places.
    """
    references = points[np.random.default_rng(0).permutation(len(points))[:REFERENCES]]
    k = min(max(3, int(NEIGHBOURS * len(references))), len(references))
    squared = np.empty(len(points))
    for start in range(0, len(points), 1000):
        apart = points[start:start + 1000, None] - references
        squared[start:start + 1000] = np.partition((apart ** 2).sum(2), k - 1, axis=1)[:, k - 1]
    return np.sqrt(squared)
