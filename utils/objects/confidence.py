"""How sure the network is of its objects; those that it is not sure of become background.

The mean probability of an object's class over its pixels says whether it is right, but not how often. A calibration
(`utils.scoring.calibration` finds it) makes it the share of such objects that are right: Platt 1999, "Probabilistic
outputs for support vector machines".
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from utils.network.letterbox import highest_class
from utils.objects.boxes import object_boxes

Calibration = Sequence[Sequence[float]]  # slope and shift of the logit, one pair a class; empty: none
SUREST = 1 - 1e-6  # mean probabilities are taken for this at most, so that their logits are finite


def calibrated(probability: np.ndarray | float, index: int, calibration: Calibration) -> np.ndarray | float:
    """The confidence of objects, 0 to 1: the share of such objects that are right. Without a calibration, as it was.

    probability: the mean probability of the class over the pixels of each; NaN stays NaN.
    index: their class.
    """
    if not calibration:
        return probability
    slope, shift = calibration[index]
    return 1 / (1 + np.exp(-slope * logit(probability) - shift))


def logit(probability: np.ndarray | float) -> np.ndarray | float:
    """The logarithm of the odds, finite also for 0 and 1."""
    bounded = np.clip(probability, 1 - SUREST, SUREST)
    return np.log(bounded / (1 - bounded))


def highest_probability(logits: np.ndarray) -> np.ndarray:
    """The probability (softmax) of each pixel's class, the one with the highest logit: float32 (h, w), 0 to 1.

    logits: float (C, h, w).
    """
    highest, total = logits.max(0), np.zeros(logits.shape[1:], np.float32)
    for values in logits:  # class by class: never a second array of all classes
        total += np.exp(values - highest)
    return 1 / total


def drop_unsure(logits: np.ndarray, min_confidence: float, calibration: Calibration = ()) -> np.ndarray:
    """`logits`, float (C, h, w), in which objects less certain than `min_confidence` are background.

    An object is an 8-connected component of the class with the highest logit. Its confidence is the mean probability
    (softmax) of that class over its pixels, calibrated. A low confidence often means that the network has mistaken a
    stain or a stamp for an object. The result is a copy if anything changes, else `logits` itself.

    min_confidence: 0 to 1; 0 changes nothing.
    """
    if not min_confidence:
        return logits
    classes, result = highest_class(logits), logits
    for box in object_boxes(classes):
        inside, values = classes[box], logits[(slice(None), *box)]
        highest = values.max(0)
        confidence = 1 / np.exp(values - highest).sum(0)
        for k in np.unique(inside[inside > 0]):
            count, labels = cv2.connectedComponents((inside == k).view(np.uint8), connectivity=8)
            pixels = np.bincount(labels.ravel(), minlength=count)
            mean = np.bincount(labels.ravel(), confidence.ravel(), count) / np.maximum(pixels, 1)
            confident = calibrated(mean, k, calibration) >= min_confidence
            confident[0] = True  # label 0 is everything outside these objects
            unsure = ~confident[labels]
            if unsure.any():
                result = logits.copy() if result is logits else result
                result[0][box][unsure] = highest[unsure] + 1
    return result
