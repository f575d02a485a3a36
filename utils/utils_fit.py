"""One epoch over the training or validation sheets, and pictures of what the model finds on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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

READ_EVERY = 10  # batches between readings of the loss: each reading waits until the GPU has finished its work


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


def run_epoch(
    model: nn.Module,
    loader: DataLoader,
    loss_fn: Loss,
    precision: Precision,
    procs: Processes,
    title: str,
    updates: Updates | None = None,
    num_classes: int = 0,
    observe: Callable[[Any, torch.Tensor], None] | None = None,
) -> tuple[float, torch.Tensor | None]:
    """The mean loss over the sheets of all processes, and the confusion matrix or None.

    The loss is the network's own `training_loss` in training, and `loss_fn` alone in validation.

    The matrix is int64 (num_classes, num_classes): rows are the true classes, columns the predicted ones. It counts the
    letterboxed masks at the network's input size. Ignored pixels are left out.

    Args:
        model: the network.
        loader: the batches of one epoch: images, masks or boxes, and, for a network that needs them, instances.
        loss_fn: the loss of logits and masks.
        precision: number format of the network.
        procs: the processes of the run.
        title: for the progress bar and for errors.
        updates: given: train. None: validate, in evaluation mode and without gradients.
        num_classes: of the confusion matrix, in validation only. 0: no matrix.
        observe: is called with what the network returns for each batch, and the masks or boxes of the batch.

    Raises:
        UserError: a loss is not finite.
    """
    training = updates is not None
    accumulate = updates.accumulate if training else 1
    model.train(training)
    total, unread = torch.zeros(2, dtype=torch.float64), []  # sum of the losses, number of sheets
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    with torch.set_grad_enabled(training), tqdm(loader, title, disable=not procs.is_main, leave=False) as bar:
        for step, batch in enumerate(bar):
            parts = [part.to(procs.device, non_blocking=True) for part in batch]
            images, masks, instances = (*parts, None)[:3]
            first = step - step % accumulate  # first batch of those whose gradients are averaged
            group = min(accumulate, len(loader) - first)
            last = step + 1 == first + group
            with nullcontext() if last or not hasattr(model, "no_sync") else model.no_sync():
                output = precision.forward(model, images)
                if training:
                    loss = updates.model.training_loss(output, masks, instances, loss_fn)
                    updates.scaler.scale(loss / group).backward()
                else:
                    loss = loss_fn(output, masks)
            if training and last:
                updates.step()
            if num_classes:
                matrix += confusion_matrix_torch(output, masks, num_classes).cpu()
            if observe is not None:
                observe(output, masks)
            unread.append(loss.detach() * len(images))
            total[1] += len(images)
            if len(unread) == READ_EVERY or step + 1 == len(loader):
                value = torch.stack(unread).sum().item()
                if not math.isfinite(value):
                    raise UserError(f"The loss became {value} in {title}: set fp16 = False or lower init_lr.")
                total[0] += value
                unread.clear()
                bar.set_postfix(_describe_progress(total, updates), refresh=False)
    total = procs.sum(total)
    return (total[0] / total[1]).item(), procs.sum(matrix) if num_classes else None


def _describe_progress(total: torch.Tensor, updates: Updates | None) -> dict[str, str]:
    """The mean loss and the learning rate, as texts for the progress bar."""
    state = {"loss": f"{total[0] / total[1]:.4f}"}
    if updates is not None:
        state["lr"] = f"{updates.optimizer.param_groups[0]['lr']:.2e}"
    return state


@torch.inference_mode()
def draw_overlays(
    model: nn.Module, dataset: SheetDataset, count: int, precision: Precision, procs: Processes
) -> list[np.ndarray]:
    """The first `count` sheets of `dataset` with predicted objects tinted, each uint8 (h, w, 3) RGB.

    Args:
        model: the network.
        dataset: without augmentation.
        count: how many sheets; all of them if there are fewer.
        precision: number format of the network.
        procs: the processes of the run.
    """
    model.eval()
    overlays = []
    for number in range(min(count, len(dataset))):
        image, _ = dataset[0, number]
        mask = precision.forward(model, image[None].to(procs.device))[0].argmax(0).byte().cpu().numpy()
        overlays.append(draw_mask(image.numpy(), mask, voc_palette()[:IGNORE], mix_type=0))
    return overlays
