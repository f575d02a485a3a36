"""How probable each taxon is for each sheet, by the other sheets: a sheet's own name never counts."""

from __future__ import annotations

import numpy as np

NEIGHBOUR_SCALE = 0.15   # of cosines: a neighbour that is so much farther counts 1 / e
PRIOR = 0.05             # share of the neighbours' votes that goes to all taxa as they are frequent
# Chosen on the violets, see docs/mistakes.md.
RIDGE = 1.0              # strength of the probe's penalty, for features of the length 1
TEMPERATURE = 0.1        # of the probe's softmax: larger values make probabilities more even
PROBE_SHARE = 0.9        # of the probe in the mean with the neighbours, who are right less often
ROWS = 1000              # sheets that are compared with all others at a time


def nearest(features: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the k nearest other sheets of each sheet, int (N, k), nearest first, and their cosines, float32.

    features: float32 (N, D), each row of the length 1. With fewer than k others: as many as there are.
    """
    count = len(features)
    k = min(k, count - 1)
    numbers, cosines = np.empty((count, k), int), np.empty((count, k), np.float32)
    for start in range(0, count, ROWS):
        alike = features[start:start + ROWS] @ features.T
        own = np.arange(start, start + len(alike))
        alike[np.arange(len(alike)), own] = -np.inf
        chosen = np.argpartition(-alike, max(k - 1, 0), axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(alike, chosen, 1), axis=1, kind="stable")
        numbers[own] = np.take_along_axis(chosen, order, 1)
        cosines[own] = np.take_along_axis(alike, numbers[own], 1)
    return numbers, cosines


def by_neighbours(numbers: np.ndarray, cosines: np.ndarray, taxa: np.ndarray, count: int) -> np.ndarray:
    """The probability of each taxon by the nearest sheets, nearer ones counting more, float64 (N, count).

    Args:
        numbers, cosines: from `nearest`.
        taxa: int (N,), the taxon of each sheet.
        count: number of taxa.
    """
    weights = np.exp((cosines - cosines[:, :1]) / NEIGHBOUR_SCALE).astype(float)
    votes = np.zeros((len(numbers), count))
    np.add.at(votes, (np.arange(len(numbers))[:, None], taxa[numbers]), weights)
    votes += PRIOR * weights.sum(1, keepdims=True) * np.bincount(taxa, minlength=count) / len(taxa)
    return votes / votes.sum(1, keepdims=True)


def by_probe(features: np.ndarray, taxa: np.ndarray, count: int) -> np.ndarray:
    """The probability of each taxon by a linear classifier that never saw the sheet, float64 (N, count).

    The classifier is a ridge regression of one-hot taxa, for which leaving a sheet out needs no second fit: with the
    hat matrix H, the value that a fit without sheet i gives it is (value_i - H_ii truth_i) / (1 - H_ii) (Allen's PRESS,
    1974). So each of N sheets is judged by N - 1, where folds would take more away, of taxa with few sheets most.

    Args:
        features: float32 (N, D), each row of the length 1.
        taxa: int (N,).
        count: number of taxa.
    """
    centred = features.astype(float) - features.mean(0, dtype=float)
    if len(centred) <= centred.shape[1]:
        values, vectors = np.linalg.eigh(centred @ centred.T)
    else:
        values, axes = np.linalg.eigh(centred.T @ centred)
        vectors = centred @ axes / np.sqrt(np.maximum(values, 1e-12))
    kept = values > 1e-9 * max(values[-1], 1e-9)
    values, vectors = values[kept], vectors[:, kept]
    shrunk = values / (values + RIDGE)
    truth = np.eye(count)[taxa]
    fitted = truth.mean(0) + vectors @ (shrunk[:, None] * (vectors.T @ truth))
    hat = (1 / len(taxa) + vectors ** 2 @ shrunk)[:, None]
    left_out = (fitted - hat * truth) / (1 - hat)
    odds = np.exp((left_out - left_out.max(1, keepdims=True)) / TEMPERATURE)
    return odds / odds.sum(1, keepdims=True)


def out_of_sample(features: np.ndarray, taxa: np.ndarray, count: int, neighbours: int) -> np.ndarray:
    """The mean of `by_probe` and `by_neighbours`, float64 (N, count).

    Args:
        features: float32 (N, D), each row of the length 1.
        taxa: int (N,).
        count: number of taxa.
        neighbours: how many of them vote.
    """
    votes = by_neighbours(*nearest(features, neighbours), taxa, count)
    return PROBE_SHARE * by_probe(features, taxa, count) + (1 - PROBE_SHARE) * votes
