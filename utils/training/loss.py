"""The loss of a run and its class weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from nets.losses import segmentation_loss
from utils.config import Settings
from utils.utils import GAP, IGNORE

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def make_loss(s: Settings, train_pixels: np.ndarray, device: torch.device) -> Loss:
    """The loss function of (logits, mask). `train_pixels` (sheets, classes) is the basis of cls_weights "auto"."""
    weights = balanced_weights(train_pixels) if s.cls_weights == "auto" else s.cls_weights
    return partial(
        segmentation_loss,
        ignore_index=IGNORE,
        gap_index=GAP if s.object_gap else None,
        gap_weight=s.gap_weight,
        cls_weights=None if weights is None else torch.tensor(weights, device=device),
        dice_loss=s.dice_loss,
        focal_loss=s.focal_loss,
    )


def balanced_weights(pixels: np.ndarray) -> tuple[float, ...]:
    """One weight per class by median-frequency balancing (Eigen and Fergus 2015, arXiv 1411.4734, section 6.3.2).

    The frequency of a class is the number of its pixels, divided by all labelled pixels of the sheets that have it. Its
    weight is the median of all frequencies, divided by its own. A class that no sheet has gets weight 0.

    pixels: the counts of `preflight`, (sheets, num_classes).
    """
    present = pixels > 0
    frequency = pixels.sum(0) / np.maximum((pixels.sum(1, keepdims=True) * present).sum(0), 1)
    found = frequency > 0
    weights = np.zeros(len(frequency))
    weights[found] = np.median(frequency[found]) / frequency[found]
    return tuple(float(weight) for weight in weights)
