"""Panoptic masks: the class and the instance of each pixel in one number.

A panoptic mask (the term is from Kirillov et al. 2019, arXiv 1801.00868) is uint16 (h, w): class + 256 x number of the
instance. So whatever moves the pixels of a mask moves both. Numbers of instances are 1 to 255, each for one class of
one sheet; 0 is none, and that of background, GAP and IGNORE. An ordinary mask, uint8, is one without instances.
"""

from __future__ import annotations

import cv2
import numpy as np

from utils.utils import GAP

INSTANCE = 256  # what the number of an instance is multiplied by
MOST = 255  # instances of one sheet


def classes_of(mask: np.ndarray) -> np.ndarray:
    """The class of each pixel of an ordinary or a panoptic mask, uint8 (h, w). An ordinary mask comes back itself."""
    return mask.astype(np.uint8, copy=False)  # keeps the lower byte


def instances_of(mask: np.ndarray) -> np.ndarray:
    """The number of the instance of each pixel of a panoptic mask, uint8 (h, w)."""
    return (mask // INSTANCE).astype(np.uint8)


def holds_objects(classes: np.ndarray) -> np.ndarray:
    """Which pixels belong to objects, bool (h, w): all but background, GAP and IGNORE. `classes` is uint8 (h, w)."""
    return (classes > 0) & (classes < GAP)


def panoptic_mask(classes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The panoptic mask, uint16 (h, w), with instances numbered anew from 1, in the order of `numbers`.

    Pixels of one number and one class are an instance. If there are more than MOST, the smallest get 0.

    classes: uint8 (h, w).
    numbers: integers (h, w) of any size; 0 is none.
    """
    mask = classes.astype(np.uint16)
    inside = holds_objects(classes) & (numbers > 0)
    pairs = numbers[inside].astype(np.int64) * INSTANCE + classes[inside]
    found, pixels, sizes = np.unique(pairs, return_inverse=True, return_counts=True)
    kept = np.sort(np.argsort(-sizes, kind="stable")[:MOST])
    new = np.zeros(len(found), np.uint16)
    new[kept] = np.arange(1, len(kept) + 1)
    mask[inside] += new[pixels] * np.uint16(INSTANCE)
    return mask


def number_components(classes: np.ndarray) -> np.ndarray:
    """A number from 1 for each 8-connected component of each class, int32 (h, w); 0 where no object is."""
    numbers, count = np.zeros(classes.shape, np.int32), 0
    for class_id in np.unique(classes[holds_objects(classes)]):
        own = classes == class_id
        more, components = cv2.connectedComponents(own.view(np.uint8), connectivity=8)
        numbers[own] = components[own] + count
        count += more - 1
    return numbers


def lacks_instances(mask: np.ndarray) -> bool:
    """Whether an object of a panoptic mask has no number, because the sheet has more than MOST."""
    return bool((holds_objects(classes_of(mask)) & (mask < INSTANCE)).any())


def with_free_numbers(part: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`part` with numbers of instances that `mask` does not use; those for which none is left get 0.

    Both are panoptic masks of any size. Ordinary ones have no numbers, and `part` comes back itself.
    """
    if part.dtype == np.uint8:
        return part
    numbers = instances_of(part)
    free = np.flatnonzero(np.bincount(instances_of(mask).ravel(), minlength=MOST + 1)[1:] == 0) + 1
    own = np.unique(numbers[numbers > 0])[:len(free)]
    new = np.zeros(MOST + 1, np.uint16)
    new[own] = free[:len(own)]
    return classes_of(part) + new[numbers] * np.uint16(INSTANCE)
