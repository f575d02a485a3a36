"""Checks the constants of a training script before a run, and describes the run."""

from __future__ import annotations

from collections.abc import Sequence

from nets.models import NETWORKS, require_fitting
from utils.config import Settings
from utils.network.distributed import Processes
from utils.network.precision import Precision
from utils.training.mixing import Part
from utils.training.schedule import learning_rate
from utils.utils import GAP, UserError


def check_settings(s: Settings, procs: Processes) -> None:
    """Raises UserError (exit status 2) for the first constant of train.py that is not allowed or fits no other."""
    check_run(s, procs)
    for name in ("paste", "turned"):
        if not 0 <= getattr(s, name) <= 1:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be from 0 to 1.", 2)
    if s.object_gap < 0 or s.object_gap and s.object_gap % 2 == 0:
        raise UserError(f"object_gap is {s.object_gap}: it has to be 0 or an odd number of pixels.", 2)
    if not s.gap_weight > 0:
        raise UserError(f"gap_weight is {s.gap_weight}: it has to be above 0.", 2)
    try:
        require_fitting(s.model_name, s.backbone)
    except ValueError as error:
        raise UserError(str(error), 2) from error
    if s.unlabelled and not NETWORKS[s.model_name].make.needs_instances:
        raise UserError(
            f"unlabelled is {s.unlabelled} and model_name is {s.model_name}, which learns nothing from sheets without "
            'labels: set unlabelled = "", or model_name = "nhm".', 2
        )
    require_multiples(s, s.downsample_factor, "downsample_factor")
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


def check_run(s: Settings, procs: Processes) -> None:
    """Raises UserError (exit status 2) for the first constant of any training script that is not allowed."""
    for name in ("freeze_batch_size", "unfreeze_batch_size", "accumulate", "eval_period", "passes"):
        if getattr(s, name) < 1:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be 1 or more.", 2)
    if not 0 <= s.ema < 1:
        raise UserError(f"ema is {s.ema}: it has to be 0 or more and below 1.", 2)
    if not 0 <= s.seed < 2**32:
        raise UserError(f"seed is {s.seed}: it has to be from 0 to {2**32 - 1}.", 2)
    if not 0 <= s.momentum < 1:
        raise UserError(f"momentum is {s.momentum}: it has to be 0 or more and below 1.", 2)
    for name in ("degraded", "min_confidence"):
        if not 0 <= getattr(s, name) <= 1:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be from 0 to 1.", 2)
    if any(share <= 0 for share in s.mixed_in.values()) or sum(s.mixed_in.values()) >= 1:
        raise UserError(f"mixed_in is {s.mixed_in}: shares have to be above 0, and below 1 together.", 2)
    for name in ("init_lr", "min_lr"):
        if getattr(s, name) is not None and not getattr(s, name) > 0:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be above 0, or None.", 2)
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
    if not 0 < s.augment_scale[0] <= s.augment_scale[1] <= 8:
        raise UserError(f"augment_scale is {s.augment_scale}: give two numbers above 0, up to 8, the smaller first.", 2)


def require_multiples(s: Settings, stride: int, why: str) -> None:
    """Raises UserError (exit status 2) unless the sizes of the network's input are multiples of `stride`.

    why: what asks for it.
    """
    for name in ("input_shape", "predict_shape"):
        if any(side < 1 or side % stride for side in getattr(s, name) or ()):
            raise UserError(
                f"{name} is {getattr(s, name)}: height and width have to be multiples of {stride} ({why}).", 2
            )


def describe_run(
    s: Settings,
    procs: Processes,
    precision: Precision,
    parts: Sequence[Part],
    unlabelled: int,
    val_sheets: int,
    first_epoch: int,
) -> str:
    """The settings and the size of the run, as text for the console.

    Args:
        s: the settings.
        procs: the processes of the run.
        precision: number format of the network.
        parts: the data sets to train on.
        unlabelled: number of sheets without labels.
        val_sheets: number of validation sheets.
        first_epoch: counted from 0.
    """
    lines = [f"{name:20s}{value}" for name, value in s.to_dict().items()]
    mixed = "".join(f" and {part.samples} from {part.size} of {name}" for name, part in zip(s.mixed_in, parts[1:]))
    mixed += f" and as many from {unlabelled} without labels" if unlabelled else ""
    lines.append(
        f"{parts[0].samples} samples per epoch from {parts[0].size} sheets{mixed}, {val_sheets} validation sheets; "
        f"epochs {first_epoch + 1} to {s.unfreeze_epoch} on {procs.world_size} x {procs.device}, "
        f"learning rate up to {max(learning_rate(s, epoch) for epoch in range(first_epoch, s.unfreeze_epoch)):.2e}, "
        f"{str(precision.dtype).removeprefix('torch.')}."
    )
    return "\n".join(lines)
