"""Plants without stems or leaves of the usual kind: mosses, lichens and seaweeds; and the table of all plants."""

from __future__ import annotations

import numpy as np

from utils.sheets.drawing.draw import Kit, Table
from utils.sheets.drawing.pixels import Color, vary, wander
from utils.sheets.drawing.strokes import Drawing
from utils.sheets.growth.leaves import PRESSED
from utils.sheets.growth.species import BARK, branch, conifer, fern, grass, great_leaf, herb, tapered

LICHENS: tuple[Color, ...] = ((176, 182, 158), (150, 160, 138), (204, 206, 190), (198, 176, 92), (206, 142, 62),
                              (92, 92, 84), (122, 112, 84), (136, 146, 112))
STONES: tuple[Color, ...] = ((128, 122, 114), (96, 92, 88), (158, 146, 128), (146, 120, 96))
SEAWEEDS: tuple[Color, ...] = ((134, 48, 62), (168, 92, 106), (104, 40, 58), (82, 66, 40), (116, 94, 52),
                               (94, 122, 62), (140, 146, 86), (58, 46, 36))
MOSSES: tuple[Color, ...] = ((104, 108, 52), (128, 122, 62), (86, 92, 44), (112, 92, 54), (146, 140, 86), (70, 66, 40))


def blob(kit: Kit, middle: np.ndarray, radius: float, rough: float, corners: int = 40) -> np.ndarray:
    """A lobed outline, (corners, 2) in cm.

    Args:
        kit: random generator.
        middle: (x, y) in cm.
        radius: in cm.
        rough: depth of the lobes as a share of the radius.
        corners: number of points.
    """
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = 1 + rough * (kit.rng.normal(0, 0.5, corners) + np.cos(angle * kit.rng.integers(2, 9)))
    return middle + np.stack([np.cos(angle), np.sin(angle)], 1) * (radius * np.maximum(reach, 0.3))[:, None]


def moss(kit: Kit, drawing: Drawing, start: np.ndarray, angle: float, length: float) -> None:
    """Draws a cushion of moss, or a heap of fragments.

    Args:
        kit: random generator.
        drawing: the plant is added to it.
        start, angle, length: its foot, (x, y) in cm, its direction in radians and its length in cm.
    """
    rng = kit.rng
    tone, radius = vary(rng, kit.pick(PRESSED), 10), rng.uniform(1, 4.5)
    middle = start + np.array([np.cos(angle), np.sin(angle)]) * length * 0.4
    count = int(rng.integers(60, 260))
    for index in range(0, count, 12):
        places = middle + rng.normal(0, radius * 0.45, (12, 2))
        lines = [wander(rng, place, rng.uniform(0, 6.3), rng.uniform(0.3, 1.4), 2.5, 6) for place in places]
        drawing.lines(lines, vary(rng, tone, 20), rng.uniform(0.04, 0.2))


def moss_shoots(kit: Kit, drawing: Drawing, start: np.ndarray, angle: float, length: float) -> None:
    """Draws a mat of small leafy shoots, some with capsules on thin stalks.

    Args:
        kit: random generator.
        drawing: the plant is added to it.
        start, angle, length: its foot, (x, y) in cm, its direction in radians and its length in cm.
    """
    rng = kit.rng
    tone, spread = vary(rng, kit.pick(MOSSES), 8), min(length * 0.35, rng.uniform(1.2, 5))
    leaf, fruiting = rng.uniform(0.06, 0.25), kit.chance(0.4)
    middle = start + np.array([np.cos(angle), np.sin(angle)]) * length * 0.4
    for _ in range(int(rng.integers(12, 45))):
        turn = rng.normal(angle, 0.5) if kit.chance(0.6) else rng.uniform(0, 6.3)
        foot = middle + rng.normal(0, spread * 0.4, 2) * (1.4, 0.8)
        line = wander(rng, foot, turn, rng.uniform(0.4, 1) * min(spread, 4), 0.9, 24)
        own = vary(rng, tone, 14)
        drawing.lines([line], tuple(int(channel * 0.7) for channel in own), 0.05)
        ways = np.arctan2(*np.gradient(line, axis=0).T[::-1])
        angles = np.concatenate([ways + rng.uniform(0.4, 0.9), ways - rng.uniform(0.4, 0.9)])
        feet = np.concatenate([line, line])
        tips = feet + np.stack([np.cos(angles), np.sin(angles)], 1) * leaf * rng.uniform(0.6, 1.2, (len(feet), 1))
        drawing.lines(list(np.stack([feet, tips], 1)), own, rng.uniform(0.04, 0.09))
        if fruiting and kit.chance(0.3):
            stalk = wander(rng, line[-1], turn, rng.uniform(0.6, 2), 0.3, 6)
            drawing.lines([stalk], (120, 66, 42), 0.03)
            drawing.fill(blob(kit, stalk[-1], 0.1, 0.1, 8), (106, 72, 40))


