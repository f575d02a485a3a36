"""The table under a sheet, and the paper of the sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from utils.sheets.drawing.draw import Canvas, Kit
from utils.sheets.drawing.pixels import Color, cast_shadow, grain, paint, rotation, shade, smooth_noise, vary, wander

TABLES: dict[str, Color] = {"black": (16, 15, 16), "grey": (92, 92, 94), "green": (44, 70, 58), "blue": (110, 150, 180),
                            "wood": (150, 108, 62), "cork": (150, 122, 72), "white": (240, 240, 238),
                            "felt": (60, 64, 84), "board": (176, 152, 114)}
SHEETS: tuple[Color, ...] = ((250, 249, 245), (245, 241, 230), (236, 228, 208), (222, 209, 178), (201, 182, 140),
                             (226, 230, 232), (206, 220, 216), (238, 238, 240), (247, 240, 214), (214, 200, 170))


def table(kit: Kit, canvas: Canvas, kind: str) -> None:
    """Covers the whole canvas with a table of the given kind (a key of TABLES)."""
    rng, size = kit.rng, canvas.image.shape[:2]
    color = vary(rng, TABLES[kind], 10)
    canvas.image[:] = color
    if kind == "wood":
        streaks = np.repeat(rng.normal(0, 1, (1, size[1])), size[0], 0).astype(np.float32)
        streaks = cv2.GaussianBlur(streaks, (0, 0), max(0.5, canvas.scale * 0.04))
        value = streaks * 0.25 + smooth_noise(rng, size, 6) * 0.15 + grain(rng, size) * 0.03
        for seam in rng.integers(0, size[1], int(rng.integers(0, 4))):
            value[:, seam:seam + max(1, round(canvas.scale * 0.06))] -= 0.4
    elif kind == "cork":
        value = smooth_noise(rng, size, rng.uniform(80, 250)) * 0.25 + grain(rng, size) * 0.12
    else:
        value = smooth_noise(rng, size, 3) * 0.12 + grain(rng, size) * (0.12 if kind == "felt" else 0.03)
    shade(canvas.image, 1 + value)
    if kind in ("black", "grey") and kit.chance(0.15):  # a suction table with holes
        step = max(2, round(0.35 * canvas.scale))
        hole = tuple(int(channel * 0.6) for channel in color)
        radius = max(1, round(0.08 * canvas.scale))
        tile = np.zeros((step, step), np.uint8)
        cv2.circle(tile, (step // 2, step // 2), radius, 255, -1, cv2.LINE_AA)
        holes = np.tile(tile, (-(-size[0] // step), -(-size[1] // step)))[:size[0], :size[1]]
        paint(canvas.image, holes, 0, 0, hole, 0.8)
    for _ in range(int(rng.integers(0, 14)) if kind == "black" and kit.chance(0.4) else 0):  # dust
        x, y = rng.integers(0, size[1]), rng.integers(0, size[0])
        cv2.circle(canvas.image, (int(x), int(y)), max(1, round(canvas.scale * 0.03)), (120, 116, 108), -1)


def sheet(kit: Kit, canvas: Canvas, box: Sequence[float], color: Color, angle: float) -> None:
    """Lays the sheet's paper on the canvas.

    Args:
        kit: random generator.
        canvas: changed in place.
        box: x, y, width and height of the sheet in cm.
        color: of the paper.
        angle: rotation in degrees.
    """
    rng, s = kit.rng, canvas.scale
    x, y, width, height = box
    size = canvas.image.shape[:2]
    corners = np.array([(-width, -height), (width, -height), (width, height), (-width, height)]) / 2
    corners = (corners + rng.normal(0, 0.06, (4, 2))) @ rotation(angle).T + (x + width / 2, y + height / 2)
    mask = np.zeros(size, np.uint8)
    cv2.fillConvexPoly(mask, np.round(corners * s * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    if mask.min() == 0:
        cast_shadow(canvas.image, mask, rng.uniform(0.05, 0.25) * s, rng.uniform(0.1, 0.5))
    paper = np.empty((*size, 3), np.uint8)
    paper[:] = color
    age = rng.uniform(0, 1)
    value = smooth_noise(rng, size, rng.uniform(2, 6)) * 0.02 * age + grain(rng, size) * rng.uniform(0.002, 0.012)
    shade(paper, 1 + value)
    if kit.chance(0.2 * age + 0.05):
        stains(kit, paper, s)
    if kit.chance(0.25):
        folds(kit, paper)
    if kit.chance(0.3):
        edges(kit, paper, box, s)
    paint_over(canvas.image, paper, mask)


def paint_over(image: np.ndarray, above: np.ndarray, mask: np.ndarray) -> None:
    """Copies `above` to `image` in place, with opacity `mask`. It is fast if the mask is mostly 0 and 255."""
    cv2.copyTo(above, (mask == 255).view(np.uint8), image)
    part = (mask > 0) & (mask < 255)
    share = mask[part, None].astype(np.float32) / 255
    image[part] = (above[part] * share + image[part] * (1 - share)).astype(np.uint8)


def stains(kit: Kit, paper: np.ndarray, s: float) -> None:
    """Adds water stains and brown spots to the paper; `s` is pixels per cm."""
    rng, size = kit.rng, paper.shape[:2]
    cloud = smooth_noise(rng, size, rng.uniform(3, 9))
    edge = np.exp(-((cloud - 0.6) / 0.06) ** 2) * (rng.uniform(0, 0.1))
    shade(paper, *((1 - edge * part).astype(np.float32) for part in (0.6, 1.0, 1.6)))
    spots = np.zeros(size, np.uint8)
    for _ in range(int(rng.integers(0, 150))):
        middle = rng.uniform(0, 1, 2) * size[::-1]
        for radius in np.abs(rng.normal(0, 0.05, 3)) * s:
            place = middle + rng.normal(0, radius + 0.1, 2)
            cv2.circle(spots, tuple(int(16 * value) for value in place), max(4, round(radius * 16)),
                       int(rng.integers(40, 220)), -1, cv2.LINE_AA, 4)
    depth = cv2.GaussianBlur(spots, (0, 0), max(0.5, 0.02 * s)).astype(np.float32) * (0.4 / 255)
    shade(paper, *(1 - depth * part for part in (0.45, 0.75, 1.0)))


def folds(kit: Kit, paper: np.ndarray) -> None:
    """Draws one or two folds: a thin line, lighter on one side and darker on the other."""
    height, width = paper.shape[:2]
    for _ in range(int(kit.rng.integers(1, 3))):
        gain = np.ones((height, width), np.float32)
        at, reach = kit.rng.uniform(0.1, 0.9), kit.rng.uniform(0.004, 0.03)
        amount = kit.rng.uniform(0.015, 0.08)
        if kit.chance(0.5):
            ramp = (np.arange(height, dtype=np.float32) / height - at)[:, None] / reach
        else:
            ramp = (np.arange(width, dtype=np.float32) / width - at)[None] / reach
        gain += amount * np.sign(ramp) * np.exp(-np.abs(ramp))
        shade(paper, gain)


def edges(kit: Kit, paper: np.ndarray, box: Sequence[float], s: float) -> None:
    """Makes the paper browner towards the edges of the sheet.

    Args:
        kit: random generator.
        paper: uint8 (H, W, 3), changed in place.
        box: x, y, width and height of the sheet in cm.
        s: pixels per cm.
    """
    height, width = paper.shape[:2]
    x = (np.arange(width, dtype=np.float32) / s - box[0]) / box[2] * 2 - 1
    y = (np.arange(height, dtype=np.float32) / s - box[1]) / box[3] * 2 - 1
    far = np.clip(np.maximum(np.abs(x)[None], np.abs(y)[:, None]), 0, 1) ** kit.rng.uniform(6, 20)
    far *= kit.rng.uniform(0.05, 0.3)
    shade(paper, *(1 - far * part for part in (0.5, 0.75, 1.0)))


def flaps(kit: Kit, canvas: Canvas, box: Sequence[float], color: Color) -> None:
    """Folds the paper of a packet: the sides, the foot and sometimes a flap at the top.

    Args:
        kit: random generator.
        canvas: changed in place.
        box: x, y, width and height of the packet in cm.
        color: of the paper.
    """
    rng, s = kit.rng, canvas.scale
    x, y, width, height = box[0] + 0.15, box[1] + 0.15, box[2] - 0.3, box[3] - 0.3  # the corners are not exact
    left, right, foot, head = rng.uniform(0.01, 0.16, 4) * (width, width, height, height)
    lines = [((x + left, y), (x + left, y + height)), ((x + width - right, y), (x + width - right, y + height)),
             ((x, y + height - foot), (x + width, y + height - foot))]
    if kit.chance(0.5):
        lines.append(((x, y + head), (x + width, y + head)))
    if kit.chance(0.3):  # pointed, as of an envelope
        middle = (x + width * rng.uniform(0.4, 0.6), y + height * rng.uniform(0.25, 0.5))
        lines += [((x, y), middle), ((x + width, y), middle)]
    wide, depth = max(1, round(s * rng.uniform(0.015, 0.05))), rng.uniform(0.72, 0.93)
    for start, end in lines:
        for shift, share in ((wide / s, 1.03), (0.0, depth)):
            tone = tuple(int(min(channel * share, 255)) for channel in color)
            ends = [tuple(round((value + shift) * s * 16) for value in point) for point in (start, end)]
            cv2.line(canvas.image, *ends, tone, wide, cv2.LINE_AA, 4)


def threads(kit: Kit, canvas: Canvas, box: Sequence[float]) -> None:
    """Draws a few stitches and loose threads in `box` (x, y, width and height in cm)."""
    rng, s = kit.rng, canvas.scale
    x, y, width, height = box
    color = kit.pick(((240, 238, 230), (90, 84, 70), (60, 90, 60)))
    for _ in range(int(rng.integers(1, 7))):
        start = np.array([x, y]) + rng.uniform(0.15, 0.85, 2) * (width, height)
        line = wander(rng, start, rng.uniform(0, 6.3), rng.uniform(0.5, 2.5), 0.2)
        cv2.polylines(canvas.image, [np.round(line * s * 16).astype(np.int32)], False, color, max(1, round(s * 0.04)),
                      cv2.LINE_AA, 4)
