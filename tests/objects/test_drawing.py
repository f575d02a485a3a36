"""Overlays, counts and regions against numbers worked out by hand, NumPy over the whole sheet, and SciPy."""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from utils.objects import regions
from utils.objects.boxes import object_boxes
from utils.objects.drawing import draw_mask
from utils.objects.outline import Rectangle
from utils.objects.regions import count_pixels, find_regions
from utils.utils import UserError

NAMES = ["_background_", "Barcode", "Label"]
COLORS = [(0, 0, 0), (128, 0, 0), (0, 128, 0)]


@pytest.fixture(autouse=True)
def narrow_bands(monkeypatch):
    monkeypatch.setattr(regions, "ROWS", 2)


def sheet(dtype: type, value: int) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((5, 4), np.uint8)
    mask[1:4, 1] = 1
    mask[4, 3] = 2
    return np.full((5, 4, 3), value, dtype), mask


def test_overlay_tints_objects_and_leaves_the_background():
    pixels, mask = sheet(np.uint8, 101)
    picture = draw_mask(pixels, mask, COLORS, 0)
    assert (pixels == 101).all()
    assert (picture[mask == 0] == 101).all()
    assert picture[2, 1].tolist() == [114, 50, 50]  # halves of 101 + 128 and of 101 + 0, halves to the even number
    assert picture[4, 3].tolist() == [50, 114, 50]


