"""Barcodes are read wherever they lie and however they are photographed, and nothing else is read."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import zxingcpp

from helpers import ROOT
from utils import config
from utils.digitise.barcodes.reading import place_codes, read_codes
from utils.digitise.record import Code
from utils.objects.regions import Region, find_regions
from utils.sheets.things.barcodes import symbol
from utils.utils import NAME_CLASSES, UserError

BARCODE, LABEL = 1, 2
SIZE = (900, 600)  # height and width of the sheet
PAPER, STICKER = 225, 250
SYMBOLOGIES = config.read(ROOT / "digitise.py").symbologies


def read(
    pixels: np.ndarray, regions: Sequence[Region], barcode: int | None, symbologies: Sequence[str] = SYMBOLOGIES,
) -> list[Code]:
    """`read_codes` with the script's own symbologies."""
    return read_codes(pixels, regions, barcode, symbologies)


def picture(name: str, text: str, module: int = 2, height: int = 60) -> np.ndarray:
    """The bars of a code, uint8 (h, w), its narrowest `module` pixels wide."""
    modules = symbol(name, text)
    tall = height if len(modules) == 1 else module * len(modules)
    return cv2.resize(modules, (module * modules.shape[1], tall), interpolation=cv2.INTER_NEAREST)


def put(sheet: np.ndarray, bars: np.ndarray, x: int, y: int, margin: int = 24) -> tuple[slice, slice]:
    """Pastes a sticker with a code whose upper left corner is at (x, y), and returns the sticker's box."""
    height, width = bars.shape
    box = np.s_[y - margin:y + height + margin, x - margin:x + width + margin]
    sheet[box] = STICKER
    sheet[y:y + height, x:x + width] = bars
    return box


