"""Composes a whole sheet and photographs it. The layouts are those of real herbaria, mixed at random."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from utils.sheets import camera, paper, plants
from utils.sheets.drawing.draw import Canvas, Card, Kit, Maker, Shape, Table, names_of
from utils.sheets.drawing.fonts import Fonts
from utils.sheets.drawing.pixels import vary
from utils.sheets.furnish import GLUED_ON, MARKS, furnish
from utils.sheets.layout import Box, Layout
from utils.sheets.things import charts, distractors, labels, rulers, scales, strips

CARD_SCALE = 60.0  # cards are drawn with at least this many pixels per cm, then shrunk, to keep small text smooth
# Things in a row beside the sheet, and how often.
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
TABLES = (labels.KINDS, charts.KINDS, charts.LONG, scales.KINDS, STRIPS, MARKS, GLUED_ON)
SPECIMEN = "Specimen"  # label of the shape around each piece of the plants
NAMES = sorted({name for table in TABLES for entry, _ in table for name in names_of(entry)})  # for Kit's `often`


def compose(
    rng: np.random.Generator, fonts: Fonts, height: int, often: Mapping[str, float] | None = None
) -> tuple[np.ndarray, list[Shape]]:
    """The photograph of a random sheet, uint8 (H, W, 3) RGB, and its shapes in pixels; later shapes lie on top.

    The last shapes, with the label SPECIMEN, are the convex hulls of the pieces of the plants.

    Args:
        rng: for all random choices.
        fonts: for all texts.
        height: pixels of the long side.
        often: how many times as often as its table says a thing is chosen, by its name in NAMES.
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
    pieces = [Shape(SPECIMEN, points) for points in layout.specimen.pieces]
    image, shapes = camera.turn(canvas.image, canvas.shapes + pieces, int(kit.pick((0, 1, 2, 3), (94, 2, 2, 2))))
    image, shapes = camera.photograph(camera.random_lens(kit, image.shape[:2]), image, shapes)
    camera.expose(kit, image)
    return camera.resolve(kit, image), shapes


def visible(sheet: Box, photo: Sequence[float]) -> Box:
    """The box of the sheet's visible part, a little inside its edges."""
    x0, y0 = max(sheet[0], 0) + 0.25, max(sheet[1], 0) + 0.25
    x1, y1 = min(sheet[0] + sheet[2], photo[0]) - 0.25, min(sheet[1] + sheet[3], photo[1]) - 0.25
    return x0, y0, x1 - x0, y1 - y0


def choose_strips(kit: Kit) -> dict[str, tuple[Maker, ...]]:
    """Side of the sheet -> the things in a row there. It is empty for about half of the sheets."""
    strips = {}
    if kit.chance(0.55):
        for _ in range(1 if kit.chance(0.8) else 2):
            side = kit.pick(("left", "top", "right", "bottom"), (4, 4, 5, 1.5))
            strips[side] = kit.one_of(STRIPS)
    return strips


def choose_margins(kit: Kit, strips: dict[str, tuple[Maker, ...]]) -> Box:
    """Left, top, right and bottom margin around the sheet in cm. A negative margin cuts the sheet off."""
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
    """Lays cards in a row along one side, in the margin or partly on the sheet. The photograph may cut them off.

    Args:
        kit: random generator and fonts.
        canvas: the cards are pasted on it.
        layout: the cards are added to it.
        side: "left", "top", "right" or "bottom".
        makers: functions that draw the cards.
        photo: (width, height) of the photograph in cm.
        margins: left, top, right and bottom margin in cm.
    """
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
        # A card that is printed on the border is not turned and has no shadow.
        on_border = card.alpha.min() == 0 and card.alpha.mean() < 60
        canvas.paste(card, *center, 0.0 if on_border else rng.normal(0, 0.5), 0.0 if on_border else rng.uniform(0, 0.5))
        layout.taken.append(((center[0] - card.width / 2, center[1] - card.height / 2, card.width, card.height), 1.0))
        along += part + gap


def neighbour(kit: Kit, canvas: Canvas, photo: Sequence[float]) -> None:
    """Pastes the edge of another sheet at one side of the photograph, as IGNORE."""
    color = vary(kit.rng, (238, 232, 218), 10)
    card = Card(kit.rng.uniform(0.3, 1.2), photo[1] * kit.rng.uniform(0.3, 1.0), kit.scale, color)
    card.mark(distractors.IGNORED)
    x = kit.pick((card.width / 2 - 0.1, photo[0] - card.width / 2 + 0.1))
    canvas.paste(card, x, photo[1] * kit.rng.uniform(0.2, 0.8), kit.rng.normal(0, 1), 0.2)
