"""Parts that colour charts and rulers with patches share: colours, grids of patches, names of makers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from utils.sheets.drawing.draw import Card, Kit
from utils.sheets.drawing.pixels import Color

# sRGB colours of the usual 24 patches, from dark skin to black: the published means of the ColorChecker Classic.
CHECKER: tuple[Color, ...] = (
    (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170),
    (214, 126, 44), (80, 91, 166), (193, 90, 99), (94, 60, 108), (157, 188, 64), (224, 163, 46),
    (56, 61, 150), (70, 148, 73), (175, 54, 60), (231, 199, 31), (187, 86, 149), (8, 133, 161),
    (243, 243, 242), (200, 200, 200), (160, 160, 160), (122, 122, 121), (85, 85, 85), (52, 52, 52),
)
CONTROL: tuple[Color, ...] = ((40, 30, 110), (0, 140, 200), (0, 130, 70), (250, 225, 0), (215, 20, 40), (210, 20, 120),
                              (252, 252, 252), (70, 45, 45), (20, 20, 20))
MAKERS = ("Kolora", "CHROMEL", "Tonalux", "Farbex")


def toned(kit: Kit, colors: Sequence[Color]) -> list[Color]:
    """`colors` as on another print of the chart: more or less saturated, faded, darker, or all grey."""
    value = np.array(colors, np.float64)
    grey = value.mean(1, keepdims=True)
    saturation = 0.0 if kit.chance(0.03) else kit.rng.uniform(0.75, 1.35)
    value = (grey + (value - grey) * saturation) * kit.rng.uniform(0.8, 1.1) + kit.rng.normal(0, 4, value.shape)
    return [tuple(int(channel) for channel in color) for color in np.clip(value, 3, 254)]


def patches(card: Card, colors: Sequence[Color], columns: int, box: Sequence[float], gap: float) -> None:
    """Paints a grid of patches, row by row.

    Args:
        card: the card to paint on.
        colors: one for each patch.
        columns: patches in a row.
        box: x, y, width and height of the grid in cm.
        gap: space between patches in cm.
    """
    x, y, width, height = box
    step_y, step_x = height / -(-len(colors) // columns), width / columns
    for index, color in enumerate(colors):
        row, column = divmod(index, columns)
        card.rect(x + column * step_x + gap / 2, y + row * step_y + gap / 2, step_x - gap, step_y - gap, color)


def round_corners(card: Card, radius: float) -> None:
    """Makes the corners of a card round, with `radius` in cm."""
    r = max(1, round(radius * card.scale))
    quarter = np.zeros((r, r), np.uint8)
    cv2.circle(quarter, (r, r), r, 255, -1, cv2.LINE_AA)
    card.alpha[:r, :r], card.alpha[:r, -r:] = quarter, quarter[:, ::-1]
    card.alpha[-r:, :r], card.alpha[-r:, -r:] = quarter[::-1], quarter[::-1, ::-1]
