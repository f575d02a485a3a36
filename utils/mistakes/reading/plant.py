"""The plant of a sheet: which pixels are its, and a picture that shows it alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from utils.network.letterbox import resize, resize_mask

OVERVIEW = 1000     # pixels of the longer side of the copy that the plant is looked for on
PAPER = 235         # value that the paper gets: brighter paper would lose light petals when its colour is evened out
# Chosen by eye on 19 sheets of 6 herbaria.
DIFFERENT = 12.0    # CIELAB units by which a pixel differs from paper; lightness counts 0.7, as shadows are no plant
PEAK = 4            # units of L* to both sides that the lightness of one paper spreads over
EDGE = 0.05         # share of a side at each edge that is not looked at: edges of sheets, and shadows
LONG, THIN = 0.3, 0.12   # shares of the sides: what lies at the edge and is as long and thin as this is no plant
PATCH = 0.003       # share of the photograph; smaller patches in the colour of paper may lie beside the sheet
NEAR = 1 / 60       # share of the height: parts of a plant are no farther apart
SMALL = 0.1         # share of the largest part; smaller ones are stamps, spots and crumbs
LEAST = 0.001       # share of the sheet; less is no plant
GROWN = 7           # pixels of the overview: side of the square by which the picture shows more than the plant's pixels
MARGIN = 0.01       # share of the height that is left around the plant


class Plant(NamedTuple):
    """A picture of the plant, cut out of the sheet."""

    pixels: np.ndarray   # uint8 (h, w, 3) RGB, paper in one colour
    weights: np.ndarray  # float32 (h, w), 0 to 1: the share of each pixel that is plant


class Shown(NamedTuple):
    """The plant of a sheet, alone."""

    plants: list[Plant]  # one for each size
    sheet: np.ndarray    # uint8 (h, w, 3): a small copy of the whole sheet with nothing but its plant
    found: bool          # False: there is no plant to be seen, and the pictures show all that is no object


def show_plant(pixels: np.ndarray, mask: np.ndarray, sides: Sequence[int]) -> Shown:
    """Pictures of the plant on paper of one colour: white and yellowed sheets, and parts of them, become alike.

    Args:
        pixels: the photograph, uint8 (H, W, 3) RGB.
        mask: uint8 (H, W): what is not 0 is an object such as a label.
        sides: pixels that the longer side of the whole photograph has at the scale of each picture. So the size of a
            plant still counts.
    """
    longer = max(mask.shape)
    scale = min(1.0, OVERVIEW / longer)
    size = tuple(max(1, round(length * scale)) for length in mask.shape)
    overview = resize(pixels, size)
    objects = cv2.dilate((resize_mask(mask, size) > 0).view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    colour, plant = find_plant(overview, objects)
    found = bool(plant.mean() >= LEAST)
    if not found:
        plant = ~objects if not objects.all() else np.ones_like(objects)
    near = cv2.dilate(plant.view(np.uint8), np.ones((GROWN, GROWN), np.uint8))
    part = _box(plant, round(MARGIN * size[0]) + 1)
    whole = tuple(slice(int(side.start / scale), max(int(side.stop / scale), int(side.start / scale) + 1))
                  for side in part)
    gain = PAPER / np.maximum(colour, 1)
    plants = []
    for side in sides:
        cut = pixels[whole]
        size = tuple(max(1, round(length * side / longer)) for length in cut.shape[:2])
        weights = cv2.resize(plant[part].astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
        plants.append(Plant(_alone(resize(cut, size), resize_mask(near[part], size), gain), weights))
    return Shown(plants, _alone(overview, near, gain), found)


def _alone(pixels: np.ndarray, near: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """`pixels`, uint8 (h, w, 3), times `gain`, float (3,), with PAPER where `near`, uint8 (h, w), is 0."""
    picture = cv2.convertScaleAbs(pixels * gain)
    picture[near == 0] = PAPER
    return picture


def find_plant(pixels: np.ndarray, objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colour of the paper, float (3,) RGB, and which pixels are plant, bool (h, w).

    Plant is what differs from the paper and is neither an object, nor the board that the sheet lies on, nor small.

    pixels: uint8 (h, w, 3); objects: bool (h, w).
    """
    height, width = objects.shape
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    inner = np.zeros_like(objects)
    top, left = (round(EDGE * length) for length in (height, width))
    inner[top:height - top, left:width - left] = True
    free = inner & ~objects
    if not free.any():
        return np.full(3, float(PAPER)), np.zeros_like(objects)
    lightness = lab[..., 0][free]
    near = np.convolve(np.bincount(lightness.astype(int), minlength=101), np.ones(2 * PEAK + 1), "same")
    paper = np.abs(lightness - (near * np.arange(1, len(near) + 1)).argmax()) <= PEAK  # the lighter of two is paper
    apart = (lab - np.median(lab[free][paper], axis=0)) * np.float32([0.7, 1, 1])
    differs = np.sqrt((apart ** 2).sum(2)) > DIFFERENT
    plant = (free & differs & _sheet(~differs)).astype(np.uint8)
    plant = cv2.morphologyEx(plant, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.median(pixels[free][paper], axis=0), _main_parts(_without_strips(plant, top, left)) > 0


def _sheet(paper: np.ndarray) -> np.ndarray:
    """Where the sheet lies, bool (h, w), without its outermost pixels: the rectangle around all larger areas of paper.

    paper: bool (h, w), the pixels in its colour.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(paper.view(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= PATCH * paper.size
    found = (large[labels] & paper).view(np.uint8)
    if not found.any():
        return np.ones_like(paper)
    corners = cv2.boxPoints(cv2.minAreaRect(cv2.findNonZero(found))).round().astype(np.int32)
    sheet = cv2.fillConvexPoly(np.zeros_like(found), corners, 1)
    side = 2 * round(0.01 * max(paper.shape)) + 1
    return cv2.erode(sheet, np.ones((side, side), np.uint8), borderType=cv2.BORDER_REPLICATE) > 0


def _without_strips(plant: np.ndarray, top: int, left: int) -> np.ndarray:
    """`plant`, uint8 (h, w) of 0 and 1, without long and thin parts at an edge of the inner part: board, folders.

    top, left: rows and columns outside the inner part on each side.
    """
    height, width = plant.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats(plant, connectivity=8)
    x, y, w, h, _ = stats.T
    at_edge = (x <= left) | (y <= top) | (x + w >= width - left) | (y + h >= height - top)
    long = (h > LONG * height) & (w < THIN * width) | (w > LONG * width) & (h < THIN * height)
    keep = ~(at_edge & long)
    keep[0] = False
    return keep[labels].astype(np.uint8)


def _main_parts(plant: np.ndarray) -> np.ndarray:
    """`plant`, uint8 (h, w) of 0 and 1, without the parts that are small beside the largest one."""
    side = max(3, round(NEAR * len(plant))) | 1
    number, labels = cv2.connectedComponents(cv2.dilate(plant, np.ones((side, side), np.uint8)), connectivity=8)
    areas = np.bincount(labels[plant > 0], minlength=number)
    return plant * (areas >= SMALL * max(areas.max(), 1))[labels].astype(np.uint8)


def _box(plant: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The rows and columns of the plant, bool (h, w), with a margin in pixels around them."""
    left, top, width, height = cv2.boundingRect(plant.view(np.uint8))
    return (slice(max(0, top - margin), min(len(plant), top + height + margin)),
            slice(max(0, left - margin), min(plant.shape[1], left + width + margin)))
