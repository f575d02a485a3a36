"""Emblems, and words around a stamp."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from utils.sheets.drawing import words
from utils.sheets.drawing.draw import Card, Kit
from utils.sheets.drawing.fonts import text_mask
from utils.sheets.drawing.pixels import Color
from utils.sheets.drawing.text import printed


def logo(kit: Kit, card: Card, box: Sequence[float], color: Color) -> None:
    """Draws an institution's emblem and name.

    Args:
        kit: random generator and fonts.
        card: the card to draw on.
        box: x, y, width and height in cm.
        color: (R, G, B).
    """
    x, y, width, height = box
    radius = min(height * 0.36, width * 0.16)
    kind = kit.pick(("ring", "leaf", "letter", "none"))
    if kind == "ring":
        card.disc(x + radius * 1.2, y + height / 2, radius, color, radius * 0.2)
        card.disc(x + radius * 1.2, y + height / 2, radius * 0.4, color)
    elif kind == "leaf":
        t = np.linspace(0, 2 * np.pi, 24)
        leaf = np.stack([np.cos(t) * radius * 0.5, np.sin(t) * radius * (1 + 0.2 * np.cos(t))], 1)
        card.fill(leaf + (x + radius * 1.2, y + height / 2), color)
    elif kind == "letter":
        radius = printed(kit, card, kit.pick("NKBFLMHU"), x + 0.1, y + height * 0.1, height * 0.75, color, "sans",
                         limit=width * 0.3) / 2.5
    left = x + (radius * 2.8 if kind != "none" else 0.1)
    lines = kit.pick(words.INSTITUTION).split() if kit.chance(0.8) else [kit.pick("NY CAS HAL PI NCU US TEX".split())]
    size = min(height * 0.85 / len(lines), 0.55 if len(lines) > 1 else height * 0.7)
    for index, line in enumerate(lines):
        printed(kit, card, line, left, y + height / 2 + (index - len(lines) / 2) * size, size, color,
                kit.pick(("sans", "serif")), limit=max(0.3, x + width - left))


def round_text(kit: Kit, card: Card, text: str, middle: tuple[float, float], radii: tuple[float, float], size: float,
               color: Color, below: bool) -> None:
    """Prints a text along half an ellipse.

    Args:
        kit: random generator and fonts.
        card: the card to print on.
        text: the text.
        middle: (x, y) of the ellipse in cm.
        radii: its half axes, across and down, in cm.
        size: font size in cm.
        color: (R, G, B).
        below: False: the upper half, letters' feet inwards. True: the lower half, letters' feet outwards.
    """
    path = kit.pick(kit.fonts.files["wide"][:2])
    sign = -1 if below else 1
    spread = min(1.35, len(text) * size * 0.4 / sum(radii))
    for letter, turn in zip(text, np.linspace(-spread, spread, len(text))):
        mask = text_mask(letter, path, size * card.scale)
        side = int(np.hypot(*mask.shape)) + 2
        square = np.zeros((side, side), np.uint8)
        top, left = (side - mask.shape[0]) // 2, (side - mask.shape[1]) // 2
        square[top:top + mask.shape[0], left:left + mask.shape[1]] = mask
        tilt = np.arctan2(np.sin(turn) * radii[1], np.cos(turn) * radii[0])  # of the ellipse's edge
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), -np.rad2deg(tilt) * sign, 1.0)
        at = np.array(middle) + (np.sin(turn) * radii[0], -sign * np.cos(turn) * radii[1])
        corner = at - side / card.scale / 2
        card.stain(cv2.warpAffine(square, matrix, (side, side)), corner[0], corner[1], color)
