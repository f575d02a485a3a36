"""What lies under the sheets: a plain table, a cutting mat, or a board with scales printed along its edges.

All of it is background: the marks and numbers along the edges of a mat or board are no Scale.
"""

from __future__ import annotations

import cv2
import numpy as np

from utils.sheets import paper
from utils.sheets.drawing.draw import Canvas, Kit, Table
from utils.sheets.drawing.fonts import text_mask
from utils.sheets.drawing.pixels import Color, grain, paint, shade, smooth_noise, vary

MATS: tuple[Color, ...] = ((28, 92, 72), (36, 70, 110), (64, 66, 70), (24, 26, 28), (150, 60, 84), (60, 128, 104),
                           (212, 214, 210))
BOARDS: tuple[Color, ...] = ((236, 236, 232), (188, 190, 190), (128, 130, 130), (214, 200, 168))
WITH_STRIPS = (10, 2, 1, 1, 2, 3, 2, 0.7, 1)  # how common each of paper.TABLES is where things lie beside the sheet,
WITHOUT_STRIPS = (3, 2, 1, 1, 1.5, 1.5, 3, 0.7, 0.7)  # and where nothing does


def plain_table(kit: Kit, canvas: Canvas, strips: bool) -> None:
    """Covers the canvas with a table. `strips`: whether things lie beside the sheet."""
    paper.table(kit, canvas, kit.pick(tuple(paper.TABLES), WITH_STRIPS if strips else WITHOUT_STRIPS))


def cutting_mat(kit: Kit, canvas: Canvas, strips: bool) -> None:
    """Covers the canvas with a table and a mat with a grid, and with ticks and numbers along its edges.

    Args:
        kit: random generator and fonts.
        canvas: changed in place.
        strips: whether things lie beside the sheet.
    """
    rng = kit.rng
    color = kit.pick(MATS, (6, 2, 2, 2, 1, 1, 1))
    line = rng.uniform(0.4, 0.8)  # how much the grid differs from the mat
    x0, y0, x1, y1 = lay_plate(kit, canvas, strips, color, (-0.4, 2.2))
    ink = tuple(int(channel + (target - channel) * line) for channel, target in zip(
        color, kit.pick(((245, 240, 190), (250, 250, 250)) if sum(color) < 450 else ((90, 90, 90), (40, 80, 120)))))
    unit = kit.pick((1.0, 2.54), (4, 1))
    border = rng.uniform(0.5, 1.3)
    x0, y0, x1, y1 = x0 + border, y0 + border, x1 - border, y1 - border
    s, size = canvas.scale, canvas.image.shape[:2]
    grid = np.zeros(size, np.uint8)
    for low, high, vertical in ((x0, x1, True), (y0, y1, False)):
        for index in range(int((high - low) / unit) + 1):
            at = round((low + index * unit) * s)
            across = (round((y0 if vertical else x0) * s), round((y1 if vertical else x1) * s))
            if 0 <= at < size[1 if vertical else 0]:
                wide = max(1, round(0.03 * s)) if index % 5 == 0 else max(1, round(0.012 * s))
                part = (slice(max(across[0], 0), across[1]), slice(at, at + wide))
                grid[part if vertical else part[::-1]] = 255 if index % 5 == 0 else 130
    paint(canvas.image, grid, 0, 0, ink, rng.uniform(0.5, 1.0))
    for side in range(4):
        graduation(kit, canvas, (x0, y0, x1, y1), side, unit, ink, border * 0.55)


def board(kit: Kit, canvas: Canvas, strips: bool) -> None:
    """Covers the canvas with a table and a board that has long scales printed along some of its edges.

    Args:
        kit: random generator and fonts.
        canvas: changed in place.
        strips: whether things lie beside the sheet.
    """
    rng = kit.rng
    color = kit.pick(BOARDS)
    box = lay_plate(kit, canvas, strips, color, (-0.2, 2.5))
    ink = kit.pick(((24, 24, 26), (120, 30, 30), (60, 62, 66)), (4, 1, 2))
    inset = rng.uniform(0.6, 1.6)
    box = (box[0] + inset, box[1] + inset, box[2] - inset, box[3] - inset)
    unit, number = kit.pick(((1.0, True), (1.0, False), (2.54, True)), (4, 2, 2))
    for side in np.flatnonzero(rng.random(4) < 0.75):
        graduation(kit, canvas, box, int(side), unit, ink, rng.uniform(0.3, 0.6) if number else 0.0)


def lay_plate(kit: Kit, canvas: Canvas, strips: bool, color: Color, insets: tuple[float, float]) -> list[float]:
    """The edges x0, y0, x1, y1 in cm of a mat or board, after painting it on a table.

    Args:
        kit: random generator.
        canvas: changed in place.
        strips: whether things lie beside the sheet.
        color: of the plate.
        insets: lowest and highest distance from the picture's edges in cm; below 0 the picture cuts it off.
    """
    rng, s = kit.rng, canvas.scale
    height, width = canvas.image.shape[:2]
    edges = np.array([0, 0, width / s, height / s]) + rng.uniform(*insets, 4) * (1, 1, -1, -1)
    x0, y0, x1, y1 = np.clip(np.round(edges * s), 0, [width, height, width, height]).astype(int)
    if (x0, y0, x1, y1) != (0, 0, width, height):
        plain_table(kit, canvas, strips)
    part = canvas.image[y0:y1, x0:x1]
    part[:] = vary(rng, color, 6)
    value = smooth_noise(rng, part.shape[:2], 3) * 0.06 + grain(rng, part.shape[:2]) * 0.02
    shade(part, 1 + value)
    return edges.tolist()


def graduation(kit: Kit, canvas: Canvas, box: tuple[float, ...], side: int, unit: float, ink: Color, size: float
               ) -> None:
    """Draws ticks and numbers outside one edge of a box.

    Args:
        kit: random generator and fonts.
        canvas: changed in place.
        box: x0, y0, x1, y1 in cm.
        side: 0: left, 1: top, 2: right, 3: bottom.
        unit: distance between numbers in cm.
        ink: colour of ticks and numbers.
        size: font size of the numbers in cm. 0: none.
    """
    s, upright = canvas.scale, side % 2 == 0
    edge, outwards = box[side], -1 if side < 2 else 1
    low, high = (box[1], box[3]) if upright else (box[0], box[2])
    parts = 10 if unit == 1 else 8
    wide, color = max(1, round(0.02 * s)), tuple(map(int, ink))
    for index in range(int((high - low) / unit * parts) + 1):
        long = 0.32 if index % parts == 0 else 0.22 if index % (parts // 2) == 0 else 0.14
        at = round((low + index * unit / parts) * s)
        ends = sorted((round(edge * s), round((edge + outwards * long) * s)))
        first, last = ((ends[0], at), (ends[1], at)) if upright else ((at, ends[0]), (at, ends[1]))
        cv2.line(canvas.image, first, last, color, wide)
    if size * s < 4:
        return
    path = kit.pick(kit.fonts.files["sans"][:2])
    middle = edge + outwards * (0.3 + size * 0.45)
    for index in range(1, int((high - low) / unit) + 1):
        mask = text_mask(str(index), path, size * s)
        center = (middle, low + index * unit) if upright else (low + index * unit, middle)
        left, top = (round(value * s - length / 2) for value, length in zip(center, mask.shape[::-1]))
        paint(canvas.image, mask, left, top, ink, 1.0)


KINDS: Table = ((plain_table, 40), (cutting_mat, 1), (board, 0.6))
