"""What `train.py` does once, before its first epoch: settings checked, loss, network and start weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nets.deeplabv3_plus import DeepLab
from nets.deeplabv3_training import batch_size_lr, lr_at, segmentation_loss, weights_init
from utils.config import Settings
from utils.files.voc import VocDataset
from utils.network.checkpoint import load_backbone, load_checkpoint, load_weights, read_torch_file, weights_in
from utils.network.distributed import Processes
from utils.network.precision import Precision
from utils.training.mixing import Part, mix
from utils.training.preflight import balanced_weights
from utils.utils import GAP, IGNORE, UserError
from utils.utils_fit import Loss

DEFAULT_LR = {"adam": 5e-4, "sgd": 7e-3}  # at batch 16


def check_settings(s: Settings, procs: Processes) -> None:
    """Raises UserError (exit status 2) for the first constant whose value does not fit the others."""
    for name in ("freeze_batch_size", "unfreeze_batch_size", "accumulate", "eval_period", "passes"):
        if getattr(s, name) < 1:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be 1 or more.", 2)
    if not 0 <= s.ema < 1:
        raise UserError(f"ema is {s.ema}: it has to be 0 or more and below 1.", 2)
    if not 0 <= s.seed < 2**32:
        raise UserError(f"seed is {s.seed}: it has to be from 0 to {2**32 - 1}.", 2)
    if not 0 <= s.momentum < 1:
        raise UserError(f"momentum is {s.momentum}: it has to be 0 or more and below 1.", 2)
    for name in ("paste", "degraded", "turned", "min_confidence"):
        if not 0 <= getattr(s, name) <= 1:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be from 0 to 1.", 2)
    if any(share <= 0 for share in s.mixed_in.values()) or sum(s.mixed_in.values()) >= 1:
        raise UserError(f"mixed_in is {s.mixed_in}: shares have to be above 0, and below 1 together.", 2)
    if s.object_gap < 0 or s.object_gap and s.object_gap % 2 == 0:
        raise UserError(f"object_gap is {s.object_gap}: it has to be 0 or an odd number of pixels.", 2)
    for name in ("init_lr", "min_lr"):
        if getattr(s, name) is not None and not getattr(s, name) > 0:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be above 0, or None.", 2)
    if not s.gap_weight > 0:
        raise UserError(f"gap_weight is {s.gap_weight}: it has to be above 0.", 2)
    for name in (
        "cache_gb", "weight_decay", "init_epoch", "freeze_epoch", "num_workers", "patience", "save_period", "overlays",
    ):
        if getattr(s, name) < 0:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be 0 or more.", 2)
    for name in ("freeze_batch_size", "unfreeze_batch_size"):
        if getattr(s, name) % procs.world_size:
            raise UserError(
                f"{name} is {getattr(s, name)}: it has to be a multiple of the {procs.world_size} processes.", 2
            )
    if s.init_epoch >= s.unfreeze_epoch:
        raise UserError(f"init_epoch is {s.init_epoch}: it has to be below unfreeze_epoch, {s.unfreeze_epoch}.", 2)
    for name in ("input_shape", "predict_shape"):
        if any(side < 1 or side % s.downsample_factor for side in getattr(s, name) or ()):
            raise UserError(
                f"{name} is {getattr(s, name)}: height and width have to be multiples of {s.downsample_factor} "
                "(downsample_factor).", 2
            )
    if not 0 < s.augment_scale[0] <= s.augment_scale[1] <= 8:
        raise UserError(f"augment_scale is {s.augment_scale}: two numbers above 0 and up to 8, the smaller first.", 2)
    if len(s.name_classes) < 2 or len(s.name_classes) > 255 or len(set(s.name_classes)) < len(s.name_classes):
        raise UserError(f"name_classes is {s.name_classes}: 2 to 255 different names are needed.", 2)
    if s.object_gap and len(s.name_classes) > GAP:
        raise UserError(f"object_gap marks pixels with {GAP}: name_classes may have at most {GAP} names with it.", 2)
    if isinstance(s.cls_weights, tuple) and len(s.cls_weights) != len(s.name_classes):
        raise UserError(
            f"cls_weights has {len(s.cls_weights)} numbers and name_classes {len(s.name_classes)} names: "
            "give one weight for each class.", 2
        )
    if isinstance(s.cls_weights, tuple) and (min(s.cls_weights) < 0 or max(s.cls_weights) == 0):
        raise UserError(f"cls_weights is {s.cls_weights}: no number may be below 0, and not all may be 0.", 2)


def training_files(s: Settings, data: VocDataset) -> tuple[list[tuple[Path, Path]], list[Part]]:
    """Image and mask of each sheet to train on: those of `data`, then of each data set in mixed_in; parts of an epoch.

    Raises UserError when one of them is not there or has no train.txt.
    """
    own, *others = (each.files("train") for each in (data, *(VocDataset(s.dataset_path, name) for name in s.mixed_in)))
    return sum(others, own), mix(len(own), s.passes, zip(map(len, others), s.mixed_in.values()))


def make_loss(s: Settings, train_pixels: np.ndarray, device: torch.device) -> Loss:
    """The loss function of logits and mask; `train_pixels` (sheets, classes) is what cls_weights "auto" counts."""
    weights = balanced_weights(train_pixels) if s.cls_weights == "auto" else s.cls_weights
    return partial(
        segmentation_loss,
        ignore_index=IGNORE,
        gap_index=GAP if s.object_gap else None,
        gap_weight=s.gap_weight,
        cls_weights=None if weights is None else torch.tensor(weights, device=device),
        dice_loss=s.dice_loss,
        focal_loss=s.focal_loss,
    )


def load_resumable(s: Settings) -> dict[str, Any]:
    """The checkpoint that `resume` goes on from. Raises UserError when there is none or it cannot be resumed."""
    path = Path(s.save_dir) / "last_epoch_weights.pth"
    checkpoint = load_checkpoint(path, name_classes=s.name_classes, backbone=s.backbone)
    if "training" not in checkpoint:
        raise UserError(f"{path} holds weights only and cannot be resumed: give it as model_path instead.")
    if checkpoint["settings"]["optimizer_type"] != s.optimizer_type:
        raise UserError(
            f"{path} was trained with {checkpoint['settings']['optimizer_type']} and optimizer_type is "
            f"{s.optimizer_type}: a run is resumed with the optimiser that it began with.", 2
        )
    if checkpoint["epoch"] >= s.unfreeze_epoch:
        raise UserError(
            f"{path} has {checkpoint['epoch']} epochs and unfreeze_epoch is {s.unfreeze_epoch}: raise it to go on.", 2
        )
    return checkpoint


def start_model(s: Settings, checkpoint: dict[str, Any] | None, procs: Processes) -> DeepLab:
    """The network with its start weights, on the device, channels last.

    Start weights: the resumed checkpoint's, else those of model_path, else of backbone_path or torchvision
    (`pretrained`) for the backbone and fresh ones for the rest, else fresh ones.
    """
    start = checkpoint["training"].get("weights", checkpoint["model"]) if checkpoint else None
    if start is None and s.model_path:
        start = weights_in(read_torch_file(s.model_path), s.model_path)
    try:
        pretrained = s.pretrained and start is None
        exact = checkpoint.get("exact_upsampling", False) if checkpoint else True
        model = DeepLab(len(s.name_classes), s.backbone, pretrained, s.downsample_factor, s.decoder, exact)
    except (ConnectionError, ValueError) as error:  # the weights cannot be fetched or there are none
        raise UserError(str(error)) from error
    for name, child in model.named_children():
        if name != "backbone" or not s.pretrained:
            weights_init(child, s.init_type)
    if start is not None:
        fresh = load_weights(model, start, s.reinit_mismatched)
        if fresh and procs.is_main:
            print(f"Not in {s.model_path}, trained from scratch: {', '.join(fresh)}")
    elif s.backbone_path:
        load_backbone(model.backbone, s.backbone_path)
    if s.sync_bn and procs.world_size > 1 and procs.device.type == "cuda":
        model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return model.to(procs.device, memory_format=torch.channels_last)


def make_average(model: nn.Module, decay: float, start: Mapping[str, torch.Tensor] | None) -> AveragedModel | None:
    """A copy of `model` for the exponential moving average of its weights; None for a decay of 0.

    After n steps the decay is at most (1 + n) / (10 + n), so that the first weights are soon forgotten (TensorFlow's
    ExponentialMovingAverage). BatchNorm statistics are averaged too. start: the average of the run that is resumed.
    """
    if not decay:
        return None

    def update(means: list[torch.Tensor], values: list[torch.Tensor], _: torch.Tensor | int) -> None:
        steps = int(average.n_averaged)  # on the CPU; to read `_`, its copy beside the weights, would wait for a GPU
        if means[0].is_floating_point():
            get_ema_multi_avg_fn(min(decay, (1 + steps) / (10 + steps)))(means, values, steps)
        else:
            for mean, value in zip(means, values):
                mean.copy_(value)

    average = AveragedModel(model, multi_avg_fn=update, use_buffers=True)
    if start is not None:
        average.module.load_state_dict(start)
    return average


def is_frozen(s: Settings, epoch: int) -> bool:
    """Whether the backbone is frozen in `epoch` (counted from 0)."""
    return s.freeze_train and epoch < s.freeze_epoch


def batch_size(s: Settings, epoch: int) -> int:
    """Sheets a batch over all processes in `epoch` (counted from 0)."""
    return s.freeze_batch_size if is_frozen(s, epoch) else s.unfreeze_batch_size


def learning_rate(s: Settings, epoch: int) -> float:
    """The learning rate of `epoch` (counted from 0): the batch-size rule, then the schedule over all epochs."""
    init_lr = DEFAULT_LR[s.optimizer_type] if s.init_lr is None else s.init_lr
    min_lr = 0.01 * init_lr if s.min_lr is None else s.min_lr
    batch = batch_size(s, epoch) * s.accumulate
    init_lr, min_lr = batch_size_lr(batch, init_lr, min_lr, s.optimizer_type, s.backbone)
    return lr_at(epoch, s.unfreeze_epoch, init_lr, min_lr, s.lr_decay_type)


def epoch_seed(s: Settings, epoch: int, procs: Processes) -> int:
    """The seed of what is drawn on the device in `epoch` (dropout): its own for each epoch and process.

    It does not depend on what was drawn before, so a resumed run draws what the uninterrupted one would have drawn.
    """
    return int(np.random.SeedSequence((s.seed, epoch, procs.rank)).generate_state(1)[0])


def keep_previous(save_dir: str | Path) -> None:
    """Renames an earlier run's best and last weights to previous_*, so that a new run does not replace them.

    What a run leaves that ended within its first epoch is not kept: it would replace what was kept before.
    """
    for name in ("best_epoch_weights.pth", "last_epoch_weights.pth"):
        path = Path(save_dir) / name
        if path.exists() and _has_learned(path):
            path.replace(path.with_name(f"previous_{name}"))
            print(f"{path} of an earlier run is now previous_{name}.")


def _has_learned(path: Path) -> bool:
    """Whether a checkpoint is more than what a run saves before its first epoch; True for a file that cannot be read."""
    try:
        checkpoint = load_checkpoint(path)
    except UserError:
        return True
    return checkpoint.get("epoch", 1) > checkpoint.get("settings", {}).get("init_epoch", 0)


def describe_run(
    s: Settings, procs: Processes, precision: Precision, parts: Sequence[Part], val_sheets: int, first_epoch: int
) -> str:
    """The settings as they are really run, for the console; `parts`: the data sets to train on."""
    lines = [f"{name:20s}{value}" for name, value in s.to_dict().items()]
    mixed = "".join(f" and {part.draws} of {part.size} of {name}" for name, part in zip(s.mixed_in, parts[1:]))
    lines.append(
        f"{parts[0].draws} samples an epoch of {parts[0].size} sheets{mixed} to train on, {val_sheets} to validate on; "
        f"epochs {first_epoch + 1} to {s.unfreeze_epoch} on {procs.world_size} x {procs.device}, "
        f"learning rate up to {max(learning_rate(s, epoch) for epoch in range(first_epoch, s.unfreeze_epoch)):.2e}, "
        f"{str(precision.dtype).removeprefix('torch.')}."
    )
    return "\n".join(lines)
