"""Plants with stems: branches, herbs with roots, grasses, ferns, conifers and great leaves."""

from __future__ import annotations

import numpy as np

from utils.sheets.drawing.draw import Kit
from utils.sheets.drawing.pixels import Color, vary, wander
from utils.sheets.drawing.strokes import Drawing
from utils.sheets.growth.leaves import PRESSED, LeafKind, draw_leaf

BARK: tuple[Color, ...] = ((88, 66, 46), (70, 54, 42), (110, 90, 66), (124, 112, 92), (60, 46, 38), (132, 116, 70))
PETALS: tuple[Color, ...] = ((214, 176, 60), (190, 150, 90), (150, 70, 90), (120, 80, 130), (226, 214, 190),
                             (170, 90, 50), (110, 60, 50), (200, 120, 110), (160, 140, 100))


def tapered(line: np.ndarray, first: float, last: float) -> np.ndarray:
    """The outline (2n, 2) of a stroke along `line` that is `first` cm wide at its start and `last` cm at its end."""
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1) / np.maximum(np.linalg.norm(along, axis=1), 1e-9)[:, None]
    half = np.linspace(first, last, len(line))[:, None] / 2
    return np.concatenate([line + across * half, (line - across * half)[::-1]])


def stem(kit: Kit, drawing: Drawing, line: np.ndarray, width: float, color: Color) -> None:
    """Draws a stem that gets thinner, with a light and a dark side.

    Args:
        kit: random generator.
        drawing: the stem is added to it.
        line: its course, (n, 2) in cm.
        width: at its foot, in cm.
        color: of the light side.
    """
    if width * drawing.scale < 1.6:
        drawing.lines([line], color, width)
        return
    dark = tuple(int(channel * 0.7) for channel in color)
    drawing.fill(tapered(line, width, width * 0.5), color)
    drawing.lines([line + (width * 0.22, width * 0.1)], dark, width * 0.3)
    if width > 0.25:
        for _ in range(int(len(line) * width * 4)):
            at = line[int(kit.rng.integers(len(line)))] + kit.rng.normal(0, width * 0.2, 2)
            drawing.vein([np.stack([at, at + kit.rng.normal(0, width * 0.5, 2)])], dark, 0.03)


def flower(kit: Kit, drawing: Drawing, middle: np.ndarray, size: float, color: Color, petals: int) -> None:
    """Draws a flower head: petals around a disc.

    Args:
        kit: random generator.
        drawing: the flower is added to it.
        middle: (x, y) in cm.
        size: diameter in cm.
        color: of the petals.
        petals: their number.
    """
    rng = kit.rng
    turn = rng.uniform(0, 6.3)
    t = np.linspace(0, 2 * np.pi, 10)
    for index in range(petals):
        angle = turn + index * 2 * np.pi / petals + rng.normal(0, 0.1)
        heading = np.array([np.cos(angle), np.sin(angle) * 0.85])
        across = np.array([-heading[1], heading[0]])
        width = size * min(0.22, 1.6 / petals)
        length = size * rng.uniform(0.38, 0.5)
        outline = middle + heading * length * (0.5 + 0.5 * np.cos(t))[:, None] + across * (width * np.sin(t))[:, None]
        tone = vary(rng, color, 10)
        drawing.fill(outline, tone)
        drawing.lines([outline], tuple(int(channel * 0.75) for channel in tone), 0.015, True)
    disc = middle + np.stack([np.cos(t), np.sin(t)], 1) * size * rng.uniform(0.08, 0.2)
    drawing.fill(disc, vary(rng, (96, 70, 40), 12))


def roots(kit: Kit, drawing: Drawing, start: np.ndarray, size: float) -> None:
    """Draws a tuft of roots.

    Args:
        kit: random generator.
        drawing: the roots are added to it.
        start: their top, (x, y) in cm.
        size: length in cm.
    """
    color = vary(kit.rng, kit.pick(((84, 62, 42), (120, 98, 66), (58, 46, 38))), 8)
    count = int(kit.rng.integers(6, 45))
    lines = [wander(kit.rng, start + kit.rng.normal(0, 0.15, 2), kit.rng.normal(np.pi / 2, 0.6),
                    size * kit.rng.uniform(0.3, 1.1), 1.6) for _ in range(count)]
    drawing.lines(lines, color, kit.rng.uniform(0.015, 0.07))


