"""The parts of a synthetic sheet: barcodes that can be read, polygons that fit what is drawn, every kind drawn once."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import zxingcpp

from utils.labels.polygons import fill_polygon
from utils.sheets import camera, compose, furnish, paper, plants, species, write
from utils.sheets.drawing.draw import Canvas, Card, Kit, Maker, Shape, Table, names_of
from utils.sheets.drawing.fonts import find_fonts
from utils.sheets.drawing.strokes import Drawing
from utils.sheets.things import barcodes, charts, distractors, emblems, labels, rulers, scales, stationery, strips

FONTS = find_fonts("bundled")


def make_kit(seed: int = 0, scale: float = 60.0) -> Kit:
    """A kit with its own random generator."""
    return Kit(np.random.default_rng(seed), FONTS, scale)


def filled(shape: Shape, size: tuple[int, int]) -> np.ndarray:
    """The pixels of a shape, bool (height, width)."""
    mask = np.zeros(size, np.uint8)
    fill_polygon(mask, shape.points, 1)
    return mask > 0


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two bool masks."""
    return (first & second).sum() / (first | second).sum()


# --- what is drawn how often


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


def test_often_holds_for_the_whole_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, one_of = {}, Kit.one_of

    def watched(kit: Kit, table: Table) -> Maker | tuple[Maker, ...]:
        chosen.setdefault(tuple(table), []).append(one_of(kit, table))
        return chosen[tuple(table)][-1]

    monkeypatch.setattr(Kit, "one_of", watched)
    often = {"patch_card": 1e9, "pair": 1e9, "slip": 1e9}  # `slip` is a label and a scale
    for seed in range(12):
        compose.compose(np.random.default_rng(seed), FONTS, 300, often)
    assert set(chosen[scales.KINDS]) <= {scales.patch_card, rulers.slip} and len(chosen[scales.KINDS]) > 3
    assert set(chosen[charts.KINDS]) == {charts.pair}
    assert set(chosen[labels.KINDS]) == {labels.slip}
    assert all({"patch_card", "pair"} & set(names_of(row)) for row in chosen[compose.STRIPS])


# --- barcodes


@pytest.mark.parametrize(("name", "text"), [
    ("Code39", "K000123456"), ("Code128", "BRX0012345"), ("ITF", "00123456"), ("DataMatrix", "AUT020428"),
    ("QRCode", "https://herbarium.example.org/FI1234"),
])
def test_barcode_on_its_sticker_is_read(name: str, text: str) -> None:
    kit = make_kit(scale=200.0)
    draw = barcodes.matrix_sticker if name in ("DataMatrix", "QRCode") else barcodes.linear_sticker
    card = draw(kit, name, text, (250, 250, 248))
    found = zxingcpp.read_barcodes(card.image)
    assert [(code.format, code.text) for code in found] == [(barcodes.FORMATS[name], text)]
    assert [(shape.label, shape.note) for shape in card.shapes] == [("Barcode", f"{name} {text}")]


@pytest.mark.parametrize("seed", range(12))
def test_random_stickers_are_read(seed: int) -> None:
    card = barcodes.sticker(make_kit(seed, 200.0), (236, 226, 200))
    (shape,) = card.shapes
    image = np.where(card.alpha[..., None] > 127, card.image, 236).astype(np.uint8)
    quiet = cv2.copyMakeBorder(image, 60, 60, 60, 60, cv2.BORDER_REPLICATE)
    assert shape.note.split(" ", 1)[1] in [code.text for code in zxingcpp.read_barcodes(quiet)]


def test_qr_code_is_read_by_opencv() -> None:
    card = Card(4, 4, 100.0, (255, 255, 255))
    barcodes.draw_symbol(card, "QRCode", "FI000123", 0.5, 0.5, 3, 3)
    assert cv2.QRCodeDetector().detectAndDecode(card.image)[0] == "FI000123"


def test_barcode_in_a_label_is_marked_tightly() -> None:
    card = Card(8, 4, 100.0, (250, 250, 245))
    barcodes.in_label(make_kit(3, 100.0), card, 1.0, 0.5, 4.5, 1.2)
    (shape,) = card.shapes
    inside = filled(shape, card.alpha.shape)
    ink = card.image.min(2) < 128
    assert ink[inside].mean() > 0.2 and not ink[~inside].any()
    (found,) = zxingcpp.read_barcodes(card.image)
    assert shape.note.split(" ", 1)[1] == found.text


@pytest.mark.parametrize("seed", range(4))
def test_barcode_printed_on_the_sheet_is_its_bars_alone(seed: int) -> None:
    card = barcodes.on_sheet(make_kit(seed, 150.0))
    (shape,) = card.shapes
    inside = filled(shape, card.alpha.shape)
    rows, columns = np.nonzero(inside)
    bars = (card.alpha > 127)[rows.min() + 2:rows.max() - 1, columns.min():columns.max() + 1]
    assert (bars == bars[0]).all() and bars[0, :3].any() and bars[0, -3:].any()
    assert (card.alpha > 127)[~inside].any()  # the number below
    read = zxingcpp.read_barcodes(cv2.copyMakeBorder(255 - card.alpha, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=255))
    assert [f"{code.format.name} {code.text}" for code in read] == [shape.note]


