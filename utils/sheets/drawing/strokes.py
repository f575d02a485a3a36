"""A drawing that stores polygons and lines. It is painted when its size and place are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from utils.sheets.drawing.pixels import SUBPIXEL, Color, fixed


class Stroke(NamedTuple):
    """One call of OpenCV: points of each of its lines, premultiplied RGBA, and width in cm (0: filled)."""

    lengths: tuple[int, ...]
    color: tuple[float, ...]
    width: float
    closed: bool


class Drawing:
    """Strokes in cm, for a canvas of `scale` pixels per cm. Later strokes lie on top."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.strokes: list[Stroke] = []
        self.points: list[np.ndarray] = []

    def fill(self, points: np.ndarray, color: Color) -> None:
        """Adds a filled polygon, (n, 2) in cm."""
        self._add_stroke([points], (*color, 255), 0.0, True)

    def lines(self, lines: Sequence[np.ndarray], color: Color, width: float, closed: bool = False) -> None:
        """Adds lines. Lines thinner than a pixel become paler instead.

        Args:
            lines: each (n, 2) in cm.
            color: (R, G, B).
            width: in cm.
            closed: join the last point of each line to its first.
        """
        share = float(np.clip(width * self.scale, 0.25, 1))
        self._add_stroke(lines, tuple(channel * share for channel in (*color, 255)), width, closed)

    def vein(self, lines: Sequence[np.ndarray], color: Color, width: float) -> None:
        """Adds lines `width` cm wide on top of earlier strokes, unless they would be much thinner than a pixel."""
        if width * self.scale > 0.3:
            self._add_stroke(lines, (*color, 255), width, False)

    def erase(self, points: np.ndarray) -> None:
        """Adds a polygon, (n, 2) in cm, that is a hole in earlier strokes."""
        self._add_stroke([points], (0, 0, 0, 0), 0.0, True)

    def _add_stroke(self, lines: Sequence[np.ndarray], color: tuple[float, ...], width: float, closed: bool) -> None:
        """Adds one stroke.

        Args:
            lines: each (n, 2) in cm.
            color: premultiplied RGBA.
            width: in cm. 0: filled polygons.
            closed: join the last point of each line to its first.
        """
        self.points.extend(lines)
        self.strokes.append(Stroke(tuple(map(len, lines)), color, width, closed))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest (x, y) of all strokes, in cm."""
        points = np.concatenate(self.points)
        return points.min(0), points.max(0)

    def paint(self, rgba: np.ndarray, shift: np.ndarray, zoom: float) -> None:
        """Paints all strokes on `rgba`, premultiplied uint8 (H, W, 4), each point at `zoom` * point + `shift` cm."""
        points = fixed((np.concatenate(self.points) * zoom + shift) * self.scale)
        start = 0
        for lengths, color, width, closed in self.strokes:
            lines = []
            for length in lengths:
                lines.append(points[start:start + length])
                start += length
            if width:
                thickness = max(1, round(width * zoom * self.scale))
                cv2.polylines(rgba, lines, closed, color, thickness, cv2.LINE_AA, SUBPIXEL)
            else:
                cv2.fillPoly(rgba, lines, color, cv2.LINE_AA, SUBPIXEL)
