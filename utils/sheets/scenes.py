"""What a photograph shows: one sheet, two sheets side by side, or a packet from nearby."""

from __future__ import annotations

from typing import NamedTuple

from utils.sheets import beside
from utils.sheets.drawing.draw import Kit, Maker, Table
from utils.sheets.growth.thalli import PLANTS, STEMLESS
from utils.sheets.layout import Box


class Scene(NamedTuple):
    """The geometry of a photograph before it is turned. Lengths are in cm.

    Attributes:
        photo: width and height.
        sheets: the box of each sheet or packet.
        margins: left, top, right and bottom margin around them.
        strips: side of the sheets -> things in a row there.
        plants: kinds of plants, and how common they are.
        folded: whether the sheets are packets.
    """

    photo: tuple[float, float]
    sheets: tuple[Box, ...]
    margins: Box
    strips: dict[str, tuple[Maker, ...]]
    plants: Table = PLANTS
    folded: bool = False


def one_sheet(kit: Kit, whole: bool) -> Scene:
    """A sheet of the usual size. `whole`: with a margin on every side."""
    strips = beside.choose_strips(kit)
    tall = kit.rng.uniform(38, 45) if kit.chance(0.9) else kit.rng.uniform(24, 36)
    wide = tall * kit.rng.uniform(0.6, 0.74)
    left, top, right, bottom = margins = beside.choose_margins(kit, strips, whole)
    return Scene((wide + left + right, tall + top + bottom), ((left, top, wide, tall),), margins, strips)


def two_sheets(kit: Kit, whole: bool) -> Scene:
    """Two sheets side by side, or one a little over the other. `whole`: with a margin on every side."""
    rng, strips = kit.rng, beside.choose_strips(kit)
    talls = rng.uniform(38, 45) - rng.uniform(0, 4, 2)
    wides = talls * rng.uniform(0.6, 0.74, 2)
    gap = rng.uniform(-1.5, 3)
    left, top, right, bottom = margins = beside.choose_margins(kit, strips, whole)
    lows = top + (talls.max() - talls) * rng.uniform(0, 1, 2)
    first = (left, float(lows[0]), float(wides[0]), float(talls[0]))
    second = (left + float(wides[0]) + gap, float(lows[1]), float(wides[1]), float(talls[1]))
    photo = (second[0] + second[2] + right, float(talls.max()) + top + bottom)
    return Scene(photo, (first, second), margins, strips)


def packet_close_up(kit: Kit, whole: bool) -> Scene:
    """A packet of moss or lichen that fills the photograph. `whole`: with a margin on every side."""
    strips = beside.choose_strips(kit)
    tall = kit.rng.uniform(9, 15)
    wide = tall * kit.rng.uniform(1.1, 1.6) if kit.chance(0.8) else tall * kit.rng.uniform(0.7, 1.0)
    left, top, right, bottom = margins = beside.choose_margins(kit, strips, whole)
    return Scene((wide + left + right, tall + top + bottom), ((left, top, wide, tall),), margins, strips, STEMLESS,
                 True)


def upright(kit: Kit) -> float:
    """0 degrees."""
    return 0.0


def quarter_turn(kit: Kit) -> float:
    """90, 180 or 270 degrees."""
    return float(kit.pick((90, 180, 270)))


def any_angle(kit: Kit) -> float:
    """Any angle from -180 to 180 degrees."""
    return float(kit.rng.uniform(-180, 180))


SCENES: Table = ((one_sheet, 100), (two_sheets, 2), (packet_close_up, 3))
TURNS: Table = ((upright, 91), (quarter_turn, 6), (any_angle, 3))
