"""Text on cards: printed and typed lines, imitated handwriting, and made-up square signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from utils.sheets.drawing.draw import Card, Kit
from utils.sheets.drawing.fonts import text_mask
from utils.sheets.drawing.pixels import SUBPIXEL, Color, fixed

INKS: tuple[Color, ...] = ((25, 22, 24), (40, 36, 34), (62, 50, 38), (90, 68, 44), (30, 36, 92), (44, 40, 110),
                           (24, 60, 44), (120, 30, 30), (96, 92, 90))
# Control points of a few letters. The x-height is 1, y points up, and x is from 0 to about 0.9.
LETTERS: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0, 0.1), (0.15, 0.9), (0.25, 0.1), (0.45, 0.95), (0.6, 0.1)),
    ((0, 0.2), (0.4, 0.6), (0.25, 1), (0.05, 0.5), (0.3, 0), (0.6, 0.25)),
    ((0, 0.2), (0.35, 1.6), (0.2, 2.1), (0.1, 1.0), (0.25, 0), (0.5, 0.2)),
    ((0.4, 0.9), (0.1, 0.8), (0.1, 0.1), (0.4, 0.2), (0.45, 0.9), (0.4, -0.9), (0.1, -0.9), (0.6, 0.3)),
    ((0.3, 1), (0.05, 0.6), (0.2, 0), (0.5, 0.4), (0.3, 1), (0.65, 0.8)),
    ((0, 0.9), (0.1, 0.1), (0.35, 0.1), (0.45, 0.9), (0.5, 0.1), (0.7, 0.3)),
    ((0, 0.1), (0.1, 0.9), (0.2, 0.1), (0.35, 0.9), (0.45, 0.1), (0.6, 0.9), (0.75, 0.1)),
    ((0, 0.3), (0.2, 1.0), (0.3, 0.7), (0.25, 0), (0.5, 0.3)),
    ((0.1, 1.7), (0.15, 0.1), (0.4, 0.2), (0.55, 0.5)),
    ((0, 0.3), (0.25, 1.0), (0.4, 0.6), (0.1, 0.1), (0.5, 0.2)),
)
CAPITALS: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0, 0), (0.5, 2.2), (0.8, 0), (0.3, 0.8), (1.0, 0.6)),
    ((0.1, 0), (0.2, 2.2), (0.9, 1.7), (0.2, 1.1), (0.9, 0.5), (0.1, 0), (1.0, 0.2)),
    ((0.9, 1.8), (0.4, 2.2), (0.0, 1.0), (0.5, 0), (1.0, 0.4)),
    ((0, 1.9), (0.9, 2.2), (0.5, 1.0), (0.3, 0), (0.0, 0.3), (0.9, 0.5)),
    ((0, 0), (0.2, 2.1), (0.5, 0.4), (0.9, 2.1), (1.1, 0), (1.2, 0.2)),
)


@dataclass(frozen=True)
class Hand:
    """How a person writes. `pen` is the width of the pen as a share of the x-height."""

    slant: float
    width: float
    unsteady: float
    ink: Color
    pen: float
    joined: bool

    @classmethod
    def random(cls, kit: Kit) -> Hand:
        """A random hand."""
        rng = kit.rng
        return cls(rng.uniform(-0.1, 0.7), rng.uniform(0.8, 1.5), rng.uniform(0.04, 0.16), kit.pick(INKS),
                   rng.uniform(0.07, 0.22), kit.chance(0.75))


def printed(kit: Kit, card: Card, text: str, x: float, y: float, height: float, color: Color, kind: str = "serif",
            align: float = 0.0, path: str | None = None, limit: float | None = None, stretch: float = 1.0) -> float:
    """The width in cm of a line of text, after printing it.

    Args:
        kit: random generator and fonts.
        card: the card to print on.
        text: the line.
        x: its left end, middle or right end in cm, see `align`.
        y: its top in cm.
        height: font size in cm.
        color: (R, G, B).
        kind: "serif", "sans", "mono" or "italic"; the font is a random one of this kind.
        align: 0: x is the left end; 0.5: the middle; 1: the right end.
        path: a font file instead of a random one.
        limit: largest width in cm; a longer line is squeezed. None: no limit.
        stretch: factor of the width.
    """
    if not text.isascii():
        path = kit.fonts.beyond_ascii(text, kind)
    path = path or kit.pick(kit.fonts.files[kind])
    mask = text_mask(text, path, height * card.scale)
    width = mask.shape[1] * stretch
    if limit is not None:
        width = min(width, limit * card.scale)
    if round(width) != mask.shape[1]:
        mask = cv2.resize(mask, (max(1, round(width)), mask.shape[0]), interpolation=cv2.INTER_AREA)
    card.stain(mask, x - align * width / card.scale, y, color)
    return width / card.scale


def printed_row(kit: Kit, card: Card, texts: Sequence[str], x: float, step: float, y: float, height: float,
                color: Color) -> None:
    """Prints short texts in one font, at equal distances, like the numbers on a ruler.

    Args:
        kit: random generator and fonts.
        card: the card to print on.
        texts: the texts.
        x: middle of the first text in cm.
        step: distance between the middles in cm.
        y: top of the texts in cm.
        height: font size in cm.
        color: (R, G, B).
    """
    path = kit.pick(kit.fonts.files["sans"][:2])
    for index, text in enumerate(texts):
        printed(kit, card, text, x + index * step, y, height, color, path=path, align=0.5)


def pen_strokes(kit: Kit, hand: Hand, length: float) -> tuple[list[np.ndarray], float]:
    """The strokes of a line of handwriting, each (n, 2), and the exact length of the line.

    The unit is the x-height; y points down from the base line. `length` is the wanted length.
    """
    rng, strokes, x = kit.rng, [], 0.0
    while x < length:
        word: list[np.ndarray] = []
        for letter in range(int(rng.integers(2, 10))):
            capital = letter == 0 and rng.random() < 0.35
            points = np.array(kit.pick(CAPITALS if capital else LETTERS))
            points = points + rng.normal(0, hand.unsteady, points.shape)
            word.append(points * (hand.width, 1) + (x, 0))
            x += (points[:, 0].max() + 0.12) * hand.width
            if not hand.joined and rng.random() < 0.5:
                strokes.append(np.concatenate(word))
                word = []
        if word:
            strokes.append(np.concatenate(word))
        if rng.random() < 0.4:
            dot = np.array([[x - rng.uniform(0.5, 2), 1.5]])
            strokes.append(np.concatenate([dot, dot + (0.12 + 0.3 * (rng.random() < 0.3), 0.03)]))
        x += rng.uniform(0.6, 1.3)
    slanted = [np.stack([points[:, 0] + hand.slant * points[:, 1], -points[:, 1]], 1) for points in strokes]
    return slanted, x


def smooth_line(points: np.ndarray, rounds: int = 2) -> np.ndarray:
    """`points` with each corner cut off `rounds` times (Chaikin's curve)."""
    for _ in range(rounds):
        if len(points) < 3:
            return points
        first, second = points[:-1], points[1:]
        cut = np.empty((2 * len(points), 2))
        cut[0], cut[-1] = points[0], points[-1]
        cut[1:-1:2], cut[2:-1:2] = 0.75 * first + 0.25 * second, 0.25 * first + 0.75 * second
        points = cut
    return points


def handwritten(kit: Kit, card: Card, hand: Hand, x: float, y: float, x_height: float, length: float) -> float:
    """The width in cm of a line of handwriting, after writing it.

    Args:
        kit: random generator.
        card: the card to write on.
        hand: how the person writes.
        x: left end in cm.
        y: base line in cm.
        x_height: height of small letters in cm.
        length: about how long the line is, in cm.
    """
    strokes, taken = pen_strokes(kit, hand, length / x_height)
    squeeze = min(1.0, length / (taken * x_height))
    unit = x_height * card.scale
    size = (int(unit * 4.2) + 3, int((taken + 2) * unit * squeeze) + 3)
    mask = np.zeros(size, np.uint8)
    base = unit * 2.8
    zoom, shift = np.array([unit * squeeze, unit]), np.array([unit * 0.3, base])
    lines = [fixed(smooth_line(points) * zoom + shift) for points in strokes]
    cv2.polylines(mask, lines, False, 255, max(1, round(hand.pen * unit)), cv2.LINE_AA, SUBPIXEL)
    card.stain(mask, x - 0.3 * x_height, y - 2.8 * x_height, hand.ink, kit.rng.uniform(0.6, 0.95))
    return taken * x_height * squeeze


def square_signs(kit: Kit, card: Card, x: float, y: float, size: float, count: int, color: Color, down: bool) -> None:
    """Writes made-up square signs, which look like Chinese characters, in a row or a column.

    Args:
        kit: random generator.
        card: the card to write on.
        x, y: top left corner of the first sign in cm.
        size: side of a sign in cm.
        count: number of signs.
        color: (R, G, B).
        down: True: a column; False: a row.
    """
    for index in range(count):
        left, top = (x, y + index * size * 1.08) if down else (x + index * size * 1.08, y)
        for _ in range(int(kit.rng.integers(5, 10))):
            a, b, c = kit.rng.uniform(0.08, 0.92, 3)
            ends = kit.pick((((0.1, a), (0.9, a)), ((a, 0.1), (a, 0.9)), ((b, c), (b - 0.3, c + 0.35)),
                             ((b, c), (b + 0.3, c + 0.3)), ((min(b, c), a), (max(b, c), a))))
            points = np.clip(np.array(ends), 0.03, 0.97) * size * 0.92 + (left, top)
            card.line(points, color, size * 0.055)
