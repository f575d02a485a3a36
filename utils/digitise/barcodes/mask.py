"""Corrects the mask of a sheet by the barcodes that were read: those that the network did not see, or saw in pieces."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from utils.digitise.record import Code
from utils.objects.regions import Region

STICKER = 0.25  # share of a label that a code covers at least when the "label" is the code's own sticker
PIECE = 0.05    # share of a code's seen pixels that is a piece of it, not a speck
QUIET = 0.04    # margin around the bars of a code that is printed on something else, share of the code's longer side


def correct_mask(
    mask: np.ndarray,
    codes: Sequence[Code],
    regions: Sequence[Region],
    barcode_class: int,
    label_class: int | None,
) -> np.ndarray:
    """The mask with the class Barcode wherever codes were read; the same array when nothing changes.

    A code on which most pixels are Barcode changes nothing, unless they are in pieces: then the bars join these. A
    label of which a code covers a quarter or more is the code's sticker: all of it becomes Barcode. Elsewhere the bars
    do, with a narrow margin.

    Args:
        mask: uint8 (H, W).
        codes: the codes that were read, with the numbers of their regions.
        regions: the objects in the mask.
        barcode_class, label_class: their values in the mask; None: there are no labels.
    """
    corrected = mask
    for code in codes:
        corners = np.array(code.corners)
        box, bars = filled(corners, mask.shape)
        below = corrected[box][bars]
        seen = 2 * np.count_nonzero(below == barcode_class) >= below.size
        if seen and not (below.size and _in_pieces(bars & (corrected[box] == barcode_class))):
            continue
        if corrected is mask:
            corrected = mask.copy()
        if seen:
            corrected[box][bars] = barcode_class
            continue
        region = None if code.object is None else regions[code.object]
        if region and region.index == label_class and (
                cv2.contourArea(corners.astype(np.float32)) >= STICKER * region.area):
            box, pixels = _pixels(mask, region)
        else:
            box, pixels = filled(_grown(corners), mask.shape)
            pixels &= np.isin(corrected[box], (0, int(np.bincount(below).argmax())))  # not the margin's other objects
        corrected[box][pixels] = barcode_class
    return corrected


def _in_pieces(pixels: np.ndarray) -> bool:
    """Whether the pixels of a code, bool (h, w), are two objects or more, without those below a share of PIECE."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(pixels.view(np.uint8), connectivity=8)
    return np.count_nonzero(stats[1:, cv2.CC_STAT_AREA] >= PIECE * np.count_nonzero(pixels)) > 1


def filled(corners: np.ndarray, size: tuple[int, int]) -> tuple[tuple[slice, slice], np.ndarray]:
    """A box of the sheet, and which of its pixels lie in a quadrilateral, bool (h, w).

    corners: float (4, 2) of x and y; size: height and width of the sheet.
    """
    left, top = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    right, bottom = np.maximum(np.minimum(np.ceil(corners.max(0)).astype(int), size[::-1]), (left, top))
    inside = np.zeros((bottom - top, right - left), np.uint8)
    if inside.size:
        points = np.round(corners - (left, top) - 0.5).astype(np.int32)  # OpenCV counts from the pixels' centres
        cv2.fillConvexPoly(inside, points, 1)
    return np.s_[top:bottom, left:right], inside.astype(bool)


def _grown(corners: np.ndarray) -> np.ndarray:
    """The corners (4, 2) of a code, moved outwards by its quiet zone."""
    right, down = corners[1] - corners[0], corners[3] - corners[0]
    lengths = np.linalg.norm(right), np.linalg.norm(down)
    margin = QUIET * max(lengths)
    right, down = (side / max(length, 1e-9) * margin for side, length in zip((right, down), lengths))
    return corners + (-right - down, right - down, right + down, down - right)


def _pixels(mask: np.ndarray, region: Region) -> tuple[tuple[slice, slice], np.ndarray]:
    """The box of a region, and which of its pixels are the region's, bool (height, width)."""
    box = np.s_[region.top:region.top + region.height, region.left:region.left + region.width]
    _, labels, stats, _ = cv2.connectedComponentsWithStats((mask[box] == region.index).view(np.uint8), connectivity=8)
    return box, labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])  # no other part of its class can fill the box more