def turned(grey: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The sheet turned clockwise about its middle, and the matrix (2, 3) that takes points there."""
    matrix = cv2.getRotationMatrix2D((SIZE[1] / 2 - 0.5, SIZE[0] / 2 - 0.5), -degrees, 1)
    to = matrix.copy()
    to[:, 2] += 0.5 - matrix[:, :2] @ (0.5, 0.5)  # the matrix counts from the centre of the first pixel
    return cv2.warpAffine(grey, matrix, SIZE[::-1], flags=cv2.INTER_CUBIC, borderValue=PAPER), to


def regions_of(*boxes: tuple[slice, slice], index: int = BARCODE, degrees: float = 0) -> list[Region]:
    """The objects of a mask with these boxes, turned clockwise as by `turned`."""
    mask = np.zeros(SIZE, np.uint8)
    for box in boxes:
        mask[box] = index
    matrix = cv2.getRotationMatrix2D((SIZE[1] / 2 - 0.5, SIZE[0] / 2 - 0.5), -degrees, 1)
    return find_regions(cv2.warpAffine(mask, matrix, SIZE[::-1], flags=cv2.INTER_NEAREST), NAME_CLASSES)


def colour(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def corners_of(bars: np.ndarray, x: int, y: int) -> np.ndarray:
    return np.array([[x, y], [x + bars.shape[1], y], [x + bars.shape[1], y + bars.shape[0]], [x, y + bars.shape[0]]])


@pytest.fixture
def sheet() -> np.ndarray:
    return np.full(SIZE, PAPER, np.uint8)


@pytest.mark.parametrize(("name", "symbology", "text"), [
    ("Code39", "Code 39", "K000123456"), ("Code128", "Code 128", "BR0000013087944"), ("ITF", "ITF", "00123456"),
    ("DataMatrix", "Data Matrix", "AUT020428"), ("QRCode", "QR Code", "http://id.luomus.fi/H.1073986"),
])
def test_a_clean_code_is_read_at_once(sheet: np.ndarray, name: str, symbology: str, text: str) -> None:
    bars = picture(name, text)
    regions = regions_of(put(sheet, bars, 100, 500))
    (code,) = read(colour(sheet), regions, BARCODE)
    assert (code.text, code.symbology, code.read_by, code.object) == (text, symbology, "object, 1x", 0)
    assert np.abs(code.corners - corners_of(bars, 100, 500)).max() < 2


def test_the_zeros_and_check_digit_of_ean_13_are_kept(sheet: np.ndarray) -> None:
    row = np.array(zxingcpp.create_barcode("0000012120208", zxingcpp.BarcodeFormat.EAN13).to_image(
        scale=2, add_quiet_zones=False))[:1]
    regions = regions_of(put(sheet, np.repeat(row, 60, axis=0), 100, 500))
    (code,) = read(colour(sheet), regions, BARCODE)
    assert (code.text, code.symbology) == ("0000012120208", "EAN-13")


@pytest.mark.parametrize(("degrees", "seen"), [
    (17, True), (90, True), (180, True), (-90, True), (-4, True), (3, False), (-4, False), (90, False), (180, False)])
@pytest.mark.parametrize(("name", "text"), [("Code39", "E00289691"), ("QRCode", "FI-HCI-00035502")])
def test_corners_of_a_turned_code_go_round_as_it_is_read(
    sheet: np.ndarray, name: str, text: str, degrees: int, seen: bool
) -> None:
    bars = picture(name, text, 2 if name == "Code39" else 3)
    box = put(sheet, bars, 150, 420)
    grey, to = turned(sheet, degrees)
    regions = regions_of(box, degrees=degrees) if seen else []
    (code,) = read(colour(grey), regions, BARCODE)
    assert code.text == text and code.object == (0 if seen else None)
    assert code.read_by.startswith("object" if seen else "whole sheet")
    assert np.abs(code.corners - (corners_of(bars, 150, 420) @ to[:, :2].T + to[:, 2])).max() < 2


def test_a_blurred_faint_code_is_read_by_a_later_try(sheet: np.ndarray) -> None:
    fine = np.full((4 * SIZE[0], 4 * SIZE[1]), 255, np.uint8)
    bars = picture("Code39", "NY009099", module=6, height=200)
    fine[2000:2000 + bars.shape[0], 800:800 + bars.shape[1]] = bars
    small = cv2.resize(cv2.GaussianBlur(fine, (0, 0), 3.5), SIZE[::-1], interpolation=cv2.INTER_AREA)
    grey = (150 + small * 0.2).astype(np.uint8)
    regions = regions_of(np.s_[480:570, 180:220 + bars.shape[1] // 4])
    assert not zxingcpp.read_barcodes(grey)
    (code,) = read(colour(grey), regions, BARCODE)
    assert code.text == "NY009099" and "stretched, sharpened" in code.read_by
    assert np.abs(code.corners - corners_of(bars, 800, 2000) / 4).max() < 2


def test_a_code_that_was_not_seen_or_taken_for_a_label_is_found(sheet: np.ndarray) -> None:
    bars = picture("Code128", "MO-2775970")
    put(sheet, bars, 100, 200)
    box = put(sheet, picture("DataMatrix", "P00672666", 5), 300, 600)
    codes = read(colour(sheet), regions_of(box, index=LABEL), BARCODE)
    assert {(code.text, code.object, code.read_by[:11]) for code in codes} == {
        ("MO-2775970", None, "whole sheet"), ("P00672666", 0, "whole sheet")}
    assert [code.text for code in read(colour(sheet), [], None)] == [code.text for code in codes]


@pytest.mark.parametrize("name", ["QRCode", "Code39"])
def test_two_codes_side_by_side_on_one_object(sheet: np.ndarray, name: str) -> None:
    texts = ("H.1073986", "H.1080032")
    first, second = (picture(name, text, 3 if name == "QRCode" else 1) for text in texts)
    one = put(sheet, first, 60, 500)
    two = put(sheet, second, 60 + first.shape[1] + 48, 500)
    codes = read(colour(sheet), regions_of(one, two), BARCODE)
    assert sorted((code.text, code.object) for code in codes) == [(texts[0], 0), (texts[1], 0)]


def test_equal_codes_at_two_places_are_two(sheet: np.ndarray) -> None:
    boxes = [put(sheet, picture("Code128", "E00431314"), 100, y) for y in (200, 400)]
    assert len(read(colour(sheet), regions_of(*boxes), BARCODE)) == 2


def test_nothing_is_read_on_ruler_ticks_text_and_noise(sheet: np.ndarray) -> None:
    for number, x in enumerate(range(60, 540, 4)):
        sheet[100:140 if number % 10 else 160, x:x + 1 + number % 2] = 20
        sheet[300:360, x:x + 2] = 20
    cv2.putText(sheet, "HERBARIUM IIIIIIIIIIIIIII", (60, 500), cv2.FONT_HERSHEY_SIMPLEX, 1, 0, 2)
    sheet[600:800, 50:500] = np.random.default_rng(0).integers(0, 255, (200, 450))
    regions = regions_of(np.s_[90:170, 50:550], np.s_[290:370, 50:550], np.s_[590:810, 40:510])
    assert read(colour(sheet), regions, BARCODE) == []


@pytest.mark.parametrize("text", ["<script>alert('&')</script>", "=1+1\r\nK0001", "x" * 200, "Größe ‮ 標本"])
def test_hostile_text_comes_back_as_it_is(sheet: np.ndarray, text: str) -> None:
    modules = np.array(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode).to_image(
        scale=4, add_quiet_zones=False))
    regions = regions_of(put(sheet, modules, 100, 300))
    (code,) = read(colour(sheet), regions, BARCODE)
    assert code.text == text


def test_symbologies_are_those_that_were_asked_for(sheet: np.ndarray) -> None:
    regions = regions_of(put(sheet, picture("Code39", "K000123456"), 100, 500))
    assert read(colour(sheet), regions, BARCODE, ("QR Code",)) == []
    assert read(colour(sheet), regions, BARCODE, ()) == []
    assert [code.symbology for code in read(colour(sheet), regions, BARCODE, ("Code 39",))] == ["Code 39"]
    with pytest.raises(UserError, match='symbologies has "DX Film Edge": use Code 39, ') as error:
        read(colour(sheet), regions, BARCODE, (*SYMBOLOGIES, "DX Film Edge"))
    assert error.value.exit_status == 2


def test_codes_get_the_numbers_of_new_regions(sheet: np.ndarray) -> None:
    box = put(sheet, picture("Code39", "K000123456"), 100, 500)
    codes = read(colour(sheet), [], BARCODE)
    nested = regions_of(np.s_[50:150, 50:150], box) + regions_of(np.s_[400:700, 50:590], index=LABEL)
    assert [code.object for code in place_codes(codes, nested)] == [1]
