"""What is stamped, printed or written on the paper of the sheet itself.

Nothing of it is an object. Stamps, notes and short headings are marked `_ignore_`, as in labels that are made by hand.
`boxed_stamp`, `round_stamp` and `letterhead` are background, so that a network learns what they are not.
"""

from __future__ import annotations

import cv2
import numpy as np

from utils.sheets.drawing import eastern, words
from utils.sheets.drawing.draw import Card, Kit, Table
from utils.sheets.drawing.pixels import Color, grain, smooth_noise, vary
from utils.sheets.drawing.text import Hand, handwritten, printed
from utils.sheets.things.emblems import logo, round_text

IGNORED = "_ignore_"
INKS: tuple[Color, ...] = ((30, 28, 34), (50, 40, 120), (140, 30, 40), (40, 90, 70), (90, 85, 90))
INK_SHARES = (6, 3, 1.5, 1, 3)


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


def press(kit: Kit, card: Card) -> Card:
    """A stamp as it is on the paper: transparent, with uneven ink."""
    ink_only(card, kit.rng.uniform(0.35, 1.0))
    size = card.alpha.shape
    wear = np.clip(0.9 + smooth_noise(kit.rng, size, 5) * 0.6 + grain(kit.rng, size) * 0.15, 0.05, 1)
    card.alpha = cv2.multiply(card.alpha, wear, dtype=cv2.CV_8U)
    return card


def stamp_text(kit: Kit) -> str:
    """A line for a stamp: a word, an institution, a date or a number."""
    return kit.pick((kit.pick(words.STAMP), kit.pick(words.INSTITUTION).upper(), words.date(kit), words.number(kit)))


def stamp(kit: Kit) -> Card:
    """An ink stamp with uneven ink: words around an oval, in a diamond or a box, or alone."""
    rng = kit.rng
    color = vary(rng, kit.pick(INKS, INK_SHARES), 8)
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
        ring(kit, card, (width / 2, height / 2), size, line, color)
        lines, share = int(rng.integers(0, 3)), 0.5
    elif kind == "diamond":
        card.line((x, y) + np.array([(-1, 0), (0, -1), (1, 0), (0, 1)]) * (width / 2, height / 2), color, line, True)
        share = 0.55
    size = min(height * (0.85 if share > 0.6 else 0.45) / max(lines, 1), 0.9)
    for index in range(1 if kind == "number" else lines):
        text = words.number(kit, 7) if kind == "number" else stamp_text(kit)
        printed(kit, card, text, x, y + (index - lines / 2) * size, size * 0.85, color,
                kit.pick(("sans", "serif", "mono")), align=0.5, limit=width * share)
    tight(press(kit, card))
    return card


def ring(kit: Kit, card: Card, radii: tuple[float, float], size: float, line: float, color: Color) -> None:
    """Draws up to two ellipses around the middle of a card, with words along the outer one.

    Args:
        kit: random generator and fonts.
        card: the stamp.
        radii: half axes of the outer ellipse, across and down, in cm.
        size: font size in cm.
        line: width of the lines in cm.
        color: (R, G, B).
    """
    middle, angle = (card.width / 2, card.height / 2), np.linspace(0, 2 * np.pi, 48)
    for inset in (0.0, size * 1.5)[:int(kit.pick((0, 1, 2), (1, 3, 3)))]:
        card.line(middle + np.stack([np.cos(angle), np.sin(angle)], 1) * (np.array(radii) - inset), color, line)
    along = (radii[0] - size * 0.75, radii[1] - size * 0.75)
    round_text(kit, card, kit.pick(words.INSTITUTION).upper(), middle, along, size, color, False)
    if kit.chance(0.7):
        round_text(kit, card, kit.pick(words.REGION).upper(), middle, along, size, color, True)


def boxed_stamp(kit: Kit) -> Card:
    """A stamp of one to five lines of capitals, close together in a frame, or a red seal. It counts as background."""
    if kit.chance(0.08):
        return seal(kit)
    rng = kit.rng
    color = vary(rng, kit.pick(INKS, INK_SHARES), 8)
    lines = int(kit.pick((1, 2, 3, 4, 5), (3, 4, 3, 2, 1)))
    size = rng.uniform(0.22, 0.6)
    inset = rng.uniform(0.05, 0.2)
    card = Card(rng.uniform(1.8, 7), lines * size + 2 * inset + 0.2, kit.scale, (255, 255, 255))
    line = rng.uniform(0.03, 0.1)
    card.rect(0.05, 0.05, card.width - 0.1, card.height - 0.1, color, line)
    if kit.chance(0.3):
        card.rect(0.05 + 2 * line, 0.05 + 2 * line, card.width - 0.1 - 4 * line, card.height - 0.1 - 4 * line, color,
                  0.02)
    kind = kit.pick(("sans", "serif", "mono"))
    room = card.width - 2 * inset - 0.3
    for index in range(lines):
        top = 0.1 + inset + index * size
        text = stamp_text(kit).upper()
        if kit.chance(0.15):
            text = f"{kit.pick(words.FIELD)}: ................".upper()
        wide = kit.chance(0.35)  # letters that fill the line look like bars from afar
        taken = printed(kit, card, text, card.width / 2, top, size * 0.88, color, kind, align=0.5, limit=room,
                        stretch=rng.uniform(1.0, 1.8) if wide else 1.0)
        if kit.chance(0.12) and taken:
            card.rect(0.05, top + size, card.width - 0.1, 0.02, color)
    return press(kit, card)


