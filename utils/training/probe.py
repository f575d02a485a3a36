"""Trains the probe of nets/sparse.py: what tells cells near objects from cells of background.

It learns from the whole network: a cell has an object where the network finds one. So no labels are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nets.deeplabv3_plus import DeepLab
from nets.sparse import boxes_around, covered
from utils.network.letterbox import letterbox_tightly, network_input

RIDGE = 1e-5  # a cell, on the squared weights: keeps the equations solvable
STEPS = 10  # of Newton's method, which needs about six
HALVINGS = 15  # of the range in which the threshold lies


class Cells(NamedTuple):
    """What the network says of one sheet, for each cell of the backbone's last features."""

    features: Tensor  # float32 (h, w, C), or (n, C) after `sample`
    objects: Tensor  # bool (h, w), or (n,): whether a pixel of the cell belongs to an object


@torch.inference_mode()
def look(model: DeepLab, image: np.ndarray, input_shape: tuple[int, int]) -> Cells:
    """The cells of a sheet, an image uint8 (H, W, 3). The model is in evaluation mode on the CPU."""
    boxed, _ = letterbox_tightly(image, input_shape, model.output_stride)
    x = network_input(torch.from_numpy(boxed)[None])
    low_level, high_level = model.pick(model.backbone(x))
    objects = model.classify(low_level, high_level, x).argmax(1) > 0
    cells = F.max_pool2d(objects[:, None].float(), model.output_stride, ceil_mode=True)[0, 0] > 0
    return Cells(high_level[0].permute(1, 2, 0), cells)


def sample(cells: Cells, share: float) -> Cells:
    """A random `share`, 0 to 1, of the cells: features (n, C) and objects (n,)."""
    chosen = torch.rand(cells.objects.shape) < share
    return Cells(cells.features[chosen], cells.objects[chosen])


def fit_probe(features: Tensor, objects: Tensor) -> Tensor:
    """Weights and bias, float32 (C + 1,), by logistic regression with Newton's method.

    Args:
        features: float32 (n, C), of cells of any sheets.
        objects: bool (n,), whether they have an object.
    """
    features = F.pad(features, (0, 1), value=1.0)
    ridge = RIDGE * len(features) * torch.eye(features.shape[1])
    probe = torch.zeros(features.shape[1])
    for _ in range(STEPS):
        probability = torch.sigmoid(features @ probe)
        slope = features.T @ (probability - objects.float()) + ridge @ probe
        curvature = (features.T * (probability * (1 - probability))) @ features + ridge
        probe = probe - torch.linalg.solve(curvature.double(), slope.double()).float()
    return probe


def share_found(scores: Sequence[Tensor], objects: Sequence[Tensor], threshold: float) -> float:
    """The share, 0 to 1, of the cells with objects that are computed when the probe's threshold is this.

    Args:
        scores: what the probe gives the cells of each sheet, float32 (h, w).
        objects: which of them have an object, bool (h, w); at least one has.
        threshold: a cell is marked when it scores more.
    """
    found = sum(int((_computed(each, threshold) & cells).sum()) for each, cells in zip(scores, objects))
    return found / sum(int(cells.sum()) for cells in objects)


def share_computed(scores: Sequence[Tensor], threshold: float) -> float:
    """The mean share of a sheet's cells that are computed, 0 to 1. Arguments: see `share_found`."""
    return float(np.mean([_computed(each, threshold).float().mean() for each in scores]))


def highest_threshold(scores: Sequence[Tensor], objects: Sequence[Tensor], recall: float) -> float:
    """The highest threshold at which `share_found` is at least `recall`, above 0 and below 1; see there."""
    low, high = min(float(each.min()) for each in scores) - 1, max(float(each.max()) for each in scores)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if share_found(scores, objects, middle) >= recall else (low, middle)
    return low


def _computed(scores: Tensor, threshold: float) -> Tensor:
    """The cells of one sheet that are computed, bool (h, w)."""
    return covered(boxes_around(scores[None] > threshold), scores[None, None])[0]
