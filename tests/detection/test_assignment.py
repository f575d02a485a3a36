"""Which cells and anchors have to find a box, worked out by hand."""

import pytest
import torch

from utils.detection.assignment import assign

ANCHORS = torch.tensor([[16.0, 16.0], [64.0, 16.0]])


def box(x: float, y: float, width: float, height: float, image: int = 0, number: int = 0) -> list[float]:
    """A target of class `number` with its centre at (x, y)."""
    return [image, number, x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def cells(*boxes: list[float]) -> set[tuple[int, ...]]:
    """Image, anchor, row, column and class of the matches in a grid of 5 rows and 4 columns of 8 pixels."""
    matches = assign(torch.tensor(boxes).view(-1, 6), ANCHORS, 8, (5, 4))
    found = list(zip(*(values.tolist() for values in matches[:5])))
    assert len(found) == len(set(found)) == len(matches.boxes)
    return set(found)


@pytest.mark.parametrize(("x", "y", "places"), [
    (10, 19, {(2, 1), (2, 0), (1, 1)}),  # left and upper part of the cell in row 2, column 1: 1.25 and 2.375 cells
    (15, 22, {(2, 1), (2, 2), (3, 1)}),  # right and lower part
    (12, 22, {(2, 1), (3, 1)}),  # in the middle between left and right
    (12, 20, {(2, 1)}),  # in the middle
    (16, 18, {(2, 2), (2, 1), (1, 2)}),  # on the line between two columns: in the right one
    (2, 1, {(0, 0)}),  # no neighbours outside the grid
    (31, 39, {(4, 3)}),
    (32, 36, {(4, 3)}),  # on the edge of the image
    (-2, 4, {(0, 0)}),  # outside of it
])
def test_the_cell_of_the_centre_and_its_nearer_neighbours(x: float, y: float, places: set[tuple[int, int]]) -> None:
    assert cells(box(x, y, 16, 16, image=3, number=2)) == {(3, 0, row, column, 2) for row, column in places}


@pytest.mark.parametrize(("width", "height", "anchors"), [
    (16, 16, {0}),  # the second anchor is four times as wide
    (16.1, 16, {0, 1}),
    (63.9, 16, {0, 1}),
    (64, 16, {1}),
    (4.1, 63.9, {0}),
    (4, 16, set()),
    (100, 3.9, set()),
])
def test_a_box_fits_anchors_whose_sides_are_less_than_four_times_longer_or_shorter(
    width: float, height: float, anchors: set[int]
) -> None:
    assert {anchor for _, anchor, _, _, _ in cells(box(12, 20, width, height))} == anchors


def test_boxes_of_several_images_keep_their_places_and_none_gives_none() -> None:
    first, second = box(12, 20, 16, 16, image=0, number=4), box(28, 4, 16.1, 16, image=1, number=1)
    assert cells(first, second) == {(0, 0, 2, 1, 4), (1, 0, 0, 3, 1), (1, 1, 0, 3, 1)}
    matches = assign(torch.tensor([first, second]), ANCHORS, 8, (5, 4))
    for image, *_, edges in zip(*matches):
        assert edges.tolist() == pytest.approx((first, second)[image][2:])
    assert cells() == set()


def test_boxes_that_compete_for_an_anchor_in_a_cell() -> None:
    """A strip of patches in the middle of a ruler: each has the anchor that it fits best."""
    ruler, strip = box(12, 20, 60, 16, number=3), box(12, 20, 20, 14, number=2)
    assert cells(ruler) == {(0, 0, 2, 1, 3), (0, 1, 2, 1, 3)} and cells(strip) == {(0, 0, 2, 1, 2), (0, 1, 2, 1, 2)}
    assert cells(ruler, strip) == cells(strip, ruler) == {(0, 0, 2, 1, 2), (0, 1, 2, 1, 3)}
    other = box(12, 20, 20, 14, image=1, number=2)
    assert cells(ruler, other) == {*cells(ruler), *cells(other)}
    beside = box(15, 20, 20, 14, number=2)  # it also has the next column to itself
    assert cells(ruler, beside) == {(0, 0, 2, 1, 2), (0, 1, 2, 1, 3), (0, 0, 2, 2, 2), (0, 1, 2, 2, 2)}