def test_overlay_in_sixteen_bits():
    pixels, mask = sheet(np.uint16, 1001)
    picture = draw_mask(pixels, mask, COLORS, 0)
    assert picture.dtype == np.uint16 and (picture[mask == 0] == 1001).all()
    assert picture[2, 1].tolist() == [(1001 + 1) // 2 + 128 * 257 // 2 - 1, 500, 500]  # 16948.5 -> 16948; 500.5 -> 500


def test_ignored_pixels_are_not_tinted():
    pixels, mask = sheet(np.uint8, 101)
    mask[:] = 255
    np.testing.assert_array_equal(draw_mask(pixels, mask, COLORS, 0), pixels)


def test_colour_mask_and_cut_out():
    pixels, mask = sheet(np.uint8, 90)
    colours = draw_mask(pixels, mask, COLORS, 1)
    assert colours[0, 0].tolist() == [0, 0, 0]
    assert colours[3, 1].tolist() == [128, 0, 0]
    assert colours[4, 3].tolist() == [0, 128, 0]
    cut = draw_mask(pixels, mask, COLORS, 2)
    assert (cut[mask == 0] == 0).all() and (cut[mask > 0] == 90).all()


def test_unknown_mix_type():
    with pytest.raises(UserError, match="mix_type is 3: it has to be 0"):
        draw_mask(*sheet(np.uint8, 0), COLORS, 3)


def test_counts_include_absent_classes():
    _, mask = sheet(np.uint8, 0)
    assert count_pixels(mask, [*NAMES, "Scale"]) == {"_background_": 16, "Barcode": 3, "Label": 1, "Scale": 0}


def test_regions_by_hand():
    mask = np.zeros((20, 30), np.uint8)
    mask[15:18, 2:6] = 1          # below the next one
    mask[3:5, 10:20] = 1
    mask[5, 20] = 1               # touches it by a corner
    mask[0, 0] = 1                # a speck of 1 / 600
    first, second = find_regions(mask, NAMES, min_area=0.005)
    assert first[:7] == ("Barcode", 1, 3, 10, 3, 11, 21) and second[:7] == ("Barcode", 1, 15, 2, 3, 4, 12)
    assert first.centroid == pytest.approx(((10 * 3 + 10 * 4 + 5) / 21, 310 / 21)) and second.centroid == (16.0, 3.5)
    assert second.rectangle == pytest.approx(Rectangle(4.0, 16.5, 4.0, 3.0, 0.0))
    assert set(second.polygon) == {(2, 15), (6, 15), (6, 18), (2, 18)}
    assert not first.touches_border and find_regions(mask, NAMES, min_area=0)[0].touches_border
    assert len(find_regions(mask, NAMES, min_area=0)) == 3
    assert find_regions(np.zeros((4, 4), np.uint8), NAMES) == []


# --- what looks at boxes alone equals what looks at every pixel ------------------------------------------------------

def blobs(seed: int) -> np.ndarray:
    """A mask uint8 (90, 70) of classes 0, 1 and 2 with ignored pixels, in patches."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(90, 70)).astype(np.float32), (0, 0), 2)
    return np.select([noise > 0.24, noise < -0.25, noise > 0.22], [1, 2, 255], 0).astype(np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_boxes_hold_all_objects_and_are_apart(seed):
    mask, times = blobs(seed), np.zeros((90, 70), int)
    boxes = object_boxes(mask)
    for box in boxes:
        times[box] += 1
    assert len(boxes) > 3 and times.max() == 1
    assert (times[mask > 0] == 1).all() and (times == 0).any()
    assert object_boxes(np.zeros((4, 5), np.uint8)) == []
    assert object_boxes(np.ones((4, 5), np.uint8)) == [(slice(0, 4), slice(0, 5))]


def test_boxes_with_a_gap_between_them():
    mask = np.zeros((20, 30), bool)
    mask[2:5, 3:6] = mask[7, 10] = mask[15, 25] = True
    assert object_boxes(mask) == [np.s_[2:5, 3:6], np.s_[7:8, 10:11], np.s_[15:16, 25:26]]
    assert object_boxes(mask, gap=3) == object_boxes(mask)  # 2 rows, but 4 columns between the first two
    assert object_boxes(mask, gap=4) == [np.s_[2:8, 3:11], np.s_[15:16, 25:26]]
    assert object_boxes(mask, gap=13) == [np.s_[2:8, 3:11], np.s_[15:16, 25:26]]
    assert object_boxes(mask, gap=14) == [np.s_[2:16, 3:26]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_of_a_whole_sheet(dtype):
    mask = blobs(0)
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max + 1, (90, 70, 3), dtype=dtype)
    before = pixels.copy()
    colors = np.array(COLORS, np.float64) * (np.iinfo(dtype).max // 255)
    shown = np.where(mask == 255, 0, mask)
    tinted = np.where(shown[..., None] > 0, np.rint(0.5 * pixels + 0.5 * colors[shown]), pixels)
    np.testing.assert_array_equal(draw_mask(pixels, mask, COLORS, 0), tinted)
    np.testing.assert_array_equal(draw_mask(pixels, mask, COLORS, 1), colors[shown])
    np.testing.assert_array_equal(draw_mask(pixels, mask, COLORS, 2), np.where(mask[..., None] > 0, pixels, 0))
    np.testing.assert_array_equal(pixels, before)
    assert draw_mask(pixels, mask, COLORS, 0, in_place=True) is pixels
    np.testing.assert_array_equal(pixels, tinted)


@pytest.mark.parametrize("seed", range(5))
def test_regions_and_counts_are_scipys(seed):
    mask = blobs(seed)
    expected = []
    for index, name in enumerate(NAMES[1:], start=1):
        labels, count = ndimage.label(mask == index, structure=np.ones((3, 3)))
        for label, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
            centre = tuple(float(value) for value in ndimage.center_of_mass(labels == label))
            expected.append((name, index, rows.start, columns.start, rows.stop - rows.start,
                             columns.stop - columns.start, int((labels == label).sum()), pytest.approx(centre)))
    found = [region[:8] for region in find_regions(mask, NAMES, min_area=0)]
    assert found == sorted(expected, key=lambda region: region[1:4])
    assert list(count_pixels(mask, NAMES).values()) == [int((mask == index).sum()) for index in range(3)]


def test_confidence_is_the_mean_probability_over_the_pixels_of_a_region():
    mask = np.zeros((40, 60), np.uint8)
    mask[4:10, 10:30], mask[20:24, 10:30] = 1, 1
    mask[4:6, 20:30] = 0  # an L: 60 + 40 pixels
    probability = np.full((4, 6), 0.5)  # 10 x 10 pixels of the sheet each
    probability[0, 1], probability[0, 2] = 0.9, 0.7
    first, second = find_regions(mask, NAMES, probability=probability)
    assert first.confidence == pytest.approx((60 * 0.9 + 40 * 0.7) / 100) and second.confidence == pytest.approx(0.5)
    assert np.isnan(find_regions(mask, NAMES)[0].confidence)