def lichen(kit: Kit, drawing: Drawing, start: np.ndarray, angle: float, length: float) -> None:
    """Draws lobed rosettes or crusts with small discs, often on bark or stone, or a tuft of thin threads.

    Args:
        kit: random generator.
        drawing: the plant is added to it.
        start, angle, length: its foot, (x, y) in cm, its direction in radians and its length in cm.
    """
    rng = kit.rng
    heading, tone = np.array([np.cos(angle), np.sin(angle)]), vary(rng, kit.pick(LICHENS), 8)
    reach = min(length * 0.35, rng.uniform(1.5, 6))
    dark = tuple(int(channel * 0.72) for channel in tone)
    if kit.chance(0.3):
        threads(kit, drawing, start, angle, reach * 1.6, tone)
        return
    middle = start + heading * reach
    if kit.chance(0.6):
        ground = vary(rng, kit.pick(STONES + BARK), 8)
        drawing.fill(blob(kit, middle, reach * 1.25, 0.08), ground)
        specks = middle + rng.normal(0, reach * 0.5, (60, 2))
        drawing.lines([np.stack([at, at + rng.normal(0, 0.15, 2)]) for at in specks],
                      tuple(int(channel * 0.8) for channel in ground), 0.05)
    for _ in range(int(rng.integers(1, 6))):
        at, radius = middle + rng.normal(0, reach * 0.45, 2), reach * rng.uniform(0.2, 0.6)
        for share in (1.0, 0.8, 0.58, 0.35):  # lobes overlap from the margin inwards
            lobes = blob(kit, at, radius * share, 0.16, int(rng.integers(24, 60)))
            drawing.fill(lobes, vary(rng, tone, 7))
            drawing.lines([lobes], dark, 0.025, closed=True)
        discs = vary(rng, kit.pick(((70, 44, 30), (30, 28, 28), (176, 96, 40), (150, 60, 40))), 8)
        for _ in range(int(rng.integers(0, 24))):
            drawing.fill(blob(kit, at + rng.normal(0, radius * 0.35, 2), rng.uniform(0.04, 0.16), 0.05, 9), discs)


def threads(kit: Kit, drawing: Drawing, start: np.ndarray, angle: float, length: float, tone: Color) -> None:
    """Draws a tuft of thin threads that fork several times.

    Args:
        kit: random generator.
        drawing: the plant is added to it.
        start, angle, length: its foot, (x, y) in cm, its direction in radians and its length in cm.
        tone: its colour.
    """
    rng = kit.rng
    tips = [(start, angle + turn) for turn in rng.normal(0, 0.6, int(rng.integers(3, 9)))]
    for depth in range(5):
        lines, later = [], []
        for foot, way in tips:
            line = wander(rng, foot, way, length * rng.uniform(0.15, 0.3), 0.5, 6)
            lines.append(line)
            later += [(line[-1], way + turn) for turn in rng.normal(0, 0.5, 2)]
        drawing.lines(lines, vary(rng, tone, 8), 0.09 * 0.7 ** depth)
        tips = [later[index] for index in rng.permutation(len(later))[:50]]


def seaweed(kit: Kit, drawing: Drawing, start: np.ndarray, angle: float, length: float) -> None:
    """Draws a seaweed: ribbons that fork, one to three wavy blades, or fine threads.

    Args:
        kit: random generator.
        drawing: the plant is added to it.
        start, angle, length: its foot, (x, y) in cm, its direction in radians and its length in cm.
    """
    rng, tone = kit.rng, vary(kit.rng, kit.pick(SEAWEEDS), 8)
    dark = tuple(int(channel * 0.75) for channel in tone)
    kind = kit.pick(("ribbons", "blades", "threads"))
    if kind == "threads":
        for _ in range(int(rng.integers(2, 6))):
            threads(kit, drawing, start, angle + rng.normal(0, 0.4), length * rng.uniform(0.5, 1), tone)
    elif kind == "blades":
        for _ in range(int(rng.integers(1, 4))):
            line = wander(rng, start, angle + rng.normal(0, 0.3), length * rng.uniform(0.6, 1), 0.6, 40)
            half = length * rng.uniform(0.04, 0.16) * np.sin(np.pi * np.linspace(0.04, 0.97, 41)) ** 0.5
            along = np.gradient(line, axis=0)
            across = along[:, ::-1] * (-1, 1) / np.linalg.norm(along, axis=1, keepdims=True)
            wave = half[:, None] * (1 + 0.18 * np.sin(np.linspace(0, rng.uniform(20, 70), 41))[:, None])
            drawing.fill(np.concatenate([line + across * wave, (line - across * wave)[::-1]]), vary(rng, tone, 10))
            drawing.vein([line + across * wave * share for share in (-0.5, 0.0, 0.4)], dark, 0.05)
    else:
        width, tips = rng.uniform(0.15, 0.9), [(start, angle)]
        for _ in range(int(rng.integers(5, 8))):
            later = []
            for foot, way in tips:
                line = wander(rng, foot, way, length * rng.uniform(0.1, 0.2), 0.3, 8)
                drawing.fill(tapered(line, width, width * 0.9), vary(rng, tone, 6))
                drawing.vein([line], dark, 0.04)
                later += [(line[-1], way + turn * rng.uniform(0.5, 1.3)) for turn in (-0.35, 0.35)]
            tips, width = [later[index] for index in rng.permutation(len(later))[:40]], width * 0.86


STEMLESS: Table = ((moss, 3), (moss_shoots, 4), (lichen, 5))  # for packets
PLANTS: Table = (
    (branch, 10), (herb, 5), (grass, 4), (fern, 2.5), (conifer, 1), (great_leaf, 2), (moss, 0.8), (moss_shoots, 0.4),
    (lichen, 0.5), (seaweed, 0.7),
)
