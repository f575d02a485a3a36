"""Rulers with ticks, of plastic, paper, wood or steel, or transparent; and slips with a printed scale.

Every card is drawn with its long side horizontal. A whole ruler, from edge to edge, is class Scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.sheets.drawing import words
from utils.sheets.drawing.draw import Card, Kit
from utils.sheets.drawing.pixels import Color, grain, smooth_noise, vary
from utils.sheets.drawing.text import printed, printed_row
from utils.sheets.things.emblems import logo
from utils.sheets.things.patches import round_corners

WHITE: Color = (238, 238, 236)
BLACK: Color = (22, 21, 22)
# Material -> colour, lowest and highest grey of its ink, unevenness along and across (grey levels), how common it is.
MATERIALS: dict[str, tuple[Color, tuple[int, int], tuple[float, float], float]] = {
    "white": (WHITE, (30, 120), (0, 0), 4), "cream": ((238, 230, 206), (40, 130), (0, 0), 3),
    "wood": ((204, 166, 108), (30, 80), (12, 4), 4), "yellow": ((222, 200, 112), (40, 90), (3, 1), 1.5),
    "brass": ((176, 146, 66), (30, 60), (14, 4), 2.5), "steel": ((178, 178, 174), (30, 90), (26, 4), 2.4),
    "dark steel": ((84, 94, 94), (140, 190), (20, 4), 1.0), "black": (BLACK, (200, 240), (0, 0), 1.5),
}
NAMES = ("STAINLESS STEEL", "METRIC 1 mm", "Norden Rule Co., Inc.", "300 mm", "MADE IN USA", "cm", "No. 36")


def range_text(first: int, last: int) -> list[str]:
    """The whole numbers from `first` to `last`, as texts."""
    return [str(number) for number in range(first, last + 1)]


def ticks(kit: Kit, card: Card, box: Sequence[float], color: Color, downwards: bool, step: float = 0.1,
          unit: float = 1.0, numbers: float = 0.35) -> None:
    """Draws the marks and numbers of a ruler.

    Args:
        kit: random generator and fonts.
        card: the card to draw on.
        box: x, y, width and height of the marks in cm.
        color: (R, G, B).
        downwards: True: marks start at the top of the box, with numbers below them; False: the other way round.
        step: distance between short marks in cm.
        unit: distance between long marks in cm.
        numbers: font size of the numbers at long marks in cm. 0: none.
    """
    x, y, width, height = box
    count = int(width / step + 1e-6)
    each = max(1, round(unit / step))
    thin = max(0.015, 0.9 / card.scale)
    for index in range(count + 1):
        share = 1.0 if index % each == 0 else 0.72 if index % each == each / 2 else 0.5
        length = height * share
        card.rect(x + index * step - thin / 2, y if downwards else y + height - length, thin, length, color)
    top = y + height * 1.05 if downwards else y - numbers * 1.25
    if numbers:
        printed_row(kit, card, range_text(0, count // each), x, each * step, top, numbers, color)


def graduated(kit: Kit, length: float, height: float, ground: Color, ink: Color) -> Card:
    """A ruler with centimetres along one edge, and sometimes inches or centimetres along the other.

    Args:
        kit: random generator and fonts.
        length: of its scale in cm.
        height: in cm.
        ground: colour of the ruler.
        ink: colour of marks and text.
    """
    rng = kit.rng
    end = rng.uniform(0.15, 0.9)
    card = Card(length + 2 * end, height, kit.scale, ground)
    numbers = min(0.5, height * rng.uniform(0.2, 0.32))
    tall = height * rng.uniform(0.12, 0.28)
    ticks(kit, card, (end, 0.0, length, tall), ink, True, kit.pick((0.1, 0.1, 0.1, 0.5, 0.05)), 1.0, numbers)
    if height > 1.8 and kit.chance(0.55):
        fine, unit = kit.pick(((2.54 / 16, 2.54), (0.1, 1.0)))
        ticks(kit, card, (end, height - tall, length, tall), ink, False, fine, unit, numbers)
    if height - tall * 2 - numbers * 2 > 0.5 and kit.chance(0.6):
        name = kit.pick((kit.pick(words.INSTITUTION), kit.pick(NAMES)))
        printed(kit, card, name, card.width * rng.uniform(0.3, 0.7), height / 2 - 0.2, min(0.6, height * 0.25), ink,
                kit.pick(("serif", "italic", "sans")), align=0.5)
    return card


def tick_ruler(kit: Kit, material: str = "") -> Card:
    """A common ruler. `material` is a key of MATERIALS; "" chooses a random one."""
    rng = kit.rng
    material = material or kit.pick(tuple(MATERIALS), [kind[3] for kind in MATERIALS.values()])
    ground, (darkest, lightest), (along, across), _ = MATERIALS[material]
    length = float(kit.pick((5, 10, 15, 20, 30, 45), (0.5, 3, 5, 3, 4, 2)))
    height = rng.uniform(0.7, 2.0) if length > 25 and kit.chance(0.6) else rng.uniform(1.2, 3.6)
    ink = vary(rng, (int(rng.uniform(darkest, lightest)),) * 3, 4)
    card = graduated(kit, length, height, vary(rng, ground, 8), ink)
    size = card.alpha.shape
    if along:
        value = np.repeat(rng.normal(0, across, size[0])[:, None], size[1], 1).astype(np.float32)
        value += smooth_noise(rng, size, 8) * along + grain(rng, size)
        card.image[:] = np.clip(card.image + value[..., None], 0, 255).astype(np.uint8)
    if kit.chance(0.3):
        round_corners(card, 0.15)
    card.mark("Scale")
    return card


def edge_ruler(kit: Kit) -> Card:
    """A long, narrow, pale ruler that lies along a whole side of the photograph."""
    height, level = kit.rng.uniform(0.7, 1.7), int(kit.rng.uniform(30, 110))
    ground = vary(kit.rng, kit.pick((WHITE, (246, 246, 246), (232, 226, 210))), 5)
    card = graduated(kit, kit.rng.uniform(24, 46), height, ground, (level, level, level))
    card.mark("Scale")
    return card


def see_through(card: Card, body: float) -> None:
    """Gives the ground of a card the opacity `body`, 0 to 255. Ink, dark or light, does not change."""
    contrast = np.abs(card.image - np.median(card.image[::4, ::4], (0, 1)).astype(np.int16)).max(2)
    card.alpha = np.maximum(np.where(contrast > 25, np.minimum(contrast * 1.6, 255), 0), body).astype(np.uint8)


def clear_ruler(kit: Kit) -> Card:
    """A transparent ruler, clear or tinted, with ticks, numbers, faint edges and some glare."""
    rng = kit.rng
    level = int(rng.uniform(20, 120))
    ink = kit.pick(((level, level, level), (160, 40, 40), (40, 60, 140)), (8, 0.6, 0.6))
    ground = vary(rng, kit.pick(((228, 230, 228), (190, 214, 232), (200, 228, 206), (236, 226, 170), (236, 190, 190)),
                                (7, 1, 1, 1, 0.5)), 4)
    card = graduated(kit, float(kit.pick((5, 10, 15, 20, 30))), rng.uniform(1.4, 3.8), ground, ink)
    width, height = card.width, card.height
    edge = int(rng.uniform(120, 215))
    line = rng.uniform(0.03, 0.08)
    card.rect(0, 0, width, height, (edge, edge, edge), line)
    if kit.chance(0.4):  # a ground edge
        card.rect(0, height * rng.uniform(0.3, 0.7), width, line, (edge + 20,) * 3)
    see_through(card, rng.uniform(14, 90))
    if kit.chance(0.4):  # glare
        start = rng.uniform(0, 0.8)
        band = (slice(None), slice(int(start * card.alpha.shape[1]), int((start + 0.2) * card.alpha.shape[1])))
        card.alpha[band] = np.maximum(card.alpha[band], int(rng.uniform(40, 130)))
    if kit.chance(0.3):
        round_corners(card, 0.2)
    card.mark("Scale")
    return card


def slip(kit: Kit) -> Card:
    """A transparent or paper slip with a scale: a bar of boxes, or a line with its length beside or above it."""
    rng = kit.rng
    height = rng.uniform(0.9, 3.0)
    text, length = kit.pick((("5 cm", 5.0), ("10 cm", 10.0), ("1 cm", 1.0), ("2 in.", 5.08)), (3, 4, 0.5, 0.5))
    single = length in (1.0, 5.08) or kit.chance(0.4)
    card = Card(length + rng.uniform(2.4 if single else 1.0, 4.0), height, kit.scale,
                vary(rng, kit.pick(((240, 239, 234), (222, 220, 210), (216, 220, 222)), (3, 1, 1)), 6))
    ink = vary(rng, (40, 40, 42), 12)
    line = max(0.03, 1.1 / kit.scale)
    left, middle = 0.6, height * 0.45
    if single:
        size, above = min(rng.uniform(0.35, 0.6), middle * 0.7), kit.chance(0.4)
        card.rect(left, middle, length, line * 1.5, ink)
        for x in (left, left + length)[:2 if kit.chance(0.7) else 0]:
            card.rect(x, middle - 0.12, line, 0.3, ink)
        x, y = left + length + 0.25, middle - size / 2
        if above:
            x, y = left + length * rng.uniform(0, 0.7), middle - size * 1.4
        printed(kit, card, text, x, y, size, ink, "sans")
    else:
        tall = height * 0.3
        card.rect(left, middle - tall, length, tall, ink, line)
        for index in range(int(length)):
            card.rect(left + index, middle - tall, line, tall, ink)
        printed_row(kit, card, range_text(0, int(length)), left, 1.0, middle + 0.03, min(0.42, height * 0.2), ink)
        for index in range(10):
            card.rect(left + index * 0.1, middle - tall, line, tall, ink)
        printed(kit, card, "Botanic Garden - Copyright reserved", left, height * 0.72, height * 0.2, ink, "serif",
                limit=length)
        if kit.chance(0.5):
            logo(kit, card, (left + length + 0.3, 0.1, card.width - length - left - 0.4, height - 0.2), ink)
    if kit.chance(0.4):
        card.rect(0.06, 0.06, card.width - 0.12, height - 0.12, ink, line)
    see_through(card, rng.uniform(60, 255))
    card.mark("Scale")
    return card
