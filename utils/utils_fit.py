"""A training run, as train.py and train_yolo.py have it, and one epoch of it over training or validation sheets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from tqdm import tqdm

from nets.blocks import BackboneNetwork
from utils.callbacks import MIOU, LossHistory
from utils.config import Settings
from utils.dataloader import SheetDataset, Sheets, make_loader
from utils.network.checkpoint import Checkpoint, save_checkpoint
from utils.network.distributed import Processes
from utils.network.precision import Precision, choose_precision
from utils.objects.drawing import draw_mask
from utils.training.loss import Loss
from utils.training.schedule import batch_size, epoch_seed, is_frozen, learning_rate
from utils.training.settings import describe_run
from utils.training.start import keep_previous
from utils.training.updates import Updates, make_average
from utils.utils import IGNORE, UserError, seed_everything, voc_palette
from utils.utils_metrics import confusion_matrix_torch

READ_EVERY = 10  # batches between readings of the loss: each reading waits until the GPU has finished its work


class Epoch(NamedTuple):
    """One epoch, ready to be trained.

    Attributes:
        number: counted from 1.
        title: for the progress bars and errors.
        lr: its learning rate, which is set.
        evaluates: whether to measure the scores on the validation sheets.
        model: the network to train; wrapped if there are several processes, or compiled.
        batches: to train on.
        val_batches: to validate on.
    """

    number: int
    title: str
    lr: float
    evaluates: bool
    model: nn.Module
    batches: DataLoader
    val_batches: DataLoader


class Run:
    """A training run: `for epoch in run.epochs(...)` trains and validates, then calls `finish`.

    A new run renames the weights of an earlier one in save_dir, see `keep_previous`.

    Args:
        s: the constants of the script.
        procs: the processes of the run.
        model: the network with its start weights, on its device.
        optimizer: for its weights.
        about: what the checkpoints of the run say, without weights.
        checkpoint: the run to resume. None: a new run.
        scores: see `LossHistory`.
        parts: see `LossHistory`.
        clip: see `Updates`.

    Attributes:
        precision: number format of the network.
        updates: what changes the weights.
        history: the numbers so far, and their files.
    """

    def __init__(
        self,
        s: Settings,
        procs: Processes,
        model: BackboneNetwork,
        optimizer: Optimizer,
        about: Checkpoint,
        checkpoint: Checkpoint | None,
        *,
        scores: Mapping[str, str] = MIOU,
        parts: Mapping[str, str] = {},
        clip: float = 0.0,
    ) -> None:
        self.s, self.procs, self.model, self.about = s, procs, model, about
        self.precision = choose_precision(s.fp16, procs.device)
        model.freeze_batchnorm(s.freeze_bn)
        average = make_average(model, s.ema, checkpoint and checkpoint.model)
        self.updates = Updates(model, optimizer, self.precision.scaler(), s.accumulate, average, clip)
        self.first_epoch, past = s.init_epoch, {}
        procs.wait()  # all processes must have read their start weights before keep_previous may rename that file
        if checkpoint:
            self.first_epoch, past = checkpoint.epoch, checkpoint.training
            self.updates.load_state_dict(past)
        elif procs.is_main:
            keep_previous(s.save_dir, type(about))
        self.history = LossHistory(
            s.save_dir, s.to_dict(), past, enabled=procs.is_main, scores=scores, parts=parts)

    @property
    def result(self) -> nn.Module:
        """The network to evaluate and save: the running mean of the weights if there is one."""
        return self.updates.result

    def epochs(
        self, train_set: Sheets, val_set: Sheets, collate: Callable[[list[Any]], Any] | None = None
    ) -> Iterator[Epoch]:
        """Yields each epoch that is left, until the last one or until `patience` ends.

        Args:
            train_set: gives the samples to train on.
            val_set: the validation sheets.
            collate: see `make_loader`.
        """
        s, procs = self.s, self.procs
        if procs.is_main:
            print(describe_run(
                s, procs, self.precision, train_set.parts, train_set.unlabelled, len(val_set), self.first_epoch))
            self._save_last(self.first_epoch)
        val_batches = make_loader(val_set, s.unfreeze_batch_size, s.num_workers, procs, collate)
        for number in range(self.first_epoch, s.unfreeze_epoch):
            seed_everything(epoch_seed(s, number, procs))  # so a resumed run repeats an uninterrupted one
            if number == self.first_epoch or is_frozen(s, number) != is_frozen(s, number - 1):
                self.model.freeze_backbone(is_frozen(s, number))
                batches = make_loader(train_set, batch_size(s, number), s.num_workers, procs, collate)
                model = procs.wrap(self.model)
                if s.compile_model:
                    model = torch.compile(model)  # `self.model` itself keeps the names of its weights
            batches.sampler.epoch = number
            lr = self.updates.set_lr(learning_rate(s, number))
            evaluates = s.eval_flag and ((number + 1) % s.eval_period == 0 or number + 1 == s.unfreeze_epoch)
            title = f"Epoch {number + 1}/{s.unfreeze_epoch}"
            yield Epoch(number + 1, title, lr, evaluates, model, batches, val_batches)
            if s.patience and self.history.evaluations_without_gain >= s.patience:
                break
        self.history.close()

    def finish(self, epoch: Epoch, **numbers: float) -> None:
        """Logs an epoch and saves its checkpoints.

        epoch: the one that `epochs` gave.
        numbers: loss, val_loss, those of `parts`, and those of `scores` if the epoch evaluates.
        """
        self.history.append(epoch=epoch.number, lr=epoch.lr, **numbers)
        if not self.procs.is_main:
            return
        print(self.history.describe_last(epoch.title))
        if epoch.evaluates and self.history.evaluations_without_gain == 0:
            self._save(epoch.number, "best_epoch_weights")
        if self.s.save_period and epoch.number % self.s.save_period == 0:
            loss, val_loss = numbers["loss"], numbers["val_loss"]
            self._save(epoch.number, f"ep{epoch.number:03d}-loss{loss:.3f}-val_loss{val_loss:.3f}")
        self._save_last(epoch.number)

    def _save_last(self, epochs: int) -> None:
        """Saves what a resumed run needs, after this number of epochs."""
        self._save(epochs, "last_epoch_weights", {**self.updates.state_dict(), **self.history.state_dict()})

    def _save(self, epochs: int, name: str, training: dict[str, Any] | None = None) -> None:
        """Saves a checkpoint of this name, after this number of epochs."""
        content = {"model": self.result.state_dict(), "epoch": epochs, self.about.best: self.history.best_score}
        save_checkpoint(Path(self.s.save_dir) / f"{name}.pth", replace(self.about, **content, training=training))


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
