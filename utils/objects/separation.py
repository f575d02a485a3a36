"""Masks in which objects of one class do not touch.

A mask says which pixels are labels, not where one label ends and the next begins. What the network should tell apart
has to be apart in the masks that it learns from.
"""

from __future__ import annotations

import cv2
import numpy as np

from utils.utils import GAP, IGNORE


def separate_objects(mask: np.ndarray, gap: int) -> np.ndarray:
    """A copy of mask uint8 (H, W) with GAP wherever two objects of one class are close to each other.

    An object is a connected component (of pixels that share a side). Those of its pixels become GAP around which
    a square of `gap` pixels, an odd number, holds another object of the same class too, and so do ignored pixels
    between two (`seam` of labelme_to_deeplab.py). The gap that a photograph shows between two labels is often lost at
    the network's size; a wider one is not. In the spirit of Ronneberger et al. 2015, arXiv 1505.04597, who weight such
    pixels in the loss.
    """
    result = mask.copy()
    for class_id in labelled_classes(mask):
        count, objects = cv2.connectedComponents((mask == class_id).view(np.uint8), connectivity=4)
        if count > 2:  # the background and more than one object
            result[between_objects(objects, (mask == class_id) | (mask == IGNORE), gap)] = GAP
    return result


def between_objects(objects: np.ndarray, where: np.ndarray, gap: int) -> np.ndarray:
    """Which pixels of bool (H, W) `where` have two objects in the square of `gap` pixels, an odd number, around them.

    objects: integers (H, W), 0 where there is none, else the object's number.
    """
    square = np.ones((gap, gap), np.uint8)
    numbers = objects.astype(np.float32)  # OpenCV dilates no int32
    lowest = cv2.erode(np.where(objects > 0, numbers, np.float32(np.inf)), square)
    return where & (cv2.dilate(numbers, square) > lowest)


def labelled_classes(mask: np.ndarray) -> np.ndarray:
    """The classes in a mask, without background, GAP and IGNORE."""
    return np.unique(mask[(mask > 0) & (mask < GAP)])
