"""Calibrates the confidence of objects: 0.9 then means that nine of ten such objects are right.

The mean probability of an object's class over its pixels tells right objects from false ones well, but it is not the
share of them that are right. For each class a line maps its logit to that of the share (Platt 1999, "Probabilistic
outputs for support vector machines"). Some classes have few false objects, so the line of each is drawn towards that of
all objects together: a normal prior around it, with a standard deviation of 1 for the slope and for the middle. On 47
sheets, judged by lines made without their institution, this had a lower log loss than one line for all classes, than a
temperature, and than isotonic regression, with and without classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from utils.objects.boxes import object_boxes
from utils.objects.confidence import Calibration, calibrated, logit
from utils.objects.regions import MIN_AREA, probability_in
from utils.scoring.objects import match_objects
from utils.utils import IGNORE, UserError

POOLED = 0.1   # strength of the prior (1 / variance) of the line of all objects, around confidence = mean probability
STRENGTH = 1.0  # of that of each class, around the line of all
STEPS = 100    # of Newton's method at most
LONGEST = 2.0  # a step; longer ones may overshoot
BINS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 1.0)  # edges of the reliability table
FLATTEST = 0.01  # slope of a class that is used; one that is less, or falls, is replaced by that of all objects
PLACES = 4     # decimals of the numbers that are stored


class Judged(NamedTuple):
    """A predicted object, compared with the truth."""

    group: str          # its institution; a calibration is tested on institutions that it was made without
    index: int          # its class
    probability: float  # mean probability of the class over its pixels, 0 to 1
    right: bool         # whether it matches a true object, see `utils.scoring.objects`


class Bin(NamedTuple):
    """Objects of about one confidence."""

    low: float         # the bin's edges
    high: float
    count: int
    confidence: float  # their mean confidence
    right: float       # the share of them that are right


class Quality(NamedTuple):
    """How good confidences are; lower is better for each."""

    log_loss: float
    brier: float  # mean squared difference from 1 (right) or 0 (false)
    error: float  # mean difference between confidence and share of right objects in BINS (expected calibration error)


def judge_objects(
    truth: np.ndarray, prediction: np.ndarray, probability: np.ndarray, num_classes: int, group: str
) -> list[Judged]:
    """The predicted objects of a sheet that are right or false.

    Args:
        truth: uint8 (H, W) of class indices and IGNORE.
        prediction: uint8 (H, W) of class indices, without any object left out for its confidence.
        probability: of each pixel's class, float (h, w), over the whole sheet at any size.
        num_classes: with the background.
        group: the sheet's institution.
    """
    judged = []
    for index in range(1, num_classes):
        for box in object_boxes((truth == index) | (prediction == index)):
            true, predicted, ignored = (
                (mask[box] == value).astype(np.uint8)
                for mask, value in ((truth, index), (prediction, index), (truth, IGNORE)))
            matches = match_objects(true, predicted, ignored, MIN_AREA * truth.size)
            numbers, values = matches.labels.ravel(), probability_in(box, truth.shape, probability).ravel()
            means = np.bincount(numbers, values) / np.maximum(np.bincount(numbers), 1)
            for number in np.flatnonzero(matches.right | matches.false):
                judged.append(Judged(group, index, float(means[number]), bool(matches.right[number])))
    return judged


def fit_calibration(objects: Sequence[Judged], num_classes: int) -> list[list[float]]:
    """The slope and the shift of the logit for each class, the background's 1 and 0.

    Raises UserError when there are no objects, or more sureness does not make them more often right.
    """
    if not objects:
        raise UserError("No object was found, so there is nothing to calibrate: check the sheets and the checkpoint.")
    sure = logit(np.array([item.probability for item in objects]))
    right, classes = (np.array([getattr(item, name) for item in objects]) for name in ("right", "index"))
    middle = float(sure.mean())
    features = np.column_stack([sure - middle, np.ones_like(sure)])
    pooled = logistic(features, right, np.array([1.0, middle]), POOLED)
    if pooled[0] < FLATTEST:
        raise UserError("Objects that the network is surer of are not more often right: train it further.")
    lines = [[1.0, 0.0]]  # the background's
    for index in range(1, num_classes):
        own = classes == index
        line = logistic(features[own], right[own], pooled, STRENGTH)
        slope, at_middle = (line if line[0] >= FLATTEST else pooled).tolist()
        lines.append([round(slope, PLACES), round(at_middle - slope * middle, PLACES)])
    return lines


def logistic(features: np.ndarray, right: np.ndarray, prior: np.ndarray, strength: float) -> np.ndarray:
    """The weights of a logistic regression, float64 (d,), by Newton's method.

    Args:
        features: float64 (n, d); n may be 0.
        right: bool (n,).
        prior: the weights that they are drawn to, float64 (d,).
        strength: of that, one over the variance.
    """
    weights = prior.copy()
    for _ in range(STEPS):
        expected = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (expected - right) + strength * (weights - prior)
        curvature = (features * (expected * (1 - expected))[:, None]).T @ features + strength * np.eye(len(prior))
        step = np.linalg.solve(curvature, gradient)
        weights -= step * min(1.0, LONGEST / max(float(np.linalg.norm(step)), 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    return weights


def confidences(objects: Sequence[Judged], calibration: Calibration) -> np.ndarray:
    """The confidence of each object, float64 (n,)."""
    return np.array([float(calibrated(item.probability, item.index, calibration)) for item in objects])


def held_out_confidences(objects: Sequence[Judged], num_classes: int) -> np.ndarray:
    """The confidence of each object, float64 (n,), by a calibration made without its group.

    Raises UserError when there are fewer than two groups, or as `fit_calibration`.
    """
    groups = sorted({item.group for item in objects})
    if len(groups) < 2:
        raise UserError(f"All sheets count as one institution ({groups[0] if groups else 'none'}): at least two are "
                        'needed to test the calibration. With separator "" each sheet counts as one.')
    result = np.zeros(len(objects))
    for group in groups:
        own = np.array([item.group == group for item in objects])
        rest = [item for item in objects if item.group != group]
        result[own] = confidences([item for item in objects if item.group == group], fit_calibration(rest, num_classes))
    return result


def reliability(confidence: np.ndarray, right: np.ndarray) -> list[Bin]:
    """The bins that hold objects. confidence: float (n,), 0 to 1; right: bool (n,)."""
    places = np.clip(np.searchsorted(BINS, confidence, side="right") - 1, 0, len(BINS) - 2)
    return [Bin(BINS[place], BINS[place + 1], int(own.sum()), float(confidence[own].mean()), float(right[own].mean()))
            for place in range(len(BINS) - 1) if (own := places == place).any()]


def quality(confidence: np.ndarray, right: np.ndarray) -> Quality:
    """How good confidences, float (n,) from 0 to 1, are for objects that are right or not, bool (n,)."""
    said = np.clip(np.where(right, confidence, 1 - confidence), 1e-6, 1.0)
    error = sum(item.count * abs(item.confidence - item.right) for item in reliability(confidence, right))
    return Quality(float(-np.log(said).mean()), float(((confidence - right) ** 2).mean()), error / len(right))


def confidence_limit(false_price: float) -> float:
    """The confidence below which leaving an object out costs less, 0 to 1.

    An object with the confidence p, if kept, costs (1 - p) * false_price on average, and p if it is left out.

    false_price: what a false object costs, where a missed one costs 1. Raises UserError when it is negative.
    """
    if not 0 <= false_price < math.inf:
        raise UserError(f"false_price is {false_price}: it has to be 0 or more.", 2)
    return false_price / (1 + false_price)
