"""Cards and canvases: polygons that fit what is pasted, turned and cut; how often each thing is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from kits import FONTS, filled, make_kit, overlap
from utils.sheets import write
from utils.sheets.drawing.draw import Canvas, Card, Kit, Shape


def test_often_multiplies_the_weights_of_a_table() -> None:
    def ruler() -> None: ...
    def tag() -> None: ...

    kit = Kit(np.random.default_rng(0), FONTS, 60.0, {"tag": 3.0})
    single = [kit.one_of(((ruler, 2), (tag, 1))) is tag for _ in range(4000)]
    assert abs(np.mean(single) - 3 / 5) < 0.03
    row = (tag, ruler, tag)
    rows = [kit.one_of((((ruler,), 2), (row, 1))) is row for _ in range(4000)]
    assert abs(np.mean(rows) - 3 / 5) < 0.03  # once, although the row has two tags
    kit = make_kit()
    assert abs(np.mean([kit.one_of(((ruler, 2), (tag, 1))) is tag for _ in range(4000)]) - 1 / 3) < 0.03


def test_often_multiplies_the_odds_of_what_is_drawn_now_and_then() -> None:
    def tape() -> None: ...

    for times, expected in ((1.0, 0.2), (4.0, 0.5), (1e9, 1.0)):  # odds of 1 to 4, 4 to 4, and always
        kit = Kit(np.random.default_rng(0), FONTS, 60.0, {"tape": times})
        assert abs(np.mean([kit.happens(tape, 0.2) for _ in range(4000)]) - expected) < 0.03


@pytest.mark.parametrize("angle", [0.0, 7.0, -90.0])
@pytest.mark.parametrize("ratio", [0.25, 1.0])
def test_pasted_card_covers_its_polygon(angle: float, ratio: float) -> None:
    canvas = Canvas(np.zeros((300, 400, 3), np.uint8), 20.0)
    card = Card(8, 5, 20.0 / ratio, (255, 255, 255))
    card.mark("Label")
    canvas.paste(card, 9.0, 7.0, angle, shadow=0.0)
    (shape,) = canvas.shapes
    white = canvas.image[..., 0] > 127
    assert white.sum() == pytest.approx(8 * 20 * 5 * 20, rel=0.01)
    assert overlap(white, filled(shape, white.shape)) > 0.985


def test_turned_card_takes_its_shapes_along() -> None:
    card = Card(6, 3, 10.0, (0, 0, 0))
    card.rect(4, 1, 1.5, 1, (255, 255, 255))
    card.mark("Scale", (4, 1, 1.5, 1))
    turned = card.turned(1)
    assert turned.alpha.shape == (60, 30)
    np.testing.assert_array_equal(turned.image[..., 0] > 0, filled(turned.shapes[0], turned.alpha.shape))
    np.testing.assert_array_equal(turned.turned(3).image, card.image)


def test_what_is_cut_off_by_a_larger_card_is_no_error() -> None:
    card = Card(4, 2, 10.0, (0, 0, 0))
    card.put(Card(1, 1, 10.0, (255, 255, 255)), 3.5, 0)
    card.put(Card(1, 1, 10.0, (255, 255, 255)), 4.5, 0)
    assert (card.image[..., 0] > 0).sum() == 5 * 10


def test_polygons_are_cut_at_the_edges() -> None:
    square = np.array([(-10.0, 5.0), (10.0, 5.0), (10.0, 15.0), (-10.0, 15.0)])
    inside, = write.polygons([Shape("Scale", square), Shape("Label", square - 50)], (20, 30))
    assert inside.value == 4
    assert sorted(map(tuple, inside.points.tolist())) == [(0, 5), (0, 15), (10, 5), (10, 15)]
