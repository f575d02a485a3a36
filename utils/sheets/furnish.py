"""Lays everything that belongs on a sheet: labels, plants, barcodes, colour chart, scale, stamps and packets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.sheets import paper
from utils.sheets.drawing.draw import Canvas, Card, Kit, Table
from utils.sheets.drawing.pixels import Color
from utils.sheets.growth import plants
from utils.sheets.layout import Box, Layout
from utils.sheets.measures import charts, joined
from utils.sheets.things import barcodes, distractors, inked, labels

GLUED_ON = ((distractors.photograph, 0.08), (distractors.plain_strip, 0.12))  # each on that share of the sheets
ON_LABELS: Table = ((labels.slip, 4), (labels.number_tag, 4), (labels.tag, 2), (labels.typed_strip, 3),
                    (labels.type_label, 1.5))
CORNERS = ((1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0))
LOW = ((1.0, 1.0), (1.0, 1.0), (0.98, 0.99), (0.0, 1.0), (0.5, 1.0))
HEAD = ((0.5, 0.0), (0.5, 0.01), (0.0, 0.0), (1.0, 0.0), (0.5, 0.02), (0.5, 1.0))
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
    """Lays letterhead, marks, packets, labels, the plants, barcodes, colour chart, scale and tape on the sheet.

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
    if kit.happens(inked.letterhead, 0.12):
        letterhead = inked.letterhead(kit, layout.area[2])
        lay(kit, canvas, layout, letterhead, HEAD, tilt=0.2, weight=0.5, shadow=0.0)
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
        mark = kit.one_of(inked.KINDS)(kit)
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
    for _ in range(int(rng.integers(1, 4)) if kit.happens(slip_on_label, 0.12) else 0):
        slip_on_label(kit, canvas, placed, color)
    for maker, share in GLUED_ON:
        if kit.happens(maker, share):
            lay(kit, canvas, layout, maker(kit), ANYWHERE)
    if kit.chance(0.04):
        lay(kit, canvas, layout, distractors.clip(kit), CORNERS, 0.6)
    if wanted and kit.chance(0.12):
        stamp_over(kit, canvas, layout)
    for _ in range(int(kit.pick((0, 1, 2, 3), (1.6, 12, 1.1, 0.4)))):
        card = barcodes.barcode(kit, color)
        card = card.turned(kit.pick((1, 3))) if kit.chance(0.06) else card
        large = [box for box in placed if box[2] > card.width + 0.5 and box[3] > card.height + 0.5]
        if large and kit.chance(0.12):
            stick_on(kit, canvas, kit.pick(large), card)
        else:
            spots = CORNERS + ((1.0, 0.75), (0.9, 0.8), (0.5, 1.0), (0.6, 0.97), (0.0, 0.8))
            lay(kit, canvas, layout, card, spots, 0.03)
    if measured and not early:
        measure(kit, canvas, layout)
    for _ in range(int(rng.integers(1, 7)) if kit.happens(distractors.clear_tape, 0.1) else 0):
        stick_down(kit, canvas, layout, placed)


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


def slip_on_label(kit: Kit, canvas: Canvas, labelled: Sequence[Box], color: Color) -> None:
    """Sticks a slip or tag on one of the labels, or half on it, if one of five is small enough. It is a Label too.

    Args:
        kit: random generator and fonts.
        canvas: the slip is pasted on it.
        labelled: x, y, width and height of each label in cm.
        color: of the sheet's paper.
    """
    for _ in range(5 if labelled else 0):
        box, card = kit.pick(labelled), labels.finished(kit, kit.one_of(ON_LABELS), color)
        if card.width < 0.85 * box[2] and card.height < 0.6 * box[3]:
            half = np.array([card.width, card.height]) / 2 * kit.pick((1.0, 0.6))  # 0.6: it may reach over the edge
            x, y = kit.rng.uniform(half, np.array(box[2:]) - half)
            canvas.paste(card, box[0] + x, box[1] + y, kit.rng.normal(0, 2), kit.rng.uniform(0.05, 0.4))
            return


def stick_down(kit: Kit, canvas: Canvas, layout: Layout, labelled: Sequence[Box]) -> None:
    """Sticks clear tape over the plants, over the edge of a label, or anywhere on the sheet.

    Args:
        kit: random generator.
        canvas: the tape is pasted on it.
        layout: the visible part of the sheet.
        labelled: x, y, width and height of each label in cm.
    """
    rng, at = kit.rng, layout.on_plant() if kit.chance(0.5) else None
    angle = rng.uniform(-90, 90)
    if at is None and labelled and kit.chance(0.6):
        x, y, width, height = kit.pick(labelled)
        at = (x + width * kit.pick((0.0, 0.5, 1.0)), y + height * kit.pick((0.0, 1.0)))
        angle = kit.pick((0, 45, -45, 90)) + rng.normal(0, 6)
    elif at is None:
        at = np.array(layout.area[:2]) + rng.uniform(0.05, 0.95, 2) * layout.area[2:]
    canvas.paste(distractors.clear_tape(kit), *at, angle, rng.uniform(0, 0.1))


def measure(kit: Kit, canvas: Canvas, layout: Layout) -> None:
    """Lays a colour chart, a scale, both or neither on the sheet."""
    for maker, share in ((charts.chart, 0.74), (joined.scale, 0.74), (charts.chart, 0.05), (joined.scale, 0.05)):
        if kit.chance(share):
            card = maker(kit)
            card = card.turned(kit.pick((1, 3, 2))) if kit.chance(0.6) else card
            lay(kit, canvas, layout, card, CORNERS + ANYWHERE, 0.04)


def stamp_over(kit: Kit, canvas: Canvas, layout: Layout) -> None:
    """Puts a stamp partly on a label. In the mask, the label lies on top of the stamp's IGNORE."""
    box = kit.pick(layout.taken)[0]
    known = len(canvas.shapes)
    canvas.paste(inked.stamp(kit), box[0] + kit.rng.uniform(0, 1) * box[2], box[1], kit.rng.normal(0, 8), 0.0)
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


# What is drawn on some sheets, beyond what is in tables.
EXTRAS = (inked.letterhead, slip_on_label, distractors.clear_tape, *(maker for maker, _ in GLUED_ON))
