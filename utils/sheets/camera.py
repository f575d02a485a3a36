"""The camera: geometry of pixels and polygons, light, colour, sharpness and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from utils.sheets.drawing.draw import Kit, Shape
from utils.sheets.drawing.pixels import grain, rotation, shade, smooth_noise


@dataclass(frozen=True)
class Lens:
    """The geometry of a photograph: which point of the flat drawing each of its points shows.

    Attributes:
        size: (height, width) of the image.
        angle: rotation in degrees.
        zoom: magnification.
        bow: distortion as a share of the half diagonal; positive bends like a barrel.
    """

    size: tuple[int, int]
    angle: float
    zoom: float
    bow: float

    @property
    def middle(self) -> np.ndarray:
        """The centre (x, y) in pixels."""
        return np.array(self.size[::-1]) / 2

    @property
    def reach(self) -> float:
        """Half the diagonal in pixels."""
        return float(np.hypot(*self.size)) / 2

    def back(self, points: np.ndarray) -> np.ndarray:
        """The points (n, 2) of the flat drawing that appear at `points` of the photograph."""
        away = (points - self.middle) / self.reach
        square = (away ** 2).sum(-1, keepdims=True)
        return away * (1 + self.bow * square) @ rotation(-self.angle).T * (self.reach / self.zoom) + self.middle

    def forth(self, points: np.ndarray) -> np.ndarray:
        """The points of the photograph at which `points` (n, 2) of the flat drawing appear: the inverse of `back`."""
        flat = (points - self.middle) @ rotation(self.angle).T * (self.zoom / self.reach)
        bent = flat.copy()
        for _ in range(12):  # fixed-point iteration, which converges because bow is small
            bent = flat / (1 + self.bow * (bent ** 2).sum(-1, keepdims=True))
        return bent * self.reach + self.middle


@dataclass(frozen=True)
class Askew:
    """Where an upright picture lies on a larger table.

    Attributes:
        inner: (height, width) of the upright picture in pixels.
        outer: (height, width) of the photograph in pixels.
        degrees: by which the picture is turned counter-clockwise.
    """

    inner: tuple[int, int]
    outer: tuple[int, int]
    degrees: float

    @property
    def matrix(self) -> np.ndarray:
        """The (2, 3) matrix from continuous pixel coordinates of the picture to those of the photograph."""
        turn = rotation(self.degrees)
        middle = np.array(self.outer[::-1]) / 2 - turn @ (np.array(self.inner[::-1]) / 2)
        return np.column_stack([turn, middle])

    @property
    def centres(self) -> np.ndarray:
        """The same matrix for OpenCV, in whose coordinates pixel centres are whole numbers."""
        matrix = self.matrix
        matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
        return matrix

    def below(self, table: np.ndarray) -> np.ndarray:
        """The table as it would look under the upright picture, uint8 (h, w, 3) of size `inner`."""
        return cv2.warpAffine(table, self.centres, self.inner[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                              borderMode=cv2.BORDER_REFLECT)

    def lay(self, picture: np.ndarray, table: np.ndarray, shapes: Sequence[Shape]) -> list[Shape]:
        """The shapes in the photograph, after laying the picture on the table.

        Args:
            picture: uint8 (h, w, 3) of size `inner`.
            table: uint8 (H, W, 3) of size `outer`, changed in place.
            shapes: in pixels of the picture. What lies outside the picture is cut off.
        """
        cv2.warpAffine(picture, self.centres, self.outer[::-1], dst=table, flags=cv2.INTER_LINEAR,
                       borderMode=cv2.BORDER_TRANSPARENT)
        turn = self.matrix
        cropped = [(shape, crop(shape.points, self.inner)) for shape in shapes]
        return [Shape(shape.label, points @ turn[:, :2].T + turn[:, 2], shape.note)
                for shape, points in cropped if len(points) >= 3]


def random_lens(kit: Kit, size: tuple[int, int]) -> Lens:
    """A lens for a copy stand: turned and bent very little."""
    angle = float(kit.rng.normal(0, 0.5)) if kit.chance(0.6) else 0.0
    bow = float(kit.rng.normal(0, 0.008)) if kit.chance(0.5) else 0.0
    return Lens(size, angle, 1 + abs(bow) + abs(np.deg2rad(angle)) * 0.7, bow)


def photograph(lens: Lens, image: np.ndarray, shapes: list[Shape]) -> tuple[np.ndarray, list[Shape]]:
    """The image and the shapes as the lens shows them. Shapes get extra corners if the lens bends their edges."""
    if lens.angle == 0 and lens.bow == 0:
        return image, shapes
    height, width = lens.size
    step = 16  # the map is smooth, so a coarse grid is computed and enlarged
    xs, ys = np.arange(0, width + step, step) + 0.5, np.arange(0, height + step, step) + 0.5
    grid = lens.back(np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)).reshape(len(ys), len(xs), 2) - 0.5
    affine = np.array([[step, 0, 0], [0, step, 0]], np.float64)
    fine = cv2.warpAffine(grid.astype(np.float32), affine, (width, height), flags=cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_REPLICATE)
    bent = cv2.remap(image, fine, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    dense = lens.reach / 12 if lens.bow else np.inf
    return bent, [Shape(shape.label, lens.forth(densify(shape.points, dense)), shape.note) for shape in shapes]


def densify(points: np.ndarray, longest: float) -> np.ndarray:
    """The closed polygon `points` with extra corners, so that no edge is longer than `longest`."""
    pieces = []
    for start, end in zip(points, np.roll(points, -1, 0)):
        count = max(1, int(np.ceil(np.linalg.norm(end - start) / longest)))
        pieces.append(start + (end - start) * (np.arange(count) / count)[:, None])
    return np.concatenate(pieces)


def turn(image: np.ndarray, shapes: list[Shape], quarters: int) -> tuple[np.ndarray, list[Shape]]:
    """Image and shapes turned counter-clockwise by `quarters` times 90 degrees."""
    for _ in range(quarters % 4):
        width = image.shape[1]
        image = np.rot90(image)
        shapes = [Shape(shape.label, np.stack([shape.points[:, 1], width - shape.points[:, 0]], 1), shape.note)
                  for shape in shapes]
    return np.ascontiguousarray(image), shapes


def crop(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The part of a polygon, (n, 2), inside a picture of `size` (height, width); it may have no points."""
    for axis, limit in ((0, size[1]), (1, size[0])):
        points = cut(cut(points, axis, 0.0, 1.0), axis, float(limit), -1.0)
    return points


