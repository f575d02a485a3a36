"""Turns objects that the network is not sure of into background."""

from __future__ import annotations

import cv2
import numpy as np

from utils.network.letterbox import highest_class
from utils.objects.boxes import object_boxes


def drop_unsure(logits: np.ndarray, min_confidence: float) -> np.ndarray:
    """`logits`, float (C, h, w), in which objects less certain than `min_confidence` are background.

    An object is an 8-connected component of the class with the highest logit. Its confidence is the mean probability
    (softmax) of that class over its pixels. A low confidence often means that the network has mistaken a stain or a
    stamp for an object. The result is a copy if anything changes, else `logits` itself.

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
            mean[0] = 1  # label 0 is everything outside these objects
            unsure = (mean < min_confidence)[labels]
            if unsure.any():
                result = logits.copy() if result is logits else result
                result[0][box][unsure] = highest[unsure] + 1
    return result
