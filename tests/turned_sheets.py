"""A drawn photograph of a sheet that lies at any angle."""

from __future__ import annotations

import math

import cv2
import numpy as np

PAPER, CARD = (225, 220, 205), (250, 250, 250)
SIZE = (700, 640)  # height and width of the photographs
SHEET = (400, 270)  # of the sheet in their middle


def photograph(angle: float, ground: object = (50, 48, 46)) -> np.ndarray:
    """A sheet with two white labels and grass that lies turned clockwise on the ground, RGB uint8."""
    picture = np.full((*SIZE, 3), ground, np.uint8)
    _rectangle(picture, angle, (-135, -200, 135, 200), PAPER)
    _rectangle(picture, angle, (10, 110, 120, 180), CARD)
    _rectangle(picture, angle, (-120, 150, -40, 190), CARD)
    for blade in range(-3, 4):  # at other angles than the sheet
        cv2.line(picture, (320, 400), (320 + 25 * blade, 230), (60, 90, 40), 2, cv2.LINE_AA)
    return picture


def near(found: np.ndarray, truth: np.ndarray, pixels: int = 1) -> bool:
    """Whether the outlines in two masks, uint8 (H, W) of 0 and 1, are at most so many pixels apart."""
    kernel = np.ones((2 * pixels + 1,) * 2, np.uint8)
    return bool((found >= cv2.erode(truth, kernel)).all() and (found <= cv2.dilate(truth, kernel)).all())


def _rectangle(picture: np.ndarray, angle: float, box: tuple[float, float, float, float], colour: object) -> None:
    """Draws a box of the sheet (left, top, right, bottom from its middle) into the photograph."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    left, top, right, bottom = box
    corners = np.array([[cos, -sin, SIZE[1] / 2], [sin, cos, SIZE[0] / 2]]) @ [
        [left, right, right, left], [top, top, bottom, bottom], [1, 1, 1, 1]]
    points = np.round((corners.T - 0.5) * 16).astype(np.int32)  # OpenCV counts from the centres of pixels
    cv2.fillPoly(picture, [points], colour, cv2.LINE_8, 4)
