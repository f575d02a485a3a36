"""The resolution of photographs of rulers that are drawn here, so that it is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from kits import make_kit
from utils.digitise.ruler.scale import measure_scale
from utils.objects.outline import smallest_rectangle
from utils.objects.regions import Region
from utils.sheets.things import barcodes

SCALE, CHART = 4, 3
SIDE = 44.0  # cm, the longer side of the photographs
INCH = 2.54
Card = np.ndarray  # uint8 (H, W, 3), drawn FINE times as large
FINE = 4


def blank(width: float, height: float, px_per_cm: float, grey: int = 235) -> Card:
    """An empty card of this size in cm."""
    return np.full((round(height * px_per_cm * FINE), round(width * px_per_cm * FINE), 3), grey, np.uint8)


def box(card: Card, px_per_cm: float, x: float, y: float, width: float, height: float, grey: int = 30) -> None:
    """Fills a box whose upper left corner and size are given in cm."""
    left, top, right, bottom = (round(edge * px_per_cm * FINE) for edge in (x, y, x + width, y + height))
    card[top:bottom, left:right] = grey


def ticks(card: Card, px_per_cm: float, step: float, lengths: Sequence[tuple[int, float]], long: float,
          low: bool = False, grey: int = 30) -> None:
    """Draws ticks from 1 cm on along the upper or the lower edge.

    Args:
        card, px_per_cm: to draw on.
        step: in cm.
        lengths: every so manyth tick has this length in cm; the last pair that fits counts.
        long: the length of the scale in cm.
        low: along the lower edge.
        grey: of the ink.
    """
    for index in range(round(long / step) + 1):
        length = [length for each, length in lengths if index % each == 0][-1]
        bottom = card.shape[0] / FINE / px_per_cm
        box(card, px_per_cm, 1 + index * step - 0.015, bottom - length if low else 0, 0.03, length, grey)


def metric_ruler(px_per_cm: float, long: float = 15) -> Card:
    """A ruler with millimetres, half centimetres and centimetres."""
    card = blank(long + 2, 2.5, px_per_cm)
    ticks(card, px_per_cm, 0.1, ((1, 0.3), (5, 0.5), (10, 0.8)), long)
    return card


def inch_ruler(px_per_cm: float, inches: int = 6) -> Card:
    """A ruler with inches down to sixteenths."""
    card = blank(inches * INCH + 2, 2.5, px_per_cm)
    ticks(card, px_per_cm, INCH / 16, ((1, 0.25), (2, 0.4), (4, 0.6), (8, 0.8), (16, 1.1)), inches * INCH)
    return card


def both_ruler(px_per_cm: float) -> Card:
    """A ruler with centimetres along one edge and inches along the other."""
    card = metric_ruler(px_per_cm)
    ticks(card, px_per_cm, INCH / 16, ((1, 0.25), (2, 0.4), (4, 0.6), (8, 0.8), (16, 1.1)), 15, low=True)
    return card


def block_card(px_per_cm: float) -> Card:
    """Ten centimetres, alternately white and black, on black: they look the same every 2 cm."""
    card = blank(12, 2, px_per_cm, 30)
    for index in range(0, 10, 2):
        box(card, px_per_cm, 1 + index, 0.6, 1, 0.4, 235)
    return card


def checkerboard(px_per_cm: float) -> Card:
    """Two rows of alternating centimetres."""
    card = blank(14, 2, px_per_cm)
    for index in range(12):
        box(card, px_per_cm, 1 + index, 0.4 + index % 2 * 0.6, 1, 0.6)
    return card


def chart_card(px_per_cm: float, own_ruler: bool = True) -> Card:
    """A black card with 4 x 6 patches 1 cm apart, and millimetres along its edge."""
    card = blank(8, 5.5, px_per_cm, 30)
    if own_ruler:
        ticks(card, px_per_cm, 0.1, ((1, 0.15), (5, 0.25), (10, 0.4)), 5, grey=235)
    for index in range(24):
        box(card, px_per_cm, 1 + index % 6, 1 + index // 6, 0.85, 0.85, 60 + 8 * index)
    return card


def barcode(px_per_cm: float) -> Card:
    """A Code 39 sticker."""
    return barcodes.linear_sticker(make_kit(1, px_per_cm * FINE), "Code39", "HERB0012345", (240, 240, 240)).image


def photograph(
    cards: Sequence[tuple[Card, float, int]], px_per_cm: float, noise: float = 2.0
) -> tuple[np.ndarray, list[Region]]:
    """A photograph of cards, one below the other, and their regions.

    Args:
        cards: with the degrees that each is turned clockwise and its class.
        px_per_cm: of the photograph.
        noise: standard deviation in grey levels.
    """
    height, width = round(SIDE * px_per_cm), round(20 * px_per_cm)
    pixels = np.full((height, width, 3), 215, np.float32)
    regions = []
    for number, (card, angle, index) in enumerate(cards):
        card = cv2.GaussianBlur(card, (0, 0), 0.45 * FINE)  # of the lens
        size = np.array([card.shape[1], card.shape[0]])
        middle = np.array([width / 2, height * (number + 1) / (len(cards) + 1)])
        turn = np.array([[math.cos(math.radians(angle)), -math.sin(math.radians(angle))],
                         [math.sin(math.radians(angle)), math.cos(math.radians(angle))]])
        matrix = np.column_stack([turn / FINE, middle - turn @ size / 2 / FINE + turn @ (0.5, 0.5) / FINE - 0.5])
        drawn = cv2.warpAffine(np.dstack([card, np.full(card.shape[:2], 255, np.uint8)]), matrix, (width, height))
        share = drawn[..., 3:] / np.float32(255)
        pixels = pixels * (1 - share) + drawn[..., :3] * share
        corners = middle + (np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) - 0.5) * size / FINE @ turn.T
        low, high = np.floor(corners.min(0)).astype(int).tolist(), np.ceil(corners.max(0)).astype(int).tolist()
        regions.append(Region(
            "Scale" if index == SCALE else "Color chart", index, low[1], low[0], high[1] - low[1], high[0] - low[0],
            int(size.prod() / FINE ** 2), (middle[1], middle[0]), smallest_rectangle(corners), (), False))
    pixels += np.random.default_rng(0).normal(0, noise, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8), regions


@pytest.mark.parametrize("angle", (0, 3, 90, 180, 267))
def test_millimetres_at_any_angle(angle: float) -> None:
    scale = measure_scale(*photograph([(metric_ruler(40), angle, SCALE)], 40), SCALE, CHART)
    assert scale.px_per_cm == pytest.approx(40, rel=0.003)
    assert (scale.unit, scale.kind, scale.object) == ("mm", "ticks", 0)
    assert 0 < scale.uncertainty_percent < 2
    assert abs(scale.px_per_cm - 40) < 0.4 * scale.uncertainty_percent
    (x, y), (right, low) = scale.start, scale.end
    length = math.hypot(right - x, low - y) / 40
    assert 10 < length < 15.15 and length / 0.1 == pytest.approx(round(length / 0.1), abs=0.05)
    towards = math.degrees(math.atan2(low - y, right - x)) % 180
    assert min(abs(towards - angle % 180), 180 - abs(towards - angle % 180)) < 0.5


def test_rectangle_that_is_askew() -> None:
    pixels, (region,) = photograph([(metric_ruler(40), 0, SCALE)], 40)
    for askew in (-2.0, 2.0):
        region = region._replace(rectangle=region.rectangle._replace(angle=askew))
        assert measure_scale(pixels, [region], SCALE, None).px_per_cm == pytest.approx(40, rel=0.003)


@pytest.mark.parametrize(("draw", "unit", "kind"), (
    (inch_ruler, "inch", "ticks"), (both_ruler, "mm", "ticks"), (block_card, "cm", "blocks"),
    (checkerboard, "cm", "blocks"),
))
def test_other_graduations(draw, unit: str, kind: str) -> None:
    scale = measure_scale(*photograph([(draw(40), 90, SCALE)], 40), SCALE, CHART)
    assert scale.px_per_cm == pytest.approx(40, rel=0.01)
    assert (scale.unit, scale.kind) == (unit, kind)


@pytest.mark.parametrize("draw", (metric_ruler, both_ruler, block_card, checkerboard))
def test_low_resolution(draw) -> None:
    """Millimetres are 2 pixels."""
    scale = measure_scale(*photograph([(draw(20), 1, SCALE)], 20), SCALE, CHART)
    assert scale.px_per_cm == pytest.approx(20, rel=0.02)


def test_high_resolution() -> None:
    """The strip is reduced."""
    scale = measure_scale(*photograph([(metric_ruler(80), 0, SCALE)], 80), SCALE, CHART)
    assert scale.px_per_cm == pytest.approx(80, rel=0.003)


def test_nothing_to_read() -> None:
    strip = blank(12, 2, 40)
    static = np.random.default_rng(1).integers(0, 256, strip.shape).astype(np.uint8)
    for card in (strip, static, barcode(40)):
        assert measure_scale(*photograph([(card, 0, SCALE)], 40), SCALE, CHART) is None
    pixels, (region,) = photograph([(metric_ruler(40), 0, SCALE)], 40)
    assert measure_scale(pixels, [], SCALE, CHART) is None
    assert measure_scale(pixels, [region._replace(index=1)], SCALE, CHART) is None
    assert measure_scale(pixels, [region._replace(rectangle=region.rectangle._replace(width=3, height=2))],
                         SCALE, CHART) is None


def test_rulers_have_to_agree() -> None:
    pair = [(metric_ruler(40), 0, SCALE), (metric_ruler(40, 17), 0, SCALE)]
    scale = measure_scale(*photograph(pair, 40), SCALE, None)
    assert scale.px_per_cm == pytest.approx(40, rel=0.003)
    assert scale.object == 1  # the longer one is more certain
    pair[1] = (metric_ruler(52), 0, SCALE)
    assert measure_scale(*photograph(pair, 40), SCALE, None) is None


def test_photograph_of_an_unlikely_size() -> None:
    """Blocks of 2.5 cm look like centimetres of a sheet 17 cm long, or of a wrong unit."""
    pixels, regions = photograph([(block_card(100), 90, SCALE)], 40)
    assert measure_scale(pixels, regions, SCALE, None) is None


@pytest.mark.parametrize("angle", (0, 90, 182))
def test_ruler_at_the_edge_of_a_chart(angle: float) -> None:
    pixels, regions = photograph([(chart_card(40), angle, CHART)], 40)
    assert measure_scale(pixels, regions, SCALE, None) is None
    assert measure_scale(pixels, regions, SCALE, CHART).px_per_cm == pytest.approx(40, rel=0.01)
    pixels, regions = photograph([(chart_card(40, own_ruler=False), angle, CHART)], 40)
    assert measure_scale(pixels, regions, SCALE, CHART) is None
