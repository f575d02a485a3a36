"""Where things lie on a sheet: apart, side by side, one on the other."""

from __future__ import annotations

import numpy as np
import pytest

from kits import FONTS, filled, make_kit, overlap
from utils.sheets import beside, compose, furnish, grounds, scenes
from utils.sheets.drawing.draw import Canvas, Card, Kit, Maker, Shape, Table, names_of
from utils.sheets.growth import plants
from utils.sheets.measures import charts, joined, rulers, scales
from utils.sheets.things import labels


def test_often_holds_for_the_whole_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, one_of = {}, Kit.one_of

    def watched(kit: Kit, table: Table) -> Maker | tuple[Maker, ...]:
        chosen.setdefault(tuple(table), []).append(one_of(kit, table))
        return chosen[tuple(table)][-1]

    monkeypatch.setattr(Kit, "one_of", watched)
    monkeypatch.setattr(plants, "grow", bare)  # plants take longer than the rest, and nothing is chosen by them
    often = {"patch_card": 1e9, "pair": 1e9, "slip": 1e9, "board": 1e9, "packet_close_up": 1e9, "any_angle": 1e9}
    for seed in range(12):
        compose.compose(np.random.default_rng(seed), FONTS, 300, often)
    # `slip` is a label and a scale
    assert set(chosen[joined.KINDS]) <= {scales.patch_card, rulers.slip} and len(chosen[joined.KINDS]) > 2
    assert set(chosen[charts.KINDS]) == {charts.pair}
    assert set(chosen[labels.KINDS]) == {labels.slip}
    assert all({"patch_card", "pair"} & set(names_of(row)) for row in chosen[beside.STRIPS])
    assert set(chosen[grounds.KINDS]) == {grounds.board} and set(chosen[scenes.TURNS]) == {scenes.any_angle}
    assert set(chosen[scenes.SCENES]) == {scenes.packet_close_up}


def bare(kit: Kit, canvas: Canvas, box: furnish.Box, table: Table = ()) -> plants.Specimen:
    """No plant."""
    return plants.Specimen(np.zeros((*canvas.image.shape[:2], 4), np.uint8), canvas.scale, 0, 0)


def test_part_of_the_plant_lies_over_a_tag_tied_to_it() -> None:
    tied = 0
    for seed in range(12):
        kit, canvas = make_kit(seed), Canvas(np.full((800, 560, 3), 240, np.uint8), 20.0)
        specimen = plants.grow(kit, canvas, (0, 0, 28, 40))
        layout = furnish.Layout(kit, (0, 0, 28, 40), specimen)
        middle = furnish.tie(kit, canvas, layout, (240, 232, 210))
        assert (middle is None) == (not canvas.shapes) == (not layout.taken)
        if middle is not None:
            (shape,) = canvas.shapes
            plant = np.zeros((800, 560), bool)
            part = specimen.rgba[..., 3] > 127
            plant[specimen.top:specimen.top + part.shape[0], specimen.left:specimen.left + part.shape[1]] = part
            assert shape.label == "Label" and np.linalg.norm(shape.points.mean(0) / 20 - middle) < 3
            tied += 0 < plant[filled(shape, plant.shape)].mean() < 0.6
    assert tied >= 8


def test_barcode_stuck_on_a_label_stays_on_it() -> None:
    for seed in range(5):
        canvas, kit = Canvas(np.full((400, 400, 3), 240, np.uint8), 20.0), make_kit(seed)
        card = Card(4, 2, 60.0, (255, 255, 255))
        card.mark("Barcode")
        furnish.stick_on(kit, canvas, (5.0, 6.0, 9.0, 5.0), card)
        low, high = canvas.shapes[0].points.min(0) / 20, canvas.shapes[0].points.max(0) / 20
        assert (low > (4.7, 5.7)).all() and (high < (14.3, 11.3)).all()  # it is a little askew


def test_stamps_over_labels_do_not_cut_them() -> None:
    kit = make_kit(4)
    canvas = Canvas(np.full((400, 400, 3), 240, np.uint8), 20.0, [Shape("Label", np.zeros((4, 2)))])
    layout = furnish.Layout(kit, (0, 0, 20, 20), plants.grow(kit, canvas, (0, 0, 20, 20)))
    layout.taken.append(((5, 5, 8, 6), 1.0))
    furnish.stamp_over(kit, canvas, layout)
    assert [shape.label for shape in canvas.shapes] == ["_ignore_", "Label"]


def test_layout_keeps_things_apart() -> None:
    kit = make_kit(5)
    canvas = Canvas(np.full((400, 400, 3), 240, np.uint8), 20.0)
    layout = furnish.Layout(kit, (0, 0, 20, 20), plants.grow(kit, canvas, (0, 0, 20, 20)))
    boxes = [layout.find(6, 6, [(1.0, 1.0)]) for _ in range(30)]
    found = [box for box in boxes if box]
    assert None in boxes and len(found) >= 3  # 20 x 20 cm hold nine at most
    taken = np.zeros((200, 200), int)
    for x, y, width, height in found:
        taken[round(y * 10):round((y + height) * 10), round(x * 10):round((x + width) * 10)] += 1
    assert (taken > 1).sum() <= 60 * 2 * len(found)  # rounding to millimetres only


