"""Weight initialisation, optimisers and learning-rate schedules. The losses are in nets/losses.py."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn
from torch.optim import SGD, Adam, Optimizer

# Lowest and highest learning rate of the networks and backbones that need other ones than the rest. Those of U-Net are
# the community's; those of the NHM network reach up to its authors' 1e-3.
ADAM_LIMITS: Mapping[str, tuple[float, float]] = {
    "unet": (1e-4, 1e-4), "nhm": (3e-4, 1e-3), "xception": (1e-4, 1e-4),
    "yolov5": (1e-4, 1e-2),
}


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
    model: nn.Module,
    optimizer_type: str,
    lr: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    decay_all: bool = True,
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
        decay_all: False: the penalty is on the weights of convolutions alone, not on BatchNorms and biases.

    Raises:
        ValueError: optimizer_type is another.
    """
    parameters = list(model.parameters())
    fused = parameters[0].device.type in ("cuda", "cpu")
    if not decay_all:
        parameters = [
            {"params": [each for each in parameters if each.ndim > 1]},
            {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0},
        ]
    if optimizer_type == "adam":
        return Adam(parameters, lr, betas=(momentum, 0.999), weight_decay=weight_decay, fused=fused)
    if optimizer_type == "sgd":
        # PyTorch refuses Nesterov with momentum 0, which is plain SGD
        return SGD(parameters, lr, momentum=momentum, weight_decay=weight_decay, nesterov=momentum > 0)
    raise ValueError(f'optimizer_type is "{optimizer_type}": it has to be "adam" or "sgd".')


def batch_size_lr(
    batch_size: int, init_lr: float, min_lr: float, optimizer_type: str, model_name: str, backbone: str
) -> tuple[float, float]:
    """(init_lr, min_lr) for `batch_size`: both are multiplied by batch_size / 16, then kept within limits.

    The limits of init_lr are 5e-4 to 1e-1 for SGD, and 3e-4 to 5e-4 for Adam if ADAM_LIMITS has no others. The limits
    of min_lr are 0.01 times as large.

    Args:
        batch_size: sheets per step, over all processes.
        init_lr: highest learning rate at batch size 16.
        min_lr: lowest learning rate at batch size 16.
        optimizer_type: "adam" or "sgd".
        model_name: a name in NETWORKS of nets/models.py.
        backbone: a name in BACKBONES there.
    """
    if optimizer_type == "adam":
        lower, upper = ADAM_LIMITS.get(model_name) or ADAM_LIMITS.get(backbone, (3e-4, 5e-4))
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
