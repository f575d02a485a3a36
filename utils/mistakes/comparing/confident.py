"""Confident learning: which names are probably wrong, and what is right (Northcutt, Jiang and Chuang 2021).

arXiv 1911.00068. Its authors' library, cleanlab, needs pandas and scikit-learn; these lines are all that is used of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LEAST = 2  # sheets of a taxon from which its name can be judged: one alone has nothing to be compared with


class Judgement(NamedTuple):
    """What is thought of each sheet's name, an entry a sheet."""

    scores: np.ndarray     # float64 (N,), 0 to 1: how little the sheet is like its taxon; NaN: it cannot be judged
    suggested: np.ndarray  # int (N,): the most probable taxon
    wrong: np.ndarray      # bool (N,): another taxon is confidently that of the sheet, and likelier than the given one


def judge(probabilities: np.ndarray, taxa: np.ndarray) -> Judgement:
    """What the out-of-sample probabilities say of each name.

    The score compares the probability p of a sheet's name with the mean probability q that sheets of other names have
    of it: q / (p + q). It is 0.5 for a sheet that is no more like its taxon than sheets of other taxa are, and near 0
    for one that is typical. p alone finds as many mistakes where all taxa are equally frequent; of rare taxa, however,
    every sheet has a low p.

    Args:
        probabilities: float64 (N, C), out of sample.
        taxa: int (N,), the given ones.
    """
    rows = np.arange(len(taxa))
    given = probabilities[rows, taxa]
    limits = thresholds(probabilities, taxa)
    confident = np.where(probabilities >= limits, probabilities, -1.0)
    best = confident.argmax(1)
    other = probabilities.copy()
    other[rows, taxa] = -1.0
    wrong = (confident[rows, best] >= 0) & (best != taxa) & (other.max(1) > given)
    judged = np.isfinite(limits[taxa])
    usual = background(probabilities, taxa)[taxa]
    scores = np.where(judged, usual / np.maximum(given + usual, 1e-12), np.nan)
    return Judgement(scores, np.where(wrong, best, other.argmax(1)), wrong & judged)


def thresholds(probabilities: np.ndarray, taxa: np.ndarray) -> np.ndarray:
    """For each taxon, the mean probability that sheets of this name have of it, float64 (C,); inf for fewer than LEAST.

    Arguments: see `judge`.
    """
    count = probabilities.shape[1]
    sheets = np.bincount(taxa, minlength=count)
    sums = np.bincount(taxa, probabilities[np.arange(len(taxa)), taxa], minlength=count)
    return np.where(sheets >= LEAST, sums / np.maximum(sheets, 1), np.inf)


def background(probabilities: np.ndarray, taxa: np.ndarray) -> np.ndarray:
    """For each taxon, the mean probability that sheets of other names have of it, float64 (C,). Arguments: `judge`."""
    count = probabilities.shape[1]
    others = len(taxa) - np.bincount(taxa, minlength=count)
    own = np.bincount(taxa, probabilities[np.arange(len(taxa)), taxa], minlength=count)
    return (probabilities.sum(0) - own) / np.maximum(others, 1)
