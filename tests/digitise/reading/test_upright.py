"""Which way is up: on text, codes and sheets."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import zxingcpp
from PIL import Image, ImageDraw

from utils.digitise.reading.lines import text_signs
from utils.digitise.reading.upright import CLEAR, code_turn, object_turn, sheet_turned, text_turn
from utils.digitise.record import Code
from utils.sheets.drawing.fonts import find_fonts, load_font

LABEL = """Herbarium of Arkansas Tech University
Hymenopappus scabiosaeus L'Her.
Nevada County: about four miles east of
the river, on the dry slope of a hill below
the old road, with oaks and hickory.
Petals white; not seen elsewhere in the
county. Collected by Richard Davis"""
CAPITALS = """MISSOURI BOTANICAL
HERBARIUM MUSEI
AGRICULTURE CANADA
REGINA RESEARCH"""


def card(text: str, kind: str = "serif", size: int = 24, form: bool = False) -> np.ndarray:
    """A label with `text`, RGB uint8; form: with a frame and a rule under each line."""
    lines = text.splitlines()
    image = Image.new("RGB", (560, 40 + round(1.5 * size) * len(lines)), (238, 232, 215))
    draw = ImageDraw.Draw(image)
    font = load_font(find_fonts("bundled").files[kind][0], size)
    for number, line in enumerate(lines):
        y = 20 + round(1.5 * size) * number
        draw.text((20, y), line, fill=(40, 35, 30), font=font)
        if form:
            draw.line((20, y + 1.25 * size, 540, y + 1.25 * size), fill=(60, 60, 60), width=2)
    if form:
        draw.rectangle((4, 4, image.width - 5, image.height - 5), outline=(60, 60, 60), width=3)
    return np.asarray(image)


def turned(pixels: np.ndarray, turns: int) -> np.ndarray:
    """`pixels` after quarter turns clockwise."""
    return np.ascontiguousarray(np.rot90(pixels, -turns))


def code_picture(kind: zxingcpp.BarcodeFormat, text: str) -> np.ndarray:
    """A code that reads from left to right on white, RGB uint8."""
    grey = np.asarray(zxingcpp.create_barcode(text, kind).to_image(scale=3))
    return cv2.cvtColor(cv2.copyMakeBorder(grey, 40, 40, 60, 60, cv2.BORDER_CONSTANT, value=255), cv2.COLOR_GRAY2RGB)


def read(pixels: np.ndarray) -> Code:
    """The one code in a picture."""
    (code,) = zxingcpp.read_barcodes(pixels)
    place = code.position
    corners = [(float(point.x), float(point.y))
               for point in (place.top_left, place.top_right, place.bottom_right, place.bottom_left)]
    return Code(code.text, str(code.format), tuple(corners), "test")


@pytest.mark.parametrize("kind", ["serif", "sans", "italic", "mono"])
@pytest.mark.parametrize("turns", range(4))
def test_turned_text_is_turned_back(kind: str, turns: int) -> None:
    turn, clear = text_turn(turned(card(LABEL, kind), turns))
    assert turn == -turns % 4
    assert clear >= CLEAR


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("size", [12, 40])
def test_small_and_large_text(turns: int, size: int) -> None:
    assert object_turn(turned(card(LABEL, size=size), turns)).turn == -turns % 4


@pytest.mark.parametrize("turns", range(4))
def test_rules_and_a_frame_do_not_mislead(turns: int) -> None:
    assert object_turn(turned(card(LABEL, form=True), turns)).turn == -turns % 4


def test_greek() -> None:
    lines = "Η πεταλούδα κάθεται στο λουλούδι\nκάτω από το μεγάλο δέντρο της αυλής\n"
    assert object_turn(turned(card(3 * lines, "wide"), 2)).turn == 2


def test_capitals_do_not_say_which_of_two_ways_is_up() -> None:
    pixels = card(CAPITALS, "sans")
    for turns in (0, 2):
        turn = object_turn(turned(pixels, turns))
        assert turn.turn == 0
        assert turn.clear < CLEAR
    assert object_turn(turned(pixels, 1)).turn == 1  # sideways: taken to be read from bottom to top
    assert object_turn(turned(pixels, 3)).turn == 1


@pytest.mark.parametrize("kind", ["serif", "sans", "italic", "mono"])
def test_long_text_in_capitals_with_commas_stays_as_it_is(kind: str) -> None:
    for turns in (0, 2):
        assert object_turn(turned(card(LABEL.upper(), kind, 16), turns)).turn == 0


def nothing() -> dict[str, np.ndarray]:
    """Pictures without text."""
    rng = np.random.default_rng(0)
    blank = np.full((300, 400, 3), 230, np.uint8)
    form = blank.copy()
    form[40::40, 20:380] = 60
    form[20:280, 150:152] = 60
    plant = blank.copy()
    cv2.ellipse(plant, (150, 160), (120, 40), 30, 0, 360, (70, 90, 50), -1)
    cv2.line(plant, (10, 290), (390, 20), (80, 60, 40), 5)
    bars = np.full((300, 400, 3), 230, np.uint8)
    for x in np.flatnonzero(rng.random(90) < 0.5):
        bars[80:220, 60 + 3 * x:63 + 3 * x] = 20
    return {
        "blank": blank, "form": form, "plant": plant, "bars": bars,
        "noise": rng.integers(0, 256, (300, 400, 3), dtype=np.uint8),
        "paper": (230 + rng.normal(0, 4, (300, 400, 1)).repeat(3, 2)).clip(0, 255).astype(np.uint8),
        "one pixel": blank[:1, :1], "thread": np.zeros((3000, 1, 3), np.uint8),
    }


@pytest.mark.parametrize("name", nothing())
@pytest.mark.parametrize("turns", range(4))
def test_without_text_an_object_stays_as_it_is(name: str, turns: int) -> None:
    turn = object_turn(turned(nothing()[name], turns))
    assert turn.turn == 0
    assert turn.clear < CLEAR


def test_upside_down_the_signs_are_reversed() -> None:
    upright, reversed_ = text_signs(card(LABEL)), text_signs(turned(card(LABEL), 2))
    assert upright.across == pytest.approx(reversed_.across)
    assert upright.upright == pytest.approx(-reversed_.upright)


@pytest.mark.parametrize("kind, text", [
    ("Code39", "B100123"), ("Code128", "BM000796649"), ("EAN13", "4006381333931"), ("ITF", "123456"),
    ("QRCode", "http://id.luomus.fi/H.1073986"), ("DataMatrix", "P00672666"),
])
@pytest.mark.parametrize("turns", range(4))
def test_code_is_turned_to_read_from_left_to_right(kind: str, text: str, turns: int) -> None:
    pixels = turned(code_picture(getattr(zxingcpp.BarcodeFormat, kind), text), turns)
    code = read(pixels)
    assert code.text == text
    assert code_turn(code) == -turns % 4
    assert object_turn(pixels, [code]) == (-turns % 4, -turns % 4, 1.0)


def test_code_on_a_slanting_object() -> None:
    """A code that runs 50 degrees downwards lies on an object that is turned by -40: sideways, not along it."""
    along, down = np.array([np.cos(np.deg2rad(50)), np.sin(np.deg2rad(50))]), np.array([-0.766, 0.643])
    corners = tuple(map(tuple, (100 * along, 200 * along, 200 * along + 20 * down, 100 * along + 20 * down)))
    code = Code("1", "Code 39", corners, "test")
    assert code_turn(code, angle=-40) == 3
    assert code_turn(code, angle=50) == 0
    assert code_turn(code, angle=30) == 0


def test_clear_text_goes_before_a_code_and_a_code_before_unclear_text() -> None:
    code = Code("1", "Code 39", ((90, 0), (10, 0), (10, 20), (90, 20)), "test")  # runs from right to left
    assert object_turn(card(LABEL), [code]).turn == 0
    assert object_turn(card(CAPITALS), [code]).turn == 2


@pytest.mark.parametrize("turn, degrees", [(0, 0), (1, 270), (2, 180), (3, 90)])
def test_sheet_lies_turned_when_its_objects_do(turn: int, degrees: int) -> None:
    assert sheet_turned([(turn, 0.8, 300), (turn, 0.9, 100), ((turn + 1) % 4, 0.1, 300)]) == degrees


@pytest.mark.parametrize("turns", [
    [],
    [(2, 0.3, 500.0), (2, 0.2, 100.0)],                   # votes 0.1: too few
    [(2, 0.9, 100.0), (0, 0.9, 100.0)],                   # half of them
    [(1, 0.9, 100.0), (0, 0.8, 400.0), (0, 0.7, 400.0)],  # one label glued on sideways
    [(2, 1.0, 25.0), (0, 0.7, 400.0), (0, 0.0, 400.0)],   # a strip with a barcode glued on upside down
])
def test_unclear_votes_leave_a_sheet_as_it_is(turns: list[tuple[int, float, float]]) -> None:
    assert sheet_turned(turns) == 0


def test_votes_count_by_the_square_of_clearness_and_the_root_of_area() -> None:
    """Sizes 10 and 30, mean 20: votes 0.125 and 0.96, which is 88% of them; 0.32 and 0.735, which is 70%."""
    assert sheet_turned([(0, 0.5, 100), (2, 0.8, 900)]) == 180
    assert sheet_turned([(0, 0.8, 100), (2, 0.7, 900)]) == 0
