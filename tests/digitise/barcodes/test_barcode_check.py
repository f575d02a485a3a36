"""The bars of a text are drawn as other programs draw them, and do not pass for the bars of another text."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import zxingcpp

from utils.digitise.barcodes.bars import whole_bars
from utils.digitise.barcodes.check import is_drawn_so
from utils.digitise.barcodes.code128 import code128_widths
from utils.sheets.things.barcodes import symbol


def photographed(name: str, text: str) -> tuple[np.ndarray, np.ndarray]:
    """A blurred, noisy code of 1.2 pixels a module, uint8 (h, w), and its corners."""
    row = np.repeat(symbol(name, text), 12, axis=1)
    fine = np.full((600, row.shape[1] + 400), 255, np.uint8)
    fine[200:400, 200:-200] = row
    small = cv2.resize(cv2.GaussianBlur(fine, (0, 0), 6), None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).normal(0, 3, small.shape)
    left, right = 20.0, 20 + row.shape[1] / 10
    return (60 + small * 0.6 + noise).astype(np.uint8), np.array([[left, 20], [right, 20], [right, 40], [left, 40]])


@pytest.mark.parametrize(("name", "symbology", "text", "wrong"), [
    ("Code39", "Code 39", "BRIT492337", ["BR5F 92337", "BRIT492387", "BRIT4923374", "BRIT49233"]),
    ("Code128", "Code 128", "UE37601811", ['"+37601811', "UE37601871", "E37601811", "", "\x80"]),
    ("ITF", "ITF", "433066", ["432066", "438066", "43306612", "no digits"]),
])
def test_only_the_right_text_is_drawn_so(name: str, symbology: str, text: str, wrong: list[str]) -> None:
    grey, corners = photographed(name, text)
    assert is_drawn_so(grey, corners, symbology, text)
    assert not any(is_drawn_so(grey, corners, symbology, other) for other in wrong)
    assert not is_drawn_so(np.full_like(grey, 200), corners, symbology, text)


@pytest.mark.parametrize("text", ["261665", "12345", "MO-2775970", "BR0000013087944", "A0000A", "a", "K 00\n", "7"])
def test_code_128_is_drawn_as_zxing_draws_it(text: str) -> None:
    row = np.array(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.Code128).to_image(
        scale=1, add_quiet_zones=False))[0]
    drawn = [np.repeat(np.arange(len(widths)) % 2 * 255, widths.astype(int)) for widths in code128_widths(text)]
    assert any(np.array_equal(row, other) for other in drawn)
    for other in drawn:  # printers may draw any of them
        quiet = np.pad(np.repeat(np.repeat(other[None], 30, axis=0), 2, axis=1), 20, constant_values=255)
        assert [code.text for code in zxingcpp.read_barcodes(quiet.astype(np.uint8))] == [text]


def test_whole_bars_reach_from_one_line_to_the_ends_of_slanted_bars() -> None:
    row = np.repeat(symbol("Code39", "K000123"), 2, axis=1)
    grey = np.full((120, row.shape[1] + 80), 230, np.uint8)
    grey[40:80, 40:-40] = row
    turn = cv2.getRotationMatrix2D((grey.shape[1] / 2 - 0.5, 59.5), -3, 1)  # clockwise, about the middle of the code
    tilted = cv2.warpAffine(grey, turn, grey.shape[::-1], flags=cv2.INTER_CUBIC, borderValue=230)
    middle, half, angle = np.array([grey.shape[1] / 2, 60]), row.shape[1] / 2, np.deg2rad(3)
    line = np.array([[-half, -1], [half, -1], [half, 1], [-half, 1]]) + middle
    along, down = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    truth = middle + [x * half * along + y * 20 * down for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    assert np.abs(whole_bars(tilted, line) - truth).max() < 1.5
