"""Panoptic masks: class and instance in one number, against SciPy and numbers worked out by hand."""

import numpy as np
from scipy import ndimage

from utils.objects.panoptic import (
    classes_of, instances_of, lacks_instances, number_components, panoptic_mask, with_free_numbers,
)


def test_class_and_instance_by_hand():
    classes = np.array([[0, 2, 2, 1, 254, 255]], np.uint8)
    mask = panoptic_mask(classes, np.array([[7, 9, 9, 4, 9, 9]], np.uint16))
    assert mask.dtype == np.uint16 and mask.tolist() == [[0, 2 + 2 * 256, 2 + 2 * 256, 1 + 256, 254, 255]]
    assert np.array_equal(classes_of(mask), classes) and classes_of(mask).dtype == np.uint8
    assert instances_of(mask).tolist() == [[0, 2, 2, 1, 0, 0]] and instances_of(mask).dtype == np.uint8
    assert classes_of(classes) is classes


def test_a_number_on_two_classes_is_two_instances():
    mask = panoptic_mask(np.array([[1, 1, 2, 2, 0]], np.uint8), np.array([[60000, 60000, 60000, 0, 5]], np.uint16))
    assert instances_of(mask).tolist() == [[1, 1, 2, 0, 0]]


def test_beyond_255_the_smallest_have_no_number():
    classes, numbers = np.ones((2, 300), np.uint8), np.tile(np.arange(1, 301, dtype=np.uint16), (2, 1))
    classes[1, 10:55] = 0  # the 45 objects from number 11 on have one pixel instead of two
    mask = panoptic_mask(classes, numbers)
    expected = np.r_[1:11, np.zeros(45), 11:256]
    assert instances_of(mask)[0].tolist() == expected.tolist()
    assert np.array_equal(classes_of(mask), classes) and lacks_instances(mask)
    assert not lacks_instances(panoptic_mask(classes[:, 45:], numbers[:, 45:]))


def test_components_are_those_of_scipy():
    classes = np.random.default_rng(1).choice([0, 1, 2, 254, 255], (60, 50), p=[0.6, 0.15, 0.15, 0.05, 0.05])
    numbers = number_components(classes.astype(np.uint8))
    assert (numbers[~np.isin(classes, (1, 2))] == 0).all()
    total = 0
    for class_id in (1, 2):
        expected, count = ndimage.label(classes == class_id, np.ones((3, 3)))
        pairs = {*zip(numbers[classes == class_id].tolist(), expected[classes == class_id].tolist())}
        assert len(pairs) == count == len({number for number, _ in pairs})
        total += count
    assert numbers.max() == total == len(np.unique(numbers)) - 1 > 100


def test_free_numbers_by_hand():
    mask = np.array([[1 + 256, 2 + 3 * 256, 0]], np.uint16)
    part = np.array([[1 + 3 * 256, 2 + 9 * 256], [255, 0]], np.uint16)
    assert with_free_numbers(part, mask).tolist() == [[1 + 2 * 256, 2 + 4 * 256], [255, 0]]
    full = np.arange(1, 255, dtype=np.uint16) * 256 + 1  # only 255 is left
    assert with_free_numbers(part, full).tolist() == [[1 + 255 * 256, 2], [255, 0]]
    ordinary = np.array([[1, 255]], np.uint8)
    assert with_free_numbers(ordinary, ordinary) is ordinary
