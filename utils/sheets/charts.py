"""Colour charts: 24-patch cards, mini cards, two-row strips, control patches, grey scales and random palettes.

Every card is drawn lying (its long side across) and is class Color chart from edge to edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from utils.sheets.draw import Card, Color, Kit, vary
from utils.sheets.text import printed, printed_row

# sRGB of the usual 24 patches (dark skin ... black), the published mean of the ColorChecker Classic.
CHECKER: tuple[Color, ...] = (
    (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170),
    (214, 126, 44), (80, 91, 166), (193, 90, 99), (94, 60, 108), (157, 188, 64), (224, 163, 46),
    (56, 61, 150), (70, 148, 73), (175, 54, 60), (231, 199, 31), (187, 86, 149), (8, 133, 161),
    (243, 243, 242), (200, 200, 200), (160, 160, 160), (122, 122, 121), (85, 85, 85), (52, 52, 52),
)
CONTROL: tuple[Color, ...] = ((40, 30, 110), (0, 140, 200), (0, 130, 70), (250, 225, 0), (215, 20, 40), (210, 20, 120),
                              (252, 252, 252), (70, 45, 45), (20, 20, 20))
NAMES = "Blue Cyan Green Yellow Red Magenta White 3/Color Black".split()
MAKERS = ("Kolora", "CHROMEL", "Tonalux", "Farbex")


def toned(kit: Kit, colors: Sequence[Color]) -> list[Color]:
    """`colors` as another print of the chart shows them: more or less saturated, faded or dark, or all grey."""
    value = np.array(colors, np.float64)
    grey = value.mean(1, keepdims=True)
    saturation = 0.0 if kit.chance(0.03) else kit.rng.uniform(0.75, 1.35)
    value = (grey + (value - grey) * saturation) * kit.rng.uniform(0.8, 1.1) + kit.rng.normal(0, 4, value.shape)
    return [tuple(int(channel) for channel in color) for color in np.clip(value, 3, 254)]


def patches(card: Card, colors: Sequence[Color], columns: int, box: Sequence[float], gap: float) -> None:
    """Paints `colors` row by row as a grid of patches into `box` (x, y, width, height in cm), `gap` cm apart."""
    x, y, width, height = box
    step_y, step_x = height / -(-len(colors) // columns), width / columns
    for index, color in enumerate(colors):
        row, column = divmod(index, columns)
        card.rect(x + column * step_x + gap / 2, y + row * step_y + gap / 2, step_x - gap, step_y - gap, color)


def round_corners(card: Card, radius: float) -> None:
    """Cuts the corners of a card to quarter circles of `radius` cm."""
    r = max(1, round(radius * card.scale))
    quarter = np.zeros((r, r), np.uint8)
    cv2.circle(quarter, (r, r), r, 255, -1, cv2.LINE_AA)
    card.alpha[:r, :r], card.alpha[:r, -r:] = quarter, quarter[:, ::-1]
    card.alpha[-r:, :r], card.alpha[-r:, -r:] = quarter[::-1], quarter[::-1, ::-1]


def checker(kit: Kit) -> Card:
    """A card with 4 x 6 patches, mostly on black."""
    rng = kit.rng
    height = rng.uniform(4.8, 9.0) if kit.chance(0.85) else rng.uniform(1.8, 4.0)
    frame = kit.pick(((26, 25, 25), (45, 44, 44), (70, 72, 68), (20, 20, 30), (236, 236, 232)), (6, 4, 2, 1, 1))
    side = rng.uniform(0.04, 0.16) * height  # room for the maker's name and a small scale at the ends
    margin = (rng.uniform(0.03, 0.09) if kit.chance(0.85) else rng.uniform(0.1, 0.2)) * height  # or in a case
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
    """One make of half a 24-patch card: measures in cm, and the 24 colours as it prints them.

    step, gap: of the patches; top, ends: what is free above them, left and right; corner: radius; edge: a light border.
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
    """A random make: patches far apart or close, its name at one end, light cut edges."""
    rng = kit.rng
    height = rng.uniform(1.5, 4.0)
    step = height * rng.uniform(0.36, 0.47)
    return Half(
        height, step, rng.uniform(0, 1) * (height - 2 * step), tuple(rng.uniform(0.03, 0.3, 2) * height),
        step * kit.pick((0.03, 0.08, 0.15, 0.3)), vary(rng, kit.pick(((32, 31, 32), (24, 24, 46)), (2, 1)), 8),
        toned(kit, CHECKER)[::kit.pick((1, -1))], 0.12 if kit.chance(0.3) else 0.0,
        rng.uniform(0.02, 0.06) if kit.chance(0.3) else 0.0, kit.pick(("ColorCard.com", "COLOR TARGET", "")),
    )


def two_rows(kit: Kit, like: Half | None = None, first: bool | None = None) -> Card:
    """Half a 24-patch card: 2 x 6 patches, the first or the last twelve. Given neither, random."""
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
    """A mini card: a ring of colours around rows of greys, or a small 24-patch card."""
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


