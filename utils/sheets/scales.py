"""Scales: rulers of all kinds, checkered bars, and scale lines printed on transparent slips or on the border.

Every card is drawn lying (numbers along its long side) and marked class Scale as it would be by hand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.sheets import words
from utils.sheets.charts import CHECKER, patches, round_corners, toned
from utils.sheets.draw import Card, Color, Kit, grain, smooth_noise, vary
from utils.sheets.text import printed, square_signs

WHITE: Color = (238, 238, 236)
BLACK: Color = (22, 21, 22)


def ticks(kit: Kit, card: Card, box: Sequence[float], color: Color, downwards: bool, step: float = 0.1,
          unit: float = 1.0, numbers: float = 0.35, first: int = 0) -> None:
    """Draws a graduation into the box (x, y, width, height in cm).

    Long marks every `unit` cm with numbers of size `numbers` cm, short ones every `step`; `downwards`: the marks
    start at the top of the box.
    """
    x, y, width, height = box
    path = kit.pick(kit.fonts.files["sans"][:2])
    count = int(width / step + 1e-6)
    each = max(1, round(unit / step))
    thin = max(0.015, 0.9 / card.scale)
    for index in range(count + 1):
        share = 1.0 if index % each == 0 else 0.72 if index % each == each / 2 else 0.5
        length = height * share
        card.rect(x + index * step - thin / 2, y if downwards else y + height - length, thin, length, color)
        if index % each == 0 and numbers:
            top = y + height * 1.05 if downwards else y - numbers * 1.25
            printed(kit, card, str(first + index // each), x + index * step, top, numbers, color, path=path, align=0.5)


def logo(kit: Kit, card: Card, box: Sequence[float], color: Color) -> None:
    """Draws an institution's emblem and name into the box (cm)."""
    x, y, width, height = box
    radius = min(height * 0.36, width * 0.16)
    kind = kit.pick(("ring", "leaf", "letter", "none"))
    if kind == "ring":
        card.disc(x + radius * 1.2, y + height / 2, radius, color, radius * 0.2)
        card.disc(x + radius * 1.2, y + height / 2, radius * 0.4, color)
    elif kind == "leaf":
        t = np.linspace(0, 2 * np.pi, 24)
        leaf = np.stack([np.cos(t) * radius * 0.5, np.sin(t) * radius * (1 + 0.2 * np.cos(t))], 1)
        card.fill(leaf + (x + radius * 1.2, y + height / 2), color)
    elif kind == "letter":
        printed(kit, card, kit.pick("NKBFLMHU"), x + 0.1, y + height * 0.1, height * 0.75, color, "sans")
    left = x + (radius * 2.8 if kind != "none" else 0.1)
    lines = kit.pick(words.INSTITUTION).split() if kit.chance(0.8) else [kit.pick("NY CAS HAL PI NCU US TEX".split())]
    size = min(height * 0.85 / len(lines), 0.55 if len(lines) > 1 else height * 0.7)
    for index, line in enumerate(lines):
        printed(kit, card, line, left, y + height / 2 + (index - len(lines) / 2) * size, size, color,
                kit.pick(("sans", "serif")), limit=max(0.3, x + width - left))


