"""Whether a sheet lies on its side or upside down: drawn sheets with a label, turned by quarters."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from utils.digitise.reading.lying import quarter_turns
from utils.sheets.drawing.fonts import find_fonts, load_font
from utils.utils import NAME_CLASSES

TEXT = """Hymenopappus scabiosaeus L'Her.
Nevada County: about four miles east of
the river, on the dry slope of a hill below
the old road, with oaks and hickory.
county. Collected by Richard Davis"""
LABEL = NAME_CLASSES.index("Label")


def sheet(
    place: tuple[int, int], text: str = TEXT, size: tuple[int, int] = (900, 620),
) -> tuple[np.ndarray, np.ndarray]:
    """A sheet of so many pixels, RGB uint8, and its classes at a third of the scale.

    place: row and column of the upper left corner of its label, 180 pixels high and 320 wide.
    """
    image = Image.new("RGB", size[::-1], (225, 220, 205))
    draw = ImageDraw.Draw(image)
    row, column = place
    draw.rectangle((column, row, column + 319, row + 179), fill=(245, 243, 235))
    font = load_font(find_fonts("bundled").files["serif"][0], 17)
    for number, line in enumerate(text.splitlines()):
        draw.text((column + 12, row + 15 + 30 * number), line, fill=(40, 35, 30), font=font)
    classes = np.zeros(size, np.uint8)
    classes[row:row + 180, column:column + 320] = LABEL
    return np.asarray(image), classes[1::3, 1::3]


def found(sheet: tuple[np.ndarray, np.ndarray], turned: int = 0) -> int:
    """The quarter turns that would make a sheet upright, after turning it clockwise by other quarters."""
    pixels, classes = (np.ascontiguousarray(np.rot90(part, -turned)) for part in sheet)
    return quarter_turns(pixels, classes, NAME_CLASSES)


@pytest.mark.parametrize("turned", range(4))
def test_a_turned_sheet_is_turned_back(turned):
    assert found(sheet((690, 280)), turned) == -turned % 4


def test_text_that_is_upright_outweighs_an_unusual_place():
    assert found(sheet((20, 20))) == 0
    assert found(sheet((20, 20)), 2) == 0  # nothing is read on labels that lie low


def test_a_tall_sheet_stays_without_text_that_speaks_against_it():
    assert found(sheet((20, 20), text="")) == 0
    assert found(sheet((690, 280), text=""), 2) == 0


def test_a_wide_sheet_is_turned_by_the_place_of_its_label_alone():
    assert found(sheet((690, 280), text=""), 3) == 1


def test_an_upright_sheet_in_the_middle_of_a_wide_photograph_stays():
    for text in (TEXT, ""):
        assert found(sheet((690, 600), text, size=(900, 1600))) == 0


def test_no_label_says_nothing():
    pixels, classes = sheet((690, 280))
    assert found((pixels, np.zeros_like(classes)), 1) == 0
    turned = np.ascontiguousarray(pixels.transpose(1, 0, 2)), np.ascontiguousarray(classes.T)
    assert quarter_turns(*turned, ["_background_", "plant", "paper"]) == 0