def heading(kit: Kit, card: Card, name: str, head: float, ink: Color) -> None:
    """Prints a maker and the chart's name into a strip's head (cm high), sometimes with ticks along its edge."""
    text = f"{kit.pick(MAKERS)} {name}"
    printed(kit, card, text, card.width * kit.pick((0.03, 0.03, 0.4)), head * 0.15, min(0.8, head * 0.38), ink, "sans")
    if kit.chance(0.4):
        for index in range(int(card.width * 5)):
            card.rect(index / 5, 0, 0.03, 0.08 if index % 5 else 0.16, ink)


class Strip(NamedTuple):
    """Measures in cm of a long strip: its head, where it is lettered, above its patches."""

    width: float
    head: float
    tall: float
    ground: Color


def strip(kit: Kit) -> Strip:
    """The measures of a random long strip."""
    rng = kit.rng
    head = rng.uniform(0.9, 2.6) if kit.chance(0.65) else rng.uniform(0, 0.3)
    ground = kit.pick(((22, 22, 24), (92, 86, 90), (136, 134, 134), (60, 64, 70)), (3, 3, 2, 1))
    return Strip(rng.uniform(16, 22), head, rng.uniform(1.4, 3.4), vary(rng, ground, 8))


def control_strip(kit: Kit, like: Strip | None = None) -> Card:
    """A long strip with a row of full and a row of half tones, with the colours' names above them."""
    rng = kit.rng
    width, head, tall, ground = like or strip(kit)
    card = Card(width, head + tall, kit.scale, ground)
    solid = toned(kit, CONTROL)
    tints = [tuple(int(255 - (255 - channel) * rng.uniform(0.3, 0.45)) for channel in color) for color in solid]
    left, right = rng.uniform(0, 0.8), rng.uniform(0, 0.8)
    rows = tints + solid if kit.chance(0.7) else solid
    box = (left, head, width - left - right, tall * rng.uniform(0.88, 1.0))
    patches(card, rows, len(solid), box, rng.choice([0.0, 0.03]))
    if head > 0.8:
        ink = (235, 235, 235) if kit.chance(0.6) else (18, 18, 18)
        heading(kit, card, "Color Control Patches", head, ink)
        step = (width - left - right) / len(CONTROL)
        printed_row(kit, card, NAMES, left + step / 2, step, head - 0.55, 0.34, ink)
    card.mark("Color chart")
    return card


def grey_scale(kit: Kit, like: Strip | None = None) -> Card:
    """A long strip with a row of greys."""
    rng = kit.rng
    width, head, tall, ground = like or strip(kit)
    card = Card(width, head + tall, kit.scale, ground)
    steps = int(rng.integers(6, 21))
    levels = 250 * np.linspace(1, 0.04, steps) ** rng.uniform(0.8, 1.8)
    tint = rng.normal(0, 3, 3)
    greys = [tuple(int(channel) for channel in np.clip(level + tint, 3, 253)) for level in levels]
    patches(card, greys, steps, (0.2, head, width - 0.4, tall * rng.uniform(0.85, 1)), 0.0)
    if head > 0.8:
        ink = (235, 235, 235) if kit.chance(0.6) else (18, 18, 18)
        heading(kit, card, "Gray Scale", head, ink)
        signs = [{0: "A", steps // 3: "M", 2 * steps // 3: "B"}.get(index, str(index)) for index in range(steps)]
        step = (width - 0.4) / steps
        printed_row(kit, card, signs, 0.2 + step / 2, step, head - 0.5, 0.32, ink)
        dots = (((0, 150, 215), "C"), ((245, 215, 0), "Y"), ((215, 20, 120), "M"))
        for index, (color, sign) in enumerate(dots[:int(rng.integers(0, 4))]):
            x, radius = width * 0.75 + index * 1.1, min(0.4, head * 0.22)
            card.disc(x, head * 0.33, radius, color)
            printed(kit, card, sign, x, head * 0.33 - radius * 0.7, radius * 1.2, (250, 250, 250), "sans", align=0.5)
    card.mark("Color chart")
    return card


def wedge(kit: Kit) -> Card:
    """A short grey wedge: a few steps on a narrow card, sometimes with a row of colours under it."""
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
    """A chart of nobody's make: any grid of colours on black, grey or white."""
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
    """Two charts end to end: the halves of a 24-patch card, or control patches and a grey scale, of one make.

    below: what may be seen between them; None: random.
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
    """A pair of charts on a dark board that is larger than they are."""
    color = vary(kit.rng, (52, 52, 54), 22)
    charts = pair(kit, below=color)
    left, right, top, bottom = kit.rng.uniform(0.05, 0.8, 4)
    board = Card(charts.width + left + right, charts.height + top + bottom, kit.scale, color)
    board.put(charts, left, top)
    return board


def chart(kit: Kit) -> Card:
    """A random colour chart for a place on or beside the sheet."""
    return kit.pick((checker, two_rows, mini, palette, wedge, long_chart, pair), (13, 2, 2, 2, 1.5, 1.5, 2))(kit)


def long_chart(kit: Kit) -> Card:
    """A random long strip, for the side of a photograph."""
    return kit.pick((control_strip, grey_scale, palette), (4, 3, 1))(kit)
