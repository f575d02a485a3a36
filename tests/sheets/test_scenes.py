"""Scenes with more than one sheet, packets from nearby, and sheets turned by any angle."""

from __future__ import annotations

import numpy as np
import pytest

from kits import FONTS, filled, make_kit, overlap
from utils.labels.polygons import fill_polygon
from utils.sheets import camera, compose, scenes
from utils.sheets.drawing.draw import Canvas, Kit, Shape
from utils.sheets.growth import thalli

SQUARE = np.array([(20.0, 30.0), (140.0, 30.0), (140.0, 110.0), (20.0, 110.0)])


@pytest.mark.parametrize("whole", [False, True])
def test_two_sheets_lie_side_by_side(whole: bool) -> None:
    for seed in range(8):
        scene = scenes.two_sheets(make_kit(seed), whole)
        one, other = scene.sheets
        assert -1.6 <= other[0] - one[0] - one[2] <= 3.1
        margins = (one[0], min(one[1], other[1]), scene.photo[0] - other[0] - other[2],
                   scene.photo[1] - max(one[1] + one[3], other[1] + other[3]))
        assert min(margins) > (0.39 if whole else -2)


def test_both_sheets_are_furnished(monkeypatch: pytest.MonkeyPatch) -> None:
    furnished = []
    monkeypatch.setattr(compose.furnish, "furnish", lambda kit, canvas, layout, *rest: furnished.append(layout.area))
    compose.compose(np.random.default_rng(1), FONTS, 256, {"two_sheets": 1e9, "upright": 1e9})
    assert len(furnished) == 2 and furnished[0][0] + furnished[0][2] < furnished[1][0] + 2


def test_a_packet_fills_its_photograph_and_holds_moss_or_lichen() -> None:
    for seed in range(8):
        scene = scenes.packet_close_up(make_kit(seed), False)
        assert scene.folded and max(scene.sheets[0][2:]) < 25
        assert {kind for kind, _ in scene.plants} <= {thalli.moss, thalli.moss_shoots, thalli.lichen}


@pytest.mark.parametrize(("degrees", "quarters", "rest"), [
    (0, 0, 0), (31, 0, 31), (-31, 0, -31), (50, 1, -40), (90, 1, 0), (180, 2, 0), (270, 3, 0), (-90, 3, 0),
    (-170, 2, 10),
])
def test_turns_are_quarters_and_a_rest(degrees: float, quarters: int, rest: float) -> None:
    assert compose.split(degrees) == (quarters, rest)


@pytest.mark.parametrize("degrees", [31.0, -8.5, 45.0])
def test_what_lies_askew_fits_its_polygon(degrees: float) -> None:
    frame = camera.Askew((150, 170), (260, 280), degrees)
    table = np.full((260, 280, 3), 90, np.uint8)
    picture = frame.below(table)
    assert picture.shape == (150, 170, 3) and (picture == 90).all()
    fill_polygon(mask := np.zeros((150, 170), np.uint8), SQUARE, 1)
    picture[mask > 0] = 255
    wide = SQUARE * (1.5, 1) - (0, 0)  # reaches over the right edge of the picture
    shape, cut = frame.lay(picture, table, [Shape("Label", SQUARE), Shape("Scale", wide)])
    white = table[..., 0] > 172
    assert white.sum() == pytest.approx(120 * 80, rel=0.01) and overlap(white, filled(shape, white.shape)) > 0.985
    first, second = shape.points[:2]
    assert np.rad2deg(np.arctan2(first[1] - second[1], second[0] - first[0])) == pytest.approx(degrees)
    sides = np.linalg.norm(np.diff(cut.points[[0, 1, 2, 3, 0]], axis=0), axis=1)
    assert sorted(sides) == pytest.approx([80, 80, 140, 140])  # of 180, 140 are inside


def test_a_table_looks_the_same_under_a_turned_picture() -> None:
    table = np.random.default_rng(0).integers(0, 256, (20, 25, 3), np.uint8).repeat(12, 0).repeat(12, 1)
    frame = camera.Askew((140, 160), table.shape[:2], 20.0)
    laid = table.copy()
    frame.lay(frame.below(table), laid, [])
    assert np.abs(laid.astype(int) - table).mean() < 5


@pytest.mark.parametrize("degrees", [31, 90, 200, -75.5])
def test_a_sheet_is_turned_by_as_many_degrees_as_told(monkeypatch: pytest.MonkeyPatch, degrees: float) -> None:
    def draw(kit: Kit, canvas: Canvas, scene: scenes.Scene) -> list[Shape]:
        middle = np.array(canvas.image.shape[1::-1]) / 2
        points = middle + np.array([(-60, -30), (60, -30), (60, 30), (-60, 30)])
        fill_polygon(mask := np.zeros(canvas.image.shape[:2], np.uint8), points, 1)
        canvas.image[mask > 0], canvas.image[mask == 0] = 255, 0
        return [Shape("Label", points)]

    monkeypatch.setattr(compose, "draw", draw)
    monkeypatch.setattr(compose.paper, "table", lambda kit, canvas, kind: canvas.image.fill(0))
    monkeypatch.setattr(camera, "random_lens", lambda kit, size: camera.Lens(size, 0.0, 1.0, 0.0))
    monkeypatch.setattr(camera, "expose", lambda kit, image: None)
    monkeypatch.setattr(camera, "resolve", lambda kit, image: image)
    image, (shape,) = compose.compose(np.random.default_rng(0), FONTS, 400, {"plain_table": 1e9}, degrees)
    first, second = shape.points[:2]
    angle = np.rad2deg(np.arctan2(first[1] - second[1], second[0] - first[0]))
    assert (angle - degrees + 180) % 360 - 180 == pytest.approx(0, abs=1e-6) and max(image.shape) == 400
    assert overlap(image[..., 0] > 127, filled(shape, image.shape[:2])) > 0.97


def test_angles_are_drawn_between_two_ends() -> None:
    turns = [compose.choose_turn(make_kit(seed), (-40, 20)) for seed in range(50)]
    assert -40 <= min(turns) < -25 and 5 < max(turns) <= 20
    assert compose.choose_turn(make_kit(), 31) == 31
    usual = [compose.choose_turn(make_kit(seed), None) for seed in range(200)]
    assert 160 < usual.count(0.0) < 200
