"""Parts of labels: paper, frames, inks, and lines of text from the top down."""

from __future__ import annotations

import numpy as np

from utils.sheets.drawing.draw import Card, Kit, Shape
from utils.sheets.drawing.pixels import Color, grain, shade, smooth_noise, vary
from utils.sheets.drawing.text import Hand, handwritten, printed

PAPERS: tuple[Color, ...] = ((250, 250, 247), (244, 241, 232), (235, 227, 206), (222, 208, 176), (205, 184, 144),
                             (228, 231, 233), (214, 224, 214), (240, 236, 190), (224, 214, 206))
PAPER_SHARES = (8, 6, 4, 3, 2, 2, 1, 1, 1)
COLOURED: tuple[Color, ...] = ((186, 44, 38), (222, 116, 70), (240, 214, 90), (150, 190, 120), (140, 175, 205),
                               (236, 170, 185), (96, 140, 110), (250, 240, 140))


def paper(kit: Kit, width: float, height: float, color: Color) -> Card:
    """A blank label with a little texture, sometimes brown at the edges.

    Args:
        kit: random generator.
        width: in cm.
        height: in cm.
        color: of the paper.
    """
    card = Card(width, height, kit.scale, color)
    size = card.alpha.shape
    gain = 1 + smooth_noise(kit.rng, size, kit.rng.uniform(1, 5)) * kit.rng.uniform(0, 0.03)
    gain += grain(kit.rng, size) * kit.rng.uniform(0.001, 0.007)
    if kit.chance(0.25):  # brown towards the edges
        x, y = (np.abs(np.linspace(-1, 1, count, dtype=np.float32)) for count in size[::-1])
        far = np.maximum(x[None], y[:, None]) ** 6 * kit.rng.uniform(0.02, 0.1)
        shade(card.image, gain - far, gain - far * 1.2, gain - far * 1.6)
    else:
        shade(card.image, gain)
    return card


def paper_color(kit: Kit, sheet: Color) -> Color:
    """A random colour for a label: like the sheet under it, like any paper or, rarely, bright."""
    kind = kit.pick(("alike", "paper", "bright"), (5, 5, 0.4))
    if kind == "alike":
        return vary(kit.rng, np.asarray(sheet) + kit.rng.uniform(-8, 12), 3)
    if kind == "paper":
        return vary(kit.rng, kit.pick(PAPERS, PAPER_SHARES), 6)
    return vary(kit.rng, kit.pick(COLOURED), 12)


def border(kit: Kit, card: Card, color: Color) -> float:
    """The margin in cm for the text, after drawing a random frame or none."""
    kind = kit.pick(("none", "line", "double", "dots", "corner"), (16, 3, 1.5, 0.6, 0.5))
    inset = kit.rng.uniform(0.12, 0.4)
    if kind == "none":
        return inset
    width, height = card.width - 2 * inset, card.height - 2 * inset
    card.rect(inset, inset, width, height, color, kit.rng.uniform(0.02, 0.05))
    if kind == "double":
        card.rect(inset + 0.12, inset + 0.12, width - 0.24, height - 0.24, color, 0.03)
    elif kind == "dots":
        for x in np.arange(inset, card.width - inset, 0.22):
            for y in (inset + 0.13, card.height - inset - 0.13):
                card.disc(x, y, 0.05, color)
    elif kind == "corner":
        for x in (inset, card.width - inset):
            for y in (inset, card.height - inset):
                card.disc(x, y, 0.22, color, 0.04)
    return inset + 0.25


def ink(kit: Kit) -> Color:
    """A random printing ink: mostly black, else brown, blue, green, red or grey."""
    inks = ((22, 20, 22), (50, 44, 40), (36, 44, 100), (40, 84, 56), (130, 34, 30), (110, 104, 98), (150, 144, 136))
    return vary(kit.rng, kit.pick(inks, (10, 4, 1, 0.7, 0.5, 2, 1)), 6)


