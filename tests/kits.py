"""Kits to draw with, and masks of what they drew."""

from __future__ import annotations

import numpy as np

from utils.labels.polygons import fill_polygon
from utils.sheets.drawing.draw import Kit, Shape
from utils.sheets.drawing.fonts import find_fonts

FONTS = find_fonts("bundled")


def make_kit(seed: int = 0, scale: float = 60.0) -> Kit:
    """A kit with its own random generator."""
    return Kit(np.random.default_rng(seed), FONTS, scale)


def filled(shape: Shape, size: tuple[int, int]) -> np.ndarray:
    """The pixels of a shape, bool (height, width)."""
    mask = np.zeros(size, np.uint8)
    fill_polygon(mask, shape.points, 1)
    return mask > 0


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two bool masks."""
    return (first & second).sum() / (first | second).sum()
