"""Plants, tables, mats and old paper."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kits import make_kit
from utils.sheets import grounds, paper
from utils.sheets.drawing.draw import Canvas
from utils.sheets.drawing.strokes import Drawing
from utils.sheets.growth import plants, thalli


@pytest.mark.parametrize("kind", [kind for kind, _ in thalli.PLANTS])
def test_each_growth_form_draws_a_plant(kind: Callable) -> None:
    for seed in range(3):
        drawing = Drawing(20.0)
        kind(make_kit(seed), drawing, np.zeros(2), -np.pi / 2, 12.0)
        low, high = drawing.bounds()
        rgba = np.zeros((*np.ceil((high - low) * 20 + 2).astype(int)[::-1], 4), np.uint8)
        drawing.paint(rgba, -low, 1.0)
        assert 0.002 < (rgba[..., 3] > 127).mean() < 0.98
        assert (rgba[..., :3].max(2) <= rgba[..., 3].astype(int) + 2).all()  # premultiplied


def test_specimen_stays_on_the_sheet() -> None:
    for seed in range(12):
        canvas = Canvas(np.full((300, 200, 3), 250, np.uint8), 10.0)
        specimen = plants.grow(make_kit(seed), canvas, (4.0, 5.0, 12.0, 20.0))
        plants.press(make_kit(seed), canvas, specimen)
        outside = canvas.image.copy()
        outside[42:258, 32:168] = 250  # the box and 0.8 cm around it
        assert (outside == 250).all() and specimen.cover(4, 5, 12, 20) > 0.005
        assert specimen.cover(-9, -9, 3, 3) == 0.0


def test_the_hulls_of_the_pieces_hold_every_pixel_of_the_plant() -> None:
    for seed in range(12):
        canvas = Canvas(np.full((300, 200, 3), 250, np.uint8), 10.0)
        specimen = plants.grow(make_kit(seed), canvas, (4.0, 5.0, 12.0, 20.0))
        rows, columns = np.nonzero(specimen.rgba[..., 3])
        extent = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        low = np.min([piece.min(0) for piece in specimen.pieces], 0) - (specimen.left, specimen.top)
        high = np.max([piece.max(0) for piece in specimen.pieces], 0) - (specimen.left, specimen.top)
        np.testing.assert_array_equal([*low, *high], extent)


def test_hull_by_hand() -> None:
    inside = np.zeros((6, 8), bool)
    inside[1, 3] = inside[4, 1] = inside[4, 6] = inside[2, 3] = True
    corners = {tuple(point) for point in plants.hull(inside).tolist()}
    assert corners == {(3, 1), (4, 1), (7, 4), (7, 5), (1, 5), (1, 4)}
    assert plants.hull(inside[:1]).shape == (0, 2)


@pytest.mark.parametrize("kind", paper.TABLES)
def test_tables_have_their_colour(kind: str) -> None:
    canvas = Canvas(np.empty((200, 150, 3), np.uint8), 10.0)
    paper.table(make_kit(1), canvas, kind)
    np.testing.assert_allclose(canvas.image.mean((0, 1)), paper.TABLES[kind], atol=40)


@pytest.mark.parametrize("part", [paper.stains, lambda kit, image, s: paper.folds(kit, image),
                                  lambda kit, image, s: paper.edges(kit, image, (1, 1, 13, 18), s)])
def test_age_darkens_paper_a_little(part: Callable) -> None:
    for seed in range(4):
        image = np.full((200, 150, 3), 220, np.uint8)
        part(make_kit(seed), image, 10.0)
        assert 150 < image.mean() < 235 and image.std() > 0.1


def test_the_grid_of_a_cutting_mat_and_its_numbers_are_no_objects() -> None:
    for seed in range(4):
        canvas = Canvas(np.empty((600, 440, 3), np.uint8), 20.0)
        grounds.cutting_mat(make_kit(seed), canvas, False)
        assert canvas.shapes == []
        lines = np.abs(np.diff(canvas.image[200:400, 100:340].astype(int).mean((0, 2)))) > 6
        at = np.flatnonzero(lines)  # each line has two sides
        assert len(at) > 6
        gaps = np.diff(at)[np.diff(at) > 4] / 20
        unit = min((1.0, 2.54), key=lambda length: abs(np.median(gaps) - length))
        assert np.abs(gaps / unit - np.round(gaps / unit)).max() < 0.2  # sides, and rounding to pixels


def test_a_board_has_scales_along_its_edges_that_are_no_objects() -> None:
    marked = 0
    for seed in range(6):
        canvas = Canvas(np.empty((600, 440, 3), np.uint8), 20.0)
        grounds.board(make_kit(seed), canvas, False)
        assert canvas.shapes == []
        middle, edges = canvas.image[120:-120, 120:-120].mean(2), canvas.image.mean(2)
        marked += (edges < np.median(middle) - 60).sum() > 100 and (middle < np.median(middle) - 60).sum() == 0
    assert marked >= 4
