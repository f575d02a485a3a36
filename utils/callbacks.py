"""The files in the log folder of a training run: numbers, curves, TensorBoard, overlays."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from utils.files.jobs import warn
from utils.files.tables import write_text
from utils.scoring.plots import plot_curves
from utils.utils import UserError


MIOU: Mapping[str, str] = {"miou": "mIoU"}


class LossHistory:
    """The numbers of a run, epoch by epoch, and the files in its log folder that show them.

    `epochs` is a list with one dict per epoch: epoch, lr, loss, val_loss, parts and scores (None in an epoch without
    evaluation).
    The folder is created at the end of the first epoch, so a run that stops earlier leaves none.

    Args:
        save_dir: the log folder is created in it.
        settings: the constants of the run, for settings.json.
        past: `state_dict()` of the run that is resumed, from its checkpoint; the run then continues in the same folder.
            Empty for a new run.
        enabled: False writes nothing; only the main process writes.
        scores: names of the scores on the validation sheets, in `epochs` and in words. Higher is better, and the first
            decides which epoch is the best.
        parts: names of the parts that the losses are the sum of, in the same way.
    """

    def __init__(
        self,
        save_dir: str | Path,
        settings: Mapping[str, Any],
        past: Mapping[str, Any],
        enabled: bool = True,
        scores: Mapping[str, str] = MIOU,
        parts: Mapping[str, str] = {},
    ) -> None:
        self.scores, self.parts = scores, parts
        self.log_dir = Path(save_dir) / past.get("log_dir", datetime.now().strftime("loss_%Y_%m_%d_%H_%M_%S"))
        self.epochs = [dict(epoch) for epoch in past.get("epochs", ())]
        self.settings, self.enabled = settings, enabled
        self.writer: SummaryWriter | None = None

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs as `past`."""
        return {"log_dir": self.log_dir.name, "epochs": self.epochs}

    @property
    def best_score(self) -> float:
        """The best value so far of the score that decides; NaN before the first evaluation."""
        return max(self._get_curve(next(iter(self.scores)))[1], default=math.nan)

    @property
    def evaluations_without_gain(self) -> int:
        """How many evaluations came after the best one."""
        values = self._get_curve(next(iter(self.scores)))[1]
        return len(values) - 1 - values.index(max(values)) if values else 0

    def append(self, **numbers: float | None) -> None:
        """Adds one epoch and updates every file. A file that is open in another program is updated an epoch later.

        numbers: epoch, lr, loss, val_loss and parts; scores if they were measured.
        """
        if self.enabled and self.writer is None:
            self.writer = SummaryWriter(self.log_dir, purge_step=len(self.epochs) + 1)
            write_text(self.log_dir / "settings.json", json.dumps(self.settings, indent=1, ensure_ascii=False))
        self.epochs.append({**numbers, **{name: numbers.get(name) for name in self.scores}})
        if self.writer is None:
            return
        for name, value in numbers.items():
            if name != "epoch" and value is not None:
                self.writer.add_scalar(name, value, numbers["epoch"])
        self.writer.flush()
        try:
            self._write_curves()
        except (OSError, UserError) as error:
            warn(f"{str(error).rstrip('.')}; training goes on, and the next epoch tries again.")

    def describe_last(self, title: str) -> str:
        """The last epoch in one line."""
        last = self.epochs[-1]
        line = f"{title}: loss {last['loss']:.4f}, validation loss {last['val_loss']:.4f}, lr {last['lr']:.2e}"
        found = [f", {words} {last[name]:.4f}" for name, words in self.scores.items() if last[name] is not None]
        return line + (f"{found[0]} (best {self.best_score:.4f}){''.join(found[1:])}" if found else "")

    def add_overlays(self, overlays: Sequence[np.ndarray], epoch: int) -> None:
        """Adds overlays, each uint8 (H, W, 3) RGB, to TensorBoard."""
        for number, overlay in enumerate(overlays):
            self.writer.add_image(f"validation/{number}", overlay, epoch, dataformats="HWC")

    def close(self) -> None:
        """Closes the TensorBoard file."""
        if self.writer is not None:
            self.writer.close()

    def _write_curves(self) -> None:
        """Writes the text files and plots of the losses and the scores."""
        curves = {name: self._get_curve(name) for name in ("loss", "val_loss", *self.parts, *self.scores)}
        for name, (_, values) in curves.items():
            write_text(self.log_dir / f"epoch_{name}.txt", "".join(f"{value!r}\n" for value in values))
        losses = {"training": curves["loss"], "validation": curves["val_loss"]}
        plot_curves(self.log_dir / "epoch_loss.png", losses, "Loss", "loss")
        if self.parts:
            parts = {words: curves[name] for name, words in self.parts.items()}
            plot_curves(self.log_dir / "epoch_parts.png", parts, "Parts of the loss", "loss")
        scores = {words: curves[name] for name, words in self.scores.items()}
        plot_curves(self.log_dir / f"epoch_{next(iter(self.scores))}.png", scores, "Validation", "score")

    def _get_curve(self, name: str) -> tuple[list[float], list[float]]:
        """The epochs that have a value of `name`, and these values."""
        points = [(epoch["epoch"], epoch[name]) for epoch in self.epochs if epoch.get(name) is not None]
        return [epoch for epoch, _ in points], [value for _, value in points]
