"""Leaves of a pressed plant, with outlines, veins and holes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from utils.sheets.drawing.draw import Kit
from utils.sheets.drawing.pixels import Color, vary
from utils.sheets.drawing.strokes import Drawing

PRESSED: tuple[Color, ...] = ((94, 98, 52), (72, 80, 42), (112, 104, 58), (126, 108, 62), (104, 76, 46), (84, 58, 38),
                              (64, 50, 38), (140, 122, 72), (58, 66, 44), (122, 128, 84), (150, 142, 104),
                              (100, 92, 74), (46, 40, 34), (86, 116, 60), (176, 158, 104), (108, 112, 98))


class Pattern(NamedTuple):
    """A bent leaf of length 1: its points (n, 2), and the slices for margin, half a blade, midrib and side veins."""

    points: np.ndarray
    margin: slice
    half: slice
    midrib: slice
    side: slice


@dataclass(frozen=True)
class LeafKind:
    """The leaves of one species."""

    shape: str  # "blade" or "palm"
    width: float  # half width as a share of the length
    belly: float  # below 1: widest near the stalk, above 1: near the tip
    teeth: int  # teeth on the whole margin, 0 for none
    tooth: float  # depth of a tooth as a share of the width
    lobes: int
    lobe: float  # depth of the lobes, 0 to 0.8
    veins: int
    stalk: float  # cm per cm of leaf
    color: Color
    spread: float  # how much leaves differ in colour
    holes: float  # share of leaves with holes
    patterns: dict[tuple[int, int], Pattern] = field(default_factory=dict)  # those made so far

    @classmethod
    def random(cls, kit: Kit) -> LeafKind:
        """The leaves of a random species."""
        rng = kit.rng
        palm = kit.chance(0.2)
        lobed = kit.chance(0.3)
        return cls(
            shape="palm" if palm else "blade",
            width=rng.uniform(0.05, 0.5) if not palm else rng.uniform(0.7, 1.1),
            belly=rng.uniform(0.6, 1.4),
            teeth=int(rng.integers(12, 50)) if kit.chance(0.45) else 0,
            tooth=rng.uniform(0.03, 0.16),
            lobes=int(rng.integers(3, 8)) if palm or lobed else 0,
            lobe=rng.uniform(0.25, 0.75) if palm or lobed else 0.0,
            veins=int(rng.integers(4, 14)),
            stalk=rng.uniform(0.0, 0.5),
            color=vary(rng, kit.pick(PRESSED), 14),
            spread=rng.uniform(4, 16),
            holes=rng.uniform(0, 0.25) if kit.chance(0.4) else 0.0,
        )


def outline(kit: Kit, kind: LeafKind, count: int) -> np.ndarray:
    """The margin of a leaf of length 1, about `count` points (n, 2), from the stalk (0, 0) to the tip and back."""
    if kind.shape == "palm":
        angle = np.linspace(-np.pi * 0.92, np.pi * 0.92, count)
        lobes = np.abs(np.cos(angle * kind.lobes / 2)) ** 0.8
        radius = 0.5 * (1 - kind.lobe * (1 - lobes)) * (1.0 - 0.25 * np.abs(angle) / np.pi)
        radius *= 1 + kind.tooth * 0.6 * (np.abs(angle * kind.teeth / 4) % 1) * (kind.teeth > 0)
        points = np.stack([np.cos(angle) * radius + 0.42, np.sin(angle) * radius * kind.width], 1)
        return np.concatenate([[[0.12, 0.0]], points])
    t = np.linspace(0, 1, count // 2)
    half = np.sin(np.pi * t ** kind.belly) ** 0.85 * kind.width
    half *= 1 - kind.lobe * (0.5 - 0.5 * np.cos(2 * np.pi * kind.lobes * t)) * (t < 0.97)
    if kind.teeth:
        half *= 1 + kind.tooth * ((t * kind.teeth / 2) % 1 - 0.5)
    wave = kit.rng.normal(0, 0.02, len(t)) * kind.width
    upper = np.stack([t, half + wave], 1)
    lower = np.stack([t, -half * kit.rng.uniform(0.85, 1.1)], 1)
    return np.concatenate([upper, lower[::-1]])


def bend(points: np.ndarray, curve: float) -> np.ndarray:
    """`points` of a leaf of length 1, with its midrib bent into an arc of `curve` radians."""
    angle, radius = points[:, 0] * curve, 1 / curve
    bent = np.empty_like(points)
    bent[:, 0] = np.sin(angle) * (radius - points[:, 1])
    bent[:, 1] = radius - np.cos(angle) * (radius - points[:, 1])
    return bent


def ribs(kind: LeafKind) -> np.ndarray:
    """The side veins of a leaf of length 1, (n, 3, 2): three points each."""
    if kind.shape == "palm":
        angle = np.linspace(-2.2, 2.2, kind.lobes)
        ends = np.stack([0.42 + 0.4 * np.cos(angle), np.sin(angle) * 0.4 * kind.width], 1)
        first = np.broadcast_to((0.12, 0.0), ends.shape)
        return np.stack([first, (first + ends) / 2, ends], 1)
    foot = np.repeat(np.linspace(0.06, 0.8, kind.veins), 2)
    end = np.minimum(foot + 0.14, 0.95)
    reach = np.sin(np.pi * end ** kind.belly) ** 0.85 * kind.width * 0.8 * (1 - kind.lobe * 0.6)
    reach *= np.tile([-1.0, 1.0], kind.veins)
    return np.array([foot, 0 * foot, foot + 0.05, reach * 0.5, end, reach]).T.reshape(-1, 3, 2)


def pattern(kit: Kit, kind: LeafKind, pixels: float) -> Pattern:
    """One of five leaves of a species, fine enough for a length of `pixels`. Each leaf is computed only once."""
    count = 160 if pixels > 80 and kind.teeth else 60 if pixels > 24 else 24
    key = (int(kit.rng.integers(5)), count)
    if key not in kind.patterns:
        margin = outline(kit, kind, count)
        middle = 0 if kind.shape == "palm" else len(margin) // 2
        midrib = np.stack([np.linspace(0, 0.96, 9), np.zeros(9)], 1)
        # from the tip back to the stalk, then to the tip: so each half is a polygon of its own
        parts = (margin[middle:], [[0, 0]], margin[:middle], [[1, 0]] if middle else np.empty((0, 2)), midrib,
                 ribs(kind).reshape(-1, 2))
        ends = np.cumsum([len(part) for part in parts]).tolist()
        points = bend(np.concatenate(parts), kit.rng.normal(0, 0.35) + 1e-3)
        kind.patterns[key] = Pattern(points, slice(0, ends[3]), slice(ends[0], ends[3]),
                                     slice(ends[3], ends[4]), slice(ends[4], ends[5]))
    return kind.patterns[key]


def draw_leaf(kit: Kit, drawing: Drawing, kind: LeafKind, start: np.ndarray, angle: float, length: float) -> None:
    """Draws one leaf with its stalk.

    Args:
        kit: random generator.
        drawing: the leaf is added to it.
        kind: the species.
        start: foot of the stalk, (x, y) in cm.
        angle: direction in radians.
        length: of the blade in cm.
    """
    rng = kit.rng
    heading = np.array([np.cos(angle), np.sin(angle)])
    stalk = start + heading * kind.stalk * length
    tilt = rng.choice([-1, 1]) * rng.uniform(0.55, 1.0)  # the leaf is seen a little from the side
    turn = np.array([heading, np.array([-heading[1], heading[0]]) * tilt]) * length
    pixels = length * drawing.scale
    leaf = pattern(kit, kind, pixels)
    points = leaf.points @ turn + stalk
    color = vary(rng, kind.color, kind.spread)
    dark = tuple(int(channel * 0.68) for channel in color)
    light, catch = rng.uniform(1.12, 1.3), rng.uniform(0.9, 1.08)
    vein = tuple(int(min(255, channel * light + 8)) for channel in color) if kit.chance(0.6) else dark
    if kind.stalk:
        drawing.lines([np.array([start, stalk])], dark, 0.07)
    drawing.fill(points[leaf.margin], color)
    drawing.lines([points[leaf.margin]], dark, 0.02, closed=True)
    if pixels < 14:
        return
    if kind.shape == "blade" and kit.chance(0.7):  # the other half catches the light differently
        drawing.fill(points[leaf.half], tuple(int(min(channel * catch, 255)) for channel in color))
    drawing.vein([points[leaf.midrib]], vein, 0.035 + 0.003 * length)
    if pixels > 40:
        drawing.vein(list(points[leaf.side].reshape(-1, 3, 2)), vein, 0.015 + 0.0015 * length)
    if rng.random() < kind.holes:
        around = np.linspace(0, 6.2, 9)
        circle = np.stack([np.cos(around), np.sin(around)], 1)
        for _ in range(int(rng.integers(1, 5))):
            middle = np.array([rng.uniform(0.15, 0.85), rng.uniform(-0.6, 0.6) * kind.width])
            drawing.erase((middle + circle * rng.uniform(0.01, 0.07) * rng.uniform(0.5, 1, (9, 1))) @ turn + stalk)
