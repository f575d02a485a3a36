"""Colour charts, scales and rulers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kits import filled, make_kit, overlap
from utils.sheets.drawing.draw import Canvas
from utils.sheets.measures import charts, rulers, scales, strips


def test_scale_on_the_border_is_tight_in_a_ring_of_ignore() -> None:
    card = scales.border_scale(make_kit(2))
    ring, inner = card.shapes
    assert (ring.label, inner.label) == ("_ignore_", "Scale")
    rows, columns = np.nonzero(card.alpha > 60)
    box = np.array([(columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)])
    np.testing.assert_allclose([inner.points.min(0), inner.points.max(0)], box, atol=0.01)
    np.testing.assert_allclose([ring.points.min(0), ring.points.max(0)], box + np.array([[-21], [21]]), atol=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_patches_in_a_ruler_are_a_chart_on_a_scale(seed: int) -> None:
    card = scales.patch_ruler(make_kit(seed))
    whole, block = card.shapes
    assert (whole.label, block.label) == ("Scale", "Color chart")
    assert filled(whole, card.alpha.shape).all()
    colourful = np.ptp(card.image, axis=2) > 70
    inside = filled(block, card.alpha.shape)
    edge = inside | np.pad(np.zeros(np.subtract(inside.shape, 12), bool), 6, constant_values=True)  # a frame, sometimes
    assert inside.mean() < 0.4 and colourful[inside].mean() > 5 * colourful[~edge].mean()


def test_chart_at_the_end_of_a_ruler_lies_on_its_scale() -> None:
    cards = [scales.box_ruler(make_kit(seed)) for seed in range(30)]
    double = [card for card in cards if len(card.shapes) == 2]
    assert 0 < len(double) < len(cards)
    for card in double:
        assert [shape.label for shape in card.shapes] == ["Scale", "Color chart"]
        inside = filled(card.shapes[1], card.alpha.shape)
        assert 0.01 < inside.mean() < 0.35
        assert np.ptp(card.image, axis=2)[inside].mean() > 2 * np.ptp(card.image, axis=2)[~inside].mean()


def test_paper_shows_through_a_clear_ruler_but_not_through_its_ink() -> None:
    for seed in range(6):
        canvas = Canvas(np.zeros((400, 2000, 3), np.uint8), 60.0)
        canvas.image[:, ::2] = 255  # stripes one pixel wide
        card = rulers.clear_ruler(make_kit(seed))
        canvas.paste(card, card.width / 2, card.height / 2, shadow=0.0)
        inside = filled(card.shapes[0], canvas.image.shape[:2])
        stripes = np.abs(np.diff(canvas.image[..., 0].astype(int), axis=1))[inside[:, 1:]]
        assert np.median(stripes) > 130 and stripes.min() < 110


@pytest.mark.parametrize("kind", [charts.checker, charts.two_rows, charts.mini, strips.control_strip, strips.grey_scale,
                                  charts.palette, charts.wedge])
def test_each_chart_is_one_card_of_patches(kind: Callable) -> None:
    for seed in range(4):
        card = kind(make_kit(seed))
        assert [shape.label for shape in card.shapes] == ["Color chart"]
        assert overlap(filled(card.shapes[0], card.alpha.shape), card.alpha > 127) > 0.98
        assert len(np.unique(card.image[::4, ::4].reshape(-1, 3) // 24, axis=0)) >= 4


def test_a_pair_of_charts_is_two_that_lie_end_to_end() -> None:
    for seed in range(12):
        card = charts.pair(make_kit(seed))
        one, other = (filled(shape, card.alpha.shape) for shape in card.shapes)
        assert [shape.label for shape in card.shapes] == ["Color chart"] * 2
        assert not (one & other).any() and overlap(one | other, card.alpha > 127) > 0.9
        assert abs(one.sum(0).max() - other.sum(0).max()) <= 1  # as high as each other
        ends = [np.flatnonzero(mask.any(0)) for mask in (one, other)]
        assert 0 < ends[1][0] - ends[0][-1] <= 1 + 0.26 * card.scale
        board = charts.mounted_pair(make_kit(seed))  # the same two, with dark background around them
        ((left, top), *_), *_ = (shape.points for shape in board.shapes)
        assert [shape.label for shape in board.shapes] == ["Color chart"] * 2 and min(left, top) > 0
        assert (board.alpha > 127).all() and board.image[0].mean() < 128


def test_only_between_the_halves_of_a_card_are_patches_far_apart() -> None:
    for seed in range(30):
        make = charts.half(make_kit(seed))
        between = sum(make.ends) + make.gap  # of two halves that touch, from patch to patch
        assert between > 2 * make.gap and between > 0.05 * make.height


@pytest.mark.parametrize("kind", [scales.box_ruler, scales.checkered, scales.block_card, scales.patch_ruler,
                                  scales.patch_card, rulers.tick_ruler, rulers.edge_ruler, rulers.clear_ruler,
                                  rulers.slip])
def test_each_scale_has_marks(kind: Callable) -> None:
    for seed in range(6):
        card = kind(make_kit(seed))
        assert "Scale" in [shape.label for shape in card.shapes]
        assert {shape.label for shape in card.shapes} <= {"Scale", "Color chart", "_ignore_"}
        grey = card.image.mean(2)
        assert (np.abs(grey - np.median(grey)) > 60).mean() > 0.003


@pytest.mark.parametrize("material", rulers.MATERIALS)
def test_rulers_have_the_colour_of_their_material(material: str) -> None:
    card = rulers.tick_ruler(make_kit(1), material)
    np.testing.assert_allclose(np.median(card.image, (0, 1)), rulers.MATERIALS[material][0], atol=40)
