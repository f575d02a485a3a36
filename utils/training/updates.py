"""What changes the weights of a network in training, and their running mean, which often predicts better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


@dataclass(frozen=True)
class Updates:
    """The parts of training that change the weights of `model`.

    Attributes:
        model: the network that learns, not wrapped or compiled.
        optimizer: for its weights.
        scaler: for its gradients; it does nothing unless the precision is float16.
        accumulate: batches whose gradients are averaged for one step.
        average: a copy of the model with the running mean of its weights. None: there is none.
        clip: gradients with a larger norm are scaled down to this one. 0: none are.
    """

    model: nn.Module
    optimizer: Optimizer
    scaler: torch.amp.GradScaler
    accumulate: int = 1
    average: AveragedModel | None = None
    clip: float = 0.0

    @property
    def result(self) -> nn.Module:
        """The network to evaluate and save: the average if there is one, else the model."""
        return self.model if self.average is None else self.average.module

    def step(self) -> None:
        """Changes the weights once, with the gradients of the last batches."""
        if self.clip:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.model)

    def set_lr(self, lr: float) -> float:
        """The learning rate `lr`, after setting it for all weights."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs in addition to the weights of `result`."""
        state = {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}
        if self.average is not None:
            state["weights"] = self.model.state_dict()
            state["averaged_steps"] = self.average.n_averaged.item()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues from `state`, made by `state_dict`. The weights must be loaded already.

        A scaler or an average that the earlier run did not use starts fresh.
        """
        own = self.optimizer.param_groups
        # The earlier run may have used another device, and `fused` depends on the device.
        groups = [{**then, "fused": now["fused"]} for then, now in zip(state["optimizer"]["param_groups"], own)]
        self.optimizer.load_state_dict({**state["optimizer"], "param_groups": groups})
        if state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.n_averaged.fill_(state.get("averaged_steps", 0))


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
