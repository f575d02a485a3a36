"""Pastes objects of another sheet on a training sheet."""

from __future__ import annotations

import cv2
import numpy as np

from utils.network.letterbox import resize, resize_mask
from utils.objects.boxes import object_boxes
from utils.objects.panoptic import classes_of, with_free_numbers
from utils.objects.separation import labelled_classes
from utils.utils import GAP

PASTE_SHARE = 0.5  # share of the other sheet's objects that are pasted
PASTE_SCALE = (0.7, 1.4)  # smallest and largest size, relative to the sheet
BESIDE = 0.4  # probability that an object is pasted right beside one of its class, if a gap is kept
BESIDE_PIXELS = 4  # largest distance between these two


def paste_objects(
    image: np.ndarray,
    mask: np.ndarray,
    other_image: np.ndarray,
    other_mask: np.ndarray,
    rng: np.random.Generator,
    gap: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Copies of image and mask with objects of another sheet in random places.

    An object is a connected component of a class. Each object of the other sheet is pasted with the probability
    PASTE_SHARE, at PASTE_SCALE times its size relative to the sheet, turned by a multiple of 90 degrees. Things on it,
    such as the patches on a ruler or the barcode on a label, come with it. It may cover other objects, and the border
    may cut it off. After Ghiasi et al. 2021, "Simple copy-paste", arXiv 2012.07177. In panoptic masks, what is pasted
    gets numbers that the sheet does not use yet.

    Args:
        image: uint8 (h, w, 3) RGB.
        mask: ordinary, uint8 (h, w), or panoptic, uint16 (h, w).
        other_image: the other sheet's image, of any size.
        other_mask: the other sheet's mask, of the same kind.
        rng: for all random choices.
        gap: other objects of its class become GAP for gap // 2 pixels around a pasted object, and an object is often
            pasted right beside one of them. 0: neither.
    """
    image, mask = image.copy(), mask.copy()
    scale = rng.uniform(*PASTE_SCALE) * max(mask.shape) / max(other_mask.shape)
    size = tuple(max(1, round(side * scale)) for side in other_mask.shape)
    other_image, other_mask = resize(other_image, size), resize_mask(other_mask, size)
    other_classes = classes_of(other_mask)
    for class_id in labelled_classes(other_classes):
        own = (other_classes == class_id).view(np.uint8)
        contours, _ = cv2.findContours(own, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            if rng.random() > PASTE_SHARE:
                continue
            left, top, width, height = cv2.boundingRect(contour)
            box = slice(top, top + height), slice(left, left + width)
            turns = int(rng.integers(4))
            filled = cv2.drawContours(np.zeros((height, width), np.uint8), [contour - (left, top)], 0, 1, cv2.FILLED)
            picture, labels, shape = (
                np.rot90(part, turns) for part in (other_image[box], other_mask[box] * filled, filled.view(bool)))
            near = object_boxes(classes_of(mask) == class_id) if gap and rng.random() < BESIDE else []
            if near:
                y, x = _place_beside(shape.shape, near, mask.shape, rng)
            else:
                y, x = _place_anywhere(shape.shape, mask.shape, rng)
            if gap:
                covered = np.zeros(mask.shape, np.uint8)
                _copy_object(covered, shape.view(np.uint8), shape, y, x)
                around = cv2.dilate(covered, np.ones((gap, gap), np.uint8)) > covered
                mask[around & (classes_of(mask) == class_id)] = GAP
            _copy_object(image, picture, shape, y, x)
            _copy_object(mask, with_free_numbers(labels, mask), shape, y, x)
    return image, mask


def _place_anywhere(size: tuple[int, int], sheet: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """The row and column of the top left pixel of an object at a random place, perhaps partly outside the sheet."""
    return tuple(
        # the limit 1 - side // 4 is for a long object on a narrow sheet
        int(rng.integers(-(side // 4), max(full - side // 2, 1 - side // 4)))
        for side, full in zip(size, sheet)
    )


def _place_beside(
    size: tuple[int, int], boxes: list[tuple[slice, slice]], sheet: tuple[int, int], rng: np.random.Generator
) -> tuple[int, int]:
    """The row and column of the top left pixel of an object right above, below, left or right of another one.

    Args:
        size: (height, width) of the object.
        boxes: (rows, columns) of the objects to choose from.
        sheet: (height, width) of the sheet.
        rng: for all random choices.
    """
    box = boxes[int(rng.integers(len(boxes)))]
    across = int(rng.integers(2))  # 0: above or below; 1: left or right
    pixels = int(rng.integers(BESIDE_PIXELS + 1))
    corner = [int(rng.integers(side.start - length // 2, side.stop - length // 2)) for side, length in zip(box, size)]
    after = rng.random() < 0.5
    corner[across] = box[across].stop + pixels if after else box[across].start - size[across] - pixels
    return tuple(min(max(first, 1 - length), full - 1) for first, length, full in zip(corner, size, sheet))


def _copy_object(target: np.ndarray, source: np.ndarray, shape: np.ndarray, top: int, left: int) -> None:
    """Copies the True pixels of an object into `target`; parts outside are cut off.

    Args:
        target: (H, W) or (H, W, 3), changed in place.
        source: the object's pixels, (h, w) or (h, w, 3).
        shape: which of them to copy, bool (h, w).
        top: row in `target` of the first row of `source`.
        left: column in `target` of the first column of `source`.
    """
    rows = slice(max(0, -top), min(shape.shape[0], target.shape[0] - top))
    cols = slice(max(0, -left), min(shape.shape[1], target.shape[1] - left))
    part = target[top + rows.start:top + rows.stop, left + cols.start:left + cols.stop]
    part[shape[rows, cols]] = source[rows, cols][shape[rows, cols]]
