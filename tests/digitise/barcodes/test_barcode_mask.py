"""A code that was read where the network saw no barcode corrects the mask."""

from __future__ import annotations

import numpy as np

from utils.digitise.barcodes.mask import correct_mask
from utils.digitise.record import Code
from utils.objects.regions import find_regions
from utils.utils import NAME_CLASSES

BARCODE, LABEL, SCALE = 1, 2, 4
BARS = ((100.0, 200.0), (200.0, 200.0), (200.0, 240.0), (100.0, 240.0))  # 100 x 40 pixels


def corrected(mask: np.ndarray, object: int | None, corners: tuple = BARS) -> np.ndarray:
    regions = find_regions(mask, NAME_CLASSES)
    return correct_mask(mask, [Code("K1", "Code 39", corners, "whole sheet, 1x", object)], regions, BARCODE, LABEL)


def test_bars_on_the_background_become_barcode_with_a_margin() -> None:
    mask = np.zeros((400, 300), np.uint8)
    result = corrected(mask, None)
    expected = np.zeros_like(mask)
    expected[196:244, 96:204] = BARCODE  # 4% of 100 pixels on each side
    assert np.count_nonzero(result != expected) <= 2 * (108 + 48)  # one pixel along the edges
    assert (result[200:240, 100:200] == BARCODE).all() and not mask.any()


def test_a_small_label_is_the_sticker_of_its_code_and_a_large_one_is_not() -> None:
    mask = np.zeros((400, 300), np.uint8)
    mask[180:280, 90:230] = LABEL  # 14,000 pixels; the bars have 4000
    mask[300:330, 100:130] = LABEL
    expected = mask.copy()
    expected[180:280, 90:230] = BARCODE
    assert np.array_equal(corrected(mask, 0), expected)

    mask[120:390, 20:290] = LABEL
    result = corrected(mask, 0)
    assert (result[200:240, 100:200] == BARCODE).all()
    assert 4000 < np.count_nonzero(result == BARCODE) < 5400
    assert np.count_nonzero(result == LABEL) == np.count_nonzero(mask) - np.count_nonzero(result == BARCODE)


def test_the_margin_leaves_neighbours_alone() -> None:
    mask = np.zeros((400, 300), np.uint8)
    mask[180:260, 202:250] = SCALE
    assert np.array_equal(corrected(mask, None)[180:260, 202:250], mask[180:260, 202:250])


def test_a_code_on_a_barcode_or_beyond_the_edge_changes_nothing() -> None:
    mask = np.zeros((400, 300), np.uint8)
    mask[200:230, 100:200] = BARCODE
    assert corrected(mask, 0) is mask
    assert corrected(mask, None, tuple((x + 300, y) for x, y in BARS)) is mask


def test_a_turned_code_is_filled_to_its_own_edges() -> None:
    diamond = ((150.0, 100.0), (200.0, 150.0), (150.0, 200.0), (100.0, 150.0))  # sides of 70.7 pixels
    result = corrected(np.zeros((400, 300), np.uint8), None, diamond)
    assert abs(np.count_nonzero(result) - (70.7 * 1.08) ** 2) < 4 * 77
    assert result[150, 150] == BARCODE and not result[105, 105] and not result[195, 195]


def test_a_code_joins_the_pieces_that_it_lies_on() -> None:
    mask = np.zeros((400, 300), np.uint8)
    mask[190:250, 90:140] = mask[190:250, 150:210] = BARCODE  # a gap of 10 pixels
    result = corrected(mask, 0)
    assert len(find_regions(result, NAME_CLASSES)) == 1 and (result[202:238, 102:198] == BARCODE).all()
    assert not result[192:198, 141:149].any(), "the gap beside the bars stays"
    mask[:] = 0
    mask[190:250, 90:170] = BARCODE
    mask[220:222, 190:192] = BARCODE  # a speck
    assert corrected(mask, 0) is mask
