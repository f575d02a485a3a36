"""Combs of evenly spaced marks, and the units that they count."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from utils.digitise.ruler.graduation import find_combs
from utils.digitise.ruler.units import Row, decide

INCH = 2.54


def lines(places: np.ndarray, width: int = 700, height: int = 32) -> np.ndarray:
    """A grey strip, uint8 (height, width), with dark lines 2 pixels wide, blurred as in a photograph."""
    columns = np.arange(width)[:, None] + 0.5
    cover = np.clip(1.5 - np.abs(columns - places), 0, 1).max(axis=1)
    strip = np.broadcast_to(230 - 180 * cover, (height, width)).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 2, strip.shape)
    return np.clip(cv2.GaussianBlur(strip, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8)


def rows(steps: dict[float, float], px_per_cm: float, bands: int = 4) -> list[Row]:
    """Combs of these steps in cm, with these weights, each in some bands of its own."""
    return [Row(step * px_per_cm, weight, (number, band))
            for number, (step, weight) in enumerate(steps.items()) for band in range(bands)]


def test_step_to_a_hundredth_of_a_pixel() -> None:
    comb = max(find_combs(lines(40.3 + 13.37 * np.arange(40))), key=lambda comb: comb.weight)
    assert comb.step == pytest.approx(13.37, abs=0.01)
    assert (comb.marks, comb.steps, comb.lines) == (40, 39, True)
    assert (comb.start, comb.end) == pytest.approx((40.3, 40.3 + 39 * 13.37), abs=0.2)
    assert abs(comb.bend) < 0.01 and comb.scatter < 0.2


def test_marks_may_be_missing_or_stand_between() -> None:
    index = np.delete(np.arange(30), [4, 11, 12, 20])
    comb = max(find_combs(lines(np.append(20 + 21.5 * index, [151.0, 333.0]))), key=lambda comb: comb.weight)
    assert comb.step == pytest.approx(21.5, abs=0.02)
    assert (comb.marks, comb.steps) == (26, 29)


def test_bend_of_a_ruler_in_perspective() -> None:
    index = np.arange(30)
    comb = max(find_combs(lines(20 + 20 * index + 0.0125 * index ** 2)), key=lambda comb: comb.weight)
    assert comb.steps == 29
    assert comb.step == pytest.approx(20 + 0.0125 * 29, abs=0.02)
    assert comb.bend == pytest.approx(0.025 * 29 / 20.36, rel=0.1)


def test_edges_of_blocks_are_found_at_every_block() -> None:
    strip = np.where(np.arange(500) // 40 % 2, 220, 40).astype(np.uint8)
    combs = find_combs(np.broadcast_to(strip, (24, 500)).copy())
    best = max(combs, key=lambda comb: comb.weight)
    assert not best.lines
    assert best.step == pytest.approx(40, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_chance_makes_no_clear_comb(seed: int) -> None:
    places = np.sort(np.random.default_rng(seed).uniform(10, 690, 60))
    assert max((comb.weight for comb in find_combs(lines(places))), default=0.0) < 5


def test_strip_without_room_for_marks() -> None:
    for shape in ((1, 1), (7, 300), (300, 5)):
        assert find_combs(np.zeros(shape, np.uint8)) == []


@pytest.mark.parametrize("steps", (
    {0.1: 40.0, 0.5: 15.0, 1.0: 9.0},                           # a ruler with millimetres
    {1.0: 12.0},                                                # centimetres alone
    {0.1: 30.0, 0.3175: 20.0, 0.635: 12.0},                     # millimetres and eighths of an inch
    {INCH / 16: 50.0, INCH / 8: 40.0, INCH / 4: 20.0, INCH / 2: 12.0, INCH: 7.0},
))
def test_units_of_a_sheet_of_44_cm(steps: dict[float, float]) -> None:
    assert decide(rows(steps, 50.0), 2200).px_per_cm == pytest.approx(50, rel=0.01)


def test_seen_units() -> None:
    found = decide(rows({0.1: 40.0, 0.5: 15.0, 0.77: 14.0}, 50.0), 2200)
    assert found.seen == {"mm": 40.0, "half cm": 15.0}
    assert found.unit == "mm"


@pytest.mark.parametrize("steps", (
    {0.1: 40.0},                    # dots of a line for the collector's name
    {0.1: 4.5, 0.5: 4.5},           # text
    {INCH / 8: 40.0, INCH / 4: 20.0},
    {1.0: 12.0, 0.77: 12.0},        # two rulers that differ
    {2.2: 12.0},                    # as centimetres, the sheet is 20 cm long
))
def test_no_answer(steps: dict[float, float]) -> None:
    assert decide(rows(steps, 50.0), 2200) is None


def test_number_of_units_that_must_be_seen() -> None:
    assert decide(rows({1.0: 12.0}, 50.0), 2200, units=2) is None
    assert decide(rows({0.1: 12.0, 1.0: 12.0}, 50.0), 2200, units=2).px_per_cm == pytest.approx(50, rel=0.01)
