"""Objects pasted on other sheets, and gaps between objects, against SciPy and pixels of known colour."""

import numpy as np
import pytest
from scipy import ndimage

from helpers import sheet
from utils.objects.panoptic import classes_of, instances_of, number_components, panoptic_mask
from utils.objects.separation import separate_objects
from utils.training import paste
from utils.training.paste import paste_objects
from utils.utils import GAP

COLOUR = np.array([10, 200, 30], np.uint8)


def other_sheet(height=80, width=60):
    """A sheet with an L of class 2 in one colour, IGNORE around it, black elsewhere; and the L's pixels."""
    image, mask = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    mask[18:42, 8:32] = 255
    mask[20:40, 10:20] = mask[30:40, 10:30] = 2
    image[mask == 2] = COLOUR
    return image, mask, 300


@pytest.fixture
def always(monkeypatch):
    """Each object is pasted, at its own size."""
    monkeypatch.setattr(paste, "PASTE_SHARE", 1.0)
    monkeypatch.setattr(paste, "PASTE_SCALE", (1.0, 1.0))


def test_pasted_pixels_are_the_objects_and_no_others(always):
    image, mask = sheet(0, 80, 60)
    before = image.copy(), mask.copy()
    other_image, other_mask, size = other_sheet()
    whole = cut = 0
    turned = set()
    for seed in range(60):
        out, out_mask = paste_objects(image, mask, other_image, other_mask, np.random.default_rng(seed))
        pasted = (out == COLOUR).all(-1)  # no pixel of the sheet has this colour
        assert (out_mask[pasted] == 2).all()
        assert np.array_equal(out[~pasted], image[~pasted]) and np.array_equal(out_mask[~pasted], mask[~pasted])
        rows, columns = np.nonzero(pasted)
        inside = rows.min() > 0 and columns.min() > 0 and rows.max() < 79 and columns.max() < 59
        assert pasted.sum() == size if inside else size / 8 < pasted.sum() <= size
        if inside:
            corner = out_mask[rows.min():rows.max() + 1, columns.min():columns.max() + 1]
            turned.add(tuple(pasted[np.ix_(rows[[0, -1]], columns[[0, -1]])].ravel()) + corner.shape)
        whole, cut = whole + inside, cut + (pasted.sum() < size)
    assert whole > 10 and cut > 5 and len(turned) > 1
    assert np.array_equal(image, before[0]) and np.array_equal(mask, before[1])  # the originals


def test_what_lies_in_an_object_is_pasted_with_it(always):
    image, mask = np.full((400, 400, 3), 99, np.uint8), np.zeros((400, 400), np.uint8)
    other_image, other_mask = np.full((400, 400, 3), 9, np.uint8), np.zeros((400, 400), np.uint8)
    other_mask[100:120, 100:180], other_image[100:120, 100:180] = 4, (4, 4, 4)  # a ruler
    other_mask[105:112, 110:170], other_image[105:112, 110:170] = 3, (3, 3, 3)  # with patches in it
    rulers = 0
    for seed in range(20):
        out, out_mask = paste_objects(image, mask, other_image, other_mask, np.random.default_rng(seed))
        for level in (3, 4):
            assert np.array_equal(out[..., 0] == level, out_mask == level)
        assert np.array_equal(out[..., 0] == 99, out_mask == 0)  # nothing of what lies around it
        rulers += np.isin(out_mask, (3, 4)).sum() > 1.5 * (out_mask == 4).sum()
    assert rulers > 10


def test_ignored_pixels_and_background_are_never_pasted(always):
    image, mask = np.full((80, 60, 3), 99, np.uint8), np.zeros((80, 60), np.uint8)
    other_image, other_mask, _ = other_sheet()
    other_mask[other_mask == 2] = 255
    for seed in range(5):
        out, out_mask = paste_objects(image, mask, other_image, other_mask, np.random.default_rng(seed))
        assert np.array_equal(out, image) and not out_mask.any()


def test_pasting_takes_its_share_and_scale():
    image, mask = np.full((320, 240, 3), 99, np.uint8), np.zeros((320, 240), np.uint8)
    other_image, other_mask, size = other_sheet()
    pasted = []
    for seed in range(200):
        out, _ = paste_objects(image, mask, other_image, other_mask, np.random.default_rng(seed))
        pasted.append((out != 99).any(-1).sum() / (16 * size))  # the other sheet is a quarter as high
    pasted = np.array(pasted)
    assert abs((pasted > 0).mean() - 0.5) < 0.1
    inside = np.sqrt(pasted[pasted > 0])  # the scale, for those that the border does not cut
    assert inside.max() < 1.42 and np.quantile(inside, 0.95) > 1.25


