"""Labels: papers on the sheet that have text, or were made for text. The whole paper is class Label."""

from __future__ import annotations

import numpy as np

from utils.sheets.drawing import words
from utils.sheets.drawing.draw import Card, Kit, Maker, Shape, Table
from utils.sheets.drawing.pixels import Color, vary, wander
from utils.sheets.drawing.text import Hand, handwritten, printed
from utils.sheets.things import barcodes
from utils.sheets.things.forms import eastern_form, form, ruled_form, table
from utils.sheets.things.stationery import Writer, border, censor, ink, paper, paper_color, torn


def collection(kit: Kit, color: Color) -> Card:
    """A collection label: heading, name, place, collector and date."""
    width = kit.rng.uniform(6.5, 13.5)
    card = paper(kit, width, width * kit.rng.uniform(0.4, 0.8), color)
    writer = Writer(kit, card, border(kit, card, ink(kit)), kit.rng.uniform(0.26, 0.44))
    for _ in range(int(kit.rng.integers(1, 4))):
        writer.heading(words.title(kit))
    writer.y += writer.size * kit.rng.uniform(0, 1.2)
    printed(kit, card, words.species(kit), writer.margin, writer.y, writer.size * 1.15, writer.color,
            kit.pick(("italic", "serif")), limit=writer.room)
    writer.y += writer.size * 1.7
    for _ in range(int(kit.rng.integers(1, 9))):
        if writer.fits(3):
            writer.line(words.phrase(kit, int(kit.rng.integers(4, 12))), kit.rng.choice([0.0, 0.3]))
    writer.y = max(writer.y, card.height - writer.margin - writer.size * 2.6)
    writer.line(f"{kit.pick(words.PERSON)}  {words.number(kit, 4)}")
    writer.y -= writer.size * 1.2
    writer.line(words.date(kit), card.width * 0.5, align=1.0)
    if writer.fits(1) and kit.chance(0.5):
        printed(kit, card, kit.pick(words.INSTITUTION).upper(), card.width / 2, writer.y, writer.size * 0.8,
                writer.color, "sans", align=0.5, limit=writer.room)
    return card


def slip(kit: Kit, color: Color) -> Card:
    """A small slip with a determination or a note, of a few lines."""
    card = paper(kit, kit.rng.uniform(3, 11), kit.rng.uniform(0.8, 4.2), color)
    size = min(kit.rng.uniform(0.24, 0.55), card.height * 0.4)
    writer = Writer(kit, card, min(border(kit, card, ink(kit)), card.height * 0.2), size)
    if kit.chance(0.5) and writer.fits(2):
        writer.heading(kit.pick((words.title(kit), "ANNOTATION LABEL", "Revisio", "Determinavit", "TYPE SPECIMEN OF:")))
    while writer.fits():
        writer.line(kit.pick((words.species(kit), f"Det. {kit.pick(words.PERSON)}", words.date(kit),
                              words.phrase(kit, 4))))
    return card


def letter(kit: Kit, color: Color) -> Card:
    """A field note or letter, all by hand and sometimes on ruled paper, or a printed page of small text."""
    width = kit.rng.uniform(5, 11)
    card = paper(kit, width, width * kit.rng.uniform(0.6, 1.5), color)
    writer = Writer(kit, card, kit.rng.uniform(0.2, 0.8), kit.rng.uniform(0.2, 0.7))
    writer.by_hand = kit.chance(0.7)
    if not writer.by_hand:
        writer.size = min(writer.size, 0.34)
    elif kit.chance(0.3):
        line = tuple(int(channel * 0.85) for channel in color[:2]) + color[2:]
        for y in np.arange(kit.rng.uniform(0.5, 2), card.height, kit.rng.uniform(0.5, 0.9)):
            card.rect(0, y, card.width, 0.02, line)
    while writer.fits():
        writer.line(words.phrase(kit, int(writer.room / writer.size * 0.4)))
    return card


def typed_strip(kit: Kit, color: Color) -> Card:
    """One or two lines, typed or printed, cut out close to the words."""
    size, lines = kit.rng.uniform(0.26, 0.5), int(kit.pick((1, 2), (3, 1)))
    tone, kind = ink(kit), kit.pick(("mono", "serif", "sans"), (3, 2, 1))
    margin = kit.rng.uniform(0.1, 0.5)
    card = paper(kit, kit.rng.uniform(3, 9), lines * size * 1.3 + 2 * margin, color)
    for index in range(lines):
        text = kit.pick((words.species(kit), words.title(kit), kit.pick(words.PERSON), words.phrase(kit, 4),
                         f"No. {words.number(kit, 6)}"))
        printed(kit, card, text.upper() if kit.chance(0.4) else text, card.width / 2, margin + index * size * 1.3, size,
                tone, kind, align=0.5, limit=card.width - 0.3)
    return card


