"""Things on a sheet that belong to no class, or that experts could disagree about.

Cards that count as background have no shape. Ink stamps, handwriting on the sheet, blank packets and emblems are marked
`_ignore_`, as in labels that are made by hand.
"""

from __future__ import annotations

import cv2
import numpy as np

from utils.sheets.drawing import words
from utils.sheets.drawing.draw import Card, Kit
from utils.sheets.drawing.pixels import Color, grain, shade, smooth_noise, vary, wander
from utils.sheets.drawing.text import INKS, Hand, handwritten, printed
from utils.sheets.things.emblems import logo, round_text

IGNORED = "_ignore_"


def ink_only(card: Card, opacity: float) -> Card:
    """`card`, dark ink on white, with transparent paper, as if it were stamped or written on the sheet itself."""
    darkness = 255 - card.image.min(2)
    card.alpha = cv2.convertScaleAbs(darkness, alpha=opacity)
    strongest = np.unravel_index(int(darkness.argmax()), darkness.shape)
    card.image[:] = card.image[strongest]
    return card


def tight(card: Card) -> None:
    """Marks the inked part of a transparent card as IGNORE."""
    rows, columns = np.nonzero(card.alpha > 12)
    if len(rows):
        x, y = columns.min() / card.scale - 0.08, rows.min() / card.scale - 0.08
        card.mark(IGNORED, (x, y, columns.max() / card.scale - x + 0.1, rows.max() / card.scale - y + 0.1))


def stamp(kit: Kit) -> Card:
    """An ink stamp with uneven ink: words around an oval, in a diamond or a box, or alone."""
    rng = kit.rng
    color = vary(rng, kit.pick(((30, 28, 34), (50, 40, 120), (140, 30, 40), (40, 90, 70), (90, 85, 90)),
                               (6, 3, 1.5, 1, 3)), 8)
    kind = kit.pick(("box", "oval", "diamond", "plain", "number"), (3, 4, 2, 3, 2))
    width = rng.uniform(2, 6.5)
    height = width * rng.uniform(0.5, 1.0) if kind in ("oval", "diamond") else rng.uniform(0.6, 2.8)
    card = Card(width + 0.3, height + 0.3, kit.scale, (255, 255, 255))
    x, y = card.width / 2, card.height / 2
    line, lines, share = rng.uniform(0.03, 0.09), int(rng.integers(1, 4)), 0.88
    if kind == "box":
        card.rect(0.15, 0.15, width, height, color, line)
    elif kind == "oval":
        size = min(width, height) * rng.uniform(0.14, 0.2)
        inner = (width / 2 - size * 1.5, height / 2 - size * 1.5)
        rings = ((width / 2, height / 2), inner)[:int(kit.pick((0, 1, 2), (1, 3, 3)))]
        angle = np.linspace(0, 2 * np.pi, 48)
        for radii in rings:
            card.line((x, y) + np.stack([np.cos(angle), np.sin(angle)], 1) * radii, color, line)
        middle = (width / 2 - size * 0.75, height / 2 - size * 0.75)
        round_text(kit, card, kit.pick(words.INSTITUTION).upper(), (x, y), middle, size, color, False)
        if kit.chance(0.7):
            round_text(kit, card, kit.pick(words.REGION).upper(), (x, y), middle, size, color, True)
        lines, share = int(rng.integers(0, 3)), 0.5
    elif kind == "diamond":
        card.line((x, y) + np.array([(-1, 0), (0, -1), (1, 0), (0, 1)]) * (width / 2, height / 2), color, line, True)
        share = 0.55
    size = min(height * (0.85 if share > 0.6 else 0.45) / max(lines, 1), 0.9)
    for index in range(1 if kind == "number" else lines):
        text = words.number(kit, 7) if kind == "number" else kit.pick(
            (kit.pick(words.STAMP), kit.pick(words.INSTITUTION).upper(), words.date(kit), words.number(kit)))
        printed(kit, card, text, x, y + (index - lines / 2) * size, size * 0.85, color,
                kit.pick(("sans", "serif", "mono")), align=0.5, limit=width * share)
    ink_only(card, rng.uniform(0.35, 1.0))
    wear = np.clip(0.9 + smooth_noise(rng, card.alpha.shape, 5) * 0.6 + grain(rng, card.alpha.shape) * 0.15, 0.05, 1)
    card.alpha = cv2.multiply(card.alpha, wear, dtype=cv2.CV_8U)
    tight(card)
    return card


