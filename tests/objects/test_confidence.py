"""Objects that the network is not sure of become background."""

from __future__ import annotations

import numpy as np
import torch

from utils.objects.confidence import drop_unsure, highest_probability


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