def branch(kit: Kit, drawing: Drawing, start: np.ndarray, angle: float, length: float) -> None:
    """Draws a leafy branch with side branches, and flowers or fruits at their ends.

    Args:
        kit: random generator.
        drawing: the plant is added to it.
        start, angle, length: its foot, (x, y) in cm, its direction in radians and its length in cm.
    """
    rng = kit.rng
    kind = LeafKind.random(kit)
    leaf = np.clip(rng.lognormal(1.0, 0.6), 0.6, 11)
    wood, width = vary(rng, kit.pick(BARK), 8), rng.uniform(0.1, 0.55)
    space = leaf * rng.uniform(0.25, 0.7)
    opposite, pitch = kit.chance(0.4), rng.uniform(0.5, 1.2)
    head = kit.pick(("none", "flower", "berries", "tuft"), (5, 3, 1.5, 1.5))
    petal, size, petals = vary(rng, kit.pick(PETALS), 10), rng.uniform(0.4, 2.4), int(rng.integers(4, 22))

    def tip(at: np.ndarray) -> None:
        """Draws a flower, berries, a tuft or nothing."""
        if head == "flower":
            flower(kit, drawing, at, size, petal, petals)
        elif head == "berries":
            for _ in range(int(rng.integers(2, 8))):
                where = at + rng.normal(0, 0.5, 2)
                drawing.lines([np.stack([at, where])], wood, 0.03)
                t = np.linspace(0, 6.3, 12)
                drawing.fill(where + np.stack([np.cos(t), np.sin(t)], 1) * size * 0.14, vary(rng, (56, 40, 38), 12))
        elif head == "tuft":
            ends = at + rng.normal(0, size * 0.4, (25, 2))
            drawing.lines([np.stack([at, end]) for end in ends], petal, 0.03)

    def grow(at: np.ndarray, heading: float, reach: float, thick: float, depth: int) -> None:
        """Draws a branch and all that grows on it.

        Args:
            at: its foot, (x, y) in cm.
            heading: direction in radians.
            reach: length in cm.
            thick: width in cm.
            depth: how many times it may divide.
        """
        line = wander(rng, at, heading, reach, rng.uniform(0.2, 0.9))
        stem(kit, drawing, line, thick, wood)
        gaps = np.arange(0.15 * reach, reach, max(space, 0.25))
        for index, distance in enumerate(gaps):
            share = distance / reach * (len(line) - 1)
            here, going = line[int(share)], line[min(int(share) + 1, len(line) - 1)] - line[int(share)]
            forward = np.arctan2(going[1], going[0])
            for side in ((-1, 1) if opposite else (1 if index % 2 else -1,)):
                if depth and rng.random() < 0.25:
                    grow(here, forward + side * rng.uniform(0.3, 0.8), reach * rng.uniform(0.3, 0.6), thick * 0.6,
                         depth - 1)
                elif rng.random() < 0.9:
                    draw_leaf(kit, drawing, kind, here, forward + side * pitch + rng.normal(0, 0.15),
                              leaf * rng.uniform(0.6, 1.1))
        tip(line[-1])

    grow(start, angle, length, width, int(kit.pick((0, 1, 2), (2, 4, 2))))


def herb(kit: Kit, drawing: Drawing, start: np.ndarray, angle: float, length: float) -> None:
    """Draws a small plant with roots, a rosette and some flower stalks.

    Args:
        kit: random generator.
        drawing: the plant is added to it.
        start, angle, length: its foot, (x, y) in cm, its direction in radians and its length in cm.
    """
    rng = kit.rng
    kind, green = LeafKind.random(kit), vary(rng, kit.pick(PRESSED), 10)
    roots(kit, drawing, start, length * rng.uniform(0.1, 0.3))
    petal, size, petals = vary(rng, kit.pick(PETALS), 12), rng.uniform(0.5, 2.5), int(rng.integers(5, 26))
    for _ in range(int(rng.integers(3, 12))):
        draw_leaf(kit, drawing, kind, start, angle + rng.normal(0, 0.9), length * rng.uniform(0.2, 0.45))
    for _ in range(int(rng.integers(1, 6))):
        line = wander(rng, start, angle + rng.normal(0, 0.25), length * rng.uniform(0.6, 1), 0.5)
        stem(kit, drawing, line, rng.uniform(0.06, 0.2), green)
        for share in rng.uniform(0.2, 0.8, int(rng.integers(0, 5))):
            draw_leaf(kit, drawing, kind, line[int(share * 14)], angle + rng.choice([-0.7, 0.7]), length * 0.12)
        flower(kit, drawing, line[-1], size, petal, petals)