def number_tag(kit: Kit, color: Color) -> Card:
    """A very small paper with a number or a few words, sometimes in a frame."""
    card = paper(kit, kit.rng.uniform(1.5, 4.5), kit.rng.uniform(0.7, 1.8), color)
    if kit.chance(0.4):
        card.rect(0.08, 0.08, card.width - 0.16, card.height - 0.16, ink(kit), 0.03)
    text = kit.pick((words.number(kit), kit.pick(words.STAMP), kit.pick(words.GENUS).upper(),
                     f"No. {words.number(kit, 4)}"))
    size = card.height * kit.rng.uniform(0.35, 0.65)
    printed(kit, card, text, card.width / 2, card.height / 2 - size * 0.6, size, ink(kit),
            kit.pick(("sans", "serif", "mono")), align=0.5, limit=card.width * 0.85)
    return card


def type_label(kit: Kit, color: Color) -> Card:
    """A label that marks a type specimen: often red, with the word in large letters."""
    ground = vary(kit.rng, kit.pick(((196, 50, 40), (226, 90, 60), (240, 232, 212), (236, 120, 130))), 10)
    card = paper(kit, kit.rng.uniform(3, 8), kit.rng.uniform(1.2, 4.5), ground)
    printed(kit, card, kit.pick(("TYPE", "HOLOTYPE", "ISOTYPE", "TYPUS", "PARATYPE")), card.width / 2,
            card.height * 0.12, min(card.height * 0.4, 0.9), (25, 20, 20), kit.pick(("sans", "serif")), align=0.5,
            limit=card.width * 0.9)
    if card.height > 2:
        hand = Hand.random(kit)
        for row in (0.65, 0.88):
            handwritten(kit, card, hand, 0.4, card.height * row, 0.22, card.width * kit.rng.uniform(0.4, 0.8))
    return card


def map_label(kit: Kit, color: Color) -> Card:
    """A printed outline map with marked places, a frame and a line of text."""
    card = paper(kit, kit.rng.uniform(5, 10), kit.rng.uniform(4, 9), color)
    tone, middle = ink(kit), np.array([card.width, card.height * 0.9]) / 2
    card.rect(0.3, 0.3, card.width - 0.6, card.height * 0.8, tone, 0.04)
    angle = np.linspace(0, 2 * np.pi, 80)
    wave = sum(kit.rng.normal(0, 0.25 / k) * np.cos(k * angle + kit.rng.uniform(0, 6)) for k in range(1, 9))
    coast = np.stack([np.cos(angle), np.sin(angle) * 0.8], 1) * (0.7 + 0.4 * wave)[:, None]
    card.line(middle + coast * (card.width * 0.36, card.height * 0.36), tone, 0.03, closed=True)
    for _ in range(int(kit.rng.integers(2, 7))):
        start = middle + kit.rng.uniform(-0.3, 0.3, 2) * (card.width, card.height * 0.7)
        card.line(wander(kit.rng, start, kit.rng.uniform(0, 6.3), card.width * 0.2, 2.0), tone, 0.015)
        card.disc(*start, 0.09, kit.pick((tone, (180, 30, 30))))
    printed(kit, card, words.title(kit), card.width / 2, card.height * 0.86, 0.36, tone, "serif", align=0.5,
            limit=card.width * 0.9)
    return card


def half_blank(kit: Kit, color: Color) -> Card:
    """A label with one to four lines at the top, one or two at the foot, or both. The rest is empty."""
    width = kit.rng.uniform(5, 13)
    card = paper(kit, width, width * kit.rng.uniform(0.35, 1.0), color)
    writer = Writer(kit, card, border(kit, card, ink(kit)), kit.rng.uniform(0.26, 0.44))
    for end in kit.pick((("top",), ("foot",), ("top", "foot")), (3, 2, 2)):
        lines = int(kit.rng.integers(1, 5 if end == "top" else 3))
        if end == "foot":
            writer.y = max(writer.y, card.height - writer.margin - lines * writer.size * 1.4)
        for _ in range(lines):
            if not writer.fits(0.9):
                break
            if kit.chance(0.5 if end == "top" else 0.2):
                writer.heading(words.title(kit))
            else:
                writer.line(kit.pick((words.species(kit), kit.pick(words.PERSON), words.date(kit),
                                      words.phrase(kit, 5))))
    return card


