"""One epoch over the training or the validation sheets, and pictures of what the model finds there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm import tqdm

from utils.dataloader import SheetDataset
from utils.network.distributed import Processes
from utils.network.precision import Precision
from utils.objects.drawing import draw_mask
from utils.training.loss import Loss
from utils.utils import IGNORE, UserError, voc_palette
from utils.utils_metrics import confusion_matrix_torch

READ_EVERY = 10  # batches whose losses are read together: each reading waits until a GPU has done all it was given


@dataclass(frozen=True)
class Updates:
    """What a training epoch changes the weights of `model` with; gradients of `accumulate` batches are averaged.

    average: a copy of the model whose weights are the running mean of the model's, if there is one.
    """

    model: nn.Module
    optimizer: Optimizer
    scaler: torch.amp.GradScaler
    accumulate: int = 1
    average: AveragedModel | None = None

    @property
    def result(self) -> nn.Module:
        """The network to evaluate and to save: the average where there is one."""
        return self.model if self.average is None else self.average.module

    def step(self) -> None:
        """One step of the optimiser with the gradients of the last batches."""
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.model)

    def set_lr(self, lr: float) -> float:
        """Sets the learning rate of all weights, and returns it."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs beside the weights of `result`."""
        state = {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}
        if self.average is not None:
            state["weights"] = self.model.state_dict()
            state["averaged_steps"] = self.average.n_averaged.item()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from `state`, made by `state_dict`, with the weights loaded already.

        A scaler or an average that was not in use then starts fresh.
        """
        own = self.optimizer.param_groups
        groups = [{**then, "fused": now["fused"]} for then, now in zip(state["optimizer"]["param_groups"], own)]
        self.optimizer.load_state_dict({**state["optimizer"], "param_groups": groups})  # maybe from another device
        if state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.n_averaged.fill_(state.get("averaged_steps", 0))


def run_epoch(
    model: nn.Module,
    loader: DataLoader,
    loss_fn: Loss,
    precision: Precision,
    procs: Processes,
    title: str,
    updates: Updates | None = None,
    num_classes: int = 0,
) -> tuple[float, torch.Tensor | None]:
    """The mean loss over the sheets of all processes, and the confusion matrix if `num_classes` is given.

    Trains when `updates` are given, else validates: evaluation mode, no gradients. The matrix is int64
    (num_classes, num_classes), true classes down, predicted ones across, ignored pixels left out; it is that of the
    letterboxed masks at the network's input size.

    Raises UserError when a loss is not finite.
    """
    training = updates is not None
    accumulate = updates.accumulate if training else 1
    model.train(training)
    total, unread = torch.zeros(2, dtype=torch.float64), []  # sum of the losses and number of the sheets
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    with torch.set_grad_enabled(training), tqdm(loader, title, disable=not procs.is_main, leave=False) as bar:
        for step, (images, masks) in enumerate(bar):
            images, masks = (batch.to(procs.device, non_blocking=True) for batch in (images, masks))
            first = step - step % accumulate  # of the batches whose gradients are averaged
            group = min(accumulate, len(loader) - first)
            last = step + 1 == first + group
            with nullcontext() if last or not hasattr(model, "no_sync") else model.no_sync():
                logits = precision.forward(model, images)
                loss = loss_fn(logits, masks)
                if training:
                    updates.scaler.scale(loss / group).backward()
            if training and last:
                updates.step()
            if num_classes:
                matrix += confusion_matrix_torch(logits, masks, num_classes).cpu()
            unread.append(loss.detach() * len(images))
            total[1] += len(images)
            if len(unread) == READ_EVERY or step + 1 == len(loader):
                value = torch.stack(unread).sum().item()
                if not math.isfinite(value):
                    raise UserError(f"The loss became {value} in {title}: set fp16 = False or lower init_lr.")
                total[0] += value
                unread.clear()
                bar.set_postfix(_state(total, updates), refresh=False)
    total = procs.sum(total)
    return (total[0] / total[1]).item(), procs.sum(matrix) if num_classes else None


def _state(total: torch.Tensor, updates: Updates | None) -> dict[str, str]:
    state = {"loss": f"{total[0] / total[1]:.4f}"}
    if updates is not None:
        state["lr"] = f"{updates.optimizer.param_groups[0]['lr']:.2e}"
    return state


@torch.inference_mode()
def draw_overlays(
    model: nn.Module, dataset: SheetDataset, count: int, precision: Precision, procs: Processes
) -> list[np.ndarray]:
    """The first `count` sheets of `dataset` with what the model finds tinted, each uint8 (h, w, 3) RGB."""
    model.eval()
    overlays = []
    for number in range(min(count, len(dataset))):
        image, _ = dataset[0, number]
        mask = precision.forward(model, image[None].to(procs.device))[0].argmax(0).byte().cpu().numpy()
        overlays.append(draw_mask(image.numpy(), mask, voc_palette()[:IGNORE], mix_type=0))
    return overlays
