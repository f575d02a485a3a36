"""Things in a row beside a sheet: charts, rulers and plates."""

from __future__ import annotations

from collections.abc import Sequence

from utils.sheets.drawing.draw import Canvas, Kit, Maker, Table
from utils.sheets.layout import Box, Layout
from utils.sheets.measures import charts, joined, rulers, scales, strips
from utils.sheets.things import distractors

STRIPS: Table = (
    ((scales.box_ruler,), 2.5), ((charts.mini, scales.box_ruler), 3), ((scales.box_ruler, charts.mini), 1),
    ((scales.patch_ruler, distractors.nameplate), 6), ((scales.patch_ruler,), 5),
    ((strips.control_strip, strips.grey_scale), 2), ((charts.long_chart,), 1.5),
    ((charts.long_chart, scales.box_ruler), 0.7), ((charts.mini, scales.checkered), 1),
    ((charts.mini, scales.checkered, charts.mini, scales.checkered), 1), ((scales.checkered,), 0.7),
    ((scales.block_card,), 1.5), ((rulers.tick_ruler,), 6), ((rulers.edge_ruler,), 2.5),
    ((rulers.clear_ruler,), 1.5), ((rulers.tick_ruler, charts.two_rows), 1),
    ((scales.border_scale,), 1), ((distractors.nameplate, scales.border_scale), 1.5),
    ((charts.pair, scales.box_ruler), 2), ((scales.box_ruler, charts.pair), 2), ((charts.pair,), 3),
    ((charts.mounted_pair, scales.box_ruler), 1), ((scales.box_ruler, charts.mounted_pair), 1),
    ((charts.checker, scales.box_ruler), 2), ((strips.grey_scale, charts.checker, scales.box_ruler), 0.7),
    ((charts.wedge, scales.box_ruler), 0.7), ((charts.checker,), 1), ((scales.patch_card,), 2),
    ((distractors.nameplate,), 0.7), ((distractors.plain_strip, scales.box_ruler), 0.6),
    ((distractors.plain_strip,), 1.2), ((joined.cut_ruler,), 2.5), ((joined.rulers_in_line,), 2),
    ((joined.logo_ruler,), 1.5), ((charts.mini, joined.logo_ruler), 1),
)
SIDES = ("left", "top", "right", "bottom")
# Quarter turns that bring the lower side of a card to each side of the picture.
OUTWARDS = {"left": 3, "top": 2, "right": 1, "bottom": 0}


def choose_strips(kit: Kit) -> dict[str, tuple[Maker, ...]]:
    """Side of the sheet -> the things in a row there. It is empty for about half of the sheets."""
    strips = {}
    if kit.happens(place_strip, 0.55):
        for _ in range(1 if kit.chance(0.8) else 2):
            strips[kit.pick(SIDES, (4, 4, 5, 1.5))] = kit.one_of(STRIPS)
    return strips


def choose_margins(kit: Kit, strips: dict[str, tuple[Maker, ...]], whole: bool = False) -> Box:
    """Left, top, right and bottom margin around the sheet in cm. A negative margin cuts the sheet off.

    Args:
        kit: random generator.
        strips: side of the sheet -> the things in a row there.
        whole: True: there is a margin on every side.
    """
    tight = not whole and kit.chance(0.45)
    margins = []
    for side in SIDES:
        if side in strips and joined.cut_ruler not in strips[side]:
            margins.append(kit.rng.uniform(2.0, 4.6))
        elif whole:
            margins.append(kit.rng.uniform(0.4, 5.0))
        elif tight:
            margins.append(kit.rng.normal(-0.1, 0.25))
        else:
            margins.append(abs(kit.rng.normal(0, 1.2)))
    return tuple(margins)


def place_strip(kit: Kit, canvas: Canvas, layouts: Sequence[Layout], side: str, makers: Sequence[Maker],
                photo: Sequence[float], margins: Box) -> None:
    """Lays cards in a row along one side, in the margin or partly on the sheet. The photograph may cut them off.

    Args:
        kit: random generator and fonts.
        canvas: the cards are pasted on it.
        layouts: of all sheets; the cards are added to them.
        side: one of SIDES.
        makers: functions that draw the cards.
        photo: (width, height) of the photograph in cm.
        margins: left, top, right and bottom margin in cm.
    """
    rng = kit.rng
    upright = side in ("left", "right")
    length = photo[1] if upright else photo[0]
    margin = margins[SIDES.index(side)]
    quarter = kit.pick((1, 3)) if upright else int(kit.pick((0, 2), (6, 1)))
    cards = [maker(kit) for maker in makers]
    if cards[0].flush and kit.chance(0.75):  # else the picture's edge cuts off the other half of the ruler
        quarter = OUTWARDS[side]
    cards = [card.turned(quarter) for card in cards]
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
        inward = depth / 2 if card.flush else inward
        across = inward if side in ("left", "top") else (photo[0] if upright else photo[1]) - inward
        center = (across, along + part / 2) if upright else (along + part / 2, across)
        # A card that is printed on the border is not turned and has no shadow.
        on_border = card.alpha.min() == 0 and card.alpha.mean() < 60
        tilt = 0.0 if on_border else rng.normal(0, 0.1 if card.flush else 0.5)
        canvas.paste(card, *center, tilt, 0.0 if on_border else rng.uniform(0, 0.5))
        for layout in layouts:
            layout.taken.append(
                ((center[0] - card.width / 2, center[1] - card.height / 2, card.width, card.height), 1.0))
        along += part + gap
