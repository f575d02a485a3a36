"""Objects told apart by their embeddings, at the network's scale and at that of the sheet."""

from __future__ import annotations

import numpy as np
import pytest

from utils.objects import instances as module
from utils.objects.instances import MIN_PIXELS, REACH, find_instances, instances_at
from utils.utils import UserError

AWAY = 5.0  # embeddings of this distance belong to two objects


def embedded(numbers: np.ndarray) -> np.ndarray:
    """Embeddings, float32 (2, h, w), of objects with these numbers."""
    noise = np.random.default_rng(0).normal(scale=0.05, size=(2, *numbers.shape))
    return (noise + [AWAY * numbers, -AWAY * numbers]).astype(np.float32)


def test_numbers_count_by_class_then_from_top_to_bottom_then_from_left_to_right():
    """Two labels that touch and begin in one row; that on the right has a second piece, farther to the left.

    Below them are two barcodes, one with the embedding of a label.
    """
    classes, objects = np.zeros((60, 60), np.uint8), np.zeros((60, 60), int)
    classes[5:15, 5:45], objects[5:15, 5:25], objects[5:15, 25:45] = 2, 7, 3
    classes[20:30, 2:25], objects[20:30, 2:25] = 2, 3  # the other piece
    classes[31:45, 30:50], objects[31:45, 30:50] = 1, 2
    classes[50:60, 2:22], objects[50:60, 2:22] = 1, 7
    first, second = (classes == 1) & (objects == 2), (classes == 1) & (objects == 7)
    third, fourth = (classes == 2) & (objects == 3), (classes == 2) & (objects == 7)
    found = find_instances(classes, embedded(objects))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, np.select([first, second, third, fourth], [1, 2, 3, 4], 0))


def test_reading_order():
    classes, objects = np.zeros((60, 60), np.uint8), np.zeros((60, 60), int)
    for number, (top, left) in enumerate([(30, 2), (4, 30), (5, 2), (4, 2 + 13)], start=1):
        classes[top:top + 12, left:left + 12], objects[top:top + 12, left:left + 12] = 1, number
    found = find_instances(classes, embedded(objects))
    assert [int(found[row, column]) for row, column in ((5, 16), (5, 31), (6, 3), (31, 3))] == [1, 2, 3, 4]


def test_small_clusters_join_the_nearest_object_that_they_hang_together_with():
    """A strip of 5 columns between two objects, with an embedding of its own, and two specks, one of them in a hole."""
    classes, objects = np.zeros((40, 60), np.uint8), np.zeros((40, 60), int)
    classes[5:20, 5:40], objects[5:20, 5:20], objects[5:20, 20:25], objects[5:20, 25:40] = 1, 1, 2, 3
    classes[30:35, 5:20], objects[30:35, 5:20] = 1, 4
    classes[12:19, 30:37], classes[14:17, 32:35], objects[14:17, 32:35] = 0, 1, 5
    assert (objects == 2).sum() < MIN_PIXELS > (objects == 4).sum()
    found = find_instances(classes, embedded(objects))
    assert found[10].tolist() == [0] * 5 + [1] * 17 + [found[10, 22]] + [2] * 17 + [0] * 20
    assert found[10, 22] in (1, 2)  # as far from both
    assert not found[25:].any() and not found[12:19, 30:37].any()


def test_the_limit_of_pixels():
    classes = np.zeros((20, 20), np.uint8)
    classes[:8, :16] = 1
    assert find_instances(classes, embedded(classes)).sum() == 128
    classes[7, 15] = 0
    assert not find_instances(classes, embedded(classes)).any()
    assert not find_instances(np.zeros((4, 5), np.uint8), np.zeros((2, 4, 5), np.float32)).any()


@pytest.mark.parametrize("value, words", [(np.nan, "nan"), (np.inf, "inf"), (-3e30, "3e.30")])
def test_embeddings_of_a_broken_network(value, words):
    classes, embeddings = np.ones((20, 20), np.uint8), np.zeros((2, 20, 20), np.float32)
    classes[0] = 0
    embeddings[1, 0, 3] = value  # background: nobody looks there
    assert find_instances(classes, embeddings).max() == 1
    embeddings[1, 7, 3] = value
    with pytest.raises(UserError, match=f"embeddings are as large as {words}.*earlier checkpoint"):
        find_instances(classes, embeddings)


def test_more_objects_than_can_be_stored(monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    objects = np.repeat(np.arange(3), 10)[:, None] + np.zeros((30, 20), int)
    with pytest.raises(UserError, match="finds 3 objects on one sheet, and at most 2"):
        find_instances(np.ones((30, 20), np.uint8), embedded(objects))


def test_a_pixel_of_the_sheet_has_the_number_of_the_nearest_one_of_its_class():
    """One row of the network's pixels, each 2 x 2 on the sheet. The mask's outlines differ from the network's."""
    classes = np.array([[1, 1, 2, 2, 1, 1, 0, 0, 0]], np.uint8)
    instances = np.array([[1, 1, 3, 3, 2, 2, 0, 0, 0]], np.uint16)
    mask = np.array([[1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1]] * 2, np.uint8)
    # In column 4 the nearest 1 is that on the left, in 7 that on the right, and in 12 a 2 would be three pixels away.
    expected = [[1, 1, 1, 1, 1, 1, 3, 2, 2, 2, 2, 2, 0, 2, 2, 2, 0, 0]] * 2
    assert REACH == 2 and instances_at(mask, classes, instances).tolist() == expected


def test_a_speck_keeps_its_class_without_an_object_beside_a_larger_one():
    classes, instances = np.zeros((10, 10), np.uint8), np.zeros((10, 10), np.uint16)
    classes[2:8, 1:5], instances[2:8, 1:5] = 1, 1
    classes[4, 6] = 1
    mask = classes.repeat(3, 0).repeat(3, 1)
    np.testing.assert_array_equal(instances_at(mask, classes, instances), instances.repeat(3, 0).repeat(3, 1))


def test_a_sheet_that_is_smaller_than_the_networks_input():
    classes, instances = np.zeros((12, 12), np.uint8), np.zeros((12, 12), np.uint16)
    classes[:, :6], classes[:, 6:], instances[:6, :6], instances[6:, :6], instances[:, 6:] = 1, 2, 1, 2, 3
    mask = np.array([[1, 2], [1, 2]], np.uint8)
    assert instances_at(mask, classes, instances).tolist() == [[1, 3], [2, 3]]
    assert instances_at(np.array([[1]], np.uint8), classes, instances).item() in (1, 2)
