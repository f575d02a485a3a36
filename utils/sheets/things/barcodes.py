"""Barcode stickers, and barcodes printed in labels. The symbols are real and hold the number below them."""

from __future__ import annotations

import cv2
import numpy as np
import zxingcpp

from utils.sheets.drawing import words
from utils.sheets.drawing.draw import Card, Kit, Table
from utils.sheets.drawing.fonts import text_mask
from utils.sheets.drawing.pixels import Color, vary
from utils.sheets.drawing.text import printed

FORMATS: dict[str, zxingcpp.BarcodeFormat] = {
    "Code39": zxingcpp.BarcodeFormat.Code39,
    "Code128": zxingcpp.BarcodeFormat.Code128,
    "ITF": zxingcpp.BarcodeFormat.ITF,
    "DataMatrix": zxingcpp.BarcodeFormat.DataMatrix,
    "QRCode": zxingcpp.BarcodeFormat.QRCode,
}
BLACK: Color = (18, 16, 18)


def symbol(name: str, text: str) -> np.ndarray:
    """The modules of a barcode without its quiet zone: uint8 (1, n) or (n, n), 0 for bars and 255 elsewhere."""
    image = np.array(zxingcpp.create_barcode(text, FORMATS[name]).to_image(scale=1, add_quiet_zones=False))
    return image if name in ("DataMatrix", "QRCode") else image[:1]


def random_code(kit: Kit) -> tuple[str, str]:
    """A barcode format that herbaria use, and a text that it can hold."""
    name = kit.pick(tuple(FORMATS), (4, 4, 1, 1, 0.8))
    text = words.number(kit, 2 * int(kit.rng.integers(3, 6))) if name == "ITF" else words.code(kit)
    if name == "QRCode" and kit.chance(0.5):
        text = f"https://herbarium.example.org/{text}"
    return name, text


