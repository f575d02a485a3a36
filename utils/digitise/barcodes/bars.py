"""Finds the whole bars of a linear barcode of which a reader has read a few lines."""

from __future__ import annotations

import cv2
import numpy as np

SHORTEST = 8    # pixels; nothing shorter is a code
TALLEST = 0.75  # how far bars can reach up or down from the lines that were read, share of the code's length
FADED = 0.5     # share of the contrast of those lines below which the bars have ended
KNOWN = 3       # lines on either side of the middle one that show what the bars are; more would blur slanted bars
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
    if length < SHORTEST:
        return corners
    along = (right - left) / length
    down = np.array([-along[1], along[0]])
    height = float((corners[[3, 2]] - corners[[0, 1]]).mean(axis=0) @ down)
    step = max(length / MOST, 0.5)
    samples, reach = round(length / step), round(TALLEST * length / step)
    room = reach // 4  # for slanted bars: 14 degrees
    start, width, tall = -room * step * along, (samples + 2 * room) * step * along, (reach + 0.5) * step * down
    strip = left + start + np.array([-tall, width - tall, width + tall, tall])
    lines = straight(grey, strip, (samples + 2 * room, 2 * reach + 1))[0].astype(np.float32)
    known = min(int(0.4 * height / step), KNOWN)
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


def straight(
    grey: np.ndarray, corners: np.ndarray, size: tuple[int, int], how: int = cv2.INTER_LINEAR
) -> tuple[np.ndarray, np.ndarray]:
    """A part of the sheet as an upright picture, uint8 (h, w), and the matrix that takes points back, float64 (2, 3).

    Args:
        grey: the sheet, uint8 (H, W).
        corners: of the part, a rectangle that may be turned, float64 (4, 2) of x and y; the first becomes the upper
            left one, the second the upper right one.
        size: width and height of the picture.
        how: OpenCV's interpolation.
    """
    turn = (corners[[1, 3]] - corners[0]).T / size
    left, top = np.maximum(np.floor(corners.min(0)).astype(int) - 8, 0)
    right, bottom = np.maximum(np.ceil(corners.max(0)).astype(int) + 8, (left + 1, top + 1))
    part = grey[top:bottom, left:right]  # OpenCV turns pictures of at most 32,767 pixels a side
    shrink = round(float(np.linalg.norm(turn[:, 0])))
    if shrink > 1:
        part = cv2.blur(part, (shrink, shrink))
    offset = corners[0] - (left, top) + turn @ (0.5, 0.5) - 0.5  # OpenCV counts from the centre of the first pixel
    picture = cv2.warpAffine(part, np.column_stack([turn, offset]), size, flags=how | cv2.WARP_INVERSE_MAP,
                             borderMode=cv2.BORDER_REPLICATE)
    return picture, np.column_stack([turn, corners[0]])


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
