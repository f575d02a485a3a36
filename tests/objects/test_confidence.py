"""Dropping unsure objects, parting touching ones (beside OpenCV's watershed), joining the pieces of strips."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from utils.network.letterbox import Placement, unletterbox_classes
from utils.objects.confidence import drop_unsure, join_strips, refine_objects, split_touching

STACK = (np.s_[20:50, 40:140], np.s_[50:90, 30:110])  # rows, columns: a label and one right below it
STAIRS = (*STACK, np.s_[60:95, 110:170])
ROW = (np.s_[20:60, 30:90], np.s_[20:60, 90:150])  # as high as each other: together a rectangle, too


def test_unsure_objects_become_background() -> None:
    """Two things of class 1, of probabilities 0.9 and 0.6, and one of class 2 with 0.9 and 0.5 on its halves."""
    probability = np.full((3, 20, 20), 0.01)
    probability[0] = 0.98
    for index, box, share in ((1, np.s_[2:6, 2:6], 0.9), (1, np.s_[10:14, 2:6], 0.6),
                              (2, np.s_[2:6, 10:14], 0.9), (2, np.s_[6:10, 10:14], 0.5)):
        probability[(slice(None), *box)] = (1 - share) / 2
        probability[(index, *box)] = share
    logits = np.log(probability).astype(np.float32) + 3
    before = logits.copy()
    classes = logits.argmax(0)
    assert drop_unsure(logits, 0.0) is logits and drop_unsure(logits, 0.59) is logits
    dropped = classes.copy()
    dropped[10:14, 2:6] = 0
    np.testing.assert_array_equal(drop_unsure(logits, 0.65).argmax(0), dropped)
    dropped[classes == 2] = 0  # 0.7 on average
    np.testing.assert_array_equal(drop_unsure(logits, 0.75).argmax(0), dropped)
    assert not drop_unsure(logits, 0.95).argmax(0).any()
    np.testing.assert_array_equal(logits, before)


def labels(*boxes: tuple[slice, slice], seam: float = 1.0) -> np.ndarray:
    """Logits (3, 120, 200) with things of class 1 in `boxes`: 5 above the others, falling to `seam` at their edges."""
    logits = np.zeros((3, 120, 200), np.float32)
    logits[0] = 6
    for box in boxes:
        inside = np.zeros((120, 200), np.uint8)
        inside[box] = 1
        distance = cv2.distanceTransform(cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 5)
        margin = np.minimum(seam - 1 + distance[1:-1, 1:-1], 5)
        logits[1] = np.where(inside > 0, 6 + margin, logits[1])
    return logits


def half_a_valley() -> np.ndarray:
    """Two labels in a row; the upper half of the line between them is a deep valley, the lower a shallow one."""
    logits = labels(*ROW)
    logits[1, 40:60, 80:100] = labels(*ROW, seam=4.3)[1, 40:60, 80:100]
    return logits


def components(mask: np.ndarray) -> np.ndarray:
    """One boolean mask (H, W) for each object."""
    count, numbers = cv2.connectedComponents((mask == 1).view(np.uint8), connectivity=8)
    return np.array([numbers == index for index in range(1, count)])


@pytest.mark.parametrize("boxes", [STACK, STAIRS, ROW], ids=["two", "three", "in a row"])
@pytest.mark.parametrize("class_id", [1, 2])
def test_touching_labels_are_parted(boxes: tuple, class_id: int) -> None:
    logits = labels(*boxes)
    if class_id == 2:
        logits = logits[[0, 2, 1]]
    before = logits.copy()
    assert len(components(logits.argmax(0) == class_id)) == 1
    classes = split_touching(logits).argmax(0)
    found = components(classes == class_id)
    assert len(found) == len(boxes)
    for box in boxes:
        true = np.zeros(classes.shape, bool)
        true[box] = True
        assert max((true & thing).sum() / (true | thing).sum() for thing in found) > 0.93
    changed = classes != before.argmax(0)
    assert set(classes[changed]) == {0} and changed.mean() < 0.01
    np.testing.assert_array_equal(logits, before)


def test_a_scale_is_never_parted() -> None:
    logits = labels(*ROW)
    assert refine_objects(logits, ("_background_", "Scale", "Label")) is logits
    assert len(components(refine_objects(logits, ("_background_", "Label", "Scale")).argmax(0))) == 2


def test_what_the_line_cuts_off_is_no_label() -> None:
    """A piece nearer to the left label, with a slit between them, is one with the right one."""
    logits = labels(*ROW)
    logits[1, 20:27, 85:90] = 0
    logits[1, 20:26, 86:90] = 7
    assert len(components(logits.argmax(0))) == 1
    left, right = components(split_touching(logits).argmax(0))
    assert left[20:60, 30:84].all() and right[20:60, 91:150].all()


@pytest.mark.parametrize("size", [(120, 200), (190, 317), (700, 1167)])
def test_parted_labels_stay_apart_at_the_size_of_the_sheet(size: tuple[int, int]) -> None:
    mask = unletterbox_classes(split_touching(labels(*STAIRS)), Placement(0, 0, 120, 200), size)
    assert len(components(mask)) == 3


@pytest.mark.parametrize("row", [48, 49, 50, 51])
@pytest.mark.parametrize("gap_class", [0, 2])
def test_a_line_and_a_gap_that_ends_beside_it_part_labels_at_any_size(row: int, gap_class: int) -> None:
    """The labels are hardly a pixel apart over half their length; a corner of that gap touches the line, or not."""
    logits = labels(*STACK)
    logits[gap_class, row, 30:75] = logits[:, row, 30:75].max(0) + 0.1
    parted = split_touching(logits)
    assert len(components(parted.argmax(0))) == 2
    for size in ((190, 317), (281, 468), (700, 1167)):
        assert len(components(unletterbox_classes(parted, Placement(0, 0, 120, 200), size))) == 2


def test_pixels_go_to_the_label_that_a_watershed_gives_them_to() -> None:
    logits = labels(*STAIRS)
    found = components(split_touching(logits).argmax(0))
    markers = np.zeros(logits.shape[1:], np.int32)
    for index, (rows, columns) in enumerate(STAIRS, 1):
        markers[(rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2] = index
    margin = logits[1] - logits[0]
    relief = np.where(margin < 0, 255, 200 - 30 * margin).astype(np.uint8)
    basins = cv2.watershed(np.dstack([relief] * 3), markers)
    for thing in found:
        shares = np.bincount(basins[thing].clip(0), minlength=4)[1:] / thing.sum()
        assert shares.max() > 0.95 and shares.sum() - shares.max() < 0.01


@pytest.mark.parametrize("logits", [
    pytest.param(labels(), id="nothing"),
    pytest.param(labels(np.s_[20:60, 30:150]), id="one label"),
    pytest.param(labels(*STACK, seam=5.5), id="an angle, sure everywhere"),
    pytest.param(labels(*ROW, seam=4), id="a shallow valley"),
    pytest.param(half_a_valley(), id="half a valley"),
    pytest.param(labels(np.s_[20:24, 40:140], np.s_[24:27, 30:110]), id="lines"),
    pytest.param(labels(*(np.s_[20 + y:60, 30 + y:60 + y] for y in range(30))), id="a slope"),
])
def test_other_objects_stay_whole(logits: np.ndarray) -> None:
    assert split_touching(logits) is logits


def test_labels_that_do_not_touch_and_other_classes_are_left_alone() -> None:
    logits = labels(np.s_[20:50, 40:140], np.s_[53:90, 30:110])
    assert split_touching(logits) is logits
    logits = labels(STACK[0])
    logits[2] = labels(STACK[1])[1] + 0.5
    assert set(np.unique(logits.argmax(0))) == {0, 1, 2}
    assert split_touching(logits) is logits


RULER = np.s_[40:60, 10:190]


def patches(*boxes: tuple[slice, slice], on: tuple[slice, slice] = RULER) -> np.ndarray:
    """Logits (3, 120, 200) of patches of class 1 in `boxes`, on a thing of class 2."""
    logits = labels(*boxes, seam=4)
    logits[2] = np.where(labels(on, seam=4)[1] > 0, 9, 0)
    logits[1] += 3 * (logits[1] > 0)
    return logits


@pytest.mark.parametrize("turn", [0, 1])
def test_patches_on_a_ruler_are_one_strip(turn: int) -> None:
    """Two pieces, one of them with a bump, a gap between them, and a speck; the ruler stays around them."""
    logits = patches(np.s_[46:54, 20:80], np.s_[44:46, 50:54], np.s_[46:54, 110:180], np.s_[57:59, 30:32])
    true = logits.argmax(0)
    true[46:54, 80:110] = 1
    logits, true = (np.rot90(array, turn, (-2, -1)) for array in (logits, true))
    before = logits.copy()
    assert len(components(logits.argmax(0))) == 3
    joined = refine_objects(logits, ("_background_", "Color chart", "Scale")).argmax(0)
    assert len(components(joined)) == 2 and (joined != true).sum() <= 30  # an edge of the gap may be a pixel off
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("logits", [
    pytest.param(patches(np.s_[46:54, 20:180]), id="one piece"),
    pytest.param(patches(np.s_[46:54, 20:40], np.s_[46:54, 150:180]), id="far apart"),
    pytest.param(patches(np.s_[41:49, 20:80], np.s_[51:59, 80:140]), id="not in line"),
    pytest.param(patches(np.s_[46:54, 20:40], np.s_[46:54, 50:70]), id="short"),
    pytest.param(patches(np.s_[46:54, 20:80], np.s_[46:54, 110:180], on=np.s_[20:110, 10:190]), id="on no ruler"),
    pytest.param(patches(np.s_[80:88, 20:80], np.s_[80:88, 110:180]), id="beside the ruler"),
    pytest.param(labels(np.s_[46:54, 20:80], np.s_[46:54, 110:180]), id="on the sheet"),
])
def test_other_pieces_stay_apart(logits: np.ndarray) -> None:
    assert join_strips(logits) is logits
