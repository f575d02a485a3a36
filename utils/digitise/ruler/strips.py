"""Straight grey strips of a photograph, along the objects that may carry a ruler.

All strips have about the same size: a centimetre of a usual sheet has USUAL_CM pixels. Large photographs are reduced,
which saves time and noise; small ones are enlarged, which helps to find ticks to a fraction of a pixel.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from utils.objects.outline import Rectangle

USUAL_CM = 50.0  # pixels of a strip that a centimetre has, when the photograph is USUAL_SIDE long
USUAL_SIDE = 44.0  # cm, the longer side of most photographs of herbarium sheets
LARGEST = 2.0  # enlargement; more adds nothing
STRONG = 40.0  # gradient, of the Sobel filter, from which an edge counts for the tilt
EDGE = (1.6, 0.3)  # cm of a usual photograph: how far a ruler may lie inside and outside the outline of a colour chart
TILT = 4.0  # degrees by which a ruler may be turned against the rectangle around its mask


class Strip(NamedTuple):
    """A part of the photograph, turned so that a ruler in it is level."""

    pixels: np.ndarray  # uint8 (h, w), grey
    origin: np.ndarray  # float64 (2,): x and y of its upper left corner in the photograph
    along: np.ndarray  # float64 (2,): the step in the photograph of one pixel to the right in the strip
    object: int  # index of the region that it was cut from

    def point(self, x: float, y: float) -> tuple[float, float]:
        """The place in the photograph of a place in the strip."""
        down = np.array([-self.along[1], self.along[0]])
        place = self.origin + x * self.along + y * down
        return float(place[0]), float(place[1])

    @property
    def size(self) -> float:
        """Photograph pixels in one pixel of the strip."""
        return float(np.hypot(*self.along))


def straight_strip(photograph: np.ndarray, rectangle: Rectangle, index: int, upright: bool = False) -> Strip:
    """The strip along a rectangle, levelled by the edges of what is printed there.

    Args:
        photograph: uint8 (H, W, 3).
        rectangle: around the object.
        index: of the object.
        upright: True: along the rectangle's side that is nearest to vertical.
    """
    strip = _cut(photograph, rectangle, index, upright, 0.0)
    tilt = _tilt(strip.pixels)
    return _cut(photograph, rectangle, index, upright, tilt) if abs(tilt) > 0.15 else strip


def side_strips(photograph: np.ndarray, rectangle: Rectangle, index: int) -> list[Strip]:
    """The four strips along the sides of a colour chart, where its own ruler may be; see `straight_strip`."""
    usual, outside = (share * max(photograph.shape[:2]) / USUAL_SIDE for share in EDGE)
    strips = []
    for upright in (False, True):
        length, depth = (rectangle.height, rectangle.width)[::1 if upright else -1]
        inside = min(usual, depth / 2)
        offset = (depth + outside - inside) / 2
        for sign in (-1, 1):
            turn = math.radians(rectangle.angle)
            across = (math.cos(turn), math.sin(turn)) if upright else (-math.sin(turn), math.cos(turn))
            moved = rectangle._replace(
                x=rectangle.x + sign * offset * across[0], y=rectangle.y + sign * offset * across[1],
                width=inside + outside if upright else length, height=length if upright else inside + outside)
            strips.append(straight_strip(photograph, moved, index, upright))
    return strips


def _cut(photograph: np.ndarray, rectangle: Rectangle, index: int, upright: bool, tilt: float) -> Strip:
    """The strip along a rectangle that is turned by `tilt` degrees clockwise, too; see `straight_strip`."""
    size = max(photograph.shape[:2]) / USUAL_SIDE / USUAL_CM  # photograph pixels in a pixel of the strip
    size = max(size, 1 / LARGEST)
    width, height = rectangle.width, rectangle.height
    turn = math.radians(rectangle.angle + tilt)
    if upright:
        width, height, turn = height, width, turn + math.pi / 2
    along = np.array([math.cos(turn), math.sin(turn)])
    down = np.array([-along[1], along[0]])
    origin = np.array([rectangle.x, rectangle.y]) - along * width / 2 - down * height / 2
    corners = origin + np.outer([0, 1, 0, 1], along * width) + np.outer([0, 0, 1, 1], down * height)
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 2, 0).tolist()
    right, bottom = (np.ceil(corners.max(axis=0)).astype(int) + 2).tolist()
    crop = cv2.cvtColor(photograph[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    reduced = crop
    if size > 1.3:  # the mean of the pixels, not every second one
        shape = (max(1, round(crop.shape[1] / size)), max(1, round(crop.shape[0] / size)))
        reduced = cv2.resize(crop, shape, interpolation=cv2.INTER_AREA)
    shrink = np.array([reduced.shape[1] / crop.shape[1], reduced.shape[0] / crop.shape[0]])
    step = np.stack([along, down], axis=1) * size
    shift = origin - (left, top) + step @ (0.5, 0.5)  # of the centre of the first pixel
    matrix = np.column_stack([step * shrink[:, None], shift * shrink - 0.5])
    pixels = cv2.warpAffine(reduced, matrix, (max(1, round(width / size)), max(1, round(height / size))),
                            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    return Strip(pixels, origin, along * size, index)


def _tilt(pixels: np.ndarray) -> float:
    """Degrees clockwise by which most edges in a strip are turned away from level and upright; 0: too few edges."""
    smooth = cv2.GaussianBlur(pixels, (0, 0), 1.0)
    right, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength = np.abs(right) + np.abs(down)
    chosen = strength > STRONG
    right, down, strength = right[chosen], down[chosen], strength[chosen]
    upright = np.abs(right) > np.abs(down)
    slope = np.where(upright, down, -right) / np.where(upright, right, down)
    edges = np.linspace(-TILT, TILT, 81)
    votes, _ = np.histogram(slope, bins=np.tan(np.deg2rad(edges)), weights=strength)
    votes = cv2.GaussianBlur(votes.astype(np.float32)[None], (0, 1), sigmaX=3, sigmaY=1e-3,
                             borderType=cv2.BORDER_REFLECT)[0]
    best = int(votes.argmax())
    return float(edges[best:best + 2].mean()) if votes[best] > 1.5 * votes.mean() else 0.0