def grass(kit: Kit, drawing: Drawing, start: np.ndarray, angle: float, length: float) -> None:
    """Draws a tuft of grass or sedge with long blades, culms with ears, and roots.

    Args:
        kit: random generator.
        drawing: the plant is added to it.
        start, angle, length: its foot, (x, y) in cm, its direction in radians and its length in cm.
    """
    rng = kit.rng
    tone = vary(rng, kit.pick(((150, 140, 86), (122, 120, 66), (176, 160, 110), (104, 102, 62))), 10)
    width = rng.uniform(0.06, 0.5)
    roots(kit, drawing, start, length * rng.uniform(0.05, 0.15))
    spread = rng.uniform(0.1, 0.4)
    for _ in range(int(rng.integers(5, 50))):
        foot = start + (rng.normal(0, 0.04 * length), 0)
        line = wander(rng, foot, angle + rng.normal(0, spread), length * rng.uniform(0.4, 1), 0.9, 24)
        color = vary(rng, tone, 14)
        if width * drawing.scale > 2:
            drawing.fill(tapered(line, width, 0.01), color)
            drawing.vein([line], tuple(int(channel * 0.85) for channel in color), 0.02)
        else:
            drawing.lines([line], color, width)
    ear, grain_length, dense = rng.uniform(0.15, 0.4), rng.uniform(0.25, 0.8), kit.chance(0.5)
    loose = rng.uniform(0.5, 2.5)
    for _ in range(int(rng.integers(1, 9))):
        line = wander(rng, start, angle + rng.normal(0, spread * 0.6), length * rng.uniform(0.7, 1.05), 0.4, 50)
        drawing.lines([line], tone, 0.07)
        first = int(50 * (1 - ear))
        going = line[-1] - line[first]
        forward = np.arctan2(going[1], going[0])
        for index in range(first, 50):
            turn = forward + rng.choice([-1, 1], 3) * (0.35 if dense else rng.uniform(0.3, 1.0, 3))
            way = np.stack([np.cos(turn), np.sin(turn)], 1)
            reach = 0.0 if dense else loose * (1.1 - (index - first) / (50 - first))
            feet = line[index] + way * reach * rng.uniform(0, 1, (3, 1))
            if not dense:
                drawing.lines([np.array([line[index], foot]) for foot in feet], tone, 0.025)
            seeds = [np.array([foot, foot + step * grain_length]) for foot, step in zip(feet, way)]
            drawing.lines(seeds, vary(rng, tone, 16), 0.08)


def fern(kit: Kit, drawing: Drawing, start: np.ndarray, angle: float, length: float) -> None:
    """Draws the fronds of a fern with one root.

    Args:
        kit: random generator.
        drawing: the plant is added to it.
        start, angle, length: its foot, (x, y) in cm, its direction in radians and its length in cm.
    """
    rng = kit.rng
    tone = vary(rng, kit.pick(((84, 92, 48), (106, 96, 54), (66, 72, 44), (120, 104, 62))), 8)
    kind = LeafKind(shape="blade", width=rng.uniform(0.1, 0.25), belly=0.8, teeth=0, tooth=0.0,
                    lobes=int(rng.integers(6, 16)), lobe=rng.uniform(0.3, 0.75), veins=6, stalk=0.0, color=tone,
                    spread=7.0, holes=0.0)
    roots(kit, drawing, start, length * 0.15)
    pairs, wide = int(rng.integers(9, 24)), rng.uniform(0.2, 0.4)
    for _ in range(int(rng.integers(1, 6))):
        line = wander(rng, start, angle + rng.normal(0, 0.35), length * rng.uniform(0.6, 1), 0.5, 40)
        drawing.lines([line], tuple(int(channel * 0.7) for channel in tone), 0.09)
        for share in np.linspace(0.22, 0.99, pairs):
            index = int(share * 39)
            going = line[index + 1] - line[index]
            forward = np.arctan2(going[1], going[0])
            reach = length * wide * np.sin(np.pi * (0.25 + 0.75 * share)) ** 0.9 + 0.15
            for side in (-1, 1):
                draw_leaf(kit, drawing, kind, line[index], forward + side * 1.15, reach)


def conifer(kit: Kit, drawing: Drawing, start: np.ndarray, angle: float, length: float) -> None:
    """Draws twigs with many needles.

    Args:
        kit: random generator.
        drawing: the plant is added to it.
        start, angle, length: its foot, (x, y) in cm, its direction in radians and its length in cm.
    """
    rng = kit.rng
    tone, needle, pitch = vary(rng, kit.pick(PRESSED[:8]), 8), rng.uniform(0.5, 4), rng.uniform(0.3, 1.0)
    for _ in range(int(rng.integers(1, 5))):
        line = wander(rng, start, angle + rng.normal(0, 0.4), length * rng.uniform(0.5, 1), 0.6, 60)
        stem(kit, drawing, line, rng.uniform(0.15, 0.5), vary(rng, kit.pick(BARK), 6))
        for first, second in zip(line[4:-1], line[5:]):
            forward = np.arctan2(*(second - first)[::-1])
            angles = forward + rng.choice([-1, 1], 8) * pitch + rng.normal(0, 0.2, 8)
            ends = first + np.stack([np.cos(angles), np.sin(angles)], 1) * needle * rng.uniform(0.6, 1, (8, 1))
            drawing.lines([np.stack([first, end]) for end in ends], vary(rng, tone, 14), 0.07)


def great_leaf(kit: Kit, drawing: Drawing, start: np.ndarray, angle: float, length: float) -> None:
    """Draws one or two leaves that fill much of the sheet.

    Args:
        kit: random generator.
        drawing: the plant is added to it.
        start, angle, length: its foot, (x, y) in cm, its direction in radians and its length in cm.
    """
    for _ in range(int(kit.rng.integers(1, 3))):
        kind = LeafKind.random(kit)
        draw_leaf(kit, drawing, kind, start + kit.rng.normal(0, 1.5, 2), angle + kit.rng.normal(0, 0.25),
                  length * kit.rng.uniform(0.7, 0.95))
