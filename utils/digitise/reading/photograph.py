"""How good a photograph is as a whole: sharpness, exposure, and whether it shows a herbarium sheet at all."""

from __future__ import annotations

import math

import cv2
import numpy as np

from utils.digitise.reading.colour import to_lab
from utils.digitise.record import Photograph

OVERVIEW, THUMBNAIL = 1000, 320  # longer sides in pixels of the copies that tiles and paper are looked for in
FULL = 4000  # longer side that sharpness is measured at, so that larger photographs are not called softer
TILE, TILES = 128, 24  # side in pixels at that size, and number, of the parts that it is measured on
BLUR = 9  # pixels of the filter that edges are compared under, as in the paper

DARK, LIGHT = 5, 250  # black: all channels are at most 5; white: all are at least 250
MARGIN = 10  # share of a side, as 1 / 10, in which the table around a sheet may show
SPREAD = 4  # units of L* to both sides that the lightness of one paper spreads over
SURFACE = 0.06  # share of the middle, without objects, that is one surface: the lightest such surface is the paper
PAPER_L, PAPER_AB = 12.0, 10.0  # units of L*, and of a* and b*, that a pixel of the paper may differ from its median

# Set on 135 sheets of 37 herbaria; what they have is said behind each.
SHARP = 0.54  # least sharpness: 0.61 to 0.84
BRIGHT = 55.0  # least L* of the paper: 63 to 100
BURNT = 0.25  # greatest share of white pixels: five have more, 0.32 to 0.76, and the paper of these has no detail left
BLACK = 0.3  # greatest share of black pixels: 0 to 0.13
UNSURE = 0.1  # greatest entropy: 0.004 to 0.053
OBJECTS = (0.005, 0.45)  # least and greatest share that objects cover: 0.042 to 0.37
PAPER = 0.08  # least share that looks like paper: 0.17 to 0.85


def measure_photograph(
    pixels: np.ndarray, mask: np.ndarray, probability: np.ndarray, num_classes: int, profile: bytes | None = None,
) -> Photograph:
    """What the pixels say of the photograph as a whole; it takes about 80 ms for 21 megapixels.

    Args:
        pixels: uint8 (H, W, 3), the upright sheet.
        mask: uint8 (H, W), its classes.
        probability: float (h, w), the probability of each pixel's class, at any size.
        num_classes: with the background.
        profile: the ICC profile of the file.
    """
    quick = _reduced(pixels, 2 * OVERVIEW, cv2.INTER_LINEAR)  # skips pixels: an exact mean of all takes 80 ms longer
    overview = _reduced(quick, OVERVIEW)
    thumbnail = _reduced(overview, THUMBNAIL)
    red, green, blue = cv2.split(overview)
    objects = cv2.resize(mask, thumbnail.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    brightness, paper = _paper(to_lab(thumbnail, profile), objects)
    return Photograph(
        sharpness=sharpness(pixels, overview),
        dark=float((cv2.max(cv2.max(red, green), blue) <= DARK).mean()),
        light=float((cv2.min(cv2.min(red, green), blue) >= LIGHT).mean()),
        brightness=brightness,
        entropy=entropy(probability, num_classes),
        paper=paper,
        objects=float(objects.mean()),
    )


def sharpness(pixels: np.ndarray, overview: np.ndarray) -> float:
    """0 to 1: how sharp the most detailed parts of the photograph are, pixel by pixel; 0: they are plain.

    F. Crete, T. Dolmiere, P. Ladret and M. Nicolas (2007), "The blur effect: perception and estimation with a new
    no-reference perceptual blur metric": edges that a filter hardly changes were blurred before. It does not depend
    on contrast, so sheets can be compared. Here it is 1 minus their blur, and the median of 24 tiles at full
    resolution (at FULL, when the photograph is larger): mostly text, where blur does harm.

    pixels: uint8 (H, W, 3); overview: the same, reduced, uint8 (h, w, 3).
    """
    return float(np.median([
        _sharpness(cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY).astype(np.float32)) for tile in _detailed(pixels, overview)
    ]))


def entropy(probability: np.ndarray, num_classes: int) -> float:
    """Mean entropy of the classes, in units of its maximum, 0 to 1, as if all but the winning class were alike.

    That is the largest entropy that fits the winning class's `probability`, float (h, w). The network's own is
    lower: by up to 40% on pictures that are no sheet.
    """
    wins = np.clip(probability.astype(np.float32, copy=False), 1 / num_classes, 1 - 1e-6)
    values = -(wins * np.log(wins) + (1 - wins) * np.log((1 - wins) / (num_classes - 1)))
    return float(values.mean(dtype=np.float64) / math.log(num_classes))