def box_ruler(kit: Kit) -> Card:
    """A black or white ruler with a row of boxes for the centimetres, numbers, a line of text and an emblem."""
    rng = kit.rng
    height = rng.uniform(1.1, 2.8)
    length = int(kit.pick((5, 10, 10, 10, 15)))
    emblem = rng.uniform(1.8, 4.5) if kit.chance(0.75) else 0.0
    ground, ink = (BLACK, WHITE) if kit.chance(0.8) else (WHITE, BLACK)
    ground = vary(rng, ground, 7)
    left = rng.uniform(0.25, 1.2)
    card = Card(length + left + 0.4 + emblem, height, kit.scale, ground)
    top, tall = height * rng.uniform(0.08, 0.2), height * rng.uniform(0.18, 0.3)
    line = max(0.02, 1.0 / kit.scale)
    card.rect(left, top, length, tall, ink, line)
    card.rect(left, top + tall * 0.55, length, line, ink)
    for index in range(length):
        card.rect(left + index, top, line, tall, ink)
        if index % 2:
            card.rect(left + index, top + tall * 0.55, 1, tall * 0.45, ink)
    for index in range(10):
        card.rect(left + index * 0.1, top, line, tall, ink)
    numbers, path = min(0.55, height * 0.26), kit.pick(kit.fonts.files["sans"][:2])
    for index in range(length + 1):
        printed(kit, card, str(index), left + index, top + tall * 1.1, numbers, ink, path=path, align=0.5)
    low = top + tall * 1.1 + numbers * 1.15
    if low + numbers < height and length > 5:
        printed(kit, card, "cm", left - 0.1, low, numbers, ink, path=path)
        printed(kit, card, kit.pick(("copyright reserved", "© all rights reserved", "specimen scale")),
                left + length, low, numbers, ink, path=path, align=1.0)
    if emblem:
        x = left + length + 0.35
        if kit.chance(0.45):
            card.rect(x, 0.05, emblem, height - 0.1, vary(rng, WHITE, 6))
            logo(kit, card, (x + 0.1, 0.1, emblem - 0.2, height - 0.2), kit.pick((BLACK, (70, 70, 110), (60, 90, 60))))
        else:
            logo(kit, card, (x, 0.1, emblem, height - 0.2), ink)
    if kit.chance(0.25):
        round_corners(card, 0.15)
    card.mark("Scale")
    return card


def checkered(kit: Kit) -> Card:
    """A ruler with checkered centimetres, on white, with or without numbers."""
    rng = kit.rng
    height, length = rng.uniform(1.3, 3.8), int(rng.integers(6, 26))
    head = rng.uniform(0.2, 2.5)
    white, black = vary(rng, WHITE, 8), vary(rng, BLACK, 8)
    card = Card(length + head + rng.uniform(0, 0.5), height, kit.scale, white)
    rows = int(rng.integers(1, 3))
    tall = height * rng.uniform(0.4, 0.65) / rows
    low = height - rows * tall - height * rng.choice([0.0, 0.08])
    for index in range(length):
        for row in range(rows):
            if (index + row) % 2:
                card.rect(head + index, low + row * tall, 1, tall, black)
    if kit.chance(0.75):
        size, path = min(0.7, low * 0.8), kit.pick(kit.fonts.files["sans"][:2])
        for index in range(length + 1):
            sign = Card(size * 1.3, size * 1.3, kit.scale, white)
            printed(kit, sign, str(index), sign.width / 2, 0, size, black, path=path, align=0.5)
            card.put(sign.turned(1 if rows == 2 else 0), head + index - size * 0.65, max(0.02, low - size * 1.35))
    else:
        printed(kit, card, "CM", head, low * 0.1, low * 0.7, black, "sans")
    if kit.chance(0.3):
        round_corners(card, 0.2)
    card.mark("Scale")
    return card


def tick_ruler(kit: Kit) -> Card:
    """A common ruler: plastic, paper, wood or steel, with centimetres on one edge and sometimes inches on the other."""
    rng = kit.rng
    height = rng.uniform(1.0, 3.4)
    length = float(kit.pick((5, 10, 15, 20, 30, 45), (1, 4, 4, 3, 4, 3)))
    material = kit.pick(("white", "wood", "steel", "yellow", "black", "clear"), (6, 2, 2, 1, 2, 1))
    ground = {"white": WHITE, "wood": (206, 168, 108), "steel": (176, 176, 172), "yellow": (226, 206, 120),
              "black": BLACK, "clear": (226, 226, 218)}[material]
    ink = vary(rng, WHITE if material == "black" else (48, 46, 48), 8)
    end = rng.uniform(0.2, 0.9)
    card = Card(length + 2 * end, height, kit.scale, vary(rng, ground, 10))
    size = card.alpha.shape
    if material in ("wood", "steel"):
        streak = np.repeat(rng.normal(0, 1, size[0])[:, None], size[1], 1).astype(np.float32)
        streak += smooth_noise(rng, size, 12) * (3 if material == "wood" else 6)
        card.image[:] = np.clip(card.image + (streak * 4 + grain(rng, size))[..., None], 0, 255).astype(np.uint8)
    numbers = min(0.5, height * 0.3)
    tall = height * rng.uniform(0.14, 0.28)
    fine = kit.pick((0.1, 0.1, 0.5, 0.05))
    ticks(kit, card, (end, 0.0, length, tall), ink, True, fine, 1.0, numbers)
    inches = height > 1.8 and kit.chance(0.5)
    if inches:
        ticks(kit, card, (end, height - tall, length, tall), ink, False, 2.54 / 16, 2.54, numbers)
    if height - tall * 2 - numbers * 2 > 0.6 and kit.chance(0.6):
        name = kit.pick((kit.pick(words.INSTITUTION), "STAINLESS STEEL", "METRIC 1 mm", "Ruler Co., Inc.", "300 mm"))
        printed(kit, card, name, card.width / 2, height / 2 - 0.2, min(0.6, height * 0.25), ink,
                kit.pick(("serif", "italic", "sans")), align=0.5)
    if kit.chance(0.3):
        round_corners(card, 0.15)
    if material == "clear":
        card.alpha = (card.alpha * rng.uniform(0.35, 0.7)).astype(np.uint8)
    card.mark("Scale")
    return card


