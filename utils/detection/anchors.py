"""Anchors that fit the boxes of a data set: k-means, then small random changes that are kept when they help."""

from __future__ import annotations

import cv2
import numpy as np

from nets.yolov5 import ANCHORS
from utils.detection.assignment import MAX_RATIO
from utils.detection.data.mosaic import MIN_SIDE

GOOD_RECALL = 0.98  # best possible recall from which anchors are kept as they are
GENERATIONS, SPREAD = 1000, 0.1  # tries to change the anchors, and how much by, as the deviation of a logarithm


def choose_anchors(sizes: np.ndarray, seed: int) -> tuple[np.ndarray, float, float]:
    """Anchors float32 (3, 3, 2), width and height in pixels, the best possible recall of ANCHORS, and that of these.

    They are ANCHORS if these have a recall of GOOD_RECALL or fitted ones have no higher one. The smallest three are for
    the finest level.

    sizes: widths and heights of the boxes in the images to train on, in pixels, float (n, 2).
    seed: of the random changes. The same seed gives the same anchors.
    """
    usual = np.array(ANCHORS, np.float32)
    sizes = np.asarray(sizes, np.float32)
    sizes = sizes[(sizes > MIN_SIDE).all(axis=1)]  # others are not trained on either
    before = best_possible_recall(sizes, usual.reshape(-1, 2))
    if before >= GOOD_RECALL or len(sizes) < usual.size // 2:
        return usual, before, before
    fitted = fit_anchors(sizes, usual.size // 2, seed)
    after = best_possible_recall(sizes, fitted)
    return (fitted.reshape(usual.shape), before, after) if after > before else (usual, before, before)


def best_possible_recall(sizes: np.ndarray, anchors: np.ndarray) -> float:
    """Share of the boxes that fit at least one anchor, so that training can learn to find them; 1.0 without boxes.

    sizes: float (n, 2), and anchors, float (k, 2): widths and heights in pixels.
    """
    return float((_fits(sizes, anchors) > 1 / MAX_RATIO).mean()) if len(sizes) else 1.0


def fit_anchors(sizes: np.ndarray, count: int, seed: int, generations: int = GENERATIONS) -> np.ndarray:
    """`count` anchors, float32 (count, 2), from the smallest area to the largest.

    Args:
        sizes: widths and heights of at least `count` boxes in pixels, float32 (n, 2).
        count: number of anchors.
        seed: of the random changes.
        generations: number of random changes that are tried.
    """
    rng = np.random.default_rng(seed)
    anchors = _cluster(sizes, count)
    fitness = _fitness(sizes, anchors)
    for _ in range(generations):
        changed = rng.random(anchors.shape) < 1 / count  # two values on average: changes of all rarely help
        candidate = anchors * np.exp(SPREAD * changed * rng.standard_normal(anchors.shape)).astype(np.float32)
        if (reached := _fitness(sizes, candidate)) > fitness:
            anchors, fitness = candidate, reached
    return anchors[anchors.prod(axis=1).argsort()]


def _cluster(sizes: np.ndarray, count: int) -> np.ndarray:
    """The centres of `count` clusters, float32 (count, 2), by k-means on sizes divided by their deviation.

    It starts from boxes grouped by area, so it needs no random numbers.
    """
    deviation = np.maximum(sizes.std(axis=0), 1e-6)
    groups = np.empty((len(sizes), 1), np.int32)
    groups[sizes.prod(axis=1).argsort(kind="stable"), 0] = np.arange(len(sizes)) * count // len(sizes)
    until = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 100, 1e-4)
    _, _, centres = cv2.kmeans(sizes / deviation, count, groups, until, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    return centres * deviation


def _fits(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """How well each box fits its best anchor, float32 (n,): the worse ratio of its two sides, at most 1."""
    ratios = sizes[:, None] / anchors
    return np.minimum(ratios, 1 / ratios).min(axis=2).max(axis=1)


def _fitness(sizes: np.ndarray, anchors: np.ndarray) -> float:
    """The mean over the boxes of how well they fit, which is 0 for boxes that fit no anchor."""
    fits = _fits(sizes, anchors)
    return float((fits * (fits > 1 / MAX_RATIO)).mean())
