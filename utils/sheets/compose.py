"""A whole sheet: what lies where. Layouts are those of real herbaria, mixed at random.

`compose` gives the photograph and its labelled polygons, later ones on top.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from utils.sheets import camera, paper, plants
from utils.sheets.drawing.draw import Canvas, Card, Color, Kit, Maker, Shape, Table, names_of, vary
from utils.sheets.drawing.fonts import Fonts
from utils.sheets.layout import Box, Layout
from utils.sheets.things import barcodes, charts, distractors, labels, rulers, scales, strips

CARD_SCALE = 60.0  # cards are drawn with at least that many pixels per cm and shrunk: small text stays smooth
# What stands in a row beside the sheet, and how often.
STRIPS: Table = (
    ((scales.box_ruler,), 2.5), ((charts.mini, scales.box_ruler), 3), ((scales.box_ruler, charts.mini), 1),
    ((scales.patch_ruler, distractors.nameplate), 6), ((scales.patch_ruler,), 5),
    ((strips.control_strip, strips.grey_scale), 2), ((charts.long_chart,), 1.5),
    ((charts.long_chart, scales.box_ruler), 0.7), ((charts.mini, scales.checkered), 1),
    ((charts.mini, scales.checkered, charts.mini, scales.checkered), 1), ((scales.checkered,), 0.7),
    ((scales.block_card,), 1.5), ((scales.tick_ruler,), 6), ((rulers.edge_ruler,), 2.5),
    ((rulers.clear_ruler,), 1), ((scales.tick_ruler, charts.two_rows), 1),
    ((scales.border_scale,), 1), ((distractors.nameplate, scales.border_scale), 1.5),
    ((charts.pair, scales.box_ruler), 2), ((scales.box_ruler, charts.pair), 2), ((charts.pair,), 3),
    ((charts.mounted_pair, scales.box_ruler), 1), ((scales.box_ruler, charts.mounted_pair), 1),
    ((charts.checker, scales.box_ruler), 2), ((strips.grey_scale, charts.checker, scales.box_ruler), 0.7),
    ((charts.wedge, scales.box_ruler), 0.7), ((charts.checker,), 1), ((scales.patch_card,), 2),
    ((distractors.nameplate,), 0.7), ((distractors.plain_strip, scales.box_ruler), 0.6),
    ((distractors.plain_strip,), 1.2),
)
MARKS: Table = ((distractors.stamp, 5), (distractors.note, 4), (distractors.sheet_heading, 2))
GLUED_ON: Table = ((distractors.photograph, 1), (distractors.plain_strip, 2))
TABLES = (labels.KINDS, charts.KINDS, charts.LONG, scales.KINDS, STRIPS, MARKS, GLUED_ON)
NAMES = sorted({name for table in TABLES for entry, _ in table for name in names_of(entry)})  # for Kit's `often`


def compose(
    rng: np.random.Generator, fonts: Fonts, height: int, often: Mapping[str, float] | None = None
) -> tuple[np.ndarray, list[Shape]]:
    """A sheet photographed: image RGB uint8 whose long side is `height`, and its shapes in pixels, later on top.

    often: by one of NAMES, how many times as often as its table says a thing is chosen.
    """
    quick = Kit(rng, fonts, CARD_SCALE, often or {})
    strips = choose_strips(quick)
    tall = rng.uniform(38, 45) if quick.chance(0.9) else rng.uniform(24, 36)
    sheet_size = (tall * rng.uniform(0.6, 0.74), tall)
    margins = choose_margins(quick, strips)
    left, top, right, bottom = margins
    photo = (sheet_size[0] + left + right, sheet_size[1] + top + bottom)
    scale = height / max(photo)
    kit = Kit(rng, fonts, scale * math.ceil(CARD_SCALE / scale), quick.often)
    size = (round(photo[1] * scale), round(photo[0] * scale))
    canvas = Canvas(np.empty((*size, 3), np.uint8), scale)
    often = (10, 2, 1, 1, 2, 3, 2, 0.7, 1) if strips else (3, 2, 1, 1, 1.5, 1.5, 3, 0.7, 0.7)
    paper.table(kit, canvas, kit.pick(tuple(paper.TABLES), often))
    color = vary(rng, kit.pick(paper.SHEETS, (8, 7, 4, 2, 1, 2, 1, 3, 2, 1)), 5)
    sheet: Box = (left, top, *sheet_size)
    angle = float(rng.normal(0, 0.6)) if kit.chance(0.7) else 0.0
    paper.sheet(kit, canvas, sheet, color, angle)
    seen = visible(sheet, photo)
    layout = Layout(kit, seen, plants.grow(kit, canvas, seen))
    for side, makers in strips.items():
        place_strip(kit, canvas, layout, side, makers, photo, margins)
    furnish(kit, canvas, layout, color, bool(strips))
    if kit.chance(0.04):
        neighbour(kit, canvas, photo)
    image, shapes = camera.turn(canvas.image, canvas.shapes, int(kit.pick((0, 1, 2, 3), (94, 2, 2, 2))))
    image, shapes = camera.photograph(camera.random_lens(kit, image.shape[:2]), image, shapes)
    camera.expose(kit, image)
    return camera.resolve(kit, image), shapes


def visible(sheet: Box, photo: Sequence[float]) -> Box:
    """The part of the sheet within the photograph, a little inside its edges."""
    x0, y0 = max(sheet[0], 0) + 0.25, max(sheet[1], 0) + 0.25
    x1, y1 = min(sheet[0] + sheet[2], photo[0]) - 0.25, min(sheet[1] + sheet[3], photo[1]) - 0.25
    return x0, y0, x1 - x0, y1 - y0


def choose_strips(kit: Kit) -> dict[str, tuple[Maker, ...]]:
    """Side -> what stands in a row there; empty for half of the sheets."""
    strips = {}
    if kit.chance(0.55):
        for _ in range(1 if kit.chance(0.8) else 2):
            side = kit.pick(("left", "top", "right", "bottom"), (4, 4, 5, 1.5))
            strips[side] = kit.one_of(STRIPS)
    return strips


def choose_margins(kit: Kit, strips: dict[str, tuple[Maker, ...]]) -> Box:
    """Left, top, right and bottom margin between sheet and photograph in cm; negative where the sheet is cut off."""
    tight = kit.chance(0.45)
    margins = []
    for side in ("left", "top", "right", "bottom"):
        if side in strips:
            margins.append(kit.rng.uniform(2.0, 4.6))
        elif tight:
            margins.append(kit.rng.normal(-0.1, 0.25))
        else:
            margins.append(abs(kit.rng.normal(0, 1.2)))
    return tuple(margins)


def place_strip(kit: Kit, canvas: Canvas, layout: Layout, side: str, makers: Sequence[Maker], photo: Sequence[float],
                margins: Box) -> None:
    """Lays cards in a row along one side, in the margin or partly on the sheet; what does not fit is cut off."""
    rng = kit.rng
    upright = side in ("left", "right")
    length = photo[1] if upright else photo[0]
    margin = margins[("left", "top", "right", "bottom").index(side)]
    quarter = kit.pick((1, 3)) if upright else int(kit.pick((0, 2), (6, 1)))
    cards = [maker(kit).turned(quarter) for maker in makers]
    if kit.chance(0.3):
        cards.reverse()
    lengths = [card.height if upright else card.width for card in cards]
    gap = rng.uniform(0, 0.5) if kit.chance(0.7) else rng.uniform(0.5, 3)
    spare = length - sum(lengths) - gap * (len(cards) - 1)
    along = rng.uniform(0.0, max(spare, 0)) if kit.chance(0.6) else kit.pick((0.0, 0.3, spare, max(spare, 0) / 2))
    middle = margin * rng.uniform(0.35, 0.6)
    for card, part in zip(cards, lengths):
        depth = card.width if upright else card.height
        inward = max(middle, depth * rng.uniform(0.3, 0.5)) if kit.chance(0.85) else middle * rng.uniform(-0.2, 0.5)
        across = inward if side in ("left", "top") else (photo[0] if upright else photo[1]) - inward
        center = (across, along + part / 2) if upright else (along + part / 2, across)
        on_border = card.alpha.min() == 0 and card.alpha.mean() < 60  # printed on the border: never turned, no shadow
        canvas.paste(card, *center, 0.0 if on_border else rng.normal(0, 0.5), 0.0 if on_border else rng.uniform(0, 0.5))
        layout.taken.append(((center[0] - card.width / 2, center[1] - card.height / 2, card.width, card.height), 1.0))
        along += part + gap


def lay(kit: Kit, canvas: Canvas, layout: Layout, card: Card, spots: Sequence[tuple[float, float]], loose: float = 0.0,
        tilt: float = 1.2, weight: float = 1.0, shadow: float | None = None) -> bool:
    """Whether there was room for `card` near one of `spots`; it is pasted there, a little askew."""
    box = layout.find(card.width, card.height, spots, loose, weight)
    if box is None:
        return False
    shadow = kit.rng.uniform(0.0, 0.45) if shadow is None else shadow
    canvas.paste(card, box[0] + box[2] / 2, box[1] + box[3] / 2, kit.rng.normal(0, tilt), shadow)
    return True


CORNERS = ((1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0))
LOW = ((1.0, 1.0), (1.0, 1.0), (0.98, 0.99), (0.0, 1.0), (0.5, 1.0))
ANYWHERE = ((0.5, 0.5), (0.1, 0.3), (0.9, 0.3), (0.1, 0.7), (0.9, 0.7), (0.5, 0.05), (0.5, 0.95))


def furnish(kit: Kit, canvas: Canvas, layout: Layout, color: Color, strips: bool) -> None:
    """Lays everything that belongs on the sheet: marks and packets, labels, the plants, barcodes, chart and scale."""
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
    """Sticks a card anywhere on the label that lies in `box`."""
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
    """Stamps partly on a label: its IGNORE goes below the label, which keeps its stamps."""
    box = kit.pick(layout.taken)[0]
    known = len(canvas.shapes)
    canvas.paste(distractors.stamp(kit), box[0] + kit.rng.uniform(0, 1) * box[2], box[1], kit.rng.normal(0, 8), 0.0)
    canvas.shapes[:] = canvas.shapes[known:] + canvas.shapes[:known]


def tape(kit: Kit, canvas: Canvas, layout: Layout) -> None:
    """Tapes the specimen down where it is, if a random place hits it."""
    at = layout.on_plant()
    if at is not None:
        canvas.paste(distractors.mounting_tape(kit), *at, kit.rng.uniform(-90, 90), kit.rng.uniform(0, 0.4))


def tie(kit: Kit, canvas: Canvas, layout: Layout, color: Color) -> np.ndarray | None:
    """Lays a tag at any angle where a part of the plant will lie over it; gives its middle, None if there is no room."""
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


def neighbour(kit: Kit, canvas: Canvas, photo: Sequence[float]) -> None:
    """Lets a sliver of another sheet reach into the photograph, as IGNORE."""
    color = vary(kit.rng, (238, 232, 218), 10)
    card = Card(kit.rng.uniform(0.3, 1.2), photo[1] * kit.rng.uniform(0.3, 1.0), kit.scale, color)
    card.mark(distractors.IGNORED)
    x = kit.pick((card.width / 2 - 0.1, photo[0] - card.width / 2 + 0.1))
    canvas.paste(card, x, photo[1] * kit.rng.uniform(0.2, 0.8), kit.rng.normal(0, 1), 0.2)
