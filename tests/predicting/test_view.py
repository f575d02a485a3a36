"""How a photograph is shown to a network: the angle of a sheet, the part that is shown, and the way back."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from pictures import noise
from turned_sheets import PAPER, SHEET, SIZE, near, photograph
from utils.objects.outline import Rectangle
from utils.predicting.view import View, common_angle, find_view


@pytest.mark.parametrize("angle", [-44, -31, -12, 4, 7, 20, 31, 44])
def test_the_angle_of_a_sheet(angle):
    view = find_view(photograph(angle))
    assert view.rectangle.angle == pytest.approx(angle, abs=0.4) and view.quarters == 0
    assert view.rectangle[:2] == pytest.approx((SIZE[1] / 2, SIZE[0] / 2), abs=6)
    assert view.rectangle[2:4] == pytest.approx(SHEET[::-1], abs=24)  # with a border
    assert min(view.rectangle[2] - SHEET[1], view.rectangle[3] - SHEET[0]) > 0


def test_labels_alone_say_the_angle_where_paper_and_ground_are_of_one_colour():
    view = find_view(photograph(31, PAPER))
    assert view.rectangle.angle == pytest.approx(31, abs=0.5)


def test_a_sheet_on_boards_whose_grain_is_straight():
    grain = np.repeat(np.random.default_rng(0).integers(90, 170, (25, 1, 3)), 28, axis=0)
    assert find_view(photograph(20, grain)).rectangle.angle == pytest.approx(20, abs=0.5)


def stripes(*angles: float) -> np.ndarray:
    """Lines across the whole picture at these angles."""
    picture = np.full((500, 400, 3), PAPER, np.uint8)
    for angle in angles:
        along = np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
        for offset in range(-200, 201, 50):
            middle = np.array([200, 250]) + offset * along[::-1] * (-1, 1)
            ends = [tuple(map(int, middle + way * 150 * along)) for way in (-1, 1)]
            cv2.line(picture, *ends, (60, 90, 40), 3, cv2.LINE_AA)
    return picture


@pytest.mark.parametrize("pixels", [
    photograph(0), photograph(2), photograph(0)[155:545, 190:450].copy(),  # the last is filled by the sheet
    np.full((300, 200, 3), 200, np.uint8), noise(300, 200, 3), np.zeros((300, 1, 3), np.uint8),
    np.zeros((1, 1, 3), np.uint8), stripes(70), stripes(70, 40),
], ids=["straight", "nearly straight", "no edges", "plain", "noise", "a line", "a pixel", "stems", "crossing stems"])
def test_other_photographs_are_shown_whole(pixels):
    view = find_view(pixels)
    assert view == View(pixels.shape[:2])
    assert np.shares_memory(view.show(pixels), pixels) and (view.show(pixels) == pixels).all()
    assert view.back(pixels[..., 0]).tolist() == pixels[..., 0].tolist()


def test_stems_that_cross_at_right_angles_are_taken_for_a_sheet():
    assert find_view(stripes(70, -20)).rectangle.angle == pytest.approx(-20, abs=0.5)


def test_lines_that_mostly_lie_straight_say_straight():
    """Lengths of 100 along and across at 30 degrees; of the straight ones a third of that, then a little less."""
    cos, sin = 100 * math.cos(math.radians(30)), 100 * math.sin(math.radians(30))
    for straight, angle in ((35, 0), (32, 30)):
        lines = [(0, 0, cos, sin), (0, 0, -sin, cos), (0, 0, straight, 0), (0, 0, 0, straight)]
        assert common_angle(np.array(lines), 300) == pytest.approx(angle)
    assert common_angle(np.array([(0, 0, cos, sin), (0, 0, -sin, cos)]), 350) == 0  # too few lines


@pytest.mark.parametrize("quarters", range(4))
def test_quarter_turns_and_back_are_exact(quarters):
    pixels = noise(30, 20, 3)
    view = View((30, 20), quarters=quarters)
    seen = view.show(pixels)
    if quarters == 1:  # clockwise: the left edge of the photograph is at the top, read upwards
        assert (seen[0] == pixels[::-1, 0]).all()
    assert seen.shape[:2] == ((30, 20) if quarters % 2 == 0 else (20, 30))
    assert (view.back(seen[..., 0]) == pixels[..., 0]).all()
    numbers = noise(15, 10, 1, dtype=np.uint16)[..., 0]
    assert (view.back(np.rot90(numbers, -quarters)) == numbers).all()


@pytest.mark.parametrize(("quarters", "scale"), [(0, 1), (1, 1), (2, 1), (0, 0.5), (3, 2)])
def test_what_is_found_on_a_straightened_sheet_lies_where_it_is_in_the_photograph(quarters, scale):
    """Outlines are right within a pixel of the scale that the values come in, or one of the photograph."""
    pixels = photograph(31)
    view = find_view(pixels)._replace(quarters=quarters)
    seen = view.show(pixels)
    card = (seen.min(2) > 240).astype(np.uint8)
    values = cv2.resize(card, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST_EXACT)
    found = view.back(values)
    assert found.dtype == np.uint8
    assert np.abs(np.subtract(found.shape, np.multiply(SIZE, scale))).max() <= 1
    truth = cv2.resize((pixels.min(2) > 240).astype(np.uint8), found.shape[::-1], interpolation=cv2.INTER_AREA)
    assert truth.sum() > 4000 * scale ** 2
    assert near(found, truth, 1 if scale == 1 else 2)


def test_values_outside_of_the_view():
    view = View((100, 100), Rectangle(50.0, 50.0, 60.0, 40.0, 45.0))
    probability = np.full((40, 60), 0.25, np.float32)
    found = view.back(probability, outside=1)
    assert found.shape == (100, 100) and found.dtype == np.float32
    assert found[50, 50] == 0.25 and (found[[0, 0, -1, -1], [0, -1, 0, -1]] == 1).all()
    assert (found == 0.25).sum() == pytest.approx(60 * 40, rel=0.02)
