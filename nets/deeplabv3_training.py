"""Losses, weight initialisation, optimisers and learning-rate schedules."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer


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
    """The loss of a batch, float32 scalar: cross entropy or (`focal_loss`) focal loss, plus Dice loss (`dice_loss`).

    logits: (N, C, H, W), any float type (computed in float32); mask: (N, H, W), uint8 or int64, classes and
    `ignore_index`, the value of ignored pixels.
    cls_weights: (C,) float32 on the same device, for the pixel-wise part only.
    gap_index: the mask's value for background between two objects, which counts `gap_weight` times there, so that
    objects are kept apart: in the spirit of Ronneberger et al. 2015, arXiv 1505.04597, whose weights fade with distance.
    Ignored pixels move neither the value nor the gradient; a batch of nothing else gives 0 with gradient 0.
    Raises ValueError for sizes that differ or a wrong number of weights.
    """
    gap = torch.zeros_like(mask, dtype=torch.bool) if gap_index is None else mask == gap_index
    log_p, target, valid = _prepare(logits, mask.masked_fill(gap, 0), ignore_index)
    counts = valid * torch.where(gap, gap_weight, 1.0)
    pixelwise = (_focal if focal_loss else _cross_entropy)(log_p, target, counts, cls_weights)
    return pixelwise + _dice(log_p, target, valid) if dice_loss else pixelwise


def cross_entropy(
    logits: Tensor, mask: Tensor, cls_weights: Tensor | None = None, *, ignore_index: int
) -> Tensor:
    """Cross entropy, float32 scalar: the mean over valid pixels, weighted by the weight of the pixel's true class.

    As `torch.nn.functional.cross_entropy`, but 0 instead of NaN where no pixel is valid. Arguments and errors:
    `segmentation_loss`.
    """
    return _cross_entropy(*_prepare(logits, mask, ignore_index), cls_weights)


def focal_loss(
    logits: Tensor,
    mask: Tensor,
    cls_weights: Tensor | None = None,
    alpha: float = 0.5,
    gamma: float = 2.0,
    *,
    ignore_index: int,
) -> Tensor:
    """Focal loss, float32 scalar: the mean over valid pixels of -alpha (1 - p)^gamma log p, p that of the true class.

    Lin et al. 2017, arXiv 1708.02002. Deviations: softmax over the classes in place of a sigmoid; one alpha for all
    classes; the mean over pixels in place of the sum over positives. Class weights multiply a pixel's loss and the
    sum is divided by the sum of the weights, as in cross entropy (which alpha = 1, gamma = 0 gives); p itself stays
    unweighted, other than in the community's code. gamma: 0 or at least 1 (a root has no gradient where p = 1).
    Other arguments and errors: `segmentation_loss`.
    """
    return _focal(*_prepare(logits, mask, ignore_index), cls_weights, alpha, gamma)


def dice_loss(logits: Tensor, mask: Tensor, smooth: float = 1e-5, *, ignore_index: int) -> Tensor:
    """Dice loss, float32 scalar: 1 - the mean over classes of (2 tp + smooth) / (2 tp + fp + fn + smooth).

    Milletari et al. 2016, arXiv 1606.04797. tp, fp and fn are sums of softmax probabilities over the valid pixels of
    the whole batch. Deviations: probabilities are not squared in the denominator; all classes, background included;
    `smooth`, which makes a class score 1 that is neither there nor predicted. A class that is absent and predicted
    however faintly scores about 0. Arguments and errors: `segmentation_loss`.
    """
    return _dice(*_prepare(logits, mask, ignore_index), smooth)


def _prepare(logits: Tensor, mask: Tensor, ignore_index: int) -> tuple[Tensor, Tensor, Tensor]:
    """For the functions below: log probabilities (N, C, H, W) float32, classes (N, H, W) int64, which are valid.

    Ignored pixels are given class 0 in place of `ignore_index`.
    """
    if mask.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(f"mask {tuple(mask.shape)} has to be (N, H, W) of logits {tuple(logits.shape)}")
    valid = mask != ignore_index
    return F.log_softmax(logits.float(), dim=1), mask.long().where(valid, 0), valid


def _cross_entropy(log_p: Tensor, target: Tensor, valid: Tensor, cls_weights: Tensor | None) -> Tensor:
    return _mean(F.nll_loss(log_p, target, reduction="none"), target, valid, cls_weights, log_p.shape[1])


def _focal(
    log_p: Tensor, target: Tensor, valid: Tensor, cls_weights: Tensor | None, alpha: float = 0.5, gamma: float = 2.0
) -> Tensor:
    negative_log = F.nll_loss(log_p, target, reduction="none")
    one_minus_p = -torch.expm1(-negative_log)  # keeps its digits where p is almost 1
    return _mean(alpha * one_minus_p**gamma * negative_log, target, valid, cls_weights, log_p.shape[1])


def _dice(log_p: Tensor, target: Tensor, valid: Tensor, smooth: float = 1e-5) -> Tensor:
    p = log_p.exp()
    valid = valid.unsqueeze(1)
    classes = torch.arange(p.shape[1], device=p.device).view(1, -1, 1, 1)
    truth = (target.unsqueeze(1) == classes) & valid  # boolean (N, C, H, W)
    pixels = (0, 2, 3)
    true_positives = (p * truth).sum(pixels)
    predicted, actual = (p * valid).sum(pixels), truth.sum(pixels)  # tp + fp, tp + fn
    score = (2 * true_positives + smooth) / (predicted + actual + smooth)
    return 1 - score.mean()


def _mean(
    values: Tensor, target: Tensor, valid: Tensor, cls_weights: Tensor | None, num_classes: int
) -> Tensor:
    """The mean of `values` (N, H, W) over valid pixels (bool, or weights), weighted by class; 0 where none is valid."""
    if cls_weights is not None and len(cls_weights) != num_classes:
        raise ValueError(f"cls_weights has {len(cls_weights)} numbers: give {num_classes}, one for each class.")
    weights = valid.float() if cls_weights is None else cls_weights[target] * valid
    total = weights.sum()
    return (values * weights).sum() / total.where(total > 0, 1.0)


def weights_init(model: nn.Module, init_type: str = "normal", init_gain: float = 0.02) -> None:
    """Draws the weights of all convolutions and BatchNorms in `model` anew; biases become 0.

    init_type: "normal" (standard deviation init_gain), "xavier" (Glorot & Bengio 2010, gain init_gain), "kaiming" (He
    et al. 2015, arXiv 1502.01852, fan in; init_gain unused) or "orthogonal" (Saxe et al. 2013, arXiv 1312.6120, gain
    init_gain). BatchNorm weights are drawn around 1 with standard deviation 0.02. Raises ValueError for other types.
    """
    fill = {
        "normal": lambda weight: nn.init.normal_(weight, 0.0, init_gain),
        "xavier": lambda weight: nn.init.xavier_normal_(weight, init_gain),
        "kaiming": nn.init.kaiming_normal_,
        "orthogonal": lambda weight: nn.init.orthogonal_(weight, init_gain),
    }
    if init_type not in fill:
        raise ValueError(f'init_type is "{init_type}": it has to be one of {", ".join(fill)}.')
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fill[init_type](module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def make_optimizer(
    model: nn.Module, optimizer_type: str, lr: float, momentum: float = 0.9, weight_decay: float = 0.0
) -> Optimizer:
    """Adam (beta1 = momentum, beta2 = 0.999) or SGD with Nesterov momentum for all parameters of `model`.

    Frozen parameters are in it too, so one optimiser serves both phases: without a gradient they do not move.
    Adam is `fused`, one kernel for all weights, where PyTorch has it: a fifth of the time on a CPU. SGD is not: there
    PyTorch fails on weights that were frozen when the others took their first step, and hardly anything is gained.
    weight_decay is an L2 penalty (not AdamW's). Raises ValueError when optimizer_type is not "adam" or "sgd".
    """
    parameters = list(model.parameters())
    if optimizer_type == "adam":
        fused = parameters[0].device.type in ("cuda", "cpu")
        return Adam(parameters, lr, betas=(momentum, 0.999), weight_decay=weight_decay, fused=fused)
    if optimizer_type == "sgd":
        # PyTorch has no Nesterov momentum of 0; plain SGD is what it would be
        return SGD(parameters, lr, momentum=momentum, weight_decay=weight_decay, nesterov=momentum > 0)
    raise ValueError(f'optimizer_type is "{optimizer_type}": it has to be "adam" or "sgd".')


def batch_size_lr(
    batch_size: int, init_lr: float, min_lr: float, optimizer_type: str, backbone: str
) -> tuple[float, float]:
    """(init_lr, min_lr) for `batch_size`: both times batch_size / 16, kept within limits (for min_lr, limits x 0.01).

    Limits: 3e-4 to 5e-4 for Adam, 1e-4 for Adam on Xception, 5e-4 to 1e-1 for SGD.
    """
    if optimizer_type == "adam":
        lower, upper = (1e-4, 1e-4) if backbone == "xception" else (3e-4, 5e-4)
    else:
        lower, upper = 5e-4, 1e-1
    scale = batch_size / 16
    return min(max(scale * init_lr, lower), upper), min(max(scale * min_lr, 0.01 * lower), 0.01 * upper)


def lr_at(epoch: int, total_epochs: int, lr: float, min_lr: float, lr_decay_type: str = "cos") -> float:
    """The learning rate of `epoch` (0 to total_epochs - 1), between `min_lr` and `lr`.

    "cos": from 0.1 lr (at least 1e-6) it rises quadratically to lr over the first 10% of the epochs (at least 1, at
    most 3), falls as a half cosine (Loshchilov & Hutter 2017, arXiv 1608.03983, without restarts) and stays at min_lr
    for the last 30% (at least 1, at most 15). The rise comes first: runs of one or two epochs do not reach min_lr.
    "step": ten equal steps (as many as epochs when these are fewer), each times the same factor, from lr to min_lr.
    Raises ValueError for another lr_decay_type.
    """
    if lr_decay_type == "cos":
        warm_up = min(max(0.1 * total_epochs, 1), 3)
        held = min(max(0.3 * total_epochs, 1), 15)
        if epoch <= warm_up:
            start = max(0.1 * lr, 1e-6)
            return start + (lr - start) * (epoch / warm_up) ** 2
        if epoch >= total_epochs - held:
            return min_lr
        progress = (epoch - warm_up) / (total_epochs - held - warm_up)
        return min_lr + 0.5 * (lr - min_lr) * (1 + math.cos(math.pi * progress))
    if lr_decay_type == "step":
        steps = min(10, total_epochs)
        step = epoch * steps // total_epochs
        return lr * (min_lr / lr) ** (step / max(steps - 1, 1))
    raise ValueError(f'lr_decay_type is "{lr_decay_type}": it has to be "cos" or "step".')
