"""Colour charts drawn with known colours: patches, clipping, cast and drift."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from utils.digitise.reading.chart import cast, drift, measure_chart
from utils.digitise.reading.colour import ciede2000, to_lab
from utils.digitise.record import ChartColours
from utils.objects.regions import Region, find_regions
from utils.sheets.things.patches import CHECKER
from utils.utils import NAME_CLASSES

CHART = NAME_CLASSES.index("Color chart")
# of CHECKER, by colour-science 0.4.7 (sRGB, Bradford's adaptation to D50), rounded to one place, the lightest first
LAB = np.array([
    (95.8, -0.1, 0.5), (81.2, 0.8, 77.1), (80.6, 0.0, 0.0), (72.1, -23.9, 56.4), (71.6, 16.1, 65.0),
    (70.8, -30.8, 1.1), (65.9, 0.0, 0.0), (65.9, 15.0, 17.3), (61.7, 30.7, 56.7), (55.4, 10.2, -25.4),
    (55.1, -37.2, 31.7), (51.8, 42.8, 15.8), (51.3, 46.9, -14.7), (51.2, -0.1, 0.6), (50.7, -23.3, -24.0),
    (50.4, -2.1, -21.9), (43.1, -14.1, 20.3), (41.9, 50.0, 25.9), (40.6, 12.4, -42.6), (38.2, 12.8, 14.0),
    (36.1, 0.0, 0.0), (31.0, 22.4, -22.1), (29.6, 20.5, -50.7), (21.7, 0.0, 0.0),
])
GREYS = LAB[np.hypot(LAB[:, 1], LAB[:, 2]) < 1]
COLOURS = LAB[np.hypot(LAB[:, 1], LAB[:, 2]) > 1]


def draw(colours: list[tuple[int, int, int]], columns: int = 6) -> np.ndarray:
    """A dark card, uint8 (H, W, 3), with patches of 40 pixels, 10 apart."""
    card = np.full((10 + 50 * (len(colours) // columns), 10 + 50 * columns, 3), 28, np.uint8)
    for number, colour in enumerate(colours):
        top, left = 10 + 50 * (number // columns), 10 + 50 * (number % columns)
        card[top:top + 40, left:left + 40] = colour
    return card


def on_a_sheet(card: np.ndarray, degrees: float = 0) -> tuple[np.ndarray, Region]:
    """A sheet with the card on it, turned, and the card's region."""
    height, width = card.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += (300 - width / 2, 300 - height / 2)
    sheet = cv2.warpAffine(card, turn, (600, 600), borderMode=cv2.BORDER_CONSTANT, borderValue=(235, 230, 215))
    mask = cv2.warpAffine(np.full((height, width), CHART, np.uint8), turn, (600, 600), flags=cv2.INTER_NEAREST)
    region, = find_regions(mask, NAME_CLASSES)
    return sheet, region


def measure(card: np.ndarray, degrees: float = 0) -> ChartColours:
    return measure_chart(*on_a_sheet(card, degrees), 4)


@pytest.mark.parametrize("degrees", [0, 90, 180, 7, -30])
def test_the_patches_of_a_chart_are_found_however_it_lies(degrees: float) -> None:
    measured = measure(draw(CHECKER), degrees)
    assert measured.object == 4
    assert_allclose([patch[0] for patch in measured.patches], LAB[:, 0], atol=0.4)
    apart = ciede2000(np.array(measured.patches)[:, None], LAB)
    assert sorted(apart.argmin(1)) == list(range(24))  # each is the like of another
    assert apart.min(1).max() < 1
    assert_allclose(measured.cast, GREYS.mean(0)[1:], atol=0.3)


def test_letters_logos_and_the_card_itself_are_no_patches() -> None:
    card = np.concatenate([draw(CHECKER), np.full((100, 310, 3), 28, np.uint8)])
    cv2.putText(card, "colour card 24", (70, 8), cv2.FONT_HERSHEY_SIMPLEX, 0.3, (230, 230, 230))
    card[220:234, 10:24] = card[220:232, 40:80] = card[220:260, 40:52] = 230  # a small square, and an L
    card[215:305, 200:300] = 120  # an area of 5 patches
    assert len(measure(card).patches) == 24


@pytest.mark.parametrize("size", [(100, 160), (9, 11)])
def test_a_plain_card_has_no_patches(size: tuple[int, int]) -> None:
    measured = measure(np.full((*size, 3), 28, np.uint8))
    assert measured.patches == () and measured.cast is None


def test_the_profile_of_the_file_counts() -> None:
    sheet, region = on_a_sheet(draw(CHECKER))
    assert measure_chart(sheet, region, 0, b"broken") == measure_chart(sheet, region, 0)


