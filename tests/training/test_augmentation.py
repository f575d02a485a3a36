"""Random views of a sheet: what the augmentation may do, and how often it does."""

import colorsys
import types

import cv2
import numpy as np
import pytest

from utils.network.letterbox import resize_mask
from utils.objects.panoptic import classes_of, instances_of
from utils.training import augmentation
from utils.training.augmentation import augment, degrade, jitter_colour, random_size, rotate, shift
from utils.utils import GAP


def test_what_is_no_part_of_the_sheet_is_grey_and_ignored(monkeypatch):
    monkeypatch.setattr(augmentation, "jitter_colour", lambda image, gain: image)
    image, mask = np.full((90, 60, 3), 200, np.uint8), np.ones((90, 60), np.uint8)
    outside = 0
    for seed in range(60):
        out, out_mask = augment(image, mask, (64, 48), (0.25, 2.0), np.random.default_rng(seed))
        assert set(np.unique(out_mask)) <= {1, 255}  # never a real class beside the sheet
        eroded = cv2.erode((out_mask == 255).astype(np.uint8), np.ones((9, 9)), borderValue=1).astype(bool)
        assert np.abs(out[eroded].astype(int) - 128).max(initial=0) <= 1
        inner = cv2.erode((out_mask == 1).astype(np.uint8), np.ones((9, 9)), borderValue=0).astype(bool)
        assert np.abs(out[inner].astype(int) - 200).max(initial=0) <= 1
        outside += eroded.any()
    assert 10 < outside < 60  # some views lie inside the sheet, some do not


def test_random_size_has_the_dissertations_distribution():
    rng = np.random.default_rng(0)
    sizes = np.array([random_size((600, 400), (512, 512), (0.25, 2.0), rng) for _ in range(20_000)])
    aspect = sizes[:, 1] / sizes[:, 0]
    # (2/3) x u / v with u, v uniform on [0.7, 1.3]: mean (2/3) x ln(1.3/0.7) / 0.6, range (2/3) x [0.54, 1.86]
    assert abs(aspect.mean() - 2 / 3 * np.log(1.3 / 0.7) / 0.6) < 0.01
    assert aspect.min() > 2 / 3 * 0.53 and aspect.max() < 2 / 3 * 1.87
    longer = sizes.max(1) / 512
    assert abs(longer.mean() - 1.125) < 0.01 and longer.min() < 0.26 and longer.max() > 1.99


def test_probabilities_of_the_augmentations(monkeypatch):
    calls = {"blur": 0, "rotate": 0}
    real_rotate = augmentation.rotate
    monkeypatch.setattr(
        augmentation.cv2, "GaussianBlur", lambda image, *args: calls.__setitem__("blur", calls["blur"] + 1) or image)
    monkeypatch.setattr(
        augmentation, "rotate", lambda *args: calls.__setitem__("rotate", calls["rotate"] + 1) or real_rotate(*args))
    image, mask = np.zeros((30, 20, 3), np.uint8), np.zeros((30, 20), np.uint8)
    mask[:, :10] = 1
    flipped = 0
    for seed in range(2000):
        _, out = augment(image, mask, (24, 16), (0.9, 1.1), np.random.default_rng(seed))
        columns = [np.argwhere(out == index)[:, 1].mean() for index in (0, 1)]
        flipped += columns[0] < columns[1]
    assert abs(flipped / 2000 - 0.5) < 0.05
    assert abs(calls["blur"] / 2000 - 0.25) < 0.04 and abs(calls["rotate"] / 2000 - 0.25) < 0.04


