"""Objects and outlines on rectangles whose scores are worked out by hand.

Sheets are 100 x 100: objects below 0.0002 x 10000 = 2 pixels are left out, outlines may be 1 pixel apart.
"""

from __future__ import annotations

import numpy as np
import pytest

from utils.scoring.objects import ObjectCounts, count_objects, no_objects, objects_table
from utils.utils import IGNORE


def sheet(*rectangles: tuple[int, int, int, int, int]) -> np.ndarray:
    """A mask of background with (class, top, left, height, width) rectangles on it."""
    mask = np.zeros((100, 100), np.uint8)
    for value, top, left, height, width in rectangles:
        mask[top:top + height, left:left + width] = value
    return mask


def objects(counts: ObjectCounts, k: int = 1) -> tuple[int, int, int]:
    return counts.true[k], counts.found[k], counts.false[k]


@pytest.mark.parametrize("left, width, found", [
    (20, 10, 1),  # the same
    (23, 10, 1),  # 70 of 130 pixels
    (24, 10, 0),  # 60 of 140 pixels
    (20, 5, 0),   # 50 of 100 pixels: an IoU of 0.5 is not above it
    (50, 10, 0),
])
def test_an_object_is_found_above_an_iou_of_half(left: int, width: int, found: int) -> None:
    counts = count_objects(sheet((1, 20, 20, 10, 10)), sheet((1, 20, left, 10, width)), 3)
    assert objects(counts) == (1, found, 1 - found)
    assert objects(counts, 0) == objects(counts, 2) == (0, 0, 0)


def test_an_object_of_another_class_is_not_found() -> None:
    counts = count_objects(sheet((1, 20, 20, 10, 10)), sheet((2, 20, 20, 10, 10)), 3)
    assert objects(counts, 1) == (1, 0, 0)
    assert objects(counts, 2) == (0, 0, 1)


def test_the_largest_overlap_decides() -> None:
    """A 10 x 10 object predicted in two pieces of 10 x 2 and 10 x 7: the second finds it, the first is false."""
    counts = count_objects(sheet((1, 20, 20, 10, 10)), sheet((1, 20, 20, 10, 2), (1, 20, 23, 10, 7)), 2)
    assert objects(counts) == (1, 1, 1)


def test_objects_of_one_class_that_touch_are_one() -> None:
    corners = sheet((1, 10, 10, 10, 10), (1, 20, 20, 10, 10))
    assert objects(count_objects(corners, corners, 2)) == (1, 1, 0)
    apart = sheet((1, 10, 10, 10, 10), (1, 21, 21, 10, 10))
    assert objects(count_objects(apart, apart, 2)) == (2, 2, 0)
    assert objects(count_objects(apart, corners, 2)) == (2, 0, 1)  # 100 of 200 pixels, and 81 of 219


def test_specks_and_slivers_are_left_out() -> None:
    one, two = sheet((1, 50, 50, 1, 1)), sheet((1, 50, 50, 1, 2))
    assert objects(count_objects(sheet(), one, 2)) == (0, 0, 0)
    assert objects(count_objects(sheet(), two, 2)) == (0, 0, 1)
    assert objects(count_objects(one, sheet(), 2)) == (0, 0, 0)
    assert objects(count_objects(two, sheet(), 2)) == (1, 0, 0)


@pytest.mark.parametrize("ignored_columns, false", [(4, 1), (5, 1), (6, 0), (10, 0)])
def test_a_prediction_mostly_on_ignored_pixels_is_not_false(ignored_columns: int, false: int) -> None:
    truth = sheet((IGNORE, 0, 0, 100, 20 + ignored_columns))
    assert objects(count_objects(truth, sheet((1, 20, 20, 10, 10)), 2)) == (0, 0, false)


def test_ignored_pixels_do_not_count_in_the_iou() -> None:
    truth = sheet((1, 20, 20, 10, 10), (IGNORE, 20, 30, 10, 20))
    assert objects(count_objects(truth, sheet((1, 20, 20, 10, 30)), 2)) == (1, 1, 0)


@pytest.mark.parametrize("left, f1", [(20, 1.0), (21, 1.0), (23, 0.5), (60, 0.0)])
def test_boundary_f1_of_a_shifted_square(left: int, f1: float) -> None:
    """The outline of 10 x 10 has 36 pixels. Shifted by 3, of each outline 18 are within 1 pixel of the other: 8 of the
    top row, 8 of the bottom row, and the 2 pixels next to the corners in the column that lies inside the other."""
    counts = count_objects(sheet((1, 20, 20, 10, 10)), sheet((1, 20, left, 10, 10)), 2)
    assert counts.true_edge[1] == counts.predicted_edge[1] == 36
    assert counts.boundary_f1[1] == pytest.approx(f1)
    assert np.isnan(counts.boundary_f1[0])


