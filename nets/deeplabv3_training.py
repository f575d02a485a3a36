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


def weights_init(model: nn.Module, init_type: str = "normal", init_gain: float = 0.02) -> None:
    """Gives all convolutions and BatchNorms in `model` new random weights; biases become 0.

    BatchNorm weights are normal around 1 with standard deviation 0.02.

    Args:
        model: changed in place.
        init_type: for convolutions: "normal" (standard deviation init_gain), "xavier" (Glorot & Bengio 2010, gain
            init_gain), "kaiming" (He et al. 2015, arXiv 1502.01852, fan in; init_gain is not used) or "orthogonal"
            (Saxe et al. 2013, arXiv 1312.6120, gain init_gain).
        init_gain: see init_type.

    Raises:
        ValueError: init_type is another.
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
    """Adam (beta1 = momentum, beta2 = 0.999) or SGD with Nesterov momentum, for all parameters of `model`.

    It includes frozen parameters, so one optimiser serves both phases. They have no gradient and do not change.
    Adam is `fused` (one kernel for all weights) where PyTorch supports it: a fifth of the time on a CPU. SGD is not
    fused: it then fails on weights that were frozen during the first step of the others, and gains hardly anything.

    Args:
        model: the network.
        optimizer_type: "adam" or "sgd".
        lr: learning rate.
        momentum: of SGD; beta1 of Adam.
        weight_decay: factor of an L2 penalty (not AdamW's decay).

    Raises:
        ValueError: optimizer_type is another.
    """
    parameters = list(model.parameters())
    if optimizer_type == "adam":
        fused = parameters[0].device.type in ("cuda", "cpu")
        return Adam(parameters, lr, betas=(momentum, 0.999), weight_decay=weight_decay, fused=fused)
    if optimizer_type == "sgd":
        # PyTorch refuses Nesterov with momentum 0, which is plain SGD
        return SGD(parameters, lr, momentum=momentum, weight_decay=weight_decay, nesterov=momentum > 0)
    raise ValueError(f'optimizer_type is "{optimizer_type}": it has to be "adam" or "sgd".')


def batch_size_lr(
    batch_size: int, init_lr: float, min_lr: float, optimizer_type: str, backbone: str
) -> tuple[float, float]:
    """(init_lr, min_lr) for `batch_size`: both are multiplied by batch_size / 16, then kept within limits.

    The limits of init_lr are 3e-4 to 5e-4 for Adam, 1e-4 for Adam on Xception, and 5e-4 to 1e-1 for SGD. Those of
    min_lr are 0.01 times as large.

    Args:
        batch_size: sheets per step, over all processes.
        init_lr: highest learning rate at batch size 16.
        min_lr: lowest learning rate at batch size 16.
        optimizer_type: "adam" or "sgd".
        backbone: a name in BACKBONES of nets/models.py.
    """
    if optimizer_type == "adam":
        lower, upper = (1e-4, 1e-4) if backbone == "xception" else (3e-4, 5e-4)
    else:
        lower, upper = 5e-4, 1e-1
    scale = batch_size / 16
    return min(max(scale * init_lr, lower), upper), min(max(scale * min_lr, 0.01 * lower), 0.01 * upper)


def lr_at(epoch: int, total_epochs: int, lr: float, min_lr: float, lr_decay_type: str = "cos") -> float:
    """The learning rate of one epoch, between `min_lr` and `lr`.

    "cos" has three parts. The rate rises quadratically from 0.1 lr (at least 1e-6) to lr in the first 10% of the epochs
    (at least 1, at most 3). It falls as a half cosine (Loshchilov & Hutter 2017, arXiv 1608.03983, without restarts).
    It stays at min_lr in the last 30% (at least 1, at most 15). The rise has priority: runs of one or two epochs do not
    reach min_lr.
    "step" goes from lr to min_lr in ten steps by the same factor, or one step per epoch if there are fewer epochs.

    Args:
        epoch: counted from 0, below total_epochs.
        total_epochs: epochs of the whole run.
        lr: highest learning rate.
        min_lr: lowest learning rate.
        lr_decay_type: "cos" or "step".

    Raises:
        ValueError: lr_decay_type is another.
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