def tag(kit: Kit, color: Color) -> Card:
    """A tie-on tag: a small card with a hole and a string. Only the card is class Label, not the string."""
    rng = kit.rng
    width, height = rng.uniform(3.0, 6.5), rng.uniform(1.8, 3.2)
    papers = ((222, 200, 152), (236, 224, 196), (240, 240, 236), (208, 208, 200))
    ground = color if kit.chance(0.5) else vary(rng, kit.pick(papers), 6)
    card = paper(kit, width + 2, height, ground)  # two centimetres at the left are for the string
    cut = height * rng.uniform(0.15, 0.35)
    turn = np.linspace(np.pi / 2, np.pi * 3 / 2, 12)
    left = kit.pick((((2 + cut, height), (2, height - cut), (2, cut), (2 + cut, 0)), ((2, height), (2, 0)),
                     (2, 0) + (1 + np.stack([np.cos(turn), np.sin(turn)], 1)) * height / 2), (4, 2, 2))
    outline = np.array([*left, (width + 2, 0), (width + 2, height)])
    card.cut(outline)
    card.shapes.append(Shape("Label", outline * card.scale))
    hole = np.array([2.45, height / 2])
    if kit.chance(0.7):
        card.disc(*hole, 0.26, vary(rng, (190, 90, 60), 20))
    card.disc(*hole, 0.12, (60, 54, 48))
    string = Card(width + 2, height, kit.scale, (0, 0, 0))
    for _ in range(2):
        string.line(wander(rng, hole, rng.uniform(2.6, 3.7), 2.4, 1.2), (255, 255, 255), 0.05)
    card.image[string.image[..., 0] > 127] = vary(rng, kit.pick(((230, 226, 214), (170, 150, 110), (120, 30, 30))), 8)
    card.alpha = np.maximum(card.alpha, string.image[..., 0])
    hand, tone, by_hand = Hand.random(kit), ink(kit), kit.chance(0.6)
    for row in np.linspace(0.35, 0.85, int(kit.pick(range(4), (2, 1, 1, 1)))):
        if by_hand:
            handwritten(kit, card, hand, 3.0, height * row, 0.2, (width - 1.4) * rng.uniform(0.5, 1.0))
        else:
            text = kit.pick((kit.pick(words.INSTITUTION), f"No. {words.number(kit, 5)}", words.species(kit)))
            printed(kit, card, text, 3.0, height * row - 0.4, 0.4, tone, "serif", limit=width - 1.4)
    return card


def blank(kit: Kit, color: Color) -> Card:
    """A slip whose text has faded or was never written. It has at most a heading or a line by hand."""
    card = paper(kit, kit.rng.uniform(3, 9), kit.rng.uniform(1.5, 6), color)
    what = kit.pick(("heading", "hand", "nothing"), (5, 3, 2))
    if what == "heading":
        writer = Writer(kit, card, border(kit, card, ink(kit)), 0.35)
        writer.heading(words.title(kit))
    elif what == "hand":
        handwritten(kit, card, Hand.random(kit), 0.5, card.height * 0.6, 0.25, card.width * 0.5)
    return card


def boxed(kit: Kit, color: Color) -> Card:
    """A slip with only a word or two, in a frame near its middle."""
    card = paper(kit, kit.rng.uniform(4, 10), kit.rng.uniform(1.8, 5), color)
    width, height = kit.rng.uniform(0.35, 0.75) * card.width, kit.rng.uniform(0.25, 0.5) * card.height
    x, y = (card.width - width) * kit.rng.uniform(0.3, 0.7), (card.height - height) * kit.rng.uniform(0.3, 0.7)
    tone = ink(kit)
    card.rect(x, y, width, height, tone, 0.03)
    text = kit.pick((*words.STAMP, "Type Specimen", "TYPE", words.number(kit)))
    printed(kit, card, text, x + width / 2, y + height * 0.2, height * 0.55, tone, kit.pick(("serif", "sans", "mono")),
            align=0.5, limit=width * 0.9)
    return card


KINDS: Table = (
    (collection, 10), (form, 5), (slip, 8), (letter, 2), (number_tag, 1.5), (type_label, 1), (map_label, 0.7),
    (table, 0.5), (eastern_form, 1.5), (ruled_form, 1.5), (blank, 1.6), (half_blank, 3.5), (tag, 2.2), (boxed, 1.0),
    (typed_strip, 2.5),
)
MAIN = (collection, form, ruled_form, eastern_form, letter, half_blank)


def finished(kit: Kit, kind: Maker, sheet: Color) -> Card:
    """A label of that kind for a sheet of colour `sheet`, marked whole unless the kind marks its own outline."""
    card = kind(kit, paper_color(kit, sheet))
    if not card.shapes:
        card.mark("Label")
    return card


def label(kit: Kit, sheet: Color, main: bool) -> Card:
    """A random label for a sheet of colour `sheet`. `main`: the large label that every sheet has."""
    kind = kit.one_of([(kind, weight) for kind, weight in KINDS if not main or kind in MAIN])
    card = finished(kit, kind, sheet)
    if kind is tag:  # it has an outline of its own
        return card
    if kit.chance(0.06) and card.width > 5 and card.height > 3:
        censor(kit, card)
    if kit.chance(0.05) and card.width > 6 and card.height > 4:
        width = kit.rng.uniform(2.5, 4.5)
        ground = Card(width + 0.3, 1.5, kit.scale, card.image[5, 5])
        barcodes.in_label(kit, ground, 0.15, 0.1, width, kit.rng.uniform(0.9, 1.3))
        card.put(ground, kit.rng.uniform(0.3, card.width - width - 0.5), kit.rng.uniform(0.3, card.height - 1.8))
    elif kit.chance(0.1):
        torn(kit, card)
    return card