def cut(points: np.ndarray, axis: int, limit: float, sign: float) -> np.ndarray:
    """The part of a polygon on one side of a line (Sutherland and Hodgman 1974).

    Args:
        points: the polygon, (n, 2).
        axis: 0: the line is vertical; 1: it is horizontal.
        limit: coordinate of the line.
        sign: 1.0 keeps larger coordinates, -1.0 smaller ones.
    """
    kept: list[np.ndarray] = []
    for start, end in zip(points, np.roll(points, -1, 0)):
        first, last = sign * (start[axis] - limit), sign * (end[axis] - limit)
        if first >= 0:
            kept.append(start)
        if (first >= 0) != (last >= 0):
            kept.append(start + (end - start) * (first / (first - last)))
    return np.array(kept).reshape(-1, 2)


def expose(kit: Kit, image: np.ndarray) -> None:
    """Changes `image` in place: exposure, contrast, colour cast, vignette, uneven light, or greyscale."""
    rng, size = kit.rng, image.shape[:2]
    gain = np.exp(rng.normal(0, 0.07)) * np.exp(rng.normal(0, 0.02, 3))
    if kit.chance(0.12):  # a strong cast: tungsten light, which has little blue, or daylight, or a little green
        gain = gain * np.exp(rng.normal(0.12, 0.12) * np.array([0.3, 0.0, -1.6]) + (0, rng.normal(0.02, 0.03), 0))
    gamma, lift = np.exp(rng.normal(0, 0.12)), rng.uniform(0, 14) if kit.chance(0.4) else 0.0
    level = np.linspace(0, 1, 256)[:, None] ** gamma * gain * (255 - lift) + lift
    if kit.chance(0.15):
        level = (level - 128) * rng.uniform(1.05, 1.35) + 128
    table = np.clip(level, 0, 255).astype(np.uint8)
    cv2.LUT(image, table.reshape(1, 256, 3), dst=image)
    if kit.chance(0.45):
        y, x = np.ogrid[-1:1:size[0] * 1j, -1:1:size[1] * 1j]
        light = 1 + rng.normal(0, 0.05) * x + rng.normal(0, 0.05) * y - abs(rng.normal(0, 0.08)) * (x ** 2 + y ** 2)
        shade(image, light.astype(np.float32))
    if kit.chance(0.12):
        shade(image, 1 + smooth_noise(rng, size, 3) * 0.05)
    if kit.chance(0.04):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        image[:] = cv2.merge([grey, grey, grey])


def resolve(kit: Kit, image: np.ndarray) -> np.ndarray:
    """`image` as the sensor records it, with blur, lost resolution, sharpening and noise."""
    rng, size = kit.rng, image.shape[:2]
    if kit.chance(0.3):
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.0) * max(1.0, size[0] / 2000))
    if kit.chance(0.15):
        share = rng.uniform(0.5, 0.95)
        small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)
    if kit.chance(0.3):
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        amount = rng.uniform(0.2, 1.0)
        image = cv2.addWeighted(image, 1 + amount, soft, -amount, 0)
    if kit.chance(0.6):
        noise = grain(rng, size, 512) * rng.gamma(1.5, 1.6)
        image = cv2.add(image, cv2.merge([noise, noise, noise]), dtype=cv2.CV_8U)
    return image
