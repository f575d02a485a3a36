"""Labels with field names, rules or columns to fill in. The whole paper is class Label."""

from __future__ import annotations

import numpy as np

from utils.sheets.drawing import eastern, words
from utils.sheets.drawing.draw import Card, Kit
from utils.sheets.drawing.pixels import Color
from utils.sheets.drawing.text import Hand, handwritten, printed
from utils.sheets.things.stationery import Writer, border, ink, paper


def form(kit: Kit, color: Color) -> Card:
    """A form with printed field names and lines to write on. The values are typed or written by hand."""
    width = kit.rng.uniform(7, 13)
    card = paper(kit, width, width * kit.rng.uniform(0.45, 1.05), color)
    writer = Writer(kit, card, border(kit, card, ink(kit)), kit.rng.uniform(0.28, 0.42))
    for _ in range(int(kit.rng.integers(1, 3))):
        writer.heading(words.title(kit))
    step = writer.size * kit.rng.uniform(1.4, 2.4)
    while writer.fits(1.2):
        name = kit.pick(words.FIELD) + kit.pick((":", "", "."))
        taken = printed(kit, card, name, writer.margin, writer.y, writer.size * 0.9, writer.color,
                        path=writer.print)
        if kit.chance(0.7):
            writer.rule(writer.margin + taken + 0.1)
        top = writer.y
        if kit.chance(0.8):
            writer.line(words.phrase(kit, int(kit.rng.integers(1, 6))), taken + 0.3)
        writer.y = top + step
    return card


def ruled_form(kit: Kit, color: Color) -> Card:
    """A form whose rules reach from edge to edge of its paper, with or without columns and values."""
    rng = kit.rng
    card = paper(kit, rng.uniform(6, 14), rng.uniform(3.5, 11), color)
    tone, hand, by_hand = ink(kit), Hand.random(kit), kit.chance(0.6)
    line, head = rng.uniform(0.015, 0.06), rng.uniform(0.0, 1.6)
    size = rng.uniform(0.22, 0.4)
    if head > 0.6:
        printed(kit, card, words.title(kit).upper(), card.width / 2, 0.12, min(head * 0.45, 0.6), tone,
                kit.pick(("serif", "sans")), align=0.5, limit=card.width - 0.3)
    step = rng.uniform(0.6, 1.3)
    rows = np.arange(head, card.height - 0.3, step)
    column = card.width * rng.uniform(0.22, 0.5) if kit.chance(0.55) else 0.0
    body, values = kit.pick(("serif", "sans")), rng.uniform(0.3, 1.0)
    for index, top in enumerate(rows):
        card.rect(0, top, card.width, line, tone)
        if index and kit.chance(0.06):
            card.rect(0, top + 2 * line + 0.05, card.width, line, tone)
        taken = printed(kit, card, kit.pick(words.FIELD), 0.15, top + step * 0.2, size, tone, body,
                        limit=column - 0.2 if column else None)
        left = (column or taken + 0.15) + 0.15
        length = (card.width - left - 0.2) * rng.uniform(0.3, 1.0)
        if rng.random() < values and length > 0.5:
            if by_hand:
                handwritten(kit, card, hand, left, top + step * 0.75, min(0.25, step * 0.24), length)
            else:
                printed(kit, card, words.phrase(kit, 3), left, top + step * 0.2, size, tone, "mono", limit=length)
    if column:
        card.rect(column, head, line, card.height - head, tone)
    return card


def table(kit: Kit, color: Color) -> Card:
    """A table with ruled rows and columns and short entries."""
    card = paper(kit, kit.rng.uniform(5, 11), kit.rng.uniform(3, 8), color)
    tone, rows, columns = ink(kit), int(kit.rng.integers(3, 9)), int(kit.rng.integers(2, 6))
    left, top, width, height = 0.3, 0.8, card.width - 0.6, card.height - 1.1
    printed(kit, card, words.title(kit), card.width / 2, 0.2, 0.4, tone, "serif", align=0.5, limit=width)
    for row in range(rows + 1):
        card.rect(left, top + row * height / rows, width, 0.02, tone)
    for column in range(columns + 1):
        card.rect(left + column * width / columns, top, 0.02, height, tone)
    for row in range(rows):
        for column in range(columns):
            if kit.chance(0.75):
                text = kit.pick((words.number(kit, 3), kit.pick(words.MONTH), kit.pick(words.EPITHET)))
                printed(kit, card, text, left + (column + 0.1) * width / columns, top + (row + 0.1) * height / rows,
                        min(0.36, height / rows * 0.75), tone, "serif", limit=width / columns * 0.85)
    return card


def eastern_form(kit: Kit, color: Color) -> Card:
    """A Chinese, Japanese, Korean or Russian label: a heading, and fields in rows or, rarely, in columns of signs."""
    rng = kit.rng
    script = eastern.random_script(kit)
    card = paper(kit, rng.uniform(6, 13), rng.uniform(4, 9), color)
    margin, tone = border(kit, card, ink(kit)), ink(kit)
    size, kind = rng.uniform(0.3, 0.55), kit.pick(("serif", "sans"), (3, 2))
    room, y = card.width - 2 * margin, margin
    for heading in (kit.pick(script.institutions), words.title(kit) if kit.chance(0.4) else ""):
        if heading:
            printed(kit, card, heading, card.width / 2, y, size * 1.3, tone, kind, align=0.5, limit=room)
            y += size * 1.8
    if script in (eastern.CHINESE, eastern.JAPANESE) and kit.chance(0.2):
        for x in np.arange(card.width - margin - size, margin, -size * 1.7):
            for row, sign in enumerate(eastern.line(kit, script)):
                if y + (row + 1) * size * 1.15 < card.height - margin:
                    printed(kit, card, sign, x + size / 2, y + row * size * 1.15, size, tone, kind, align=0.5)
        return card
    hand, ruled, filled = Hand.random(kit), kit.chance(0.6), rng.uniform(0.4, 1.0)
    step = size * rng.uniform(1.45, 2.1)
    while y + step < card.height - margin * 0.6:
        x = margin
        for width in kit.pick(((room,), (room * 0.55, room * 0.45)), (2, 1)):
            name = kit.pick(script.fields) + kit.pick((" ", ":"))
            taken = printed(kit, card, name, x, y, size, tone, kind, limit=width)
            left, length = x + taken + 0.1, width - taken - 0.3
            if ruled and length > 0.3:
                card.rect(left, y + size * 1.3, length, 0.02, tone)
            if length > 1 and rng.random() < filled:
                if kit.chance(0.4):
                    handwritten(kit, card, hand, left, y + size * 1.1, size * 0.4, length * rng.uniform(0.4, 0.9))
                else:
                    printed(kit, card, eastern.line(kit, script), left, y, size, tone, kind, limit=length)
            x += width
        y += step
    return card
