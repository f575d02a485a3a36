"""Separates objects of one class in training masks.

A mask says which pixels are labels. It does not say where one label ends and the next begins. Objects that the network
should keep apart must be apart in the masks that it learns from.
"""

from __future__ import annotations

import cv2
import numpy as np

from utils.objects.panoptic import classes_of, holds_objects
from utils.utils import GAP, IGNORE


def separate_objects(mask: np.ndarray, gap: int) -> np.ndarray:
    """A copy of an ordinary or panoptic mask, with GAP pixels where two objects of one class are close together.

    An object is a connected component of pixels that share a side. A pixel of an object becomes GAP if the square of
    `gap` pixels around it (an odd number) also holds another object of the same class. Ignored pixels between two
    objects (`seam` of labelme_to_deeplab.py) become GAP in the same way. The narrow gap between two labels in a
    photograph is often lost at the network's input size; this wider one is not. The idea is from Ronneberger et al.
    2015, arXiv 1505.04597, who give such pixels more weight in the loss.
    """
    result, classes = mask.copy(), classes_of(mask)
    for class_id in labelled_classes(classes):
        count, objects = cv2.connectedComponents((classes == class_id).view(np.uint8), connectivity=4)
        if count > 2:  # the background and more than one object
            result[between_objects(objects, (classes == class_id) | (classes == IGNORE), gap)] = GAP
    return result


def between_objects(objects: np.ndarray, where: np.ndarray, gap: int) -> np.ndarray:
    """Which pixels lie between two objects, bool (H, W).

    objects: integers (H, W): the number of the object, or 0.
    where: only these pixels can be True, bool (H, W).
    gap: side of the square around a pixel that must hold two objects; an odd number.
    """
    square = np.ones((gap, gap), np.uint8)
    numbers = objects.astype(np.float32)  # OpenCV cannot dilate int32
    lowest = cv2.erode(np.where(objects > 0, numbers, np.float32(np.inf)), square)
    return where & (cv2.dilate(numbers, square) > lowest)


def labelled_classes(classes: np.ndarray) -> np.ndarray:
    """The classes in a mask uint8 (H, W), without background, GAP and IGNORE."""
    return np.unique(classes[holds_objects(classes)])
