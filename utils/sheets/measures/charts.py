"""Colour charts: 24-patch cards, their halves, mini cards, wedges, random palettes, and pairs of charts.

Every card is drawn with its long side horizontal. A whole chart, from edge to edge, is class Color chart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from utils.sheets.drawing.draw import Card, Kit, Table
from utils.sheets.drawing.pixels import Color, vary
from utils.sheets.drawing.text import printed
from utils.sheets.things.patches import CHECKER, CONTROL, patches, round_corners, toned
from utils.sheets.measures.strips import control_strip, grey_scale, strip


def checker(kit: Kit) -> Card:
    """A card with 4 x 6 patches, usually on black."""
    rng = kit.rng
    height = rng.uniform(4.8, 9.0) if kit.chance(0.85) else rng.uniform(1.8, 4.0)
    frame = kit.pick(((26, 25, 25), (45, 44, 44), (70, 72, 68), (20, 20, 30), (236, 236, 232)), (6, 4, 2, 1, 1))
    side = rng.uniform(0.04, 0.16) * height  # for the maker's name and a small scale at the ends
    margin = (rng.uniform(0.03, 0.09) if kit.chance(0.85) else rng.uniform(0.1, 0.2)) * height  # large: in a case
    step = (height - 2 * margin) / 4
    card = Card(6 * step + 2 * margin + 2 * side, height, kit.scale, vary(rng, frame, 5))
    colors = toned(kit, CHECKER)
    gap = step * kit.pick((0.03, 0.14, 0.24, 0.32), (1, 3, 3, 2))
    box = (margin + side, margin, 6 * step, 4 * step)
    if kit.chance(0.2):
        light = vary(rng, (150, 150, 150), 40)
        patches(card, [light] * 24, 6, box, max(gap - 0.07, 0.02))
    patches(card, colors, 6, box, gap)
    text = (225, 225, 225) if sum(frame) < 300 else (30, 30, 30)
    if side > 0.35:
        name = Card(height - 2 * margin, side, kit.scale, card.image[0, 0])
        printed(kit, name, kit.pick(("colorchecker", "Color Card 24", "COLOR TARGET", "ColorCard")), 0.2, side * 0.15,
                side * 0.6, text, "sans")
        card.put(name.turned(1), 0.05, margin)
        if kit.chance(0.5):
            for tick in np.arange(margin * 1.5, height - margin * 1.5, 0.12):
                card.rect(card.width - side * 0.55, tick, side * 0.35, 0.03, text)
    if kit.chance(0.4):
        for x in (box[0], box[0] + box[2] - 0.25):
            for y in (margin * 0.5, height - margin * 0.5):
                card.rect(x, y, 0.25, 0.035, text)
    if kit.chance(0.7):
        round_corners(card, min(0.4, height * rng.uniform(0.01, 0.06)))
    card.mark("Color chart")
    return card


class Half(NamedTuple):
    """One make of half a 24-patch card. Measures are in cm.

    Attributes:
        height: of the card.
        step: distance from one patch to the next.
        top: free space above the patches.
        ends: free space left and right of the patches.
        gap: space between patches.
        ground: colour of the card.
        colors: the 24 colours as this make prints them.
        corner: radius of the corners.
        edge: width of a light border. 0: none.
        name: printed at one end. "": nothing.
    """

    height: float
    step: float
    top: float
    ends: tuple[float, float]
    gap: float
    ground: Color
    colors: list[Color]
    corner: float
    edge: float
    name: str


def half(kit: Kit) -> Half:
    """A random make: patches close together or far apart, with or without a name and light edges."""
    rng = kit.rng
    height = rng.uniform(1.5, 4.0)
    step = height * rng.uniform(0.36, 0.47)
    gap = step * kit.pick((0.03, 0.08, 0.15, 0.3))
    ends = tuple(rng.uniform(0.03, 0.3, 2) * height + gap / 2)  # the gap between two halves is wider
    return Half(
        height, step, rng.uniform(0, 1) * (height - 2 * step), ends, gap,
        vary(rng, kit.pick(((32, 31, 32), (24, 24, 46)), (2, 1)), 8),
        toned(kit, CHECKER)[::kit.pick((1, -1))], 0.12 if kit.chance(0.3) else 0.0,
        rng.uniform(0.02, 0.06) if kit.chance(0.3) else 0.0, kit.pick(("ColorCard.com", "COLOR TARGET", "")),
    )


def two_rows(kit: Kit, like: Half | None = None, first: bool | None = None) -> Card:
    """Half a 24-patch card, 2 x 6 patches.

    like: the make. None: random.
    first: True: the first twelve colours; False: the last twelve; None: random.
    """
    like = like or half(kit)
    colors = like.colors[:12] if (kit.chance(0.5) if first is None else first) else like.colors[12:]
    card = Card(6 * like.step + sum(like.ends), like.height, kit.scale, like.ground)
    patches(card, colors, 6, (like.ends[0], like.top, 6 * like.step, 2 * like.step), like.gap)
    if like.name and like.ends[0] > 0.35:
        name = Card(like.height * 0.9, like.ends[0], kit.scale, like.ground)
        printed(kit, name, like.name, 0.1, like.ends[0] * 0.2, min(like.ends[0] * 0.5, like.height * 0.1),
                (225, 225, 225), "sans")
        card.put(name.turned(1), 0, like.height * 0.05)
    if like.edge:
        card.rect(0, 0, card.width, card.height, vary(kit.rng, (150, 150, 155), 30), like.edge)
    if like.corner:
        round_corners(card, like.corner)
    card.mark("Color chart")
    return card


def mini(kit: Kit) -> Card:
    """A mini card: a ring of colours around rows of greys, or patches of random colours."""
    rng = kit.rng
    height = rng.uniform(1.3, 3.4)
    step = height * 0.88 / 5
    columns = int(kit.pick((6, 6, 5, 7)))
    card = Card(columns * step + height * 0.12, height, kit.scale, vary(rng, (28, 26, 26), 8))
    if columns == 6:
        ring = [CHECKER[index] for index in rng.permutation(18)]
        greys = [(level,) * 3 for level in np.linspace(30, 250, 12).astype(int)[::kit.pick((1, -1))]]
        colors = ring[:6]
        for row in range(3):
            colors += [ring[6 + 2 * row], *greys[4 * row:4 * row + 4], ring[7 + 2 * row]]
        colors += ring[12:]
    else:
        colors = [CHECKER[index] for index in rng.integers(0, 24, columns * 5)]
    box = (height * 0.06, height * 0.06, columns * step, 5 * step)
    patches(card, toned(kit, colors), columns, box, step * rng.uniform(0.0, 0.12))
    if kit.chance(0.6):
        round_corners(card, height * 0.05)
    card.mark("Color chart")
    return card


def wedge(kit: Kit) -> Card:
    """A short grey wedge: a few steps of grey on a narrow card, sometimes above a row of colours."""
    rng = kit.rng
    steps, step = int(rng.integers(5, 13)), rng.uniform(0.6, 1.4)
    height, margin = rng.uniform(0.7, 2.2), rng.uniform(0.0, 0.3)
    colors = [(level, level, level) for level in np.linspace(248, 14, steps).astype(int)[::kit.pick((1, -1))].tolist()]
    if kit.chance(0.3):
        colors += [CONTROL[int(index)] for index in rng.integers(0, 6, steps)]
    card = Card(steps * step + 2 * margin, height + 2 * margin, kit.scale,
                vary(rng, kit.pick(((240, 240, 238), (120, 120, 118), (22, 22, 22))), 6))
    patches(card, toned(kit, colors), steps, (margin, margin, steps * step, height), kit.pick((0.0, 0.0, 0.1)))
    card.mark("Color chart")
    return card


def palette(kit: Kit) -> Card:
    """A chart of no real make: a grid of colours on black, grey or white."""
    rng = kit.rng
    rows, columns = int(rng.integers(1, 6)), int(rng.integers(4, 13))
    step = rng.uniform(0.5, 1.4) if rows > 2 else rng.uniform(0.7, 2.0)
    margin = rng.uniform(0.0, 0.5)
    ground = kit.pick(((22, 22, 22), (120, 120, 118), (240, 240, 236)), (3, 1, 2))
    card = Card(columns * step + 2 * margin, rows * step + 2 * margin, kit.scale, vary(rng, ground, 6))
    pool = CHECKER + CONTROL
    choice = [pool[int(index)] for index in rng.integers(0, len(pool), rows * columns)]
    if kit.chance(0.25):  # pastel or deep: a palette that lies wholly on one side
        lift = rng.uniform(0.35, 0.65)
        target = kit.pick((255, 20))
        choice = [tuple(int(c + (target - c) * lift) for c in color) for color in choice]
    colors = toned(kit, choice)
    box = (margin, margin, columns * step, rows * step)
    patches(card, colors, columns, box, step * kit.pick((0.0, 0.05, 0.2, 0.35)))
    card.mark("Color chart")
    return card


def pair(kit: Kit, below: Color | None = None) -> Card:
    """Two charts of one make, end to end: the halves of a 24-patch card, or control patches and a grey scale.

    below: the colour in the gap between them. None: random.
    """
    if kit.chance(0.6):
        make, first = half(kit), kit.chance(0.5)
        one, other = two_rows(kit, make, first), two_rows(kit, make, not first)
        ground = make.ground
    else:
        like = strip(kit)
        one, other = control_strip(kit, like), grey_scale(kit, like)
        ground = like.ground
        if kit.chance(0.5):
            one, other = other, one
    gap = 0.0 if kit.chance(0.4) else kit.rng.uniform(0.0, 0.25)
    below = below or kit.pick((vary(kit.rng, ground, 20), (8, 8, 8), vary(kit.rng, (190, 190, 185), 20)), (3, 2, 1))
    card = Card(one.width + gap + other.width, one.height, kit.scale, below)
    card.put(one, 0, 0)
    card.put(other, one.width + gap, 0)
    return card


def mounted_pair(kit: Kit) -> Card:
    """A pair of charts on a larger, dark board."""
    color = vary(kit.rng, (52, 52, 54), 22)
    charts = pair(kit, below=color)
    left, right, top, bottom = kit.rng.uniform(0.05, 0.8, 4)
    board = Card(charts.width + left + right, charts.height + top + bottom, kit.scale, color)
    board.put(charts, left, top)
    return board


LONG: Table = ((control_strip, 4), (grey_scale, 3), (palette, 1))


def long_chart(kit: Kit) -> Card:
    """A random long strip, for the side of a photograph."""
    return kit.one_of(LONG)(kit)


KINDS: Table = (
    (checker, 13), (two_rows, 2), (mini, 2), (palette, 2), (wedge, 1.5), (long_chart, 1.5), (pair, 2),
)


def chart(kit: Kit) -> Card:
    """A random colour chart for a place on or beside the sheet."""
    return kit.one_of(KINDS)(kit)
