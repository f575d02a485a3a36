"""Barcodes side by side, which are one object to the network, are told apart by what was read on them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from utils.digitise.barcodes.dividing import divide_by_codes
from utils.digitise.record import Code

BARCODE, LABEL = 1, 2


def code(text: str, left: float, top: float, width: float = 100, height: float = 40) -> Code:
    right, bottom = left + width, top + height
    return Code(text, "Code 39", ((left, top), (right, top), (right, bottom), (left, bottom)), "object, 1x", 0)


def components(mask: np.ndarray) -> tuple[int, np.ndarray]:
    count, objects = cv2.connectedComponents((mask == BARCODE).astype(np.uint8), connectivity=8)
    return count - 1, objects


@pytest.fixture
def mask() -> np.ndarray:
    """One object of 250 x 60 pixels, and a label below it."""
    mask = np.zeros((300, 400), np.uint8)
    mask[50:110, 20:270] = BARCODE
    mask[110:200, 20:270] = LABEL
    return mask


def test_two_codes_side_by_side_become_two_objects(mask: np.ndarray) -> None:
    result = divide_by_codes(mask, [code("K1", 30, 60), code("K2", 160, 60)], BARCODE)
    count, objects = components(result)
    assert count == 2 and objects[80, 80] != objects[80, 210]
    changed = np.argwhere(result != mask)
    assert set(changed[:, 1]) == {144, 145}, "halfway between 130 and 160"
    assert (result == LABEL).sum() == (mask == LABEL).sum() and (mask[50:110, 20:270] == BARCODE).all()


def test_three_codes_in_a_stack() -> None:
    mask = np.zeros((300, 400), np.uint8)
    mask[20:200, 20:140] = BARCODE
    result = divide_by_codes(mask, [code(f"K{row}", 30, 30 + 60 * row) for row in range(3)], BARCODE)
    count, objects = components(result)
    assert count == 3 and len({objects[50 + 60 * row, 80] for row in range(3)}) == 3


def test_what_is_one_sticker_stays_one(mask: np.ndarray) -> None:
    bars = code("K000123", 30, 60)
    address = code("http://id.example.org/K000123", 160, 60, 40)
    for others in ([], [address], [code("K2", 300, 60)], [code("K2", 30, 150)]):
        assert divide_by_codes(mask, [bars, *others], BARCODE) is mask
    assert divide_by_codes(mask, [], BARCODE) is mask


def test_bars_and_a_square_of_one_number_stay_together(mask: np.ndarray) -> None:
    codes = [code("K000123", 30, 60, 60), code("K-000123", 95, 60, 40), code("K000124", 180, 60, 80)]
    count, objects = components(divide_by_codes(mask, codes, BARCODE))
    assert count == 2 and objects[80, 60] == objects[80, 115] != objects[80, 220]
