"""How a network is shown a photograph: whole, or the part with the sheet, straightened, if the sheet lies at an angle.

The angle is that of the straight lines: edges of the paper, of labels, charts and rulers. Most of these are parallel to
the sheet's sides, and there are lines in both directions, unlike stems and leaves.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from utils.network.letterbox import place, resize
from utils.objects.outline import Rectangle
from utils.predicting.crops import MAX_TURNED, straightened, upright_frame

SIDE = 384  # longer side in pixels of the copy that lines are looked for in; 512 is not better
BORDER = 0.01  # of the longer side of the photograph, that is kept around the lines

# Set on 135 upright sheets, and on 47 of them turned by -12, 7, 31 and 200 degrees on grounds of four colours.
MIN_ANGLE = 3.0  # degrees; the upright sheets have up to 2.4
MIN_LENGTH = 0.03  # of the longer side; shorter lines are letters and leaves
LEAST = 0.3  # lines that are needed along and across, in longer sides: the turned sheets have 0.38 and more
CLEARLY = 3.0  # times as many as along the photograph's sides: upright sheets have up to 2.5, turned ones 5.7 and more
BINS = 180  # of half a degree each: the directions of a right angle
NEAR = 2  # bins to both sides that count as one direction


class View(NamedTuple):
    """The part of a photograph that a network sees, and how it is turned."""

    size: tuple[int, int]  # height and width of the photograph
    rectangle: Rectangle | None = None  # the part, which is straightened; None: the whole photograph
    quarters: int = 0  # quarter turns clockwise, 0 to 3, made last

    def show(self, pixels: np.ndarray) -> np.ndarray:
        """What the network sees of the photograph, uint8 (H, W, 3)."""
        part = straightened(pixels, self.rectangle, 0)[0] if self.rectangle else pixels
        return np.ascontiguousarray(np.rot90(part, -self.quarters))

    def back(self, values: np.ndarray, outside: float = 0) -> np.ndarray:
        """Values of what the network saw, in the photograph's own frame and at the same scale.

        Quarter turns move them exactly. Otherwise each pixel gets the value of the nearest one.

        Args:
            values: (h, w), uint8, uint16 or float32, at any scale.
            outside: the value where the network saw nothing.
        """
        values = np.rot90(values, self.quarters)
        if not self.rectangle:
            return np.ascontiguousarray(values)
        (width, height), matrix = upright_frame(self.rectangle, 0)
        down, across = values.shape[0] / height, values.shape[1] / width
        size = [max(1, round(side * scale)) for side, scale in zip(self.size, (down, across))]
        rows, columns = (new / side for new, side in zip(size, self.size))
        matrix = np.diag((columns, rows, 1)) @ matrix @ np.diag((1 / across, 1 / down, 1))
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # OpenCV counts from the centres of pixels
        return cv2.warpAffine(
            values, (np.linalg.inv(half) @ matrix @ half)[:2], (size[1], size[0]), flags=cv2.INTER_NEAREST,
            borderValue=outside)


def find_view(pixels: np.ndarray) -> View:
    """The view in which the sheet lies straight; the whole photograph if it does so already, or if that is not clear.

    A straightened view ends where there are no more lines. Quarter turns are not looked for.

    pixels: the photograph, uint8 (H, W, 3).
    """
    size = pixels.shape[:2]
    step = max(1, max(size) // (2 * SIDE))  # skipping pixels is good enough here, and an exact mean takes 40 ms longer
    copy = place(size, (min(SIDE, max(size)),) * 2)
    lines = _lines(resize(np.ascontiguousarray(pixels[::step, ::step]), copy[2:]))
    angle = common_angle(lines, max(copy[2:]))
    if abs(angle) < MIN_ANGLE or max(size) >= MAX_TURNED:
        return View(size)
    return View(size, _rectangle_around(lines * (max(size) / max(copy[2:])), angle, size))


def common_angle(lines: np.ndarray, side: float) -> float:
    """Degrees clockwise, from -45 to 45, by which most lines are turned; 0 if they lie straight or do not agree.

    Args:
        lines: (x, y, x, y) of the ends of each, float (N, 4).
        side: longer side of the picture, in the same unit.
    """
    x, y = (lines[:, 2:] - lines[:, :2]).T
    length, direction = np.hypot(x, y), np.degrees(np.arctan2(y, x)) % 180
    totals, _ = np.histogram(direction, 2 * BINS, (0, 180), weights=length)
    near = np.convolve(np.pad(totals, NEAR, mode="wrap"), np.ones(2 * NEAR + 1), "valid")
    both = np.minimum(near[:BINS], near[BINS:])  # little if there are lines in one direction only, as in wood
    straight = both[[-1, 0, 1]].max()
    if both.max() < max(LEAST * side, CLEARLY * straight):
        return 0.0
    angle = (both.argmax() + 0.5) * 90 / BINS
    away = (direction - angle + 45) % 90 - 45
    alike = np.abs(away) < (NEAR + 0.5) * 90 / BINS
    angle += np.average(away[alike], weights=length[alike])
    return float((angle + 45) % 90 - 45)


def _lines(picture: np.ndarray) -> np.ndarray:
    """The ends (x, y, x, y) of the long straight lines in a picture, uint8 (h, w, 3), as float32 (N, 4).

    R. Grompone von Gioi et al. (2012), "LSD: a line segment detector", doi 10.5201/ipol.2012.gjmr-lsd.
    """
    lines = cv2.createLineSegmentDetector().detect(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))[0]
    lines = np.empty((0, 4), np.float32) if lines is None else lines.reshape(-1, 4) + 0.5
    return lines[np.hypot(*(lines[:, 2:] - lines[:, :2]).T) >= MIN_LENGTH * max(picture.shape)]


def _rectangle_around(lines: np.ndarray, angle: float, size: tuple[int, int]) -> Rectangle:
    """The part of a photograph, turned by `angle`, that holds all lines and a border.

    lines: float (N, 4), in pixels of the photograph; size: its height and width.
    """
    turn = np.radians(angle)
    to_sheet = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    ends = lines.reshape(-1, 2) @ to_sheet.T
    corners = np.array([[0, 0], [size[1], 0], size[::-1], [0, size[0]]]) @ to_sheet.T
    border = BORDER * max(size)
    low = np.maximum(ends.min(0) - border, corners.min(0))
    high = np.minimum(ends.max(0) + border, corners.max(0))
    x, y = (low + high) / 2 @ to_sheet
    return Rectangle(float(x), float(y), *map(float, high - low), angle)
