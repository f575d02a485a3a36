"""Sharpness, exposure and what is no sheet, on sheets that are drawn."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest

from utils.digitise.reading.photograph import (
    badly_exposed,
    blurred,
    entropy,
    measure_photograph,
    not_a_sheet,
    sharpness,
)
from utils.digitise.record import Photograph

PAPER = (230, 222, 205)  # L* 88.7 by colour-science 0.4.7
GOOD = Photograph(sharpness=0.7, dark=0.0, light=0.0, brightness=90, entropy=0.02, paper=0.6, objects=0.1)


def sheet(height: int = 900, width: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """A sheet on a black table with a plant and a label, uint8 (H, W, 3), and its mask: the label is class 2."""
    rng = np.random.default_rng(0)
    image, mask = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    image[30:-30, 20:-20] = PAPER
    for x, y, angle in zip(rng.integers(100, 500, 40), rng.integers(100, 600, 40), rng.integers(0, 180, 40)):
        cv2.ellipse(image, (int(x), int(y)), (40, 12), int(angle), 0, 360, (70, 90, 40), -1, cv2.LINE_AA)
    image[700:840, 300:560] = (245, 240, 225)
    mask[700:840, 300:560] = 2
    for line in range(6):
        cv2.putText(image, "Herbarium specimen", (310, 722 + 20 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1,
                    cv2.LINE_AA)
    return image, mask


def measure(image: np.ndarray, mask: np.ndarray, probability: float = 0.99) -> Photograph:
    return measure_photograph(image, mask, np.full((90, 60), probability, np.float16), 5)


def test_a_good_photograph_is_measured_and_passes() -> None:
    image, mask = sheet()
    photograph = measure(image, mask)
    assert photograph.brightness == pytest.approx(88.7, abs=0.5)
    assert photograph.objects == pytest.approx(140 * 260 / (900 * 600), rel=0.02)
    assert photograph.dark == pytest.approx(1 - 840 * 560 / (900 * 600), abs=0.01)  # the table
    assert photograph.light == 0
    plain = (np.abs(image.astype(int) - PAPER).max(2) <= 2) & (mask == 0)
    assert photograph.paper == pytest.approx(plain.mean(), abs=0.03)
    assert not blurred(photograph) and not badly_exposed(photograph) and not not_a_sheet(photograph)


def test_sharpness_falls_with_every_blur() -> None:
    image, mask = sheet()
    values = [measure(image, mask).sharpness]
    values += [measure(cv2.GaussianBlur(image, (0, 0), sigma), mask).sharpness for sigma in (0.5, 1, 2, 3, 5)]
    assert values == sorted(values, reverse=True) and len(set(values)) == 6
    assert blurred(measure(cv2.GaussianBlur(image, (0, 0), 2), mask))
    shaken = cv2.filter2D(image, -1, np.full((1, 15), 1 / 15, np.float32))  # in one direction
    assert blurred(measure(shaken, mask))


def test_contrast_hardly_changes_sharpness() -> None:
    image, mask = sheet()
    faint = (image // 3 + 120).astype(np.uint8)
    assert measure(faint, mask).sharpness == pytest.approx(measure(image, mask).sharpness, abs=0.05)


def test_sharpness_of_a_large_photograph_is_measured_at_4000_pixels() -> None:
    image, _ = sheet()
    fine = cv2.resize(image, (2667, 4000), interpolation=cv2.INTER_CUBIC)
    finer = np.repeat(np.repeat(fine, 2, axis=0), 2, axis=1)
    assert sharpness(finer, image) == pytest.approx(sharpness(fine, image), abs=1e-6)


def test_sharpness_of_a_step_worked_out_by_hand() -> None:
    """Stripes of 32 pixels in both directions: each step of 90 is 10 a pixel under a filter of 9 pixels."""
    stripes = np.arange(128) // 32 % 2
    image = np.repeat((90 * (stripes[:, None] ^ stripes))[..., None], 3, axis=2).astype(np.uint8)
    assert sharpness(image, image) == pytest.approx((90 - 10) / 90, abs=0.01)
    # a filter of 9 pixels across the steps makes them 10 a pixel; under a second one, 10 (9 - k) / 9 at k pixels
    shaken = cv2.filter2D(image, -1, np.full((1, 9), 1 / 9, np.float32))
    assert sharpness(shaken, image) == pytest.approx(2 * (1 + 2 + 3 + 4) * 10 / 9 / 90, abs=0.02)
    assert sharpness(np.full((128, 128, 3), 77, np.uint8), image) == 0


@pytest.mark.parametrize(("gain", "words"), [(0.25, "too dark"), (1, ""), (1.5, "too light")])
def test_exposure_that_is_wrong_is_said(gain: float, words: str) -> None:
    image, mask = sheet()
    photograph = measure((image * gain).clip(0, 255).astype(np.uint8), mask)
    assert badly_exposed(photograph)[:len(words) or None] == words


def test_a_plant_that_covers_most_of_the_sheet_does_not_make_it_dark() -> None:
    image, mask = sheet()
    image[150:690, 60:520] = (60, 60, 50)
    assert measure(image, mask).brightness == pytest.approx(88.7, abs=0.5)


@pytest.mark.parametrize("colour", [0, 90, 255])
def test_a_plain_picture_is_no_sheet(colour: int) -> None:
    image = np.full((300, 200, 3), colour, np.uint8)
    photograph = measure(image, np.zeros((300, 200), np.uint8))
    assert not_a_sheet(photograph) == "no object was found on it"
    assert photograph.sharpness == 0
    assert photograph.brightness == pytest.approx({0: 0, 90: 38.2, 255: 100}[colour], abs=0.3)


@pytest.mark.parametrize(("changes", "words"), [
    ({}, ""),
    ({"objects": 0.004}, "no object was found on it"),
    ({"objects": 0.46}, "objects seem to cover 46% of it"),
    ({"entropy": 0.11}, "the network is unsure what it shows"),
    ({"paper": 0.07}, "hardly any of it looks like the paper of a sheet"),
])
def test_what_is_no_sheet(changes: dict[str, float], words: str) -> None:
    assert not_a_sheet(dataclasses.replace(GOOD, **changes)) == words


@pytest.mark.parametrize(("changes", "words"), [
    ({}, ""),
    ({"brightness": 0.0, "paper": 0.0}, ""),  # objects cover all of it
    ({"brightness": 54.4}, "too dark: the paper's lightness L* is 54, and at least 55 is usual"),
    ({"dark": 0.4}, "too dark: 40% of it is black"),
    ({"light": 0.3}, "too light: 30% of it is white without detail"),
])
def test_words_for_the_exposure(changes: dict[str, float], words: str) -> None:
    assert badly_exposed(dataclasses.replace(GOOD, **changes)) == words


def test_entropy_is_the_largest_that_the_winning_probability_allows() -> None:
    assert entropy(np.full((2, 2), 0.2), 5) == pytest.approx(1, abs=1e-6)  # all five alike
    assert entropy(np.ones((2, 2), np.float16), 5) == pytest.approx(0, abs=1e-4)
    halves = -(0.5 * math.log(0.5) + 4 * 0.125 * math.log(0.125)) / math.log(5)  # one half, four eighths
    assert entropy(np.array([[0.5, 0.2]], np.float32), 5) == pytest.approx((halves + 1) / 2, abs=1e-5)
    assert entropy(np.array([[0.5]]), 2) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (5, 900), (40, 7)])
def test_tiny_photographs_are_measured(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    assert measure(image, np.zeros(size, np.uint8)).sharpness == 0
    covered = measure(image, np.full(size, 2, np.uint8))
    assert (covered.objects, covered.paper, covered.brightness) == (1, 0, 0)