def seal(kit: Kit) -> Card:
    """A square or round red seal with two to six Chinese signs, cut into the red or red on white."""
    rng = kit.rng
    count = int(kit.pick((2, 4, 6), (2, 5, 1)))
    size, columns = rng.uniform(0.5, 1.1), 1 if count == 2 else 2
    signs = (kit.pick(eastern.CHINESE.institutions) + "植物標本")[:count]
    red, inverse = vary(rng, (176, 36, 34), 12), kit.chance(0.5)
    card = Card(columns * size + 0.4, count // columns * size + 0.4, kit.scale, red if inverse else (255, 255, 255))
    if not inverse:
        card.rect(0.04, 0.04, card.width - 0.08, card.height - 0.08, red, 0.08)
    for index, sign in enumerate(signs):
        column, row = divmod(index, count // columns)
        printed(kit, card, sign, 0.2 + (columns - column - 0.5) * size, 0.05 + row * size, size * 0.92,
                (255, 255, 255) if inverse else red, align=0.5)
    return press(kit, card)


def round_stamp(kit: Kit) -> Card:
    """A round stamp: a ring of words around a number, a date between rules, or an emblem. It counts as background."""
    rng = kit.rng
    color = vary(rng, kit.pick(INKS, INK_SHARES), 8)
    radius = rng.uniform(0.9, 2.6)
    card = Card(2 * radius + 0.3, 2 * radius + 0.3, kit.scale, (255, 255, 255))
    size = radius * rng.uniform(0.2, 0.32)
    middle, room = card.width / 2, radius - size * 1.7
    ring(kit, card, (radius, radius), size, rng.uniform(0.03, 0.09), color)
    kind = kit.pick(("lines", "number", "emblem", "empty"), (5, 4, 2, 1))
    if kind == "emblem":
        card.disc(middle, middle, room * 0.8, color, room * 0.12)
        card.disc(middle, middle, room * 0.35, color)
    elif kind != "empty":
        lines = int(rng.integers(2, 5)) if kind == "lines" else 1
        step = min(0.5, 1.2 * room / lines)
        for index in range(lines):
            top = middle + (index - lines / 2) * step
            text = stamp_text(kit) if kind == "lines" else words.number(kit, int(rng.integers(3, 8)))
            printed(kit, card, text, middle, top, step * 0.85, color, kit.pick(("sans", "serif", "mono")), align=0.5,
                    limit=1.7 * room)
            if kind == "lines" and kit.chance(0.4):
                card.rect(middle - room, top, 2 * room, 0.02, color)
    return press(kit, card)


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


def letterhead(kit: Kit, width: float = 26.0) -> Card:
    """A letterhead in Latin, Cyrillic, Chinese, Japanese or Korean letters. It counts as background.

    It has one to four lines, and sometimes an emblem, an accession number, and rules that reach from edge to edge.

    width: of the sheet in cm.
    """
    rng = kit.rng
    script = eastern.random_script(kit) if kit.chance(0.45) else None
    color = vary(rng, kit.pick(((28, 26, 28), (96, 92, 90), (40, 56, 120), (130, 40, 40), (40, 90, 60)),
                               (6, 2, 1.5, 1, 1)), 6)
    rules = kit.chance(0.35)
    lines, size = int(kit.pick((1, 2, 3, 4), (3, 4, 2, 1))), rng.uniform(0.35, 1.1)
    wide = width * rng.uniform(0.88, 1.0) if rules else min(rng.uniform(5, 18), width * 0.9)
    emblem = size * lines * rng.uniform(1.0, 1.6) if kit.chance(0.35) else 0.0
    aside = kit.chance(0.6)  # the emblem is beside the lines, or else above them
    top, left = (0.1, 0.1 + emblem * 1.4) if aside else (0.1 + emblem, 0.1)
    fields = int(kit.pick((0, 1, 2), (5, 2, 1)))  # lines below the letterhead: field names, or a number
    card = Card(wide, top + lines * size * 1.25 + 0.3 + fields * 0.8, kit.scale, (255, 255, 255))
    if emblem:
        x = left - emblem * 0.7 if aside else wide / 2
        card.disc(x, 0.1 + emblem / 2, emblem * 0.42, color, emblem * 0.06)
        card.disc(x, 0.1 + emblem / 2, emblem * rng.uniform(0.1, 0.3), color)
    kind, align = kit.pick(("serif", "sans"), (3, 2)), kit.pick((0.5, 0.0), (3, 1))
    spaced = kit.chance(0.3)
    y = top
    for index in range(lines):
        if script is not None and kit.chance(0.8):
            text = kit.pick(script.institutions)
        else:
            text = kit.pick((kit.pick(words.INSTITUTION), words.title(kit))).upper()
        own = size * (1.0 if index == 0 else rng.uniform(0.5, 0.9))
        printed(kit, card, " ".join(text) if spaced else text, left + (wide - left) * align, y, own, color, kind,
                align=align, limit=wide - left - 0.2)
        y += own * 1.3
    for _ in range(fields):
        if kit.chance(0.3):
            number = words.number(kit, int(rng.integers(4, 8)))
            printed(kit, card, kit.pick((number, f"No. {number}")), wide * align, y, 0.6, color, kind, align=align)
        else:
            name = kit.pick(script.fields) if script is not None else kit.pick(words.FIELD)
            taken = printed(kit, card, name, 0.2, y, 0.4, color, kind)
            card.rect(0.4 + taken, y + 0.42, wide * (1 if rules else 0.6) - taken - 0.5, 0.02, color)
        y += 0.8
    if rules:
        for at in (0.0, card.height - 0.1, card.height - 0.16)[kit.pick((0, 1)):]:
            card.rect(0, at, wide, 0.03, color)
    return ink_only(card, rng.uniform(0.4, 1.0))


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


KINDS: Table = ((stamp, 5), (note, 4), (sheet_heading, 2), (boxed_stamp, 1.2), (round_stamp, 1))