def blurred(photograph: Photograph) -> bool:
    """Whether text on the sheet is hard to read for blur."""
    return photograph.sharpness < SHARP


def badly_exposed(photograph: Photograph) -> str:
    """What is wrong with the exposure, in words that follow on "the photograph is"; "" when it is right."""
    if photograph.paper and photograph.brightness < BRIGHT:
        return f"too dark: the paper's lightness L* is {photograph.brightness:.0f}, and at least {BRIGHT:.0f} is usual"
    if photograph.dark > BLACK:
        return f"too dark: {photograph.dark:.0%} of it is black"
    if photograph.light > BURNT:
        return f"too light: {photograph.light:.0%} of it is white without detail"
    return ""


def not_a_sheet(photograph: Photograph) -> str:
    """Why the photograph may show something else than a herbarium sheet, one clause; "": it looks like a sheet."""
    if photograph.objects < OBJECTS[0]:
        return "no object was found on it"
    if photograph.objects > OBJECTS[1]:
        return f"objects seem to cover {photograph.objects:.0%} of it"
    if photograph.entropy > UNSURE:
        return "the network is unsure what it shows"
    if photograph.paper < PAPER:
        return "hardly any of it looks like the paper of a sheet"
    return ""


def _reduced(pixels: np.ndarray, side: int, method: int = cv2.INTER_AREA) -> np.ndarray:
    """`pixels` with a longer side of `side`, unless they are smaller."""
    scale = side / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = tuple(max(1, round(length * scale)) for length in pixels.shape[1::-1])
    return cv2.resize(pixels, size, interpolation=method)


def _paper(lab: np.ndarray, objects: np.ndarray) -> tuple[float, float]:
    """Median L* of the sheet's paper, and the share of the photograph that looks like it. (0, 0): there is none.

    The paper is the lightest surface of some size in the middle that is no object.

    lab: float32 (h, w, 3); objects: bool (h, w).
    """
    height, width = objects.shape
    middle = np.zeros_like(objects)
    middle[height // MARGIN:height - height // MARGIN, width // MARGIN:width - width // MARGIN] = True
    seen = lab[middle & ~objects]
    if not len(seen):
        return 0.0, 0.0
    levels = seen[:, 0].astype(int)
    near = np.convolve(np.bincount(levels, minlength=101), np.ones(2 * SPREAD + 1), "same")  # pixels within SPREAD
    large = np.flatnonzero(near >= SURFACE * len(seen))
    if not len(large):
        return 0.0, 0.0
    lowest = max(0, large[-1] - 2 * SPREAD)
    level = lowest + near[lowest:large[-1] + 1].argmax()
    median = np.median(seen[np.abs(levels - level) <= SPREAD], axis=0)
    alike = np.abs(lab - median)
    paper = (alike[..., 0] <= PAPER_L) & (np.hypot(alike[..., 1], alike[..., 2]) <= PAPER_AB) & ~objects
    return float(median[0]), float(paper.mean())


def _detailed(pixels: np.ndarray, overview: np.ndarray) -> list[np.ndarray]:
    """The tiles of `pixels` with most detail in `overview`, uint8 (TILE, TILE, 3), smaller in small photographs."""
    height, width = pixels.shape[:2]
    shrink = max(1.0, max(height, width) / FULL)
    side = round(TILE * shrink)
    rows, columns = max(1, height // side), max(1, width // side)
    grey = cv2.cvtColor(overview, cv2.COLOR_RGB2GRAY)
    edges = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    scale = len(grey) / height
    used = edges[:max(1, round(rows * side * scale)), :max(1, round(columns * side * scale))]
    detail = cv2.resize(used, (columns, rows), interpolation=cv2.INTER_AREA)
    best = np.argsort(-detail.ravel().astype(int), kind="stable")[:TILES]
    tiles = [pixels[row * side:(row + 1) * side, column * side:(column + 1) * side]
             for row, column in zip(best // columns, best % columns)]
    return [_reduced(tile, TILE) for tile in tiles] if shrink > 1 else tiles


def _sharpness(grey: np.ndarray) -> float:
    """1 minus the blur of one tile, float32 (h, w); 0 when it is plain."""
    result = math.inf
    for axis, size in ((0, (1, BLUR)), (1, (BLUR, 1))):
        steps = np.abs(np.diff(grey, axis=axis))
        blurred = np.abs(np.diff(cv2.blur(grey, size), axis=axis))
        total = float(steps.sum())
        if not total:
            return 0.0
        result = min(result, float(np.maximum(0, steps - blurred).sum()) / total)
    return result
