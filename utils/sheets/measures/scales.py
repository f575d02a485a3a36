"""Scales of herbaria: box rulers with an emblem, checkered bars, rulers with patches, scales on the border.

Every card is drawn with its long side horizontal. Its class Scale is marked as a person would mark it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.sheets.drawing import words
from utils.sheets.drawing.draw import Card, Kit
from utils.sheets.drawing.pixels import Color, vary
from utils.sheets.drawing.text import printed, printed_row, square_signs
from utils.sheets.things.emblems import logo
from utils.sheets.things.patches import CHECKER, MAKERS, patches, round_corners, toned
from utils.sheets.measures.rulers import BLACK, WHITE, range_text, ticks


def box_ruler(kit: Kit) -> Card:
    """A black or white ruler with a box for each centimetre, numbers, a line of text and an emblem."""
    rng = kit.rng
    height = rng.uniform(1.5, 2.9)
    length = int(kit.pick((5, 10, 15), (1, 8, 1)))
    emblem = rng.uniform(1.8, 6.0) if kit.chance(0.75) else 0.0
    ground, ink = (BLACK, WHITE) if kit.chance(0.8) else (WHITE, BLACK)
    ground = vary(rng, ground, 7)
    block = height if kit.chance(0.15) else 0.0  # a mini chart at the ruler's end
    left = rng.uniform(0.25, 1.2) + block
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
    printed_row(kit, card, range_text(0, length), left, 1.0, top + tall * 1.1, numbers, ink)
    low = top + tall * 1.1 + numbers * 1.15
    if low + numbers < height and length > 5:
        printed(kit, card, "cm", left - 0.1, low, numbers, ink, path=path)
        printed(kit, card, kit.pick(("copyright reserved", "© all rights reserved", "specimen scale")),
                left + length, low, numbers, ink, path=path, align=1.0)
    if emblem:
        x = left + length + 0.35
        if kit.chance(0.6):
            card.rect(x, 0.05, emblem, height - 0.1, vary(rng, WHITE, 6))
            logo(kit, card, (x + 0.1, 0.1, emblem - 0.2, height - 0.2), kit.pick((BLACK, (70, 70, 110), (60, 90, 60))))
        else:
            logo(kit, card, (x, 0.1, emblem, height - 0.2), ink)
    if kit.chance(0.25):
        round_corners(card, 0.15)
    card.mark("Scale")
    if block:
        card.rect(0, 0, block, height, kit.pick((BLACK, WHITE)))
        box = (0.08, 0.08, block - 0.16, height - 0.16)
        patches(card, toned(kit, [CHECKER[int(index)] for index in rng.integers(0, 24, 25)]), 5, box, 0.02)
        card.mark("Color chart", (0.03, 0.03, block - 0.06, height - 0.06))
    return card


def checkered(kit: Kit) -> Card:
    """A white ruler with checkered centimetres, with or without numbers."""
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


def block_card(kit: Kit) -> Card:
    """A card with a bar of black and white centimetres, and an institution's emblem beside or above it."""
    rng = kit.rng
    length = int(kit.pick((5, 10, 10, 15)))
    ground, ink = kit.pick(((WHITE, BLACK), ((236, 228, 206), BLACK), (BLACK, WHITE), ((128, 128, 126), BLACK)),
                           (5, 2, 2, 1))
    tall, rows, numbers = rng.uniform(0.2, 0.7), int(kit.pick((1, 2), (3, 1))), rng.uniform(0.25, 0.5)
    above = kit.chance(0.45)
    emblem = (0.0, rng.uniform(0.8, 1.8)) if above else (rng.uniform(1.8, 4.5), 0.0)
    left, margin = rng.uniform(0.3, 1.0), rng.uniform(0.15, 0.5)
    card = Card(length + 2 * left + emblem[0], 2 * margin + emblem[1] + rows * tall + numbers * 1.2, kit.scale,
                vary(rng, ground, 6))
    top, dark = margin + emblem[1], (BLACK if ink == BLACK else WHITE)
    for row in range(rows):
        patches(card, [dark if (index + row) % 2 else (246, 246, 244) if ink == BLACK else BLACK
                       for index in range(length)], length, (left, top + row * tall, length, tall), 0.0)
    card.rect(left, top, length, rows * tall, dark, 0.03)
    for index in range(0, 10, 2):
        card.rect(left + index * 0.1, top, 0.1, tall, dark)
    each = int(kit.pick((1, 5), (3, 1)))
    texts = [str(number) for number in range(0, length + 1, each)]
    texts[-1] += kit.pick(("", " cm"))
    printed_row(kit, card, texts, left, each, top + rows * tall + 0.05, numbers, ink)
    box = (left, 0.1, length, emblem[1]) if above else (length + left * 1.7, 0.15, emblem[0], card.height - 0.3)
    logo(kit, card, box, kit.pick((ink, ink, (40, 90, 70), (110, 40, 50))))
    if kit.chance(0.25):
        card.rect(0.06, 0.06, card.width - 0.12, card.height - 0.12, ink, 0.03)
    card.mark("Scale")
    return card


