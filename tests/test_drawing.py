"""Overlays, counts and regions against numbers worked out by hand."""

import numpy as np
import pytest

from utils import drawing
from utils.drawing import Region, count_pixels, draw, find_regions
from utils.utils import UserError

NAMES = ["_background_", "Barcode", "Label"]
COLORS = [(0, 0, 0), (128, 0, 0), (0, 128, 0)]


@pytest.fixture(autouse=True)
def narrow_bands(monkeypatch):
    monkeypatch.setattr(drawing, "ROWS", 2)


def sheet(dtype: type, value: int) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((5, 4), np.uint8)
    mask[1:4, 1] = 1
    mask[4, 3] = 2
    return np.full((5, 4, 3), value, dtype), mask


def test_overlay_tints_objects_and_leaves_the_background():
    pixels, mask = sheet(np.uint8, 101)
    picture = draw(pixels, mask, COLORS, 0)
    assert (pixels == 101).all()
    assert (picture[mask == 0] == 101).all()
    assert picture[2, 1].tolist() == [114, 50, 50]  # halves of 101 + 128 and of 101 + 0, halves to the even number
    assert picture[4, 3].tolist() == [50, 114, 50]


def test_overlay_in_sixteen_bits():
    pixels, mask = sheet(np.uint16, 1001)
    picture = draw(pixels, mask, COLORS, 0)
    assert picture.dtype == np.uint16 and (picture[mask == 0] == 1001).all()
    assert picture[2, 1].tolist() == [(1001 + 1) // 2 + 128 * 257 // 2 - 1, 500, 500]  # 16948.5 -> 16948; 500.5 -> 500


def test_ignored_pixels_are_not_tinted():
    pixels, mask = sheet(np.uint8, 101)
    mask[:] = 255
    np.testing.assert_array_equal(draw(pixels, mask, COLORS, 0), pixels)


def test_colour_mask_and_cut_out():
    pixels, mask = sheet(np.uint8, 90)
    colours = draw(pixels, mask, COLORS, 1)
    assert colours[0, 0].tolist() == [0, 0, 0]
    assert colours[3, 1].tolist() == [128, 0, 0]
    assert colours[4, 3].tolist() == [0, 128, 0]
    cut = draw(pixels, mask, COLORS, 2)
    assert (cut[mask == 0] == 0).all() and (cut[mask > 0] == 90).all()


def test_unknown_mix_type():
    with pytest.raises(UserError, match="mix_type is 3: it has to be 0"):
        draw(*sheet(np.uint8, 0), COLORS, 3)


def test_counts_include_absent_classes():
    _, mask = sheet(np.uint8, 0)
    assert count_pixels(mask, [*NAMES, "Scale"]) == {"_background_": 16, "Barcode": 3, "Label": 1, "Scale": 0}


def test_regions_by_hand():
    mask = np.zeros((20, 30), np.uint8)
    mask[15:18, 2:6] = 1          # below the next one
    mask[3:5, 10:20] = 1
    mask[5, 20] = 1               # touches it by a corner
    mask[0, 0] = 1                # a speck of 1 / 600
    assert find_regions(mask, NAMES, min_area=0.005) == [
        Region("Barcode", 1, 3, 10, 3, 11, 21, (pytest.approx((10 * 3 + 10 * 4 + 5) / 21), pytest.approx(310 / 21))),
        Region("Barcode", 1, 15, 2, 3, 4, 12, (16.0, 3.5)),
    ]
    assert len(find_regions(mask, NAMES, min_area=0)) == 3
    assert find_regions(np.zeros((4, 4), np.uint8), NAMES) == []