def test_clipped_shares_are_those_of_the_patches_that_are_clipped() -> None:
    card = draw(CHECKER)
    assert measure(card).clipped_light == measure(card).clipped_dark == 0
    card[160:200, 10:50] = 255  # the white patch: 1600 of 210 x 310 pixels
    card[60:100, 10:50] = (254, 120, 40)  # the orange one, in one channel
    card[160:200, 260:300] = (2, 0, 1)  # the black one
    card[60:100, 60:100] = (0, 2, 60)  # not black: a channel is not at its lowest
    measured = measure(card)
    assert_allclose(measured.clipped_light, 2 * 1600 / (210 * 310), rtol=0.08)
    assert_allclose(measured.clipped_dark, 1600 / (210 * 310), rtol=0.08)


@pytest.mark.parametrize("shift", [(0, 0), (6, 0), (0, 9), (-5, -7), (0, -13)])
def test_the_cast_of_a_chart_is_that_of_its_greys(shift: tuple[float, float]) -> None:
    tinted = LAB + (0, *shift)
    assert_allclose(cast(tinted), GREYS.mean(0)[1:] + shift, atol=0.02)


def test_a_lamp_of_the_wrong_colour_gives_a_cast_that_grows_with_the_light() -> None:
    gains = np.array([1.0, 0.92, 0.8])  # of the channels; in sRGB values, 243 becomes 194 in blue
    greys = to_lab((np.array(CHECKER[18:]) * gains).round().astype(np.uint8))
    seen = measure(draw([tuple(colour) for colour in (np.array(CHECKER) * gains).round().astype(int).tolist()])).cast
    assert greys[0, 2] > greys[5, 2] + 8
    assert_allclose(seen, greys[:, 1:].mean(0), atol=0.8)


@pytest.mark.parametrize("patches", [[], GREYS[:2], COLOURS, [(50, 0, 0)] * 5, [(60, 0, 0), (54, 0, 0), (48, 0, 0)]])
def test_without_three_greys_of_different_lightness_there_is_no_cast(patches: np.ndarray) -> None:
    assert cast(patches) is None


def batch(size: int) -> list[np.ndarray]:
    """Charts of one make, in any order, that differ by chance; standard deviation 0.3."""
    rng = np.random.default_rng(0)
    return [rng.permutation(LAB + rng.normal(0, 0.3, LAB.shape)) for _ in range(size)]


def test_the_chart_with_a_cast_stands_out_from_its_batch() -> None:
    charts = batch(20)
    charts[7] = charts[7] + (0, 0, 6)
    charts[12] = charts[12] - (4, 0, 0)
    charts[15] = charts[15][:-2]  # two patches were missed
    drifts = drift([chart.tolist() for chart in charts])
    expected = ciede2000(LAB + (0, 0, 6), LAB).mean(), ciede2000(LAB - (4, 0, 0), LAB).mean()
    assert_allclose(drifts[[7, 12]], expected, atol=0.2)
    assert np.delete(drifts, [7, 12]).max() < 1


def test_a_step_of_a_grey_wedge_is_not_taken_for_the_next() -> None:
    wedge = np.array([(lightness, 0.0, 0.0) for lightness in range(10, 96, 5)])
    drifts = drift([wedge] * 6 + [wedge + (5, 0, 0)])
    assert_allclose(drifts[:6], 0, atol=1e-6)
    assert_allclose(drifts[6], ciede2000(wedge + (5, 0, 0), wedge).mean(), atol=1e-6)


@pytest.mark.parametrize("found", [slice(7, None), slice(0, -6)])
def test_patches_that_were_missed_are_no_drift(found: slice) -> None:
    assert drift([LAB] * 5 + [LAB[found]])[5] == 0  # of the same chart, without its lightest or its darkest patches


def test_only_charts_of_one_kind_and_group_are_compared() -> None:
    strip = [(lightness, 0.0, 0.0) for lightness in range(95, 5, -5)]
    charts = [*batch(6), strip, strip, (), *(chart + (0, 8, 0) for chart in batch(5))]
    groups = ["K"] * 9 + ["B"] * 5
    drifts = drift(charts, groups)
    assert np.isnan(drifts).tolist() == [False] * 6 + [True] * 3 + [False] * 5
    assert np.nanmax(drifts) < 1
    assert np.nanmax(drift(charts)) > 3  # without groups, the reddish five are off the median of eleven
    assert np.isnan(drift(batch(4))).all()
    assert drift([]).shape == (0,)


def test_a_batch_of_all_sorts_does_not_crowd_out_the_usual_chart() -> None:
    rng = np.random.default_rng(1)
    odd = [rng.uniform((0, -60, -60), (100, 60, 60), (24, 3)) for _ in range(60)]
    drifts = drift([*batch(3), *odd, *batch(3)])
    assert not np.isnan(drifts[[0, 1, 2, -3, -2, -1]]).any()
    assert np.isnan(drifts[3:-3]).all()