def test_layout_puts_a_card_right_beside_another() -> None:
    kit = make_kit(6)
    canvas = Canvas(np.full((400, 400, 3), 240, np.uint8), 20.0)
    layout = furnish.Layout(kit, (0, 0, 20, 20), plants.grow(kit, canvas, (0, 0, 20, 20)))
    other = (8.0, 8.0, 4.0, 3.0)
    layout.taken.append((other, 1.0))
    boxes = [layout.beside(3, 2, other) for _ in range(30)]
    found = [box for box in boxes if box]
    assert None in boxes and 3 <= len(found) <= 8  # then every side is full
    for x, y, width, height in found:
        assert x >= 0 and y >= 0 and x + width <= 20 and y + height <= 20
        gaps = (other[0] - x - width, x - other[0] - other[2], other[1] - y - height, y - other[1] - other[3])
        assert 0.03 <= max(gaps) <= 0.4
    assert all(intersection(a, b) == 0 for i, a in enumerate(found) for b in found[:i])
    assert layout.beside(30, 2, other) is None


def test_layout_laps_a_card_over_another_a_little() -> None:
    kit = make_kit(7)
    canvas = Canvas(np.full((400, 400, 3), 240, np.uint8), 20.0)
    other = (8.0, 8.0, 4.0, 3.0)
    for _ in range(20):
        layout = furnish.Layout(kit, (0, 0, 20, 20), plants.grow(kit, canvas, (0, 0, 20, 20)))
        layout.taken.append((other, 1.0))
        box = layout.beside(3, 2, other, lap=True)
        assert box is not None and 0 < intersection(box, other) <= 0.26 * 3 * 2


def intersection(a: furnish.Box, b: furnish.Box) -> float:
    """The area of two boxes' intersection, in cm2."""
    return max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])) * max(
        0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))


def test_neighbour_is_ignored() -> None:
    canvas = Canvas(np.zeros((400, 300, 3), np.uint8), 10.0)
    compose.neighbour(make_kit(0, 20.0), canvas, (30.0, 40.0))
    (shape,) = canvas.shapes
    assert shape.label == "_ignore_"
    assert overlap(canvas.image[..., 0] > 100, filled(shape, (400, 300))) > 0.9


def test_a_slip_on_a_label_is_a_label_on_top_of_it() -> None:
    inside = []
    for seed in range(12):
        canvas = Canvas(np.full((400, 400, 3), 240, np.uint8), 20.0)
        card = Card(11, 8, 60.0, (255, 255, 255))
        card.mark("Label")
        canvas.paste(card, 10, 10)
        furnish.slip_on_label(make_kit(seed), canvas, [(4.5, 6.0, 11.0, 8.0)], (240, 236, 220))
        assert {shape.label for shape in canvas.shapes} == {"Label"} and len(canvas.shapes) <= 2
        for slip in canvas.shapes[1:]:
            below, above = filled(canvas.shapes[0], (400, 400)), filled(slip, (400, 400))
            inside.append((below & above).sum() / above.sum())
            assert 0 < above.sum() < 0.6 * below.sum()
    assert len(inside) >= 9 and min(inside) > 0.4 and max(inside) > 0.99
    furnish.slip_on_label(make_kit(), canvas, [], (240, 236, 220))  # a sheet without labels


def test_clear_tape_is_no_object_and_shows_what_lies_below() -> None:
    for seed in range(8):
        canvas = Canvas(np.full((400, 400, 3), 240, np.uint8), 20.0)
        canvas.image[::2] = 0
        layout = furnish.Layout(make_kit(seed), (0, 0, 20, 20), bare(make_kit(), canvas, (0, 0, 20, 20)))
        before = canvas.image.copy()
        furnish.stick_down(make_kit(seed), canvas, layout, [(5.0, 5.0, 8.0, 6.0)])
        changed = (canvas.image != before).any(2)
        assert canvas.shapes == [] and changed.mean() > 0.002
        stripes = np.abs(np.diff(canvas.image[..., 0].astype(int), axis=0))
        assert np.median(stripes[changed[1:]]) > 60


@pytest.mark.parametrize("side", beside.SIDES)
def test_the_ticks_of_a_ruler_cut_by_the_picture_point_inwards(side: str) -> None:
    card = Card(6, 1, 20.0, (0, 0, 0))
    card.rect(0, 0, 6, 0.5, (255, 255, 255))  # its upper half
    turned = card.turned(beside.OUTWARDS[side]).image[..., 0]
    outer = {"left": turned[:, 0], "right": turned[:, -1], "top": turned[0], "bottom": turned[-1]}[side]
    inner = {"left": turned[:, -1], "right": turned[:, 0], "top": turned[-1], "bottom": turned[0]}[side]
    assert (outer == 0).all() and (inner == 255).all()


@pytest.mark.parametrize("side", beside.SIDES)
def test_a_cut_ruler_lies_along_the_edge_of_the_picture(side: str) -> None:
    for seed in range(3):
        kit, canvas = make_kit(seed), Canvas(np.full((800, 600, 3), 90, np.uint8), 20.0)
        beside.place_strip(kit, canvas, [], side, (joined.cut_ruler,), (30.0, 40.0), (1.0, 1.0, 1.0, 1.0))
        (shape,) = canvas.shapes
        rows, columns = np.nonzero(filled(shape, (800, 600)))
        distance = {"left": columns.min(), "right": 599 - columns.max(), "top": rows.min(), "bottom": 799 - rows.max()}
        across = np.ptp(columns) if side in ("left", "right") else np.ptp(rows)
        assert shape.label == "Scale" and distance[side] <= 2 and across < 1.3 * 20
