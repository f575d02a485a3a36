"""The usual ways give what ours give."""

import numpy as np
import pytest
import torch

from utils.benchmark.naive import naive_classes, naive_matrix, naive_miou
from utils.network.letterbox import Placement, unletterbox_classes
from utils.utils_metrics import confusion_matrix, scores


def test_the_plain_evaluation_gives_the_same_miou():
    torch.manual_seed(0)
    coarse = torch.randn(1, 5, 6, 5)
    logits = torch.nn.functional.interpolate(coarse, (48, 40), mode="bicubic")[0] * 5
    placement, size = Placement(4, 0, 40, 40), (333, 257)
    plain, quick = naive_classes(logits, placement, size), unletterbox_classes(logits, placement, size)
    assert (plain == quick).mean() > 0.9999  # but for ties
    truth = np.random.default_rng(0).integers(0, 5, size).astype(np.uint8)
    truth[:200] = quick[:200]
    truth[200:210] = 255
    matrices = [naive_matrix(truth, plain, 5), confusion_matrix(truth, plain.astype(np.uint8), 5)]
    assert np.array_equal(*matrices)
    assert naive_miou(matrices[0]) == pytest.approx(scores(matrices[1]).miou, abs=1e-12)


def test_naive_miou_by_hand():
    # class 0: 3 of 3 + 1 right and wrong, class 1: 2 of 3, class 2 nowhere
    assert naive_miou(np.array([[3, 0, 0], [1, 2, 0], [0, 0, 0]])) == pytest.approx((3 / 4 + 2 / 3) / 2)
