"""Lays everything that belongs on a sheet: labels, plants, barcodes, colour chart, scale, stamps and packets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.sheets import paper, plants
from utils.sheets.drawing.draw import Canvas, Card, Kit, Table
from utils.sheets.drawing.pixels import Color
from utils.sheets.layout import Box, Layout
from utils.sheets.things import barcodes, charts, distractors, labels, scales

MARKS: Table = ((distractors.stamp, 5), (distractors.note, 4), (distractors.sheet_heading, 2))
GLUED_ON: Table = ((distractors.photograph, 1), (distractors.plain_strip, 2))
CORNERS = ((1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0))
LOW = ((1.0, 1.0), (1.0, 1.0), (0.98, 0.99), (0.0, 1.0), (0.5, 1.0))
ANYWHERE = ((0.5, 0.5), (0.1, 0.3), (0.9, 0.3), (0.1, 0.7), (0.9, 0.7), (0.5, 0.05), (0.5, 0.95))


def lay(kit: Kit, canvas: Canvas, layout: Layout, card: Card, spots: Sequence[tuple[float, float]], loose: float = 0.0,
        tilt: float = 1.2, weight: float = 1.0, shadow: float | None = None) -> bool:
    """Whether there is room for a card; if so, it is pasted, turned a little.

    Args:
        kit: random generator.
        canvas: the card is pasted on it.
        layout: looks for room, and keeps the card's box.
        card: the card to paste.
        spots: wanted places, each as two shares, 0 to 1, of the room across and down.
        loose: largest overlap with other things, 0 to 1.
        tilt: standard deviation of the turn in degrees.
        weight: how much the card minds being covered later.
        shadow: strength from 0 to 1. None: random.
    """
    box = layout.find(card.width, card.height, spots, loose, weight)
    if box is None:
        return False
    shadow = kit.rng.uniform(0.0, 0.45) if shadow is None else shadow
    canvas.paste(card, box[0] + box[2] / 2, box[1] + box[3] / 2, kit.rng.normal(0, tilt), shadow)
    return True


def furnish(kit: Kit, canvas: Canvas, layout: Layout, color: Color, strips: bool) -> None:
    """Lays marks, packets, labels, the plants, barcodes, colour chart and scale on the sheet.

    Args:
        kit: random generator and fonts.
        canvas: everything is pasted on it.
        layout: the visible part of the sheet, with the specimen.
        color: of the sheet's paper.
        strips: whether charts or scales already lie beside the sheet.
    """
    rng, specimen = kit.rng, layout.specimen
    count = int(kit.pick(range(1, 9), (10, 9, 4.5, 2, 0.8, 0.4, 0.2, 0.1)))
    wanted = [labels.label(kit, color, index == 0) for index in range(count)]
    above: list[tuple[Card, Box, float]] = []
    placed: list[Box] = []
    for index, card in enumerate(wanted):
        if kit.chance(0.05):
            card = card.turned(kit.pick((1, 3)))
        spots = LOW if index == 0 else CORNERS + ((1.0, 0.8), (0.0, 0.85), (1.0, 0.7), (0.6, 1.0)) + ANYWHERE[:3]
        near = placed and kit.chance(0.5)
        box = layout.beside(card.width, card.height, placed[-1], kit.chance(0.25)) if near else None
        tilt = rng.normal(0, 0.5 if box else 1.0)
        if box is None:
            box = layout.find(card.width, card.height, spots, 0.3 if kit.chance(0.2) else 0.0)
            tilt = tilt if kit.chance(0.88) else rng.normal(0, 30)
        if box is None:
            continue
        placed.append(box)
        if kit.chance(0.4) and specimen.cover(*box) < 0.3:
            canvas.paste(card, box[0] + box[2] / 2, box[1] + box[3] / 2, tilt, rng.uniform(0, 0.4))
        else:
            above.append((card, box, tilt))
    for _ in range(int(kit.pick(range(6), (2, 4, 4, 3, 2, 1)))):
        mark = kit.one_of(MARKS)(kit)
        lay(kit, canvas, layout, mark, CORNERS + ANYWHERE, weight=0.4, tilt=3, shadow=0.0)
    if kit.chance(0.4):
        lay(kit, canvas, layout, distractors.packet(kit, color), CORNERS + ANYWHERE, 0.05)
    measured = not strips or kit.chance(0.08)
    early = kit.chance(0.12)  # leaves may lie over the ruler
    if measured and early:
        measure(kit, canvas, layout)
    tied = tie(kit, canvas, layout, color) if kit.chance(0.12) else None
    plants.press(kit, canvas, specimen)
    if tied is not None and kit.chance(0.5):
        canvas.paste(distractors.mounting_tape(kit), *tied, kit.rng.uniform(-90, 90), kit.rng.uniform(0, 0.4))
    for _ in range(int(rng.integers(0, 12)) if kit.chance(0.6) else 0):
        tape(kit, canvas, layout)
    if kit.chance(0.2):
        paper.threads(kit, canvas, layout.area)
    for card, box, tilt in above:
        canvas.paste(card, box[0] + box[2] / 2, box[1] + box[3] / 2, tilt, rng.uniform(0, 0.4))
    if kit.chance(0.18):
        lay(kit, canvas, layout, kit.one_of(GLUED_ON)(kit), ANYWHERE)
    if kit.chance(0.04):
        lay(kit, canvas, layout, distractors.clip(kit), CORNERS, 0.6)
    if wanted and kit.chance(0.12):
        stamp_over(kit, canvas, layout)
    for _ in range(int(kit.pick((0, 1, 2, 3), (1.6, 12, 1.1, 0.4)))):
        card = barcodes.sticker(kit, color)
        card = card.turned(kit.pick((1, 3))) if kit.chance(0.06) else card
        large = [box for box in placed if box[2] > card.width + 0.5 and box[3] > card.height + 0.5]
        if large and kit.chance(0.12):
            stick_on(kit, canvas, kit.pick(large), card)
        else:
            spots = CORNERS + ((1.0, 0.75), (0.9, 0.8), (0.5, 1.0), (0.6, 0.97), (0.0, 0.8))
            lay(kit, canvas, layout, card, spots, 0.03)
    if measured and not early:
        measure(kit, canvas, layout)


def stick_on(kit: Kit, canvas: Canvas, box: Box, card: Card) -> None:
    """Sticks a card at a random place on a label.

    Args:
        kit: random generator.
        canvas: the card is pasted on it.
        box: x, y, width and height of the label in cm.
        card: the card to paste.
    """
    x, y = kit.rng.uniform((card.width / 2, card.height / 2), (box[2] - card.width / 2, box[3] - card.height / 2))
    canvas.paste(card, box[0] + x, box[1] + y, kit.rng.normal(0, 1.5), kit.rng.uniform(0, 0.3))


def measure(kit: Kit, canvas: Canvas, layout: Layout) -> None:
    """Lays a colour chart, a scale, both or neither on the sheet."""
    for maker, share in ((charts.chart, 0.74), (scales.scale, 0.74), (charts.chart, 0.05), (scales.scale, 0.05)):
        if kit.chance(share):
            card = maker(kit)
            card = card.turned(kit.pick((1, 3, 2))) if kit.chance(0.6) else card
            lay(kit, canvas, layout, card, CORNERS + ANYWHERE, 0.04)


def stamp_over(kit: Kit, canvas: Canvas, layout: Layout) -> None:
    """Puts a stamp partly on a label. In the mask, the label lies on top of the stamp's IGNORE."""
    box = kit.pick(layout.taken)[0]
    known = len(canvas.shapes)
    canvas.paste(distractors.stamp(kit), box[0] + kit.rng.uniform(0, 1) * box[2], box[1], kit.rng.normal(0, 8), 0.0)
    canvas.shapes[:] = canvas.shapes[known:] + canvas.shapes[:known]


def tape(kit: Kit, canvas: Canvas, layout: Layout) -> None:
    """Tapes the specimen down at a random place, if the specimen is there."""
    at = layout.on_plant()
    if at is not None:
        canvas.paste(distractors.mounting_tape(kit), *at, kit.rng.uniform(-90, 90), kit.rng.uniform(0, 0.4))


def tie(kit: Kit, canvas: Canvas, layout: Layout, color: Color) -> np.ndarray | None:
    """The middle (x, y) in cm of a new tag that the plant will partly cover; None if there is no room for a tag.

    Args:
        kit: random generator and fonts.
        canvas: the tag is pasted on it, at any angle.
        layout: the tag is added to it.
        color: of the sheet's paper.
    """
    card = labels.tag(kit, color)
    for _ in range(40):
        at = layout.on_plant()
        if at is not None:
            box = (at[0] - card.width / 2, at[1] - card.height / 2, card.width, card.height)
            if layout.specimen.cover(*box) < 0.4 and not layout.overlap(box):
                layout.taken.append((box, 0.4))
                canvas.paste(card, *at, kit.rng.uniform(-80, 80), kit.rng.uniform(0, 0.3))
                return at
    return None