def sheet_heading(kit: Kit) -> Card:
    """The name of an institution, printed on the sheet itself: one to three lines, sometimes with an emblem."""
    rng = kit.rng
    lines, size = int(kit.pick((1, 2, 3), (3, 3, 1))), rng.uniform(0.3, 0.75)
    color = vary(rng, kit.pick(((30, 28, 30), (90, 86, 84), (50, 60, 110), (120, 50, 40)), (5, 3, 1, 0.6)), 6)
    emblem = kit.chance(0.3)
    card = Card(rng.uniform(4, 12), lines * size * 1.3 + 0.3 + 1.8 * emblem, kit.scale, (255, 255, 255))
    if emblem:
        logo(kit, card, (card.width / 2 - 1.5, 0.1, 3.0, 1.6), color)
    kind = kit.pick(("serif", "sans"), (3, 1))
    for index in range(lines):
        text = kit.pick((kit.pick(words.INSTITUTION), kit.pick(words.INSTITUTION), words.title(kit))).upper()
        printed(kit, card, text, card.width / 2, 0.1 + 1.8 * emblem + index * size * 1.3,
                size * (1.0 if index == 0 else rng.uniform(0.5, 0.9)), color, kind, align=0.5, limit=card.width - 0.2)
    ink_only(card, rng.uniform(0.5, 1.0))
    tight(card)
    return card


def note(kit: Kit) -> Card:
    """Handwriting on the sheet itself, in ink or faint pencil."""
    rng = kit.rng
    length, size, lines = rng.uniform(0.8, 9), rng.uniform(0.16, 0.42), int(kit.pick((1, 2, 3), (6, 2, 1)))
    card = Card(length + 1.5, lines * size * 4 + size * 3, kit.scale, (255, 255, 255))
    hand = Hand.random(kit)
    for index in range(lines):
        handwritten(kit, card, hand, 0.4, size * 4 * (index + 1), size, length * rng.uniform(0.6, 1.0))
    ink_only(card, rng.uniform(0.3, 1.0))
    tight(card)
    return card


def fragments(kit: Kit, card: Card) -> None:
    """Scatters seeds, small leaves and bits of stem over a packet."""
    rng = kit.rng
    color, faint = vary(rng, kit.pick(((86, 62, 40), (58, 50, 32), (120, 96, 60))), 10), rng.uniform(0.15, 1.0)
    bits = Card(card.width, card.height, kit.scale, (0, 0, 0))
    middle, spread = rng.uniform(0.35, 0.65, 2), rng.uniform(0.08, 0.18)
    t = np.linspace(0, 2 * np.pi, 10)
    for _ in range(int(rng.integers(3, 40))):
        at = np.clip(middle + rng.normal(0, spread, 2), 0.1, 0.9) * (card.width, card.height)
        if kit.chance(0.5):
            turn, size = rng.uniform(0, 6.3), rng.uniform(0.1, 0.7)
            leaf = np.stack([np.cos(t) * size, np.sin(t) * size * rng.uniform(0.2, 0.6)], 1)
            bits.fill(at + leaf @ np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))]),
                      (int(rng.integers(150, 256)),) * 3)
        else:
            bits.line(wander(rng, at, rng.uniform(0, 6.3), rng.uniform(0.3, 2), 1.0), (230, 230, 230), 0.05)
    card.stain(bits.image[..., 0], 0, 0, color, faint)


def packet(kit: Kit, sheet: Color) -> Card:
    """A packet or envelope for fragments: folded paper without text, sometimes transparent, sometimes filled."""
    rng = kit.rng
    alike = kit.chance(0.7)
    color = vary(rng, np.asarray(sheet) + rng.uniform(-25, 14), 4) if alike else vary(rng, (214, 196, 158), 12)
    card = Card(rng.uniform(4, 11), rng.uniform(4, 13), kit.scale, color)
    width, height = card.width, card.height
    fold = tuple(int(channel * rng.uniform(0.86, 0.97)) for channel in color)
    light = tuple(int(min(255, channel * 1.03)) for channel in color)
    kind = kit.pick(("flap", "folds", "envelope", "bag"), (3, 4, 2, 1))
    if kind == "flap":
        card.fill(np.array([(0, 0), (width, 0), (width / 2, height * rng.uniform(0.3, 0.55))]), light)
        card.line(((0, 0), (width / 2, height * 0.45), (width, 0)), fold, 0.04)
    elif kind == "envelope":
        for points in (((0, height), (width * 0.4, height * 0.5)), ((width, height), (width * 0.6, height * 0.5)),
                       ((0, height * 0.42), (width, height * 0.42))):
            card.line(points, fold, 0.04)
    elif kind == "bag":
        card.rect(0, 0, width, 0.5, light)
        card.line(((0, 0.5), (width, 0.5)), kit.pick((fold, (190, 40, 40))), 0.05)
        card.alpha[:] = 190
    for _ in range(int(rng.integers(1, 4))):
        x = rng.uniform(0.03, 0.97)
        line = ((0, height * x), (width, height * x)) if kit.chance(0.5) else ((width * x, 0), (width * x, height))
        card.line(line, fold, rng.uniform(0.02, 0.08))
    if kit.chance(0.4) or kind == "bag":
        fragments(kit, card)
    card.mark(IGNORED)
    return card


