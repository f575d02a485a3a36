"""Objects that the network is not sure of become background."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from utils.objects.confidence import calibrated, drop_unsure, highest_probability
from utils.objects.regions import find_regions


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


def test_the_probability_of_the_class_is_that_of_softmax() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 7, 9)).astype(np.float32) * 30
    expected = torch.from_numpy(logits).double().softmax(0).amax(0).numpy()
    np.testing.assert_allclose(highest_probability(logits), expected, rtol=1e-5)


def test_a_calibration_changes_the_odds_by_its_line() -> None:
    """0.8 are odds of 4 to 1: squared 16 to 1, and a quarter of that with the shift."""
    lines = [[1.0, 0.0], [2.0, 0.0], [2.0, -np.log(4)]]
    assert calibrated(0.8, 1, lines) == pytest.approx(16 / 17) and calibrated(0.8, 2, lines) == pytest.approx(4 / 5)
    assert calibrated(0.8, 2, []) == 0.8 and np.isnan(calibrated(np.nan, 1, lines))
    extremes = calibrated(np.array([0.0, 1.0]), 1, lines)
    assert np.isfinite(extremes).all() and extremes[0] < 1e-9 and extremes[1] > 1 - 1e-9


def test_unsure_is_what_the_calibration_calls_so() -> None:
    """Class 1 of probability 0.6 and class 2 of 0.9; the line of class 2 makes 0.9 even odds."""
    probability = np.full((3, 12, 12), 0.05)
    probability[0] = 0.9
    for index, box, share in ((1, np.s_[1:5, 1:5], 0.6), (2, np.s_[7:11, 7:11], 0.9)):
        probability[(slice(None), *box)] = (1 - share) / 2
        probability[(index, *box)] = share
    logits = np.log(probability).astype(np.float32)
    lines = [[1.0, 0.0], [1.0, 0.0], [1.0, -np.log(9)]]
    assert set(np.unique(drop_unsure(logits, 0.55).argmax(0))) == {0, 1, 2}
    assert set(np.unique(drop_unsure(logits, 0.55, lines).argmax(0))) == {0, 1}
    assert set(np.unique(drop_unsure(logits, 0.45, lines).argmax(0))) == {0, 1, 2}
    classes = logits.argmax(0).astype(np.uint8)
    found = find_regions(classes, ["_background_", "Barcode", "Label"], 0, highest_probability(logits), None, lines)
    assert [region.confidence for region in found] == pytest.approx([0.6, 0.5], abs=1e-5)
