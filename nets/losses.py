"""Losses: cross entropy, focal loss, Dice loss, and `segmentation_loss`, which adds them up for train.py."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def segmentation_loss(
    logits: Tensor,
    mask: Tensor,
    cls_weights: Tensor | None = None,
    dice_loss: bool = False,
    focal_loss: bool = False,
    *,
    ignore_index: int,
    gap_index: int | None = None,
    gap_weight: float = 1.0,
) -> Tensor:
    """The loss of a batch, float32 scalar: cross entropy or focal loss, plus Dice loss if asked for.

    Ignored pixels change neither the value nor the gradient. If all pixels are ignored, both are 0.

    Args:
        logits: (N, C, H, W), any float type; computed in float32.
        mask: (N, H, W), uint8 or int64: classes, `ignore_index` and `gap_index`.
        cls_weights: (C,) float32 on the same device; the Dice loss does not use them. None: all 1.
        dice_loss: add the Dice loss.
        focal_loss: use the focal loss instead of cross entropy.
        ignore_index: value of ignored pixels in the mask.
        gap_index: value in the mask of background between two objects. None: there is none.
        gap_weight: how many times a pixel of `gap_index` counts in the pixel-wise part, to keep objects apart. The
            idea is from Ronneberger et al. 2015, arXiv 1505.04597, whose weights fade with distance.

    Raises:
        ValueError: sizes differ, or the number of weights is wrong.
    """
    gap = torch.zeros_like(mask, dtype=torch.bool) if gap_index is None else mask == gap_index
    log_p, target, valid = _split_mask(logits, mask.masked_fill(gap, 0), ignore_index)
    counts = valid * torch.where(gap, gap_weight, 1.0)
    pixelwise = (_focal if focal_loss else _cross_entropy)(log_p, target, counts, cls_weights)
    return pixelwise + _dice(log_p, target, valid) if dice_loss else pixelwise


def cross_entropy(
    logits: Tensor, mask: Tensor, cls_weights: Tensor | None = None, *, ignore_index: int
) -> Tensor:
    """Cross entropy, float32 scalar: the mean over valid pixels, each weighted by its true class.

    It is `torch.nn.functional.cross_entropy`, but 0 instead of NaN when no pixel is valid.

    Args:
        logits, mask, cls_weights, ignore_index: as in `segmentation_loss`.
    """
    return _cross_entropy(*_split_mask(logits, mask, ignore_index), cls_weights)


def focal_loss(
    logits: Tensor,
    mask: Tensor,
    cls_weights: Tensor | None = None,
    alpha: float = 0.5,
    gamma: float = 2.0,
    *,
    ignore_index: int,
) -> Tensor:
    """Focal loss, float32 scalar: the mean over valid pixels of -alpha (1 - p)^gamma log p.

    p is the probability of the true class. Lin et al. 2017, arXiv 1708.02002. Deviations from the paper:
    - Softmax over the classes instead of a sigmoid.
    - One alpha for all classes.
    - The mean over pixels instead of the sum over positives.
    - Class weights, used as in cross entropy: they multiply the loss of a pixel, and the sum is divided by the sum of
      the weights. p itself is not weighted; in the community's code it is.

    Args:
        logits, mask, cls_weights, ignore_index: as in `segmentation_loss`.
        alpha: factor of the whole loss. alpha = 1 with gamma = 0 gives cross entropy.
        gamma: 0, or at least 1, because a root has no gradient at p = 1.
    """
    return _focal(*_split_mask(logits, mask, ignore_index), cls_weights, alpha, gamma)


def dice_loss(logits: Tensor, mask: Tensor, smooth: float = 1e-5, *, ignore_index: int) -> Tensor:
    """Dice loss, float32 scalar: 1 - the mean over classes of (2 tp + smooth) / (2 tp + fp + fn + smooth).

    tp, fp and fn are sums of softmax probabilities over the valid pixels of the whole batch. Milletari et al. 2016,
    arXiv 1606.04797. Deviations from the paper:
    - Probabilities are not squared in the denominator.
    - All classes count, background included.
    - `smooth` gives a class that is neither true nor predicted a score of 1. A class that is absent but predicted, even
      faintly, scores about 0.

    Args:
        logits, mask, ignore_index: as in `segmentation_loss`.
        smooth: a small number above 0.
    """
    return _dice(*_split_mask(logits, mask, ignore_index), smooth)


def _split_mask(logits: Tensor, mask: Tensor, ignore_index: int) -> tuple[Tensor, Tensor, Tensor]:
    """Log probabilities, float32 (N, C, H, W), true classes, int64 (N, H, W), and valid pixels, bool (N, H, W).

    Ignored pixels get class 0 and are not valid.
    """
    if mask.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(f"mask {tuple(mask.shape)} has to be (N, H, W) of logits {tuple(logits.shape)}")
    valid = mask != ignore_index
    return F.log_softmax(logits.float(), dim=1), mask.long().where(valid, 0), valid


def _cross_entropy(log_p: Tensor, target: Tensor, valid: Tensor, cls_weights: Tensor | None) -> Tensor:
    """See `cross_entropy`.

    Args:
        log_p: log probabilities, float32 (N, C, H, W).
        target: true classes, int64 (N, H, W).
        valid: which pixels count, bool (N, H, W), or how much, float.
        cls_weights: (C,) float32. None: all 1.
    """
    return _weighted_mean(F.nll_loss(log_p, target, reduction="none"), target, valid, cls_weights, log_p.shape[1])


def _focal(
    log_p: Tensor, target: Tensor, valid: Tensor, cls_weights: Tensor | None, alpha: float = 0.5, gamma: float = 2.0
) -> Tensor:
    """See `focal_loss`.

    Args:
        log_p, target, valid, cls_weights: as in `_cross_entropy`.
        alpha, gamma: as in `focal_loss`.
    """
    negative_log = F.nll_loss(log_p, target, reduction="none")
    one_minus_p = -torch.expm1(-negative_log)  # 1 - p would lose its digits when p is almost 1
    return _weighted_mean(alpha * one_minus_p**gamma * negative_log, target, valid, cls_weights, log_p.shape[1])


def _dice(log_p: Tensor, target: Tensor, valid: Tensor, smooth: float = 1e-5) -> Tensor:
    """See `dice_loss`.

    Args:
        log_p, target, valid: as in `_cross_entropy`; valid is bool.
        smooth: as in `dice_loss`.
    """
    p = log_p.exp()
    valid = valid.unsqueeze(1)
    classes = torch.arange(p.shape[1], device=p.device).view(1, -1, 1, 1)
    truth = (target.unsqueeze(1) == classes) & valid  # boolean (N, C, H, W)
    pixels = (0, 2, 3)
    true_positives = (p * truth).sum(pixels)
    predicted, actual = (p * valid).sum(pixels), truth.sum(pixels)  # tp + fp, tp + fn
    score = (2 * true_positives + smooth) / (predicted + actual + smooth)
    return 1 - score.mean()


def _weighted_mean(
    values: Tensor, target: Tensor, valid: Tensor, cls_weights: Tensor | None, num_classes: int
) -> Tensor:
    """The mean of `values` over the valid pixels, weighted by class, as a scalar; 0 when no pixel is valid.

    Args:
        values: float32 (N, H, W).
        target, valid, cls_weights: as in `_cross_entropy`.
        num_classes: how many class weights there must be.

    Raises:
        ValueError: the number of weights is wrong.
    """
    if cls_weights is not None and len(cls_weights) != num_classes:
        raise ValueError(f"cls_weights has {len(cls_weights)} numbers: give {num_classes}, one for each class.")
    weights = valid.float() if cls_weights is None else cls_weights[target] * valid
    total = weights.sum()
    return (values * weights).sum() / total.where(total > 0, 1.0)
