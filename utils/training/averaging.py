"""A running mean of the weights. It often predicts better than the weights themselves."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def make_average(model: nn.Module, decay: float, start: Mapping[str, torch.Tensor] | None) -> AveragedModel | None:
    """A copy of `model` that holds the exponential moving average of its weights; None for a decay of 0.

    After n steps the decay is at most (1 + n) / (10 + n), so the first weights soon lose their influence. TensorFlow's
    ExponentialMovingAverage does the same. BatchNorm statistics are averaged too.

    start: the average of the run that is resumed. None: start from the model's weights.
    """
    if not decay:
        return None

    def update(means: list[torch.Tensor], values: list[torch.Tensor], _: torch.Tensor | int) -> None:
        steps = int(average.n_averaged)  # from the CPU: reading `_`, the copy beside the weights, waits for the GPU
        if means[0].is_floating_point():
            get_ema_multi_avg_fn(min(decay, (1 + steps) / (10 + steps)))(means, values, steps)
        else:
            for mean, value in zip(means, values):
                mean.copy_(value)

    average = AveragedModel(model, multi_avg_fn=update, use_buffers=True)
    if start is not None:
        average.module.load_state_dict(start)
    return average
