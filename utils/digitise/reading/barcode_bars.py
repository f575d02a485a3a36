"""Finds the whole bars of a linear barcode of which a reader has read a few lines."""

from __future__ import annotations

import cv2
import numpy as np

TALLEST = 0.75  # how far bars can reach up or down from the lines that were read, share of the code's length
FADED = 0.5     # share of the contrast of those lines below which the bars have ended
MOST = 600      # samples along a code, so that large ones take no longer


def whole_bars(grey: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The corners of the whole code, float64 (4, 2) of x and y, in the same order.

    From the lines that were read it goes up and down as long as the same bars are there. The lines may be slanted
    against the bars a little, because readers follow the rows of pixels.

    Args:
        grey: the sheet, uint8 (H, W).
        corners: of the lines that were read, as they are read: float64 (4, 2) of x and y.
    """
    left, right = corners[[0, 3]].mean(axis=0), corners[[1, 2]].mean(axis=0)
    length = float(np.linalg.norm(right - left))
    if length < 2:
        return corners
    along = (right - left) / length
    down = np.array([-along[1], along[0]])
    height = float((corners[[3, 2]] - corners[[0, 1]]).mean(axis=0) @ down)
    step = max(length / MOST, 0.5)
    samples, reach = round(length / step), round(TALLEST * length / step)
    room = reach // 4  # for slanted bars: 14 degrees
    u, v = np.arange(-room, samples + room) + 0.5, np.arange(-reach, reach + 1.0)
    points = left + step * (u[:, None] * along + v[:, None, None] * down)
    lines = sample(grey, points)
    known = int(0.4 * height / step)
    bars = lines[reach - known:reach + known + 1, room:-room].mean(axis=0)
    bars -= bars.mean()
    up, below = _follow(lines[reach::-1], bars, room), _follow(lines[reach:], bars, room)
    shifts = np.array(up[:0:-1] + below)
    slant = float(np.polyfit(np.arange(len(shifts)), shifts, 1)[0]) if len(shifts) > 4 else 0.0
    turn = 1 / np.hypot(1, slant)  # cosine
    down, along = (down + slant * along) * turn, (along - slant * down) * turn
    centre = (left + right) / 2
    top, bottom = (centre + step * line / turn * down for line in (0.5 - len(up), len(below) - 0.5))
    half = length * turn / 2 * along
    return np.array([top - half, top + half, bottom + half, bottom - half])


def sample(grey: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The brightness at points, float (h, w, 2) of x and y, as float32 (h, w)."""
    left, top = np.maximum(np.floor(points.min((0, 1))).astype(int) - 2, 0)
    right, bottom = np.maximum(np.ceil(points.max((0, 1))).astype(int) + 2, 1)
    part = grey[top:bottom, left:right]  # OpenCV's remap takes no more than 32,767 pixels a side
    places = (points - (left, top) - 0.5).astype(np.float32)
    return cv2.remap(part, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def _follow(lines: np.ndarray, bars: np.ndarray, room: int) -> list[int]:
    """How far the bars are shifted, in samples, in each line in which they are, beginning with the first.

    Args:
        lines: brightness, float32 (n, samples + 2 * room).
        bars: the brightness to look for, float32 (samples,), its mean 0.
        room: the largest shift.
    """
    shifts = [0]
    contrast = FADED * float(bars @ bars)
    for line in lines[1:]:
        nearest = range(max(shifts[-1] - 1, -room), min(shifts[-1] + 1, room) + 1)
        fits = {shift: float(line[room + shift:room + shift + len(bars)] @ bars) for shift in nearest}
        best = max(fits, key=fits.get)
        if fits[best] < contrast:
            break
        shifts.append(best)
    return shifts