def test_pasting_repeats_for_a_seed():
    image, mask = sheet(0)
    first, again, other = (
        paste_objects(image, mask, *sheet(1), np.random.default_rng(seed))[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize("size", [(20, 400), (400, 20), (1, 1)])
def test_pasting_onto_sheets_of_any_form(always, size):
    other_image, other_mask = np.zeros((400, 20, 3), np.uint8), np.ones((400, 20), np.uint8)
    for seed in range(20):
        image, mask = np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)
        _, out = paste_objects(image, mask, other_image, other_mask, np.random.default_rng(seed))
        assert out.shape == size and out.any()


@pytest.mark.parametrize("gap", [3, 7])
def test_pasted_objects_keep_a_gap_to_their_class_alone(always, gap):
    """On a sheet that is a label at the left and a barcode at the right, an L in a colour of its own."""
    mask = np.ones((80, 60), np.uint8)
    mask[:, :40] = 2
    image = np.full((80, 60, 3), 99, np.uint8)
    other_image, other_mask, _ = other_sheet()
    cleared = 0
    for seed in range(30):
        out, out_mask = paste_objects(image, mask, other_image, other_mask, np.random.default_rng(seed), gap)
        pasted = (out == COLOUR).all(-1)
        assert (out_mask[pasted] == 2).all() and (out[~pasted] == 99).all()
        near = ndimage.distance_transform_cdt(~pasted, "chessboard") <= gap // 2
        expected = np.where(near & ~pasted & (mask == 2), GAP, mask)
        assert np.array_equal(out_mask[~pasted], expected[~pasted])
        cleared += (out_mask == GAP).any()
    assert cleared > 15


def test_with_a_gap_many_objects_lie_beside_one_of_their_class(always):
    mask = np.zeros((400, 400), np.uint8)
    mask[180:220, 160:240] = 2
    other_image, other_mask, _ = other_sheet(400, 400)
    beside = set()
    for seed in range(200):
        out, _ = paste_objects(np.zeros((400, 400, 3), np.uint8), mask, other_image, other_mask,
                               np.random.default_rng(seed), gap=7)
        rows, columns = np.nonzero((out == COLOUR).all(-1))
        for axis, (places, start, stop) in enumerate(((rows, 180, 220), (columns, 160, 240))):
            other_places, low, high = ((columns, 160, 240), (rows, 180, 220))[axis]
            if other_places.min() < high and other_places.max() >= low:  # beside it, not past its corner
                if 0 <= places.min() - stop <= 4:
                    beside.add((seed, axis, "after"))
                if 0 <= start - 1 - places.max() <= 4:
                    beside.add((seed, axis, "before"))
    assert 60 <= len(beside) <= 110  # 0.4 of 200, and few that came there by chance
    assert {side[1:] for side in beside} == {(0, "after"), (0, "before"), (1, "after"), (1, "before")}


def test_separate_objects_clears_what_is_near_two_of_them():
    rng = np.random.default_rng(5)
    cleared = 0
    for _ in range(20):
        mask = np.zeros((90, 70), np.uint8)
        for _ in range(25):
            y, x, height, width = rng.integers((0, 0, 4, 4), (80, 60, 14, 14))
            mask[y:y + height, x:x + width] = rng.choice([0, 1, 2, 2, 255])
        expected = mask.copy()
        for class_id in (1, 2):
            objects, count = ndimage.label(mask == class_id)
            near = [ndimage.distance_transform_cdt(objects != k, "chessboard") <= 2 for k in range(1, count + 1)]
            own_or_ignored = (mask == class_id) | (mask == 255)
            expected[own_or_ignored & (np.sum(near, axis=0) > 1)] = GAP
        separated = separate_objects(mask, 5)
        assert np.array_equal(separated, expected)
        assert np.array_equal(separate_objects(mask, 1), mask)
        cleared += (separated != mask).any()
    assert cleared > 5


def test_separate_objects_widens_a_gap_and_touches_nothing_else():
    mask = np.zeros((40, 40), np.uint8)
    mask[5:35, 2:19], mask[5:35, 20:38] = 2, 2  # two labels, one pixel apart
    mask[10:14, 25:30] = 1
    separated = separate_objects(mask, 7)
    assert (separated[5:35, 17:19] == GAP).all() and (separated[5:35, 20:22] == GAP).all()
    assert (separated[5:35, 2:17] == 2).all()
    assert (separated[5:35, 22:] == mask[5:35, 22:]).all()


@pytest.mark.parametrize("gap", [0, 5])
def test_pasted_instances_get_numbers_that_are_free(gap):
    """Classes are those of ordinary masks, and no number is on two objects."""
    classes = sheet(0, 80, 60)[1]
    mask = panoptic_mask(classes, number_components(classes))
    for seed in range(1, 20):
        image, other = sheet(seed, 80, 60)
        other[20:40, 10:40] = 2
        other_mask = panoptic_mask(other, number_components(other))
        out, pasted = paste_objects(image, mask, image, other_mask, np.random.default_rng(seed), gap)
        plain, expected = paste_objects(image, classes, image, other, np.random.default_rng(seed), gap)
        assert np.array_equal(out, plain) and np.array_equal(classes_of(pasted), expected)
        assert np.array_equal(instances_of(pasted) > 0, (expected > 0) & (expected < GAP))
        kept = pasted == mask
        old, new = (set(np.unique(instances_of(pasted[where])).tolist()) - {0} for where in (kept, ~kept))
        assert not old & new
        assert len(np.unique(pasted[instances_of(pasted) > 0])) == len(old | new)  # one class each


def test_instances_do_not_change_what_separate_objects_does():
    mask = np.zeros((40, 40), np.uint8)
    mask[5:35, 2:19], mask[5:35, 20:38], mask[0] = 2, 2, 255
    separated = separate_objects(panoptic_mask(mask, number_components(mask)), 7)
    assert np.array_equal(classes_of(separated), separate_objects(mask, 7))
    assert np.array_equal(instances_of(separated)[20], np.repeat([0, 1, 0, 2, 0], [2, 15, 5, 16, 2]))
