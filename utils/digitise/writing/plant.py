"""The sheet without its objects: they are painted over with the colour of the paper around them."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from utils.files.encode import encode_jpeg
from utils.files.images import Kept, writing
from utils.files.metadata import SAMPLE
from utils.predicting.crops import as_jpeg
from utils.utils import Bytes, write_bytes

QUALITY = 90       # of the JPEG, with colours at half the resolution: classifiers see it much smaller

# Chosen by eye on 30 real sheets.
CELL = 0.002       # share of the diagonal: side of the squares whose mean colours the paper's colour is found from
SURROUND = 12      # cells around an object that its paper's colour is taken from
NEAR = 14          # steps of 255, a channel, by which the paper around an object may differ from its commonest colour
NEAR_SHEET = 30    # the same for the paper of a whole sheet, which is not lit evenly
MIN_PAPER = 0.003  # share of the picture; smaller areas of the paper's colour may be something else
PEAK = 5           # steps of 255 by which the brightness of the commonest colour varies


def write_plant(path: Path, painted: np.ndarray, kept: Kept) -> None:
    """Writes what `paint_over` made of a sheet, or a part of it, as a JPEG. Raises UserError when that fails.

    Args:
        path: the file.
        painted: uint8 (H, W, 3).
        kept: format and metadata of the sheet's file.
    """
    with writing(path):
        write_bytes(path, encode(painted, kept))


def encode(pixels: np.ndarray, kept: Kept) -> list[Bytes]:
    """A JPEG of `pixels`, uint8 (H, W, 3), with the ICC profile and the resolution of the sheet's file.

    simplejpeg takes less than half of Pillow's time but writes no profile: what comes before the tables is Pillow's.
    """
    (sample,) = encode_jpeg(SAMPLE, as_jpeg(kept).options)
    encoded = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), QUALITY, "RGB", "420")
    return [sample[:_header_end(sample)], encoded[_header_end(encoded):]]


def _header_end(jpeg: Bytes) -> int:
    """Where the first segment begins that is not for an application: the tables."""
    place = 2
    while 0xE0 <= jpeg[place + 1] <= 0xEF:
        place += 2 + int.from_bytes(jpeg[place + 2:place + 4], "big")
    return place


def paint_over(pixels: np.ndarray, mask: np.ndarray, in_place: bool = False) -> np.ndarray:
    """The photograph, uint8 (H, W, 3), with paper in the place of its objects and of one to two cells around them.

    The paper's colour goes over smoothly from that on one side of an object to that on the other. What lies beside the
    sheet becomes the board that the sheet lies on.

    Args:
        pixels: the photograph, uint8 (H, W, 3).
        mask: uint8 (H, W); all that is not 0 is painted over.
        in_place: paint on `pixels` itself, which saves a copy.
    """
    result = pixels if in_place else pixels.copy()
    cell = max(1, min(*mask.shape, round(CELL * math.hypot(*mask.shape))))
    colours, objects = _cells(pixels, mask, cell)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(objects, connectivity=8)
    sheet = _find_sheet(colours, objects == 0)
    paper = colours.copy()
    for number, (left, top, width, height, _) in enumerate(boxes[1:].tolist(), start=1):
        box = _box(left, top, width, height, SURROUND)
        for is_paper in (True, False):
            own = (labels[box] == number) & (sheet[box] == is_paper)
            if own.any():
                free = (objects == 0) & (sheet == is_paper)
                paper[box][own] = _surround(colours, free, box, is_paper)[own]
    for left, top, width, height, _ in boxes[1:].tolist():
        rows, columns = box = _box(left, top, width, height, 1)
        _paint(result[rows.start * cell:, columns.start * cell:], paper[box], objects[box], cell)
    return result


def _box(left: int, top: int, width: int, height: int, border: int) -> tuple[slice, slice]:
    """The rows and columns of a box and a border around it."""
    return np.s_[max(top - border, 0):top + height + border, max(left - border, 0):left + width + border]


def _cells(pixels: np.ndarray, mask: np.ndarray, cell: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean colour of each cell, uint8 (h, w, 3), and whether it is at or next to an object, uint8 (h, w) of 0, 1.

    The cells of the last row and column may reach over the edge of the sheet.
    """
    height, width = (side // cell for side in mask.shape)
    below, beside = (-side % cell for side in mask.shape)
    colours = cv2.resize(pixels[:height * cell, :width * cell], (width, height), interpolation=cv2.INTER_AREA)
    colours = np.pad(colours, ((0, below > 0), (0, beside > 0), (0, 0)), "edge")
    _, objects = cv2.threshold(mask, 0, 255, cv2.THRESH_BINARY)
    objects = cv2.copyMakeBorder(objects, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    shares = cv2.resize(objects, colours.shape[1::-1], interpolation=cv2.INTER_AREA)
    return colours, cv2.dilate((shares > 0).view(np.uint8), np.ones((3, 3), np.uint8))


def _find_sheet(colours: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Which cells belong to the sheet and not to the board that it lies on, bool (h, w).

    It is the rectangle around all larger areas of the commonest colour.

    colours: uint8 (h, w, 3). free: bool (h, w), the cells without objects.
    """
    paper = free.copy()
    if free.any():
        paper &= _is_near(colours, _commonest(colours[free], is_paper=True), NEAR_SHEET)
    if not paper.any():
        return np.ones(free.shape, bool)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(paper.view(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= min(MIN_PAPER * free.size, stats[1:, cv2.CC_STAT_AREA].max())
    corners = cv2.boxPoints(cv2.minAreaRect(cv2.findNonZero((large[labels] & paper).view(np.uint8))))
    return cv2.fillConvexPoly(np.zeros(free.shape, np.uint8), corners.round().astype(np.int32), 1).view(bool)


def _surround(colours: np.ndarray, free: np.ndarray, box: tuple[slice, slice], is_paper: bool) -> np.ndarray:
    """The colours of the paper in a box around an object, uint8 (h, w, 3), those hidden by the object as well.

    Args:
        colours: of all cells, uint8 (H, W, 3).
        free: bool (H, W), the cells whose colours may be taken.
        box: rows and columns.
        is_paper: see `_commonest`.
    """
    around = colours[box][free[box]]
    if not len(around):  # the object hides all of it
        around = colours[free] if free.any() else colours.reshape(-1, 3)
    usual = _commonest(around, is_paper)
    known = free[box] & _is_near(colours[box], usual, NEAR)
    start = np.where(known[..., None], colours[box], usual).astype(np.float32)
    return fill(start, known).round().astype(np.uint8) if known.any() else start.astype(np.uint8)


def _commonest(colours: np.ndarray, is_paper: bool) -> np.ndarray:
    """The commonest of the colours, uint8 (N, 3): the median of those around the commonest brightness, float (3,).

    is_paper: colours that are twice as bright count double, because paper is brighter than plants.
    """
    brightness = colours[:, 1].astype(int)
    counts = np.convolve(np.bincount(brightness, minlength=256), np.ones(2 * PEAK + 1), "same")
    if is_paper:
        counts *= np.arange(1, 257)  # not 0: all may be black
    return np.median(colours[abs(brightness - counts.argmax()) <= PEAK], axis=0)


def _is_near(colours: np.ndarray, colour: np.ndarray, steps: int) -> np.ndarray:
    """Whether no channel of a pixel differs from `colour` by more than `steps`, bool (h, w)."""
    return abs(colours - colour).max(2) <= steps


def fill(colours: np.ndarray, known: np.ndarray) -> np.ndarray:
    """`colours`, float32 (h, w, 3), where `known`, bool (h, w); elsewhere what goes over smoothly from the known ones.

    Pull-push (Gortler et al. 1996, The Lumigraph): the unknown cells get the colour of the same place in a picture of
    half the size, in which each cell is the mean of the known ones.
    """
    height, width = known.shape
    if known.all() or height * width == 1:
        return colours
    half = (max(1, width // 2), max(1, height // 2))
    weights = known.astype(np.float32)
    share = cv2.resize(weights, half, interpolation=cv2.INTER_AREA)
    means = cv2.resize(colours * weights[..., None], half, interpolation=cv2.INTER_AREA)
    means /= np.maximum(share, 1e-6)[..., None]
    upper = cv2.resize(fill(means, share > 0), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(known[..., None], colours, upper)


def _paint(result: np.ndarray, paper: np.ndarray, objects: np.ndarray, cell: int) -> None:
    """Paints cells with the colours of `paper`, uint8 (h, w, 3), where `objects`, uint8 (h, w), are 1.

    result: uint8, changed in place; its upper left corner is that of the cells.
    """
    size = (paper.shape[1] * cell, paper.shape[0] * cell)
    result = result[:size[1], :size[0]]
    area = np.s_[:result.shape[0], :result.shape[1]]
    colour = cv2.resize(paper, size, interpolation=cv2.INTER_LINEAR)[area]
    where = cv2.resize(objects * np.uint8(255), size, interpolation=cv2.INTER_LINEAR)[area] > 127
    cv2.copyTo(colour, where.view(np.uint8), result)
