"""Finds how lines of text run in a picture, and which side of them is up.

Letters stand closer to each other than lines do, so ink that is thickened a little grows into words, which are long.

Upright and upside down differ because every letter stands on the base line, few hang below it and many rise above the
small ones: words have a straight lower edge and a ragged upper one. Capitals and digits tell nothing, Cyrillic little.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

LONGEST = 800       # pixels of the longer side that a picture is reduced to
WINDOW = 31         # pixels; ink is darker than the mean of so large a square around it
MIN_CONTRAST = 10   # grey levels that ink is darker by, at least
MIN_LETTERS = 5     # a picture with fewer has no text
MAX_FILLED = 0.7    # share of its box that is ink; bars and dashes have more than words
FAR = 1e6           # row of an edge where there is no ink
BIAS = 0.03         # of straightness; commas make the lower edge of capitals less straight than the upper one
# In units of the size of the letters:
RULE = 4.0          # straight runs of ink that are longer belong to rules and frames
MIN_WORD, MAX_WORD = 0.5, 4.0  # width of the shorter side of a word
JOIN = 0.15         # ink is thickened by this on each side
GAP = 1.5           # notches in the edges of a word that are narrower are filled
LEVEL = 0.1         # edges are on one level if they differ by about this


class TextSigns(NamedTuple):
    """What the text in a picture says, in standard deviations, rather too few than too many: up to 1 may be chance."""

    across: float   # above 0: its lines run across the picture; below 0: they run up or down
    upright: float  # above 0: it is upright or, if its lines run up or down, reads from bottom to top


def text_signs(pixels: np.ndarray) -> TextSigns:
    """What the text in an RGB picture, uint8 (H, W, 3), says; zeros where there is none."""
    ink, size = _letters(_dark(pixels))
    words, boxes = _words(ink, size)
    if not len(boxes):
        return TextSigns(0.0, 0.0)
    width, height = boxes[:, 2], boxes[:, 3]
    across = _deviations(np.where(width > height, 1.0, -1.0), np.sqrt(width * height), doubt=6)
    if across < 0:
        words = np.rot90(words, -1)
        boxes = np.stack([words.shape[1] - boxes[:, 1] - height, boxes[:, 0], height, width], axis=1)
    lying = boxes[:, 2] > boxes[:, 3]
    straighter = _straighter_below(words, boxes, size)[lying]
    return TextSigns(across, _deviations(straighter, np.sqrt(boxes[lying, 2:].prod(1)), doubt=0.3, bias=BIAS))


def _dark(pixels: np.ndarray) -> np.ndarray:
    """How much darker than its surroundings each pixel of the reduced picture is, uint8 (h, w)."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    factor = LONGEST / max(grey.shape)
    if factor < 1:
        width, height = (max(1, round(factor * side)) for side in grey.shape[::-1])
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.subtract(cv2.blur(grey, (WINDOW, WINDOW)), grey)


def _letters(dark: np.ndarray) -> tuple[np.ndarray, float]:
    """The ink of what may be letters, uint8 (h, w) of 0 and 1, and their size in pixels; 1: there are too few."""
    threshold, _ = cv2.threshold(dark, 0, 255, cv2.THRESH_OTSU)
    ink = (dark > max(threshold, MIN_CONTRAST)).view(np.uint8)
    boxes = cv2.connectedComponentsWithStats(ink, connectivity=8)[2][1:]
    large, small = boxes[:, 2:4].max(1), boxes[:, 2:4].min(1)
    sizes = np.sort(large[(large >= 3) & (large < max(ink.shape) / 4) & (large < 6 * small) & (boxes[:, 4] >= 6)])
    if len(sizes) < MIN_LETTERS:
        return np.zeros_like(ink), 1.0
    total = np.cumsum(sizes)
    size = float(sizes[np.searchsorted(total, total[-1] / 2)])  # half of the length of all is in smaller ones
    run = np.ones((1, max(15, round(RULE * size) | 1)), np.uint8)
    rules = cv2.morphologyEx(ink, cv2.MORPH_OPEN, run) | cv2.morphologyEx(ink, cv2.MORPH_OPEN, run.T)
    ink &= 1 - cv2.dilate(rules, np.ones((3, 3), np.uint8))
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    keep = (boxes[:, 2:4].min(1) <= 5 * size) & (boxes[:, 2:4].max(1) >= size / 4)
    keep[0] = False
    return keep.view(np.uint8)[labels], size


def _words(ink: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Strips of ink, int32 (h, w) with their number from 1 on ink and 0 elsewhere, and their boxes, int (n, 4)."""
    pad = max(1, round(JOIN * size))
    kernel = np.ones((2 * pad + 1, 2 * pad + 1), np.uint8)  # odd: OpenCV would shift the closed picture otherwise
    padded = cv2.copyMakeBorder(ink, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[pad:-pad, pad:-pad]
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    labels *= ink
    large, small = boxes[:, 2:4].max(1), boxes[:, 2:4].min(1)
    filled = np.bincount(labels.ravel(), minlength=len(boxes)) / (large * small)
    strip = (small >= MIN_WORD * size) & (small <= MAX_WORD * size) & (large >= 2 * small) & (filled < MAX_FILLED)
    strip[0] = False
    return (np.cumsum(strip) * strip)[labels], boxes[strip, :4]


def _straighter_below(words: np.ndarray, boxes: np.ndarray, size: float) -> np.ndarray:
    """How much more of each word's lower edge is on one level than of its upper edge, float64 (n), from -1 to 1."""
    y, x = np.nonzero(words)
    word = words[y, x] - 1
    column = word * words.shape[1] + x
    depth = y - boxes[word, 1]  # rows from the upper side of the word's box
    edges = np.full((2, len(boxes) * words.shape[1]), FAR, np.float32)
    np.minimum.at(edges[0], column, depth.astype(np.float32))
    np.minimum.at(edges[1], column, (boxes[word, 3] - 1 - depth).astype(np.float32))
    above, below = ((_levels(edge.reshape(len(boxes), -1), size) ** 2).sum(1) for edge in edges)
    return (below - above) / (below + above)


def _levels(edges: np.ndarray, size: float) -> np.ndarray:
    """How many columns of each word have their edge near each level, float64 (n, levels), after filling notches.

    Args:
        edges: the row of the edge in each column of each word, float32 (n, columns); FAR: there is no ink.
        size: of the letters.
    """
    filled = cv2.morphologyEx(edges, cv2.MORPH_OPEN, np.ones((1, int(GAP * size) | 1), np.uint8))
    word, x = np.nonzero(filled < FAR)
    sigma = LEVEL * size
    margin = math.ceil(3 * sigma)
    row = filled[word, x].astype(int) + margin
    levels = row.max() + 1 + margin
    counts = np.bincount(word * levels + row, minlength=len(edges) * levels).reshape(len(edges), levels)
    return cv2.sepFilter2D(counts.astype(np.float64), -1, cv2.getGaussianKernel(2 * margin + 1, sigma), np.ones(1))


def _deviations(values: np.ndarray, weights: np.ndarray, doubt: float, bias: float = 0.0) -> float:
    """The weighted sum of values in its standard deviations, if their mean were 0.

    Args:
        values: float (n).
        weights: float (n).
        doubt: variance that is added once, so that few values do not say much.
        bias: by which all of them may be off together, so that many small values do not say much either.
    """
    weighted = values * weights
    variance = (weighted ** 2).sum() + doubt * (weights ** 2).mean() + (bias * weights.sum()) ** 2
    return float(weighted.sum() / np.sqrt(variance))
