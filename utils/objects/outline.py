"""The outline of one object, along the edges of its pixels, and the smallest rectangle around it.

Coordinates are continuous: pixel (row r, column c) is the square from (x=c, y=r) to (c + 1, r + 1).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np


class Rectangle(NamedTuple):
    """A rectangle that may be turned. Its sides are as near to upright as they can be."""

    x: float  # centre, pixels
    y: float
    width: float  # along the side that is nearest to horizontal
    height: float
    angle: float  # degrees by which it is turned clockwise, above -45 and up to 45

    def corners(self) -> np.ndarray:
        """Its corners, float64 (4, 2) of x and y: top left, top right, bottom right, bottom left before turning."""
        turn = np.deg2rad(self.angle)
        along, down = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
        return np.array([self.x, self.y]) + signs[:, :1] * self.width * along + signs[:, 1:] * self.height * down


def trace(crop: np.ndarray) -> np.ndarray:
    """The outer outline, float64 (N, 2), of the one object in a bool (H, W) crop, along its pixel edges.

    Drawn at twice the size, with pixel (r, c) at (2r + 1, 2c + 1) and grown by one, the object's border lies on even
    coordinates, which are the pixel edges. OpenCV cuts inner corners by half a pixel; no pixel centre lies there.
    """
    double = np.zeros((2 * crop.shape[0] + 1, 2 * crop.shape[1] + 1), np.uint8)
    double[1::2, 1::2] = crop
    double = cv2.dilate(double, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(double, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    assert len(contours) == 1, "one connected object has one outer outline"
    return contours[0][:, 0] / 2.0


def simplify(points: np.ndarray, tolerance: float) -> np.ndarray:
    """The polygon `points` (N, 2) with fewer corners, float64 (M, 2) of at least 3.

    tolerance: how far (pixels) it may leave the true one (Douglas-Peucker); 0 changes nothing.
    """
    if not tolerance:
        return points
    simple = cv2.approxPolyDP(points.astype(np.float32), tolerance, True)[:, 0].astype(np.float64)
    return simple if len(simple) >= 3 else points


def smallest_rectangle(points: np.ndarray) -> Rectangle:
    """The rectangle of the least area around the points, float (N, 2) of x and y."""
    (x, y), (width, height), angle = cv2.minAreaRect(points.astype(np.float32))
    quarters = np.ceil((angle - 45) / 90)  # OpenCV's releases differ in which side they call the width
    if int(quarters) % 2:
        width, height = height, width
    return Rectangle(float(x), float(y), float(width), float(height), float(angle - 90 * quarters))
