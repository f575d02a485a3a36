"""The probe that says where objects may be: its regression, its threshold, and the cells that it learns from."""

import math

import numpy as np
import torch

from helpers import new_deeplab
from nets.sparse import GROWN
from utils.training.probe import fit_probe, highest_threshold, look, share_computed, share_found


def test_regression_gives_the_log_odds():
    """Of ten cells with feature 0 one has an object; of ten with feature 1, eight."""
    features = torch.tensor([0.0] * 10 + [1.0] * 10)[:, None]
    objects = torch.tensor([True] + [False] * 9 + [True] * 8 + [False] * 2)
    weight, bias = fit_probe(features, objects).tolist()
    assert math.isclose(bias, math.log(1 / 9), abs_tol=1e-2)
    assert math.isclose(weight + bias, math.log(8 / 2), abs_tol=1e-2)


def test_threshold_is_the_highest_that_finds_enough():
    """Four objects far apart, of one cell each, that score 1 to 4; background scores 0."""
    scores, objects = torch.zeros(2, 16, 40), torch.zeros(2, 16, 40, dtype=torch.bool)
    for number, (sheet, column) in enumerate([(0, 5), (0, 30), (1, 5), (1, 30)]):
        scores[sheet, 8, column], objects[sheet, 8, column] = number + 1.0, True
    threshold = highest_threshold(list(scores), list(objects), 0.75)
    assert math.isclose(threshold, 2, abs_tol=0.01) and threshold < 2
    assert share_found(list(scores), list(objects), threshold) == 0.75
    assert math.isclose(share_computed(list(scores), threshold), 3 * (2 * GROWN + 1) ** 2 / (2 * 16 * 40), rel_tol=1e-6)
    assert share_found(list(scores), list(objects), highest_threshold(list(scores), list(objects), 0.999)) == 1


def test_a_cell_has_an_object_where_the_network_finds_one():
    torch.manual_seed(0)
    model = new_deeplab(3, downsample_factor=8).eval()
    model.cls_conv.weight.data *= 100  # fresh weights see one class everywhere
    image = np.random.default_rng(0).integers(0, 256, (120, 88, 3), dtype=np.uint8)
    features, objects = look(model, image, (120, 88))
    with torch.no_grad():
        x = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
        mask = model(x)[0].argmax(0).numpy() > 0
        torch.testing.assert_close(features, model.backbone(x)[-1][0].permute(1, 2, 0), rtol=1e-3, atol=1e-4)
    assert 0.05 < mask.mean() < 0.95
    expected = [[mask[row:row + 8, column:column + 8].any() for column in range(0, 88, 8)] for row in range(0, 120, 8)]
    assert (objects.numpy() == np.array(expected)).mean() > 0.98  # sums in another order may move a tie
