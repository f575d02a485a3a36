"""Barcodes that other programs read, and polygons that fit their bars."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import zxingcpp

from kits import filled, make_kit, overlap
from utils.sheets import camera
from utils.sheets.drawing.draw import Canvas, Card
from utils.sheets.things import barcodes


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
    card = barcodes.on_sheet(make_kit(seed, 150.0), (255, 255, 255))
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


@pytest.mark.parametrize("seed", range(6))
def test_a_small_slip_is_one_barcode_with_its_text(seed: int) -> None:
    card = barcodes.small_slip(make_kit(seed, 300.0), (236, 226, 200))
    (shape,) = card.shapes
    assert shape.label == "Barcode" and 2 < card.width < 4.1 and card.height < 2.2
    assert overlap(filled(shape, card.alpha.shape), card.alpha > 127) > 0.9
    quiet = cv2.copyMakeBorder(np.where(card.alpha[..., None] > 127, card.image, 240).astype(np.uint8), 60, 60, 60, 60,
                               cv2.BORDER_REPLICATE)
    assert shape.note in [f"{code.format.name} {code.text}" for code in zxingcpp.read_barcodes(quiet)]