def slip(kit: Kit) -> Card:
    """A transparent or paper slip with a drawn scale: a bar of boxes or a single line with its length."""
    rng = kit.rng
    height = rng.uniform(0.9, 3.0)
    single = kit.chance(0.3)
    length = float(kit.pick((5, 10, 10)))
    card = Card(length + rng.uniform(1.0, 4.0), height, kit.scale, vary(rng, (240, 239, 234), 6))
    ink = vary(rng, (40, 40, 42), 12)
    line = max(0.03, 1.1 / kit.scale)
    left, middle = 0.6, height * 0.45
    if single:
        length = card.width - 2.4
        card.rect(left, middle, length, line * 1.5, ink)
        for x in (left, left + length):
            card.rect(x, middle - 0.12, line, 0.3, ink)
        printed(kit, card, kit.pick(("5 cm", "10 cm", "1 cm", "2 in.")), left + length + 0.25, middle - 0.3, 0.6, ink,
                "sans")
    else:
        tall, path = height * 0.3, kit.pick(kit.fonts.files["sans"] + kit.fonts.files["serif"][:1])
        card.rect(left, middle - tall, length, tall, ink, line)
        for index in range(int(length)):
            card.rect(left + index, middle - tall, line, tall, ink)
            printed(kit, card, str(index), left + index, middle + 0.03, min(0.42, height * 0.2), ink, path=path,
                    align=0.5)
        for index in range(10):
            card.rect(left + index * 0.1, middle - tall, line, tall, ink)
        printed(kit, card, "Botanic Garden - Copyright reserved", left, height * 0.72, height * 0.2, ink, "serif",
                limit=length)
        if kit.chance(0.5):
            logo(kit, card, (left + length + 0.3, 0.1, card.width - length - left - 0.4, height - 0.2), ink)
    if kit.chance(0.4):
        card.rect(0.06, 0.06, card.width - 0.12, height - 0.12, ink, line)
    card.alpha[:] = int(rng.uniform(60, 255))
    ink_alpha = 255 - card.image.min(2)
    card.alpha = np.maximum(card.alpha, np.where(ink_alpha > 60, ink_alpha, 0).astype(np.uint8))
    card.mark("Scale")
    return card


def patch_ruler(kit: Kit) -> Card:
    """A grey ruler with a row of colour patches along it: class Scale, the patch block Color chart."""
    rng = kit.rng
    height, width = rng.uniform(1.6, 2.9), rng.uniform(17, 28)
    ground = vary(rng, kit.pick(((128, 128, 126), (105, 105, 108), (160, 158, 152), (40, 40, 42)), (5, 3, 1, 1)), 8)
    dark = (24, 24, 26)
    ink = dark if sum(ground) > 240 else WHITE
    card = Card(width, height, kit.scale, ground)
    if kit.chance(0.35):
        card.rect(0, 0, width, height, (200, 180, 60), 0.06)
    tall = height * rng.uniform(0.22, 0.32)
    top = height * rng.uniform(0.4, 0.55)
    count = int(rng.integers(18, 37))
    colors = [CHECKER[int(index)] for index in rng.permutation(18)]
    greys = [(level, level, level) for level in np.linspace(20, 245, max(count - 18, 4)).astype(int)]
    row = toned(kit, colors[:9] + greys + colors[9:])
    end = rng.uniform(0.4, 1.1)
    box = (end, top, width - 2 * end, tall)
    patches(card, [row], box, rng.choice([0.0, 0.03]))
    if kit.chance(0.5):
        card.rect(width * 0.46, top - tall * 0.8, 1.3, tall * 1.8, (235, 235, 235))
        square_signs(kit, card, width * 0.46, top - tall * 0.8, tall * 0.45, 4, dark, False)
    ticks(kit, card, (box[0], 0.05, box[2], height * 0.1), ink, True, 0.1 if kit.chance(0.7) else 2.54 / 16,
          1.0 if kit.chance(0.7) else 2.54, min(0.3, height * 0.14))
    for index in range(int(box[2] / 1.0)):
        if index % 2:
            card.rect(box[0] + index, height * 0.88, 1.0, height * 0.06, ink)
    path = kit.pick(kit.fonts.files["sans"][:2])
    for x in np.arange(box[0] + 0.3, box[0] + box[2] - 0.8, 0.9):
        printed(kit, card, words.number(kit, 4), x, top - height * 0.2, height * 0.1, ink, path=path)
    for x in (0.3, width / 2, width - 0.3)[:3 if kit.chance(0.7) else 0]:
        card.disc(x, height * 0.84, min(0.2, height * 0.09), dark)
    card.mark("Scale")
    card.mark("Color chart", box)
    return card