def patch_ruler(kit: Kit) -> Card:
    """A grey ruler with a row of colour patches. The ruler is class Scale, the row class Color chart."""
    rng = kit.rng
    height, width = rng.uniform(1.6, 3.2), rng.uniform(17, 28)
    ground = vary(rng, kit.pick(((128, 128, 126), (105, 105, 108), (160, 158, 152), (40, 40, 42)), (5, 4, 1, 1)), 8)
    dark = (24, 24, 26)
    ink = dark if sum(ground) > 240 else WHITE
    card = Card(width, height, kit.scale, ground)
    if kit.chance(0.35):
        card.rect(0, 0, width, height, (200, 180, 60), 0.06)
    tall = height * rng.uniform(0.22, 0.34)
    top = height * rng.uniform(0.22, 0.55)
    end = rng.uniform(0.4, 1.1)
    box = (end, top, width - 2 * end, tall)
    patch_row(kit, card, box, ink)
    fine, unit = kit.pick(((0.1, 1.0), (2.54 / 16, 2.54)), (7, 3))
    ticks(kit, card, (box[0], 0.05, box[2], height * 0.1), ink, True, fine, unit, min(0.3, height * 0.14))
    unit, bar = kit.pick((1.0, 2.54)), kit.pick((0.06, 0.09))  # of the bars along the other edge
    for index in range(int(box[2] / unit)):
        if index % 2:
            card.rect(box[0] + index * unit, height * 0.88, unit, height * bar, ink)
    tags = [words.number(kit, 4) for _ in range(int(box[2] / 0.9))]
    for y in (top + tall + height * np.array([0.02, 0.12, 0.22])) if top < height * 0.4 else (top - height * 0.2,):
        printed_row(kit, card, tags, box[0] + 0.45, 0.9, y, height * 0.1, ink)
    for x in (end / 2, width / 2, width - end / 2)[:3 if kit.chance(0.7) else 0]:
        card.disc(x, height * 0.84 if x == width / 2 else top + tall / 2, min(0.3 * end, height * 0.09), dark)
    if kit.chance(0.4):  # a sticker with a number at one end
        card.rect(end, 0.08, 1.8, top * 0.5, (226, 228, 230))
        printed(kit, card, words.number(kit, 6), end + 0.1, 0.1, top * 0.42, dark, "mono", limit=1.6)
    card.mark("Scale")
    card.mark("Color chart", box)
    return card


