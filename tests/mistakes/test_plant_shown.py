"""The picture of a plant alone: without label, board, stamp and paper."""

import cv2
import numpy as np
import pytest

from drawn_plants import LABEL_BOX, PAPER, ROUND, LabelFinder, sheet
from utils.mistakes.reading import plant
from utils.mistakes.reading.plant import PAPER as PAINTED
from utils.mistakes.reading.plant import find_plant, show_plant


def test_the_plant_is_what_is_neither_paper_nor_label_nor_board_nor_stamp():
    image = np.full((300, 200, 3), PAPER, np.uint8)
    cv2.ellipse(image, (100, 140), (60, 30), 40, 0, 360, (70, 105, 45), -1)
    cv2.line(image, (100, 140), (100, 230), (90, 80, 40), 5)
    truth = (image != PAPER).any(2)
    image[:, :14] = image[240:] = (30, 30, 34)                      # the board that the sheet lies on
    cv2.circle(image, (175, 30), 6, (120, 60, 150), -1)             # a stamp
    image[LABEL_BOX] = 20
    shadow = np.linspace(1, 0.93, image.shape[1])[None, :, None]    # not lit evenly
    colour, found = find_plant((image * shadow).astype(np.uint8), LabelFinder().segment(image) > 0)
    assert (found == truth).mean() > 0.995 and (found & truth).sum() > 0.97 * truth.sum()
    assert not found[:, :14].any() and not found[240:].any() and not found[15:45, 165:].any()
    np.testing.assert_allclose(colour, PAPER, atol=12)


def test_the_picture_tells_neither_resolution_nor_place_nor_label_nor_paper():
    image = sheet(ROUND, 2)
    shown = show_plant(image, LabelFinder().segment(image), (256,))
    yellow = (sheet(ROUND, 2, label=False) * np.array([0.96, 0.88, 0.7])).astype(np.uint8)
    moved = np.full_like(yellow, yellow[0, 0])
    moved[:-5, 4:] = yellow[5:, :-4]
    large = cv2.resize(moved, (600, 900), interpolation=cv2.INTER_NEAREST)
    other = show_plant(large, np.zeros((900, 600), np.uint8), (256,))
    (first,), (second,) = shown.plants, other.plants
    assert shown.found and other.found and shown.sheet.shape == (300, 200, 3)
    assert max(abs(np.subtract(first.pixels.shape, second.pixels.shape))) <= 8
    assert (first.pixels[0] == PAINTED).all() and (second.pixels[:, 0] == PAINTED).all()
    size = first.weights.shape[::-1]
    weights, pixels = cv2.resize(second.weights, size), cv2.resize(second.pixels, size)
    assert np.minimum(first.weights, weights).sum() / first.weights.sum() > 0.9
    inside = (first.weights == 1) & (weights == 1)
    assert abs(pixels[inside].mean(0) - first.pixels[inside].mean(0)).max() < 5


def test_each_size_is_that_of_the_whole_sheet():
    image = sheet(ROUND, 4)
    small, large = show_plant(image, LabelFinder().segment(image), (150, 600)).plants
    assert large.pixels.shape[0] == pytest.approx(4 * small.pixels.shape[0], abs=3)
    assert 0.5 < large.pixels.shape[0] / 600 < 0.9  # the plant, not the sheet


def test_a_sheet_without_a_plant():
    empty = np.full((80, 60, 3), PAPER, np.uint8)
    for mask in (np.zeros((80, 60), np.uint8), np.ones((80, 60), np.uint8)):
        shown = show_plant(empty, mask, (64,))
        assert not shown.found and shown.plants[0].weights.sum() > 0
    assert not show_plant(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8), (64,)).found


def test_a_plant_is_cut_from_the_photograph_itself_not_from_its_small_copy(monkeypatch):
    monkeypatch.setattr(plant, "OVERVIEW", 150)
    image = sheet(ROUND, 3)
    image[60:240:2] = image[60:240:2] // 3  # detail that the small copy has lost
    (shown,) = show_plant(image, LabelFinder().segment(image), (600,)).plants
    inside = cv2.erode((shown.weights == 1).astype(np.uint8), np.ones((21, 21), np.uint8)) > 0  # far from any edge
    assert abs(np.diff(shown.pixels[..., 0].astype(int), axis=0))[inside[1:]].max() > 60