def test_barcodes_are_read_from_a_photograph() -> None:
    kit, scale = make_kit(8, 120.0), 110.0  # pixels per cm of a photograph about 4800 high
    canvas = Canvas(np.full((1800, 2400, 3), 236, np.uint8), scale)
    for place in range(12):
        middle = (3.6 + 7 * (place % 3), 2.2 + 4 * (place // 3))
        canvas.paste(barcodes.sticker(kit, (236, 230, 214)), *middle, kit.rng.normal(0, 2))
    image, shapes = camera.photograph(camera.Lens((1800, 2400), 0.5, 1.01, 0.005), canvas.image, canvas.shapes)
    camera.expose(kit, image)
    image = camera.resolve(kit, image)
    read = []
    for shape in shapes:
        x0, y0 = np.maximum(shape.points.min(0).astype(int) - 20, 0)
        x1, y1 = shape.points.max(0).astype(int) + 20
        texts = [code.text for code in zxingcpp.read_barcodes(np.ascontiguousarray(image[y0:y1, x0:x1]))]
        read.append(shape.note.split(" ", 1)[1] in texts)
    assert len(read) == 12 and np.mean(read) >= 0.75  # the finest bars are about a pixel wide


# --- geometry


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


@pytest.mark.parametrize("lens", [camera.Lens((300, 400), 3.0, 1.05, 0.0), camera.Lens((300, 400), 0.0, 1.0, 0.03),
                                  camera.Lens((400, 300), -2.0, 1.04, -0.02)])
def test_lens_moves_pixels_and_polygons_alike(lens: camera.Lens) -> None:
    points = np.array([(40.0, 30.0), (260.0, 45.0), (250.0, 240.0), (60.0, 250.0)])
    np.testing.assert_allclose(lens.back(lens.forth(points)), points, atol=1e-6)
    image = np.zeros((*lens.size, 3), np.uint8)
    fill_polygon(mask := np.zeros(lens.size, np.uint8), points, 255)
    image[:] = mask[..., None]
    bent, (shape,) = camera.photograph(lens, image, [Shape("Label", points)])
    moved = overlap(filled(shape, lens.size), mask > 0)
    assert moved < 0.985 < 0.992 < overlap(filled(shape, lens.size), bent[..., 0] > 127)


def test_lens_that_does_nothing_keeps_the_picture() -> None:
    image, shapes = np.zeros((30, 40, 3), np.uint8), [Shape("Label", np.zeros((4, 2)))]
    same, kept = camera.photograph(camera.Lens((30, 40), 0.0, 1.0, 0.0), image, shapes)
    assert same is image and kept is shapes


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarter_turns(quarters: int) -> None:
    shape = Shape("Label", np.array([(2.0, 1.0), (7.0, 1.0), (7.0, 4.0), (2.0, 4.0)]))
    image = np.repeat(filled(shape, (10, 20))[..., None], 3, 2).astype(np.uint8)
    turned, (moved,) = camera.turn(image, [shape], quarters)
    assert turned.shape[:2] == ((20, 10) if quarters % 2 else (10, 20))
    np.testing.assert_array_equal(turned[..., 0] > 0, filled(moved, turned.shape[:2]))


def test_polygons_are_cut_at_the_edges() -> None:
    square = np.array([(-10.0, 5.0), (10.0, 5.0), (10.0, 15.0), (-10.0, 15.0)])
    inside, = write.polygons([Shape("Scale", square), Shape("Label", square - 50)], (20, 30))
    assert inside.value == 4
    assert sorted(map(tuple, inside.points.tolist())) == [(0, 5), (0, 15), (10, 5), (10, 15)]


# --- what the classes mean


def test_torn_label_keeps_its_polygon() -> None:
    card = Card(6, 4, 40.0, (240, 240, 230))
    card.mark("Label")
    stationery.torn(make_kit(1), card)
    assert 0.9 < (card.alpha > 127).mean() < 1.0
    assert overlap(card.alpha > 127, filled(card.shapes[0], card.alpha.shape)) > 0.98


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


def test_string_of_a_tag_is_no_label() -> None:
    for seed in range(12):  # clipped, square and round ones
        card = labels.tag(make_kit(seed), (240, 232, 210))
        (shape,) = card.shapes
        inside = filled(shape, card.alpha.shape)
        assert shape.label == "Label" and (card.alpha > 127)[inside].mean() > 0.98
        assert 0.001 < (card.alpha > 127)[~inside].mean() < 0.35


def test_part_of_the_plant_lies_over_a_tag_tied_to_it() -> None:
    tied = 0
    for seed in range(12):
        kit, canvas = make_kit(seed), Canvas(np.full((800, 560, 3), 240, np.uint8), 20.0)
        specimen = plants.grow(kit, canvas, (0, 0, 28, 40))
        layout = compose.Layout(kit, (0, 0, 28, 40), specimen)
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


@pytest.mark.parametrize("below", [False, True])
def test_words_round_a_stamp_stay_on_their_half_of_the_ring(below: bool) -> None:
    card = Card(8, 6, 50.0, (255, 255, 255))
    emblems.round_text(make_kit(), card, "HERBARIUM OF ROME", (4.0, 3.0), (3.0, 2.0), 0.6, (0, 0, 0), below)
    rows, columns = np.nonzero(card.image[..., 0] < 128)
    x, y = columns / 50 - 4, rows / 50 - 3
    reach = np.hypot(x / 3, y / 2)
    assert len(rows) > 500 and reach.min() > 0.75 and reach.max() < 1.25
    assert (y > 0).all() if below else (y < 0).all()


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
    layout = compose.Layout(kit, (0, 0, 20, 20), plants.grow(kit, canvas, (0, 0, 20, 20)))
    layout.taken.append(((5, 5, 8, 6), 1.0))
    furnish.stamp_over(kit, canvas, layout)
    assert [shape.label for shape in canvas.shapes] == ["_ignore_", "Label"]


def test_layout_keeps_things_apart() -> None:
    kit = make_kit(5)
    canvas = Canvas(np.full((400, 400, 3), 240, np.uint8), 20.0)
    layout = compose.Layout(kit, (0, 0, 20, 20), plants.grow(kit, canvas, (0, 0, 20, 20)))
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
    layout = compose.Layout(kit, (0, 0, 20, 20), plants.grow(kit, canvas, (0, 0, 20, 20)))
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
        layout = compose.Layout(kit, (0, 0, 20, 20), plants.grow(kit, canvas, (0, 0, 20, 20)))
        layout.taken.append((other, 1.0))
        box = layout.beside(3, 2, other, lap=True)
        assert box is not None and 0 < intersection(box, other) <= 0.26 * 3 * 2


def intersection(a: compose.Box, b: compose.Box) -> float:
    """The area of two boxes' intersection, in cm2."""
    return max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])) * max(
        0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))