def patch_row(kit: Kit, card: Card, box: Sequence[float], ink: Color) -> None:
    """Draws the row of patches of a ruler: colours, greys, often a resolution target, greys, colours.

    Args:
        kit: random generator.
        card: the ruler.
        box: x, y, width and height of the row in cm.
        ink: colour of marks and text.
    """
    x, y, width, tall = box
    gap = kit.rng.choice([0.0, 0.03])
    hues = kit.rng.permutation(18)
    target = width * kit.pick((0.0, 0.07, 0.12), (3, 4, 4))
    levels = np.linspace(245, 14, int(kit.rng.integers(6, 25))).astype(int)
    if kit.chance(0.5):
        levels = levels[::-1]
    greys = [(level, level, level) for level in levels.tolist()]
    half = len(greys) // 2
    left = [CHECKER[index] for index in hues[:9]] + greys[:half]
    right = greys[half:] + [CHECKER[index] for index in hues[9:]]
    side = (width - target) / 2
    patches(card, toned(kit, left), len(left), (x, y, side, tall), gap)
    patches(card, toned(kit, right), len(right), (x + side + target, y, side, tall), gap)
    if target:
        low = y - tall * kit.rng.uniform(0.0, 0.9)
        card.rect(x + side, low, target, y + tall - low, vary(kit.rng, (140, 138, 134), 14))
        card.rect(x + side, low, target * 0.7, y + tall - low, (238, 238, 238))
        card.rect(x + side + target * 0.2, low, target * 0.45, (y + tall - low) * 0.4, (70, 70, 72))
        square_signs(kit, card, x + side + 0.05, y + tall * 0.45, tall * 0.4, 3, ink, False)


def patch_card(kit: Kit) -> Card:
    """A white card with patches and a ruler along one edge. The edge is class Scale, the block class Color chart."""
    rng = kit.rng
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(8, 14))
    step = rng.uniform(0.9, 1.3)
    edge, tone = rng.uniform(0.4, 0.9), int(rng.uniform(50, 165))  # often faint
    card = Card(columns * step + rng.uniform(0.3, 3.5), rows * step + edge + 0.15, kit.scale, vary(rng, WHITE, 5))
    colors = toned(kit, [(CHECKER + ((225, 225, 225),))[int(index)] for index in rng.integers(0, 25, rows * columns)])
    patches(card, colors, columns, (0.15, 0.1, columns * step, rows * step), step * rng.uniform(0.15, 0.3))
    ticks(kit, card, (0.15, card.height - 0.22, card.width - 0.4, 0.2), (tone,) * 3, False, 0.1, 1.0,
          kit.pick((0.24, min(0.16, edge * 0.3), 0.0)))
    free = columns * step + 0.3
    if rows > 1 and card.width - free > 1.2:  # a cross to focus on, and the maker's name along the end
        middle = ((free + card.width) / 2, rows * step * 0.35)
        card.rect(middle[0] - 0.4, middle[1], 0.8, 0.05, BLACK)
        card.rect(middle[0], middle[1] - 0.4, 0.05, 0.8, BLACK)
        name = Card(rows * step * 0.45, 0.7, kit.scale, card.image[0, -1])
        printed(kit, name, kit.pick(MAKERS), 0.05, 0.1, 0.5, BLACK, "sans", limit=name.width - 0.1)
        card.put(name.turned(kit.pick((1, 3))), middle[0] - 0.35, rows * step * 0.52)
    card.mark("_ignore_")
    card.mark("Scale", (0, card.height - edge + 0.05, card.width, edge - 0.05))
    card.mark("Color chart", (0.12, 0.08, columns * step + 0.06, rows * step + 0.04))
    return card


def border_scale(kit: Kit) -> Card:
    """A scale printed on the border of the photograph. Class Scale is tight around it, inside a ring of IGNORE."""
    rng = kit.rng
    length, light = int(kit.pick((3, 5, 10, 10))), kit.chance(0.85)
    ink = WHITE if light else BLACK
    card = Card(length + 2.0, 1.8, kit.scale, ink)
    drawn = Card(length + 2.0, 1.8, kit.scale, (0, 0, 0))
    x, y, line = 0.8, 0.75, max(0.04, 1.2 / kit.scale)
    drawn.rect(x, y, length + line, line, (255, 255, 255))
    tall = rng.uniform(0.25, 0.5)
    for index in range(length + 1):
        drawn.rect(x + index, y - tall, line, tall, (255, 255, 255))
    printed_row(kit, drawn, ["0cm", *range_text(1, length)], x, 1.0, y + 0.08, 0.5, (255, 255, 255))
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
