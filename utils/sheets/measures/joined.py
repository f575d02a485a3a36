"""Rulers that are more than one card: two end to end, with a plate at one end, or cut off by the picture's edge.

Every card is drawn with its long side horizontal.
"""

from __future__ import annotations

import numpy as np

from utils.sheets.drawing import words
from utils.sheets.drawing.draw import Card, Kit, Table
from utils.sheets.drawing.pixels import Color, vary
from utils.sheets.drawing.text import printed
from utils.sheets.measures.rulers import BLACK, MATERIALS, clear_ruler, graduated, slip, tick_ruler
from utils.sheets.measures.scales import block_card, box_ruler, checkered, patch_card, patch_ruler
from utils.sheets.things.emblems import logo

LONGEST = 21.0  # cm of one of two rulers in line, so that both fit on a sheet
INKS: tuple[Color, ...] = (BLACK, (0, 90, 130), (30, 100, 60), (130, 30, 40), (60, 60, 110))


def side_by_side(first: Card, gap: float, second: Card) -> Card:
    """Both cards on one that is transparent elsewhere, `gap` cm apart. Each keeps its shapes."""
    card = Card(first.width + gap + second.width, max(first.height, second.height), first.scale, (0, 0, 0))
    card.alpha[:] = 0
    for part, x in ((first, 0.0), (second, first.width + gap)):
        left = min(round(x * card.scale), card.alpha.shape[1] - part.alpha.shape[1])
        card.put(part, left / card.scale, 0.0)
        rows, columns = part.alpha.shape
        card.image[:rows, left:left + columns] = part.image
        card.alpha[:rows, left:left + columns] = part.alpha
    return card


def rulers_in_line(kit: Kit) -> Card:
    """Two rulers of one make, end to end or nearly. Each is a Scale of its own."""
    maker = kit.pick((tick_ruler, checkered, box_ruler, clear_ruler), (4, 3, 3, 2))
    one = maker(kit)
    while one.width > LONGEST:
        one = maker(kit)
    gap = kit.pick((0.0, kit.rng.uniform(0.03, 0.3), kit.rng.uniform(0.3, 2.0)), (4, 4, 2))
    return side_by_side(one, gap, one.turned(kit.pick((0, 2), (3, 1))))


def logo_ruler(kit: Kit) -> Card:
    """A ruler, mostly dark, whose end is a white plate with an emblem and lines of text. All of it is one Scale."""
    rng = kit.rng
    maker = kit.pick((box_ruler, checkered, tick_ruler, block_card), (5, 2, 3, 1))
    material = kit.pick(("black", "dark steel", "wood"), (4, 1, 1))
    ruler = tick_ruler(kit, material) if maker is tick_ruler else maker(kit)
    plate = Card(rng.uniform(1.2, 7.5), ruler.height, kit.scale, vary(rng, (248, 248, 246), 5))
    ink, margin = kit.pick(INKS, (4, 1, 1, 1, 1)), 0.12 * ruler.height
    if kit.chance(0.7):
        logo(kit, plate, (margin, margin, plate.width - 2 * margin, plate.height - 2 * margin), ink)
    else:
        lines = [kit.pick(words.INSTITUTION).upper(), kit.pick(words.INSTITUTION), "www.herbarium.example.org",
                 kit.pick(("copyright reserved", "All rights reserved"))][:int(rng.integers(2, 5))]
        size = (plate.height - 2 * margin) / len(lines)
        for index, text in enumerate(lines):
            printed(kit, plate, text, margin, margin + index * size, min(size * 0.8, 0.6), ink, "sans",
                    limit=plate.width - 2 * margin)
    if kit.chance(0.3):
        plate.rect(0, 0, plate.width, plate.height, ink, 0.04)
    card = side_by_side(*((plate, 0.0, ruler) if kit.chance(0.4) else (ruler, 0.0, plate)))
    inside, card.shapes = card.shapes, []
    card.mark("Scale")
    card.shapes += [shape for shape in inside if shape.label != "Scale"]
    return card


def cut_ruler(kit: Kit) -> Card:
    """What is left of a long ruler that the picture's edge cuts along: ticks, and at most parts of numbers.

    The lower side of the card is the picture's edge.
    """
    rng = kit.rng
    name = kit.pick(("white", "cream", "wood", "steel", "yellow", "black", "clear"), (5, 2, 1, 2, 0.7, 1, 2))
    ground, (darkest, lightest), _, _ = MATERIALS["white" if name == "clear" else name]
    ink = vary(rng, (int(rng.uniform(darkest, lightest)),) * 3, 4)
    whole = graduated(kit, rng.uniform(12, 46), rng.uniform(1.4, 3.2), vary(rng, ground, 8), ink)
    marks = np.flatnonzero((np.abs(whole.image[0].astype(int) - whole.image[0, 0]).max(1) > 40))
    seen = whole.height * rng.uniform(0.14, 0.36)
    card = Card(whole.width, seen, kit.scale, ground)
    card.image[:] = whole.image[:card.alpha.shape[0]]
    if name == "clear":
        contrast = np.abs(card.image - whole.image[0, 0].astype(np.int16)).max(2)
        card.alpha = np.maximum(np.minimum(contrast * 1.6, 255), rng.uniform(10, 90)).astype(np.uint8)
    if kit.chance(0.25) and len(marks):  # the end of the ruler lies beyond the picture
        first = int(marks[0])
        card.image, card.alpha = card.image[:, first:].copy(), card.alpha[:, first:].copy()
    card.flush = True
    card.mark("Scale")
    return card


KINDS: Table = (
    (box_ruler, 6), (tick_ruler, 6), (clear_ruler, 4), (slip, 4), (block_card, 3), (checkered, 1), (patch_ruler, 2),
    (patch_card, 3), (logo_ruler, 1.5), (rulers_in_line, 1),
)


def scale(kit: Kit) -> Card:
    """A random scale for a place on or beside the sheet."""
    return kit.one_of(KINDS)(kit)