# --- every kind is drawn


@pytest.mark.parametrize("kind", [kind for kind, _ in labels.KINDS])
def test_each_label_carries_ink_on_paper(kind: Callable) -> None:
    """All of them but `blank`, some of which are empty."""
    written = []
    for seed in range(12 if kind is labels.blank else 3):
        card = kind(make_kit(seed), (238, 232, 215))
        grey = card.image.mean(2)
        ground = np.median(grey)
        written.append((grey < ground - 40).mean() > 0.0005)  # ink
        assert (np.abs(grey - ground) < 25).mean() > 0.5  # paper
    assert any(written) and all(written) == (kind is not labels.blank)


def test_labels_are_marked_whole_unless_torn() -> None:
    cards = [labels.label(make_kit(seed, 30.0), (238, 232, 215), main=seed % 4 > 0) for seed in range(160)]
    assert {shape.label for card in cards for shape in card.shapes} == {"Label", "Barcode"}
    for card in cards:
        assert card.shapes[0].label == "Label"
        assert overlap(filled(card.shapes[0], card.alpha.shape), card.alpha > 127) > 0.9


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


@pytest.mark.parametrize("kind", [distractors.stamp, distractors.note, distractors.nameplate,
                                  distractors.sheet_heading,
                                  lambda kit: distractors.packet(kit, (240, 235, 220))])
def test_what_can_be_argued_about_is_ignored(kind: Callable) -> None:
    for seed in range(4):
        card = kind(make_kit(seed))
        assert [shape.label for shape in card.shapes] == ["_ignore_"]
        inside = filled(card.shapes[0], card.alpha.shape)
        assert (card.alpha > 60).any() and not (card.alpha > 60)[~inside].any()


@pytest.mark.parametrize("kind", [distractors.photograph, distractors.plain_strip, distractors.mounting_tape,
                                  distractors.clip])
def test_hard_negatives_have_no_class(kind: Callable) -> None:
    for seed in range(4):
        card = kind(make_kit(seed))
        assert not card.shapes and (card.alpha > 50).any()


@pytest.mark.parametrize("kind", species.GROWTH)
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


def test_exposure_and_resolution_keep_the_picture() -> None:
    flat = np.zeros((120, 90, 3), np.uint8)
    flat[30:90, 20:70] = (200, 190, 170)
    results = []
    for seed in range(25):
        kit, image = make_kit(seed), flat.copy()
        camera.expose(kit, image)
        image = camera.resolve(kit, image)
        assert image.shape == flat.shape and image.dtype == np.uint8
        assert image[45:75, 35:55].mean() > image[:20, :15].mean() + 60
        results.append(image.tobytes())
    assert len(set(results)) == 25


def test_neighbour_is_ignored() -> None:
    canvas = Canvas(np.zeros((400, 300, 3), np.uint8), 10.0)
    compose.neighbour(make_kit(0, 20.0), canvas, (30.0, 40.0))
    (shape,) = canvas.shapes
    assert shape.label == "_ignore_"
    assert overlap(canvas.image[..., 0] > 100, filled(shape, (400, 300))) > 0.9
