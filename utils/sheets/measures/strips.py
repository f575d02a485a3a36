"""Long colour charts: control patches and grey scales, with text above the patches.

Every card is drawn with its long side horizontal. A whole chart, from edge to edge, is class Color chart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from utils.sheets.drawing.draw import Card, Kit
from utils.sheets.drawing.pixels import Color, vary
from utils.sheets.drawing.text import printed, printed_row
from utils.sheets.things.patches import CONTROL, MAKERS, patches, toned

NAMES = "Blue Cyan Green Yellow Red Magenta White 3/Color Black".split()


def heading(kit: Kit, card: Card, name: str, head: float, ink: Color) -> None:
    """Prints the names of maker and chart above the patches, sometimes with ticks along the edge.

    Args:
        kit: random generator and fonts.
        card: the strip.
        name: of the chart.
        head: height of the space above the patches in cm.
        ink: colour of the text.
    """
    text = f"{kit.pick(MAKERS)} {name}"
    printed(kit, card, text, card.width * kit.pick((0.03, 0.03, 0.4)), head * 0.15, min(0.8, head * 0.38), ink, "sans")
    if kit.chance(0.4):
        for index in range(int(card.width * 5)):
            card.rect(index / 5, 0, 0.03, 0.08 if index % 5 else 0.16, ink)


class Strip(NamedTuple):
    """The measures of a long strip in cm. `head` is the height of the text above the patches, `tall` theirs."""

    width: float
    head: float
    tall: float
    ground: Color


def strip(kit: Kit) -> Strip:
    """Random measures of a long strip."""
    rng = kit.rng
    head = rng.uniform(0.9, 2.6) if kit.chance(0.65) else rng.uniform(0, 0.3)
    ground = kit.pick(((22, 22, 24), (92, 86, 90), (136, 134, 134), (60, 64, 70)), (3, 3, 2, 1))
    return Strip(rng.uniform(16, 22), head, rng.uniform(1.4, 3.4), vary(rng, ground, 8))


def control_strip(kit: Kit, like: Strip | None = None) -> Card:
    """A long strip with a row of full tones, sometimes one of half tones, and the names of the colours above."""
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
    """A long strip with a row of greys, from light to dark."""
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
