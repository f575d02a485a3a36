"""Tells barcodes side by side apart, which are one object to the network, by what was read on them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from utils.digitise.barcodes.mask import filled
from utils.digitise.barcodes.names import same_number
from utils.digitise.record import Code
from utils.objects.boxes import object_boxes
from utils.objects.separation import between_objects

GAP = 3  # side of the square around a pixel that lies between two codes; the objects are two pixels apart then


def divide_by_codes(mask: np.ndarray, codes: Sequence[Code], barcode_class: int) -> np.ndarray:
    """The mask, in which each object of the class Barcode has one code at most; the same array when nothing changes.

    Each pixel of an object with several codes goes to the nearest of them. The pixels between become background. Codes
    that say the same count as one, because a sticker may have both bars and a square.

    Args:
        mask: uint8 (H, W).
        codes: the codes that were read.
        barcode_class: its value in the mask.
    """
    stickers = _stickers(codes)
    divided = mask
    for box in object_boxes(mask == barcode_class) if len(stickers) > 1 else ():
        inside = mask[box] == barcode_class
        marks = _marks(stickers, box)
        if len(np.unique(marks[inside])) < 3:  # 0 and one code
            continue
        count, objects = cv2.connectedComponents(inside.view(np.uint8), connectivity=8)
        for own in (objects == number for number in range(1, count)):
            numbers = [number for number in np.unique(marks[own]).tolist()
                       if number and 2 * np.count_nonzero(own & (marks == number)) > np.count_nonzero(marks == number)]
            if len(numbers) > 1:
                distances = [cv2.distanceTransform((marks != number).view(np.uint8), cv2.DIST_L2, 5)
                             for number in numbers]
                nearest = np.where(own, np.argmin(distances, axis=0) + 1, 0)
                divided = mask.copy() if divided is mask else divided
                divided[box][between_objects(nearest, own, GAP)] = 0
    return divided


def _stickers(codes: Sequence[Code]) -> list[list[Code]]:
    """The codes, those that say the same together."""
    stickers: list[list[Code]] = []
    for code in codes:
        for sticker in stickers:
            if same_number(sticker[0].text, code.text):
                sticker.append(code)
                break
        else:
            stickers.append([code])
    return stickers


def _marks(stickers: Sequence[Sequence[Code]], box: tuple[slice, slice]) -> np.ndarray:
    """The number, from 1, of the sticker whose code each pixel of a box lies on, int32 (h, w); 0: none."""
    rows, columns = box
    marks = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.int32)
    for number, sticker in enumerate(stickers, start=1):
        for code in sticker:
            part, bars = filled(np.array(code.corners) - (columns.start, rows.start), marks.shape)
            marks[part][bars] = number
    return marks
