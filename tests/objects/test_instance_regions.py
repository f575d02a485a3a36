"""Regions of a mask whose objects have numbers."""

from __future__ import annotations

import numpy as np
import pytest

from utils.objects.outline import Rectangle
from utils.objects.regions import find_regions

NAMES = ["_background_", "Barcode", "Label"]


def test_objects_that_touch_and_one_in_two_pieces():
    """Labels 1 (24 pixels) and 2 touch; 2 has a piece of 20 and one of 12 pixels; 6 pixels have no number."""
    mask, instances = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint16)
    mask[2:6, 2:13], instances[2:6, 2:8], instances[2:6, 8:13] = 2, 1, 2
    mask[15:18, 9:13], instances[15:18, 9:13] = 2, 2
    mask[15:17, 20:23] = 2
    probability = np.full((20, 30), 0.6)
    probability[15:] = 0.9
    one, two, rest = find_regions(mask, NAMES, min_area=0, probability=probability, instances=instances)
    assert [region.instance for region in (one, two, rest)] == [1, 2, 0]
    assert one[:8] == ("Label", 2, 2, 2, 4, 6, 24, (3.5, 4.5)) and one.confidence == pytest.approx(0.6)
    assert two[:7] == ("Label", 2, 2, 8, 16, 5, 32) and rest[:7] == ("Label", 2, 15, 20, 2, 3, 6)
    assert two.centroid == pytest.approx(((20 * 3.5 + 12 * 16) / 32, (20 * 10 + 12 * 10.5) / 32))
    assert two.confidence == pytest.approx((20 * 0.6 + 12 * 0.9) / 32)
    assert two.rectangle == pytest.approx(Rectangle(10.5, 10, 5, 16, 0))
    assert set(two.polygon) == {(8, 2), (13, 2), (13, 6), (8, 6)}  # of the larger piece
    (whole, *others) = find_regions(mask, NAMES, min_area=0)
    assert whole[2:7] == (2, 2, 4, 11, 44) and len(others) == 2 and whole.instance == 0


def test_specks_of_an_object_are_left_out_of_its_box():
    mask, instances = np.zeros((100, 100), np.uint8), np.zeros((100, 100), np.uint16)
    for box in (np.s_[10:20, 10:20], np.s_[90, 90:92]):
        mask[box], instances[box] = 1, 4
    mask[0, 99], instances[0, 99] = 1, 5
    (region,) = find_regions(mask, NAMES, min_area=0.0003, instances=instances)
    assert region[2:7] == (10, 10, 10, 10, 100) and region.instance == 4 and not region.touches_border
    large, small = find_regions(mask, NAMES, min_area=0, instances=instances)[::-1]
    assert large[2:7] == (10, 10, 81, 82, 102) and small.touches_border and not large.touches_border
    mask[99, 50], instances[99, 50] = 1, 4
    assert find_regions(mask, NAMES, min_area=0, instances=instances)[1].touches_border
    assert np.isnan(large.confidence)


def test_one_number_in_two_classes_is_two_regions():
    mask = np.zeros((10, 10), np.uint8)
    mask[2:8, 2:5], mask[2:8, 5:8] = 1, 2
    regions = find_regions(mask, NAMES, instances=(mask > 0).astype(np.uint16))
    assert [(region.index, region.instance, region.area) for region in regions] == [(1, 1, 18), (2, 1, 18)]
