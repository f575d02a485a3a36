"""What looks like a code, when no reader could read it, and what does not."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from utils.digitise.barcodes.structure import LEAST, MOST_DOUBT, code_likeness, lowered, weigh_barcodes
from utils.digitise.record import Code
from utils.objects.outline import Rectangle
from utils.objects.regions import find_regions
from utils.sheets.things.barcodes import symbol
from utils.utils import NAME_CLASSES

PAPER, INK = 240, 30
WIDTH, HEIGHT = 240, 100  # of a sticker, in pixels


def sticker() -> np.ndarray:
    return np.full((HEIGHT, WIDTH), PAPER, np.uint8)


def bars(symbology: str, text: str) -> np.ndarray:
    """A sticker with bars, too blurred to be read, and a number below them."""
    picture, modules = sticker(), symbol(symbology, text)
    picture[20:70, 20:220] = np.where(cv2.resize(modules, (200, 50), interpolation=cv2.INTER_AREA) > 127, PAPER, INK)
    cv2.putText(picture, text, (60, 90), cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
    return cv2.GaussianBlur(picture, (0, 0), 1.2)


def square(symbology: str, text: str) -> np.ndarray:
    picture, modules = sticker(), symbol(symbology, text)
    picture[10:90, 10:90] = np.where(cv2.resize(modules, (80, 80), interpolation=cv2.INTER_NEAREST) > 127, PAPER, INK)
    return cv2.GaussianBlur(picture, (0, 0), 1.2)


def ruler() -> np.ndarray:
    picture = sticker()
    for mark in range(48):
        picture[:60 if mark % 10 == 0 else 40, 5 * mark:5 * mark + 1] = INK
    return picture


def words(*lines: str) -> np.ndarray:
    picture = sticker()
    for row, text in enumerate(lines, start=1):
        cv2.putText(picture, text, (8, 10 + 26 * row), cv2.FONT_HERSHEY_DUPLEX, 0.7, INK, 1, cv2.LINE_AA)
    return picture


def stamp() -> np.ndarray:
    picture = words("", "HERBARIUM 1893")
    cv2.rectangle(picture, (4, 20), (WIDTH - 4, 80), INK, 3)
    return picture


CODES = {
    "Code 39": bars("Code39", "K000123456"), "Code 128": bars("Code128", "BR0000013087944"),
    "QR": square("QRCode", "FI-HCI-00109221"), "Data Matrix": square("DataMatrix", "L.2180891"),
}
OTHERS = {
    "ruler": ruler(), "words": words("Carex nigra", "leg. A. Taylor 1903", "in pratis"), "stamp": stamp(),
    "blank": sticker(), "patches": cv2.resize(np.array([[20, 200, 90], [150, 60, 230]], np.uint8), (WIDTH, HEIGHT),
                                              interpolation=cv2.INTER_NEAREST),
}


def on_sheet(picture: np.ndarray, angle: float) -> tuple[np.ndarray, Rectangle]:
    """A sheet, uint8 (400, 400), with the picture in its middle, turned clockwise, and the rectangle around it."""
    sheet, picture = np.full((400, 400), 200, np.uint8), np.ascontiguousarray(picture)
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), -angle, 1)
    turn[:, 2] += (200 - width / 2, 200 - height / 2)
    cv2.warpAffine(picture, turn, (400, 400), dst=sheet, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    return sheet, Rectangle(200.0, 200.0, float(width), float(height), angle)


@pytest.mark.parametrize("angle", [0.0, 20.0])
@pytest.mark.parametrize("name", CODES)
def test_bars_and_modules_look_like_a_code(name: str, angle: float) -> None:
    assert code_likeness(*on_sheet(CODES[name], angle)) > LEAST
    assert code_likeness(*on_sheet(CODES[name].T, angle)) > LEAST, "standing"


@pytest.mark.parametrize("angle", [0.0, 20.0])
@pytest.mark.parametrize("name", OTHERS)
def test_other_things_do_not(name: str, angle: float) -> None:
    assert code_likeness(*on_sheet(OTHERS[name], angle)) < LEAST
    assert code_likeness(*on_sheet(OTHERS[name].T, angle)) < LEAST, "standing"


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2)])
def test_slivers_and_specks(size: tuple[int, int]) -> None:
    assert math.isfinite(code_likeness(np.zeros((400, 400), np.uint8), Rectangle(200.0, 200.0, *map(float, size), 0.0)))


def test_the_odds_fall_by_what_is_lacking() -> None:
    assert lowered(0.9, LEAST) == lowered(0.9, LEAST + 5) == pytest.approx(0.9)
    assert lowered(0.9, LEAST - math.log(9)) == pytest.approx(0.5)  # from 9 to 1, to even
    assert lowered(0.5, -100.0) == pytest.approx(1 / (1 + math.exp(MOST_DOUBT)))
    assert math.isnan(lowered(math.nan, -3.0)) and lowered(0.0, -3.0) == 0 and lowered(1.0, -100.0) == 1


def test_barcodes_are_weighed_and_other_objects_left_alone() -> None:
    mask = np.zeros((400, 600), np.uint8)
    pixels = np.full((400, 600, 3), 200, np.uint8)
    for (top, left), picture in zip(((20, 20), (20, 300), (150, 20)), (bars("Code39", "K1"), stamp(), stamp())):
        mask[top:top + HEIGHT, left:left + WIDTH] = 1
        pixels[top:top + HEIGHT, left:left + WIDTH] = picture[..., None]
    mask[300:380, 20:200] = 2
    regions = find_regions(mask, NAME_CLASSES, probability=np.full((4, 4), 0.9))
    read = Code("K7", "Code 39", ((20.0, 150.0), (260.0, 150.0), (260.0, 250.0), (20.0, 250.0)), "object, 1x", 2)
    weighed, likeness = weigh_barcodes(pixels, regions, [read], 1)
    assert [region.confidence for region in weighed] == pytest.approx([0.9, lowered(0.9, likeness[1]), 1.0, 0.9])
    assert set(likeness) == {0, 1} and weighed[1].confidence < 0.5 and len(weighed) == 4
    assert weigh_barcodes(pixels, regions, [read], None) == (regions, {})
