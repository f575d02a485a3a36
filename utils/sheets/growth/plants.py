"""Pressed specimens: one to eight pieces of one species, laid on the sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from utils.sheets.drawing.draw import Canvas, Kit, Table
from utils.sheets.drawing.pixels import grain, shade, smooth_noise
from utils.sheets.drawing.strokes import Drawing
from utils.sheets.growth.thalli import PLANTS


@dataclass(frozen=True)
class Specimen:
    """A drawn specimen: premultiplied RGBA uint8 (h, w, 4), pixels per cm, and its place on the canvas in pixels.

    pieces: the convex hull of the pixels of each piece, float64 (n, 2) of x and y on the canvas.
    """

    rgba: np.ndarray
    scale: float
    left: int
    top: int
    pieces: tuple[np.ndarray, ...] = ()

    def cover(self, x: float, y: float, width: float, height: float) -> float:
        """The share of a box that the plants cover, 0 to 1.

        Args:
            x, y: top left corner on the canvas in cm.
            width, height: size in cm.
        """
        s = self.scale
        x0, y0 = max(0, int(x * s) - self.left), max(0, int(y * s) - self.top)
        x1, y1 = max(0, int((x + width) * s) - self.left), max(0, int((y + height) * s) - self.top)
        part = self.rgba[y0:y1:3, x0:x1:3, 3]
        return float(part.mean()) / 255 if part.size else 0.0


def grow(kit: Kit, canvas: Canvas, box: Sequence[float], table: Table = PLANTS) -> Specimen:
    """One to eight pieces of one species.

    Args:
        kit: random generator.
        canvas: where they will lie.
        box: the part of the canvas for them: x, y, width and height in cm.
        table: kinds of plants, and how common they are.
    """
    rng, s = kit.rng, canvas.scale
    over = 0.6 if kit.chance(0.12) else 0.0  # leaves may reach over the edge of the sheet
    x, y = box[0] - over, box[1] - over
    width, height = box[2] + 2 * over, box[3] + 2 * over
    left, top = max(0, int(x * s)), max(0, int(y * s))
    size = canvas.image[top:int((y + height) * s), left:int((x + width) * s)].shape[:2]
    rgba = np.zeros((*size, 4), np.uint8)
    kind = kit.one_of(table)
    pieces = int(kit.pick((1, 2, 3, 5, 8), (6, 3, 1.5, 1, 0.5)))
    columns = int(kit.pick((pieces, -(-pieces // 2)), (2, 1)))
    cell = np.array([width / columns, height / -(-pieces // columns)])
    reach = height * rng.uniform(0.6, 1.05) * min(1.0, 1.4 / np.sqrt(pieces))
    hulls = []
    for index in range(pieces):
        drawing = Drawing(s)
        kind(kit, drawing, np.zeros(2), -np.pi / 2 + rng.normal(0, 0.25), reach * rng.uniform(0.75, 1.1))
        low, high = drawing.bounds()
        room = cell * (0.96 if pieces == 1 else 1.15)
        zoom = min(1.0, float((room / (high - low)).min()))
        spare = np.maximum(cell - (high - low) * zoom, 0)
        corner = cell * (index % columns, index // columns) + spare * rng.beta(2, (2, 3.5))
        corner = np.clip(corner, 0, np.maximum((width, height) - (high - low) * zoom, 0))
        before = rgba.copy()
        drawing.paint(rgba, corner - low * zoom, zoom)
        hulls.append(hull((rgba != before).any(2)) + (left, top))
    return Specimen(rgba, s, left, top, tuple(each for each in hulls if len(each)))


def hull(inside: np.ndarray) -> np.ndarray:
    """The convex hull of the pixels that are True in `inside`, bool (H, W): float64 (n, 2) of x and y; n may be 0."""
    rows = np.flatnonzero(inside.any(1))
    first, end = inside[rows].argmax(1), inside.shape[1] - inside[rows, ::-1].argmax(1)
    corners = [np.stack([x, y], 1) for x in (first, end) for y in (rows, rows + 1)]
    points = np.concatenate(corners).astype(np.float32)
    return cv2.convexHull(points).reshape(-1, 2).astype(np.float64) if len(points) else points.astype(np.float64)


def press(kit: Kit, canvas: Canvas, specimen: Specimen) -> None:
    """Lays a specimen on the canvas, with uneven colour and a shadow."""
    rng, rgba = kit.rng, specimen.rgba
    size = rgba.shape[:2]
    area = canvas.image[specimen.top:specimen.top + size[0], specimen.left:specimen.left + size[1]]
    alpha = np.ascontiguousarray(rgba[..., 3])
    plant = cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB)
    mottle = 1 + smooth_noise(rng, size, 24) * rng.uniform(0.03, 0.16) + grain(rng, size) * rng.uniform(0.01, 0.07)
    shade(plant, mottle * rng.uniform(0.8, 1.15))
    reach = rng.uniform(0.02, 0.09) * canvas.scale
    move = np.array([[1, 0, reach * rng.uniform(-1, 1)], [0, 1, reach]])
    shadow = cv2.GaussianBlur(cv2.warpAffine(alpha, move, size[::-1]), (0, 0), max(0.6, reach * 0.7))
    shade(area, 1 - shadow.astype(np.float32) * (rng.uniform(0.15, 0.5) / 255))
    for top in range(0, size[0], 128):
        band = slice(top, top + 128)
        rest = cv2.merge([255 - alpha[band]] * 3)
        area[band] = cv2.add(plant[band], cv2.multiply(area[band], rest, scale=1 / 255))