class Writer:
    """Writes the lines of one label from the top down: printed, typed or by hand.

    Args:
        kit: random generator and fonts.
        card: the label.
        margin: free space at its sides in cm.
        size: font size in cm.
    """

    def __init__(self, kit: Kit, card: Card, margin: float, size: float) -> None:
        self.kit, self.card, self.margin, self.y = kit, card, margin, margin * kit.rng.uniform(0.6, 1.3)
        self.size, self.color, self.hand = size, ink(kit), Hand.random(kit)
        self.body = kit.pick(kit.fonts.files[kit.pick(("serif", "sans", "mono"), (4, 3, 4))][:2], (4, 1))
        self.print = kit.pick(kit.fonts.files[kit.pick(("serif", "sans"))])
        self.by_hand = kit.chance(0.35)

    @property
    def room(self) -> float:
        """The width of a line in cm."""
        return self.card.width - 2 * self.margin

    def fits(self, lines: float = 1.0) -> bool:
        """Whether this number of lines still fits above the lower margin."""
        return self.y + lines * self.size * 1.2 < self.card.height - self.margin * 0.6

    def heading(self, text: str) -> None:
        """Prints a centred heading."""
        size = self.size * self.kit.rng.uniform(1.0, 1.7)
        text = text.upper() if self.kit.chance(0.4) else text
        printed(self.kit, self.card, text, self.card.width / 2, self.y, size, self.color,
                path=self.print, align=0.5, limit=self.room)
        self.y += size * 1.25

    def line(self, text: str, left: float = 0.0, align: float = 0.0) -> None:
        """Writes a line of text, `left` cm in from the left margin, or at the right margin if `align` is 1."""
        x, room = self.margin + left, self.room - left
        if self.by_hand:
            length = min(room * self.kit.rng.uniform(0.75, 1.0), len(text) * self.size * 0.45)
            handwritten(self.kit, self.card, self.hand, x + align * (room - length), self.y + self.size * 0.85,
                        self.size * 0.36, max(length, 0.4))
        else:
            x = self.margin + self.room if align else x
            printed(self.kit, self.card, text, x, self.y, self.size, self.color, path=self.body, align=align,
                    limit=room)
        self.y += self.size * self.kit.rng.uniform(1.1, 1.35)

    def rule(self, left: float) -> None:
        """Draws a solid or dotted line under the current line of text, from `left` cm on."""
        y, stop = self.y + self.size * 0.95, self.card.width - self.margin
        if self.kit.chance(0.5):
            self.card.line(((left, y), (stop, y)), self.color, 0.02)
        else:
            for x in np.arange(left, stop, 0.12):
                self.card.rect(x, y, 0.03, 0.03, self.color)


def censor(kit: Kit, card: Card) -> None:
    """Hides one or two lines of a label under bars of one colour."""
    color = kit.pick(((250, 250, 250), (20, 20, 20), (150, 150, 150)))
    for _ in range(int(kit.rng.integers(1, 3))):
        card.rect(kit.rng.uniform(0.3, card.width / 2), kit.rng.uniform(0.3, card.height - 0.8),
                  kit.rng.uniform(1.5, card.width / 2), 0.45, color)


def torn(kit: Kit, card: Card) -> None:
    """Tears the edges of a label a little, and changes its shape to match."""
    width, height, rng = card.width, card.height, kit.rng
    amount = rng.uniform(0.03, 0.16)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    sides = [first + (second - first) * np.sort(np.append(rng.uniform(0.05, 0.95, 6), 0))[:, None]
             for first, second in zip(corners, np.roll(corners, -1, 0))]
    inwards = np.array([width, height]) / 2
    outline = np.concatenate(sides)
    outline += (inwards - outline) / np.linalg.norm(inwards - outline, axis=1)[:, None] * rng.uniform(
        0, amount, (len(outline), 1))
    card.cut(outline)
    card.shapes[0] = Shape("Label", outline * card.scale)