def patch_card(kit: Kit) -> Card:
    """A white card with patches and a graduation along one edge: Scale that edge, Color chart the patch block."""
    rng = kit.rng
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(8, 14))
    step = rng.uniform(0.9, 1.3)
    edge = rng.uniform(0.5, 0.9)
    card = Card(columns * step + rng.uniform(0.3, 3.5), rows * step + edge + 0.15, kit.scale, vary(rng, WHITE, 5))
    colors = toned(kit, [(CHECKER + ((225, 225, 225),))[int(index)] for index in rng.integers(0, 25, rows * columns)])
    grid = [colors[index:index + columns] for index in range(0, rows * columns, columns)]
    patches(card, grid, (0.15, 0.1, columns * step, rows * step), step * rng.uniform(0.15, 0.3))
    ticks(kit, card, (0.15, card.height - 0.22, card.width - 0.4, 0.2), (60, 60, 60), False, 0.1, 1.0, 0.24)
    card.mark("_ignore_")
    card.mark("Scale", (0, card.height - edge + 0.05, card.width, edge - 0.05))
    card.mark("Color chart", (0.12, 0.08, columns * step + 0.06, rows * step + 0.04))
    return card


def border_scale(kit: Kit) -> Card:
    """A scale printed on the border of the photograph: no card, so tight around its marks, in a ring of IGNORE."""
    rng = kit.rng
    length, light = int(kit.pick((3, 5, 10, 10))), kit.chance(0.85)
    ink = WHITE if light else BLACK
    card = Card(length + 2.0, 1.8, kit.scale, ink)
    drawn = Card(length + 2.0, 1.8, kit.scale, (0, 0, 0))
    x, y, line = 0.8, 0.75, max(0.04, 1.2 / kit.scale)
    drawn.rect(x, y, length + line, line, (255, 255, 255))
    tall, path = rng.uniform(0.25, 0.5), kit.pick(kit.fonts.files["sans"][:2])
    for index in range(length + 1):
        drawn.rect(x + index, y - tall, line, tall, (255, 255, 255))
        printed(kit, drawn, str(index) if index else "0cm", x + index, y + 0.08, 0.5, (255, 255, 255), path=path,
                align=0.5)
    for index in range(10):
        drawn.rect(x + index * 0.1, y - tall, line * 0.8, tall, (255, 255, 255))
    card.alpha = drawn.image[..., 0].copy()
    rows, columns = np.nonzero(card.alpha > 60)
    left, right = columns.min() / kit.scale, (columns.max() + 1) / kit.scale
    top, low = rows.min() / kit.scale, (rows.max() + 1) / kit.scale
    ring = 0.35
    card.mark("_ignore_", (left - ring, top - ring, right - left + 2 * ring, low - top + 2 * ring))
    card.mark("Scale", (left, top, right - left, low - top))
    return card


def scale(kit: Kit) -> Card:
    """A random scale for a place on the sheet or beside it."""
    return kit.pick((box_ruler, tick_ruler, checkered, slip, patch_ruler, patch_card), (6, 4, 1.5, 1.5, 1, 0.6))(kit)