def draw_symbol(card: Card, name: str, text: str, x: float, y: float, width: float, height: float,
                color: Color = BLACK) -> None:
    """Prints a barcode into a box. A matrix code fills the largest square at the left of the box.

    Args:
        card: the card to print on.
        name: a format in FORMATS.
        text: what the barcode says.
        x, y: top left corner of the box in cm.
        width, height: of the box in cm.
        color: of the bars.
    """
    modules = symbol(name, text)
    if len(modules) > 1:
        height = width = min(width, height)
    size = (max(2, round(width * card.scale)), max(2, round(height * card.scale)))
    fine = 255 - cv2.resize(modules, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    smaller = size[0] < fine.shape[1]
    bars = cv2.resize(fine, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_NEAREST)
    card.stain(bars, x, y, color)


def readable(name: str, text: str) -> str:
    """The note for the shape of a barcode: its format and its text."""
    return f"{name} {text}"


def sticker(kit: Kit, sheet: Color) -> Card:
    """A random barcode sticker, wholly class Barcode, mostly white or like the sheet."""
    name, text = random_code(kit)
    white = kit.pick(((252, 252, 250), (244, 243, 238), (236, 230, 214)))
    paper = vary(kit.rng, white if kit.chance(0.75) else sheet, 4)
    draw = matrix_sticker if name in ("DataMatrix", "QRCode") else linear_sticker
    return draw(kit, name, text, paper)


def linear_sticker(kit: Kit, name: str, text: str, paper: Color) -> Card:
    """A sticker with a linear code, its number and, usually, the name of an institution.

    Args:
        kit: random generator and fonts.
        name: a format in FORMATS.
        text: what the barcode says.
        paper: colour of the sticker.
    """
    rng = kit.rng
    width = rng.uniform(3.4, 6.5)
    height = width / rng.uniform(1.9, 3.4) if kit.chance(0.8) else rng.uniform(0.7, 1.2)
    ink = kit.pick((BLACK, (60, 55, 55), (150, 20, 30), (20, 30, 90)), (8, 2, 0.5, 0.5))
    above = int(kit.pick((0, 1, 2), (2, 4, 3)))
    below = kit.chance(0.9)
    bare = height < 1.2
    margin = rng.uniform(0.08, 0.3)
    room = height - 2 * margin * height / width
    line = room * rng.uniform(0.15, 0.24) if not bare else room * 0.3
    above, below = (0, below) if bare else (above, below)
    card = Card(width, height, kit.scale, paper)
    font = kit.pick(kit.fonts.files[kit.pick(("sans", "mono", "serif"), (6, 2, 1))])
    bold = kit.pick(kit.fonts.files["sans"])
    y = margin * height / width
    accent = (190, 25, 40) if kit.chance(0.08) else ink
    for _ in range(above):
        heading = kit.pick(words.INSTITUTION)
        heading = heading.upper() if kit.chance(0.6) else heading
        printed(kit, card, heading, width / 2, y, line, accent, path=bold, align=0.5, limit=width - 2 * margin)
        y += line * 1.15
    bars = height - y - (line * 1.4 if below else 0) - margin * height / width
    inset = rng.uniform(margin, width * 0.2)
    draw_symbol(card, name, text, inset, y + 0.02, width - 2 * inset, max(bars, 0.25), ink)
    if below:
        middle = kit.pick((width / 2, inset), (5, 1))
        printed(kit, card, text, middle, height - line * 1.3 - margin * 0.2, line * 1.1, accent, path=font,
                align=0.5 if middle == width / 2 else 0.0, limit=width - inset, stretch=rng.uniform(0.9, 1.4))
    finish(kit, card)
    card.mark("Barcode", note=readable(name, text))
    return card


def matrix_sticker(kit: Kit, name: str, text: str, paper: Color) -> Card:
    """A sticker with a square code, either alone, with its number along one side, or with lines of text beside it.

    Args:
        kit: random generator and fonts.
        name: a format in FORMATS.
        text: what the barcode says.
        paper: colour of the sticker.
    """
    rng = kit.rng
    height = rng.uniform(1.0, 2.2)
    kind = kit.pick(("alone", "number", "lines"), (2, 3, 5))
    alone = kind != "lines"
    width = height * {"alone": rng.uniform(1.0, 1.15), "number": rng.uniform(1.2, 1.3), "lines": rng.uniform(1.9, 3.6)
                      }[kind]
    card = Card(width, height, kit.scale, paper)
    margin = height * rng.uniform(0.08, 0.2)
    side = height - 2 * margin
    color = (170, 40, 30) if kit.chance(0.12) else BLACK
    right = not alone and kit.chance(0.3)
    draw_symbol(card, name, text, width - margin - side if right else margin, margin, side, side, color)
    if kind == "number":
        along = Card(side, width - side - 2 * margin, kit.scale, paper)
        size = min(along.height * 0.8, height * 0.14)
        printed(kit, along, text.rsplit("/", 1)[-1], side / 2, 0.0, size, BLACK, "sans", align=0.5, limit=side)
        card.put(along.turned(1), margin + side + margin * 0.5, margin)
    if not alone:
        left, room = (margin, width - 3 * margin - side) if right else (side + 2 * margin, width - 3 * margin - side)
        lines = [kit.pick(words.INSTITUTION), text.rsplit("/", 1)[-1], words.date(kit)][:int(rng.integers(1, 4))]
        for index, words_ in enumerate(lines):
            printed(kit, card, words_, left, margin + index * side / 3, side * 0.26, BLACK, "sans", limit=room)
    finish(kit, card)
    card.mark("Barcode", note=readable(name, text))
    return card


def small_slip(kit: Kit, sheet: Color) -> Card:
    """A small slip of paper with a barcode and lines of text. The whole slip is class Barcode.

    On a photograph of low resolution neither bars nor letters can be read.

    Args:
        kit: random generator and fonts.
        sheet: colour of the paper under it.
    """
    rng = kit.rng
    name, text = kit.pick(("Code39", "Code128", "ITF"), (3, 4, 1)), words.number(kit, 2 * int(rng.integers(3, 5)))
    width, height = rng.uniform(2.2, 4.0), rng.uniform(0.8, 2.1)
    light = kit.pick(((250, 250, 248), (238, 230, 208), (226, 214, 184), (222, 230, 232)), (4, 2, 1, 1))
    card = Card(width, height, kit.scale, vary(rng, light if kit.chance(0.75) else sheet, 5))
    ink = kit.pick((BLACK, (70, 66, 64), (100, 96, 92)), (5, 2, 1))
    margin, bars = 0.1, height * rng.uniform(0.3, 0.55)
    room = width - 2 * margin
    lines = [kit.pick(words.INSTITUTION), text, words.species(kit, author=False), words.date(kit)]
    lines = lines[:max(1, min(int(rng.integers(1, 5)), int((height - bars - 0.2) / 0.2)))]
    size = min((height - bars - 2 * margin - 0.05) / len(lines), 0.4)
    low, kind = kit.chance(0.5), kit.pick(("sans", "mono", "serif"), (4, 2, 1))
    top = height - margin - bars if low else margin
    side = room * rng.uniform(0.7, 1.0)
    draw_symbol(card, name, text, margin + (room - side) * kit.pick((0.0, 0.5)), top, side, bars, ink)
    y = margin if low else margin + bars + 0.05
    for index, line in enumerate(lines):
        printed(kit, card, line, width / 2, y + index * size, size * 0.9, ink, kind, align=0.5, limit=room)
    finish(kit, card)
    card.mark("Barcode", note=readable(name, text))
    return card


def on_sheet(kit: Kit, sheet: Color) -> Card:
    """A barcode printed on the sheet itself, between a heading and a number. Only the bars are class Barcode.

    Args:
        kit: random generator and fonts.
        sheet: not used: the paper shows through.
    """
    rng = kit.rng
    name, text = kit.pick(("Code39", "Code128")), words.code(kit)
    size, lines, gap = rng.uniform(0.3, 0.55), int(rng.integers(0, 4)), rng.uniform(0.05, 0.3)
    width, height, inset = rng.uniform(4.5, 7.0), rng.uniform(0.5, 1.1), rng.uniform(0.0, 1.0)
    top = lines * size * 1.2 + gap
    card = Card(width, top + height + gap + size * 1.6, kit.scale, (255, 255, 255))
    for index in range(lines):
        printed(kit, card, kit.pick(words.INSTITUTION).upper(), width / 2, index * size * 1.2, size, BLACK, "serif",
                align=0.5, limit=width)
    draw_symbol(card, name, text, inset, top, width - 2 * inset, height)
    below = kit.pick((text, f"No. {words.number(kit, 7)}"))
    printed(kit, card, below, width / 2, top + height + gap, size * 1.2, BLACK, kit.pick(("serif", "mono")), align=0.5,
            limit=width)
    card.alpha = 255 - card.image.min(2)
    card.image[:] = BLACK
    card.mark("Barcode", (inset, top, width - 2 * inset, height), readable(name, text))
    return card


def finish(kit: Kit, card: Card) -> None:
    """Gives a sticker round corners, a thin frame, both or neither."""
    if kit.chance(0.25):
        card.rect(0.04, 0.04, card.width - 0.08, card.height - 0.08, (90, 88, 86), 0.02)
    if kit.chance(0.6):
        radius = int(min(card.alpha.shape) * kit.rng.uniform(0.06, 0.2))
        card.alpha[:] = 0
        height, width = card.alpha.shape
        cv2.rectangle(card.alpha, (radius, 0), (width - radius - 1, height - 1), 255, -1)
        cv2.rectangle(card.alpha, (0, radius), (width - 1, height - radius - 1), 255, -1)
        for x in (radius, width - radius - 1):
            for y in (radius, height - radius - 1):
                cv2.circle(card.alpha, (x, y), radius, 255, -1, cv2.LINE_AA)


def in_label(kit: Kit, card: Card, x: float, y: float, width: float, height: float) -> None:
    """Prints a linear barcode with its number into a label. Only bars and number are class Barcode.

    Args:
        kit: random generator and fonts.
        card: the label.
        x, y: top left corner of the barcode in cm.
        width, height: of barcode and number in cm.
    """
    name, text = random_code(kit)
    while name in ("DataMatrix", "QRCode"):
        name, text = random_code(kit)
    line = min(0.3, height * 0.3)
    path = kit.pick(kit.fonts.files["sans"])
    limit = min(width, text_mask(text, path, line * card.scale).shape[1] / card.scale)
    draw_symbol(card, name, text, x, y, width, height - line)
    printed(kit, card, text, x + width / 2, y + height - line, line, BLACK, path=path, align=0.5, limit=limit)
    card.mark("Barcode", (x, y, width, height), readable(name, text))


KINDS: Table = ((sticker, 85), (small_slip, 10), (on_sheet, 5))


def barcode(kit: Kit, sheet: Color) -> Card:
    """A random barcode for a sheet of colour `sheet`."""
    return kit.one_of(KINDS)(kit, sheet)
