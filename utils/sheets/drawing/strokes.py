"""A drawing that is kept as polygons and lines until its size and place are known, then painted with opacity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from utils.sheets.drawing.pixels import SUBPIXEL, Color, fixed


class Stroke(NamedTuple):
    """One call of OpenCV: how many points each of its lines has, premultiplied RGBA, width in cm (0: filled)."""

    lengths: tuple[int, ...]
    color: tuple[float, ...]
    width: float
    closed: bool


class Drawing:
    """Strokes in cm, for a canvas of `scale` pixels per cm; later ones lie on top."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.strokes: list[Stroke] = []
        self.points: list[np.ndarray] = []

    def fill(self, points: np.ndarray, color: Color) -> None:
        """Adds a filled polygon."""
        self._add([points], (*color, 255), 0.0, True)

    def lines(self, lines: Sequence[np.ndarray], color: Color, width: float, closed: bool = False) -> None:
        """Adds polylines `width` cm wide; those thinner than a pixel get paler instead."""
        share = float(np.clip(width * self.scale, 0.25, 1))
        self._add(lines, tuple(channel * share for channel in (*color, 255)), width, closed)

    def vein(self, lines: Sequence[np.ndarray], color: Color, width: float) -> None:
        """Adds polylines on what is drawn already; where they would be far thinner than a pixel, none."""
        if width * self.scale > 0.3:
            self._add(lines, (*color, 255), width, False)

    def erase(self, points: np.ndarray) -> None:
        """Adds a hole."""
        self._add([points], (0, 0, 0, 0), 0.0, True)

    def _add(self, lines: Sequence[np.ndarray], color: tuple[float, ...], width: float, closed: bool) -> None:
        self.points.extend(lines)
        self.strokes.append(Stroke(tuple(map(len, lines)), color, width, closed))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and highest (x, y) of all strokes, cm."""
        points = np.concatenate(self.points)
        return points.min(0), points.max(0)

    def paint(self, rgba: np.ndarray, shift: np.ndarray, zoom: float) -> None:
        """Paints all strokes into `rgba` (uint8 (H, W, 4), premultiplied), moved to `zoom` * point + `shift` cm."""
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
