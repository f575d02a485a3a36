"""Objects of another sheet pasted on a training sheet."""

from __future__ import annotations

import cv2
import numpy as np

from utils.network.letterbox import resize, resize_mask
from utils.objects.boxes import object_boxes
from utils.objects.separation import labelled_classes
from utils.utils import GAP

PASTE_SHARE = 0.5  # of the other sheet's objects
PASTE_SCALE = (0.7, 1.4)  # relative to the sheet
BESIDE = 0.4  # probability, where a gap is kept, that an object is pasted right beside one of its class
BESIDE_PIXELS = 4  # at most so far from it


def paste_objects(
    image: np.ndarray,
    mask: np.ndarray,
    other_image: np.ndarray,
    other_mask: np.ndarray,
    rng: np.random.Generator,
    gap: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Copies of image uint8 (h, w, 3) and mask uint8 (h, w) with objects of another sheet in random places.

    Each object (connected component of a class) of the other sheet is taken with probability PASTE_SHARE, at
    PASTE_SCALE times its size relative to the sheet, turned by a multiple of 90 degrees, with what lies in it (a
    ruler's patches, a label's barcode). It may cover others and be cut off by the border. gap: objects of its own class
    are GAP in the mask for gap // 2 pixels around it, and it often comes to lie right beside one of them. After
    Ghiasi et al. 2021, "Simple copy-paste", arXiv 2012.07177.
    """
    image, mask = image.copy(), mask.copy()
    scale = rng.uniform(*PASTE_SCALE) * max(mask.shape) / max(other_mask.shape)
    size = tuple(max(1, round(side * scale)) for side in other_mask.shape)
    other_image, other_mask = resize(other_image, size), resize_mask(other_mask, size)
    for class_id in labelled_classes(other_mask):
        own = (other_mask == class_id).view(np.uint8)
        contours, _ = cv2.findContours(own, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            if rng.random() > PASTE_SHARE:
                continue
            left, top, width, height = cv2.boundingRect(contour)
            box = slice(top, top + height), slice(left, left + width)
            turns = int(rng.integers(4))
            filled = cv2.drawContours(np.zeros((height, width), np.uint8), [contour - (left, top)], 0, 1, cv2.FILLED)
            picture, classes, shape = (
                np.rot90(part, turns) for part in (other_image[box], other_mask[box], filled.view(bool)))
            near = object_boxes(mask == class_id) if gap and rng.random() < BESIDE else []
            y, x = _beside(shape.shape, near, mask.shape, rng) if near else _anywhere(shape.shape, mask.shape, rng)
            if gap:
                covered = np.zeros_like(mask)
                _put(covered, shape.view(np.uint8), shape, y, x)
                around = cv2.dilate(covered, np.ones((gap, gap), np.uint8)) > covered
                mask[around & (mask == class_id)] = GAP
            _put(image, picture, shape, y, x)
            _put(mask, classes, shape, y, x)
    return image, mask


def _anywhere(size: tuple[int, int], sheet: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """Row and column of the first pixel of an object of `size` in any place of a sheet, partly outside perhaps."""
    return tuple(
        int(rng.integers(-(side // 4), max(full - side // 2, 1 - side // 4)))  # a long object, a narrow sheet
        for side, full in zip(size, sheet)
    )


def _beside(
    size: tuple[int, int], boxes: list[tuple[slice, slice]], sheet: tuple[int, int], rng: np.random.Generator
) -> tuple[int, int]:
    """As `_anywhere`, but right above, below, left or right of one of `boxes`."""
    box = boxes[int(rng.integers(len(boxes)))]
    across = int(rng.integers(2))  # 0: above or below
    pixels = int(rng.integers(BESIDE_PIXELS + 1))
    corner = [int(rng.integers(side.start - length // 2, side.stop - length // 2)) for side, length in zip(box, size)]
    after = rng.random() < 0.5
    corner[across] = box[across].stop + pixels if after else box[across].start - size[across] - pixels
    return tuple(min(max(first, 1 - length), full - 1) for first, length, full in zip(corner, size, sheet))


def _put(target: np.ndarray, source: np.ndarray, shape: np.ndarray, top: int, left: int) -> None:
    """Copies `source` where `shape` is True into `target` at (top, left), as far as it lies inside."""
    rows = slice(max(0, -top), min(shape.shape[0], target.shape[0] - top))
    cols = slice(max(0, -left), min(shape.shape[1], target.shape[1] - left))
    part = target[top + rows.start:top + rows.stop, left + cols.start:left + cols.stop]
    part[shape[rows, cols]] = source[rows, cols][shape[rows, cols]]