@pytest.mark.parametrize("size", [(64, 40), (600, 400)])
def test_views_can_be_moved_onto_a_gap(size, monkeypatch):
    monkeypatch.setattr(augmentation, "ROTATE", 0.0)
    mask = np.ones(size, np.uint8)
    mask[-size[0] // 16:, :size[1] // 16] = GAP  # in a corner
    image = np.zeros((*size, 3), np.uint8)

    def shown(onto_gap: float) -> float:
        views = [augment(image, mask, (48, 32), (1.0, 4.0), np.random.default_rng(seed), onto_gap)[1]
                 for seed in range(200)]
        return np.mean([(view == GAP).any() for view in views])

    assert shown(1.0) == 1
    by_chance = shown(0.0)
    assert by_chance < 0.4
    assert abs(shown(0.5) - (0.5 + by_chance / 2)) < 0.12


def test_shift_pads_and_crops():
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert shift(array, (2, 6), (-1, 1), 9).tolist() == [[9, 4, 5, 6, 7, 9], [9, 8, 9, 10, 11, 9]]


def test_rotate_turns_image_and_mask_alike():
    image = np.zeros((101, 101, 3), np.uint8)
    image[20:80, 30:60] = 255
    mask = (image[..., 0] > 0).astype(np.uint8)
    turned, turned_mask = rotate(image, mask, 10)
    inside = turned_mask != 255
    assert ((turned[..., 0] > 127) == (turned_mask == 1))[inside].mean() > 0.995
    rows, columns = np.nonzero(turned_mask == 1)
    # anticlockwise by 10 degrees: the centre (row 49.5, column 44.5) about (50, 50)
    angle = np.deg2rad(10)
    assert abs(columns.mean() - (50 + -5.5 * np.cos(angle) + -0.5 * np.sin(angle))) < 0.3
    assert abs(rows.mean() - (50 - -5.5 * np.sin(angle) + -0.5 * np.cos(angle))) < 0.3


def test_jitter_colour_multiplies_value_and_keeps_grey_grey():
    image = np.full((2, 2, 3), 100, np.uint8)
    image[0, 0] = (200, 100, 50)
    assert np.abs(jitter_colour(image, np.ones(3)).astype(int) - image).max() <= 4  # HSV has whole numbers
    darker = jitter_colour(image, np.array([1, 1, 0.5]))
    assert darker[1, 1].tolist() == [50, 50, 50] and np.abs(darker[0, 0].astype(int) - (100, 50, 25)).max() <= 3
    grey = jitter_colour(image, np.array([1, 0, 1]))
    assert grey[0, 0].tolist() == [200, 200, 200]  # no saturation leaves the value


def test_jitter_colour_multiplies_hue_and_wraps_it_around():
    colours = np.array([[(0, 200, 0), (200, 0, 200), (200, 40, 0)]], np.uint8)  # 120, 300 and 12 degrees
    turned = jitter_colour(colours, np.array([1.5, 1, 1]))
    for before, after in zip(colours[0].tolist(), turned[0].tolist()):
        expected = 1.5 * colorsys.rgb_to_hsv(*before)[0] % 1
        assert colorsys.rgb_to_hsv(*after)[0] == pytest.approx(expected, abs=0.003)  # OpenCV's steps are twice that


def test_degraded_photographs_are_exposed_otherwise_or_noisy_and_the_original_stays():
    flat = np.full((200, 200, 3), 120, np.uint8)
    worse = np.array([degrade(flat, np.random.default_rng(seed))[..., 1] for seed in range(400)], float)
    assert abs((np.abs(worse.mean((1, 2)) - 120) > 1.5).mean() - 0.5) < 0.1
    spread = worse.std((1, 2))
    assert abs((spread > 0.3).mean() - 0.5) < 0.1 and 10 < spread.max() < 20
    assert (flat == 120).all()


@pytest.mark.parametrize(("draws", "dark", "bright"), [
    ([0, 1, 1], (255, 255), (255, 255)),  # 2.7 times the light: white for good
    ([1, 1, 0], (95, 105), (235, 245)),  # a JPEG
    ([1, 1, 1], (100, 100), (240, 240)),
])
def test_one_degradation_at_a_time(draws, dark, bright):
    rings = draws == [1, 1, 0]
    image = np.repeat(np.array([[100, 240]], np.uint8), 50, 1).repeat(96, 0)[..., None].repeat(3, 2)
    draws = iter(draws)
    rng = types.SimpleNamespace(random=lambda: next(draws), integers=lambda *_, endpoint: 15, normal=lambda *_: 0.5)
    worse = degrade(image, rng)
    assert worse.shape == image.shape and worse.dtype == np.uint8
    for part, (low, high) in ((worse[:, :40], dark), (worse[:, 60:], bright)):
        assert low <= part.min() and part.max() <= high
    assert (len(np.unique(worse)) > 2) == rings  # along the edge


def quarter_turns(image: np.ndarray, mask: np.ndarray) -> int:
    """How often a sheet is turned anticlockwise whose object, a dark one, was at its top left."""
    rows, columns = np.nonzero(mask == 1)
    assert 2 * image[mask == 1, 1].mean() < image[mask == 0, 1].mean()  # turned alike
    return [(False, False), (True, False), (True, True), (False, True)].index(
        (rows.mean() > mask.shape[0] / 2, columns.mean() > mask.shape[1] / 2))


def test_turned_samples_turn_by_each_quarter(monkeypatch):
    for name in ("FLIP", "BLUR", "ROTATE"):
        monkeypatch.setattr(augmentation, name, 0.0)
    image, mask = np.full((90, 60, 3), 220, np.uint8), np.zeros((90, 60), np.uint8)
    image[5:25, 5:25], mask[5:25, 5:25] = 40, 1
    views = [augment(image, mask, (200, 200), (0.4, 0.4), np.random.default_rng(seed), turned=0.6)
             for seed in range(600)]
    turns, wide = [], []
    for view, classes in views:
        rows, columns = (np.flatnonzero((classes != 255).any(axis)) for axis in (1, 0))
        sheet = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        turns.append(quarter_turns(view[sheet], classes[sheet]))
        wide.append(len(columns) - len(rows))
    shares = np.bincount(turns, minlength=4) / len(turns)
    assert np.abs(shares - (0.4, 0.2, 0.2, 0.2)).max() < 0.06
    sideways = np.mean([size for turn, size in zip(turns, wide) if turn % 2])
    upright = np.mean([size for turn, size in zip(turns, wide) if turn % 2 == 0])
    assert sideways == pytest.approx(-upright, abs=4) and sideways > 15  # as large as upright ones


def test_panoptic_masks_move_as_ordinary_ones():
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 65536, (90, 60), np.uint16)
    mask[:30, :30] = GAP
    image = rng.integers(0, 256, (90, 60, 3), np.uint8)
    options = {"onto_gap": 0.5, "degraded": 0.3, "turned": 0.5}
    for seed in range(30):
        views = [augment(image, part, (64, 48), (0.25, 2.0), np.random.default_rng(seed), **options)
                 for part in (mask, classes_of(mask))]
        (first, both), (second, classes) = views
        assert both.dtype == np.uint16 and np.array_equal(first, second) and np.array_equal(classes_of(both), classes)
        assert set(np.unique(both).tolist()) <= {*mask.ravel().tolist(), 255}  # no class with another's instance


def test_what_moves_masks_moves_16_bits():
    mask = np.random.default_rng(1).integers(0, 65536, (57, 43), np.uint16)
    for size in ((20, 30), (100, 80), (1, 1), (13, 90)):
        expected = [resize_mask(part(mask), size) for part in (classes_of, instances_of)]
        assert [part(resize_mask(mask, size)).tolist() for part in (classes_of, instances_of)] == [
            part.tolist() for part in expected]
    assert shift(mask[:2, :2], (3, 3), (1, 1), 255).tolist() == [
        [255] * 3, [255, *mask[0, :2].tolist()], [255, *mask[1, :2].tolist()]]
    turned = rotate(np.zeros((57, 43, 3), np.uint8), mask, 7)[1]
    classes = rotate(np.zeros((57, 43, 3), np.uint8), classes_of(mask), 7)[1]
    assert np.array_equal(classes_of(turned), classes) and turned[0, 0] == turned[-1, -1] == 255