def test_boundary_f1_weighs_precision_and_recall() -> None:
    """Of two equal squares one is predicted: precision 1, recall 1/2, F1 2/3."""
    counts = count_objects(sheet((1, 20, 20, 10, 10), (1, 60, 60, 10, 10)), sheet((1, 20, 20, 10, 10)), 2)
    assert counts.boundary_f1[1] == pytest.approx(2 / 3)


def test_outlines_beside_ignored_pixels_are_left_out() -> None:
    """Columns 31 on are ignored: of the square in columns 20 to 29 all counts but the right column, 1 pixel away from
    column 30; of the prediction, which reaches to column 34, the top and bottom rows from 30 on do not count."""
    truth = sheet((1, 20, 20, 10, 10), (IGNORE, 0, 30, 100, 70))
    counts = count_objects(truth, sheet((1, 20, 20, 10, 15)), 2)
    assert counts.true_edge[1] == 36 - 10
    assert counts.predicted_edge[1] == 36 - 10
    assert counts.boundary_f1[1] == pytest.approx(1)


def test_the_edge_of_the_sheet_is_no_outline() -> None:
    full = sheet((1, 0, 0, 100, 100))
    assert np.isnan(count_objects(full, full, 2).boundary_f1[1])
    half = sheet((1, 0, 0, 100, 50))
    assert count_objects(half, half, 2).true_edge[1] == 100


def test_the_tolerance_grows_with_the_sheet() -> None:
    """1500 x 2000 has a diagonal of 2500 and a tolerance of 5 pixels."""
    truth, near, far = (np.zeros((1500, 2000), np.uint8) for _ in range(3))
    truth[500:700, 500:700] = near[500:700, 505:705] = far[500:700, 506:706] = 1
    assert count_objects(truth, near, 2).boundary_f1[1] == 1
    assert count_objects(truth, far, 2).boundary_f1[1] < 1


def test_what_lies_far_apart_counts_as_if_alone() -> None:
    """The sheet is looked at box by box: that cuts nothing off."""
    rng = np.random.default_rng(3)
    corners = [(y, x) for y in (50, 330) for x in (60, 300)]
    truth, prediction = np.zeros((2, 450, 420), np.uint8)
    expected = no_objects(3)
    for y, x in corners:
        one_truth, one_prediction = np.zeros((2, 450, 420), np.uint8)
        for mask, all_of_them in ((one_truth, truth), (one_prediction, prediction)):
            for value in (1, 2, IGNORE if mask is one_truth else 1):
                top, left = y + rng.integers(13), x + 12 * value % 31 + rng.integers(13)
                mask[top:top + 30, left:left + 25] = value
            all_of_them[mask > 0] = mask[mask > 0]
        expected += count_objects(one_truth, one_prediction, 3)
    counts = count_objects(truth, prediction, 3)
    assert counts.true.sum() > 3 and counts.found.sum() > 0 and counts.false.sum() > 0
    for name in ("true", "found", "false", "true_edge", "true_edge_met", "predicted_edge", "predicted_edge_met"):
        np.testing.assert_array_equal(getattr(counts, name), getattr(expected, name))


def test_counts_add_up_over_the_sheets() -> None:
    label = sheet((1, 20, 20, 10, 10))
    total = no_objects(2)
    for prediction in (label, sheet(), sheet((1, 20, 20, 10, 10), (1, 60, 60, 10, 10), (1, 80, 20, 10, 10))):
        total += count_objects(label, prediction, 2)
    assert (total.sheets, *objects(total)) == (3, 3, 2, 2)
    assert total.recall[1] == pytest.approx(2 / 3)
    assert total.false_per_sheet[1] == pytest.approx(2 / 3)
    assert total.boundary_f1[1] == pytest.approx(2 * 72 / (108 + 144))  # met on both sides: 72 of 108, 72 of 144
    assert objects_table(total, ["paper", "a|b"]) == (
        "| Class | Objects | Recall (found) | False objects | False a sheet | Boundary F1 |\n"
        "|:--|--:|--:|--:|--:|--:|\n"
        "| a\\|b | 3 | 66.67% | 2 | 0.67 | 57.14% |\n"
        "| **all** | 3 | 66.67% | 2 | 0.67 | |\n"
    )


def test_a_class_without_objects_has_no_scores() -> None:
    counts = no_objects(3) + count_objects(sheet(), sheet(), 3)
    assert np.isnan(counts.recall).all() and np.isnan(counts.boundary_f1).all()