def photograph(kit: Kit) -> Card:
    """A photograph or drawing without text, glued on. It counts as background."""
    rng = kit.rng
    card = Card(rng.uniform(4, 11), rng.uniform(4, 11), kit.scale, (245, 244, 240))
    inner = Card(card.width - 0.6, card.height - 0.6, kit.scale, (255, 255, 255))
    size = inner.alpha.shape
    if kit.chance(0.5):
        sky = np.clip(np.linspace(215, 120, size[0])[:, None] + smooth_noise(rng, size, 3) * 25, 0, 255)
        ground = smooth_noise(rng, size, 10) * 40 + 90
        horizon = size[0] * (0.5 + 0.12 * smooth_noise(rng, size, 2))
        picture = np.where(np.arange(size[0])[:, None] < horizon, sky, ground)
        tint = (1.0, 0.95, 0.85) if kit.chance(0.5) else rng.uniform(0.7, 1.1, 3)
        inner.image[:] = np.clip(picture[..., None] * tint, 0, 255).astype(np.uint8)
    else:
        tone = kit.pick(INKS)
        for _ in range(int(rng.integers(4, 14))):
            start = rng.uniform(0.2, 0.8, 2) * (inner.width, inner.height)
            inner.line(wander(rng, start, rng.uniform(0, 6.3), inner.height * 0.35, 1.5), tone, 0.03)
    card.put(inner, 0.3, 0.3)
    return card


def plain_strip(kit: Kit) -> Card:
    """A rectangle of one colour, such as cardboard, dark paper, wood or tape. It counts as background."""
    rng = kit.rng
    colors = ((34, 32, 32), (150, 122, 86), (196, 178, 140), (232, 228, 214), (90, 92, 96), (120, 40, 36),
              (204, 166, 108), (176, 176, 172))
    color = kit.pick(colors)
    long = kit.chance(0.7)
    height = rng.uniform(0.3, 1.2) if long else rng.uniform(1, 5)
    card = Card(rng.uniform(2, 20 if long else 9), height, kit.scale, vary(rng, color, 8))
    size = card.alpha.shape
    gain = 1 + smooth_noise(rng, size, 6) * 0.04 + grain(rng, size) * 0.015
    shade(card.image, gain.astype(np.float32))
    return card


def mounting_tape(kit: Kit) -> Card:
    """A thin strip of gummed cloth or clear tape that holds the plant. It counts as background."""
    rng = kit.rng
    color = kit.pick(((250, 250, 246), (240, 236, 222), (225, 214, 180), (214, 190, 130)))
    card = Card(rng.uniform(0.8, 5.0), rng.uniform(0.15, 0.5), kit.scale, vary(rng, color, 5))
    if kit.chance(0.35):
        card.alpha[:] = int(rng.uniform(60, 170))
    return card


def nameplate(kit: Kit) -> Card:
    """A plate beside the sheet with an institution's emblem and name. It is IGNORE."""
    rng = kit.rng
    dark = kit.chance(0.6)
    ground, tone = ((20, 20, 20), (235, 235, 235)) if dark else ((250, 250, 250), kit.pick(
        ((30, 30, 30), (0, 90, 100), (120, 20, 40), (40, 60, 120))))
    card = Card(rng.uniform(2.5, 8), rng.uniform(1.2, 2.6), kit.scale, ground)
    logo(kit, card, (0.1, 0.1, card.width - 0.2, card.height - 0.2), tone)
    card.mark(IGNORED)
    return card


def clip(kit: Kit) -> Card:
    """A paper clip. It counts as background."""
    card = Card(1.2, 3.4, kit.scale, (0, 0, 0))
    card.line(((0.3, 0.9), (0.3, 2.7), (0.45, 3.0), (0.75, 3.0), (0.9, 2.7), (0.9, 0.6), (0.75, 0.3), (0.6, 0.3),
               (0.5, 0.5), (0.5, 2.4)), (255, 255, 255), 0.08)
    card.alpha = card.image[..., 0].copy()
    card.image[:] = vary(kit.rng, (150, 150, 155), 25)
    return card
