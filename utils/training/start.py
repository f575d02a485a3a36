"""The start of a run: its weights, an interrupted run to resume, and the files of an earlier run to keep."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch

from nets.blocks import BackboneNetwork, SegmentationNetwork
from nets.cpu import for_cpu
from nets.deeplabv3_training import weights_init
from nets.models import build_model, options_of
from utils.config import Settings
from utils.network.checkpoint import (
    Checkpoint, Kind, load_backbone, load_checkpoint, load_weights, read_torch_file, weights_in,
)
from utils.network.distributed import Processes
from utils.utils import UserError

Network = TypeVar("Network", bound=BackboneNetwork)


def load_resumable(s: Settings, kind: type[Kind] = Checkpoint) -> Kind:
    """The checkpoint of this kind to resume. Raises UserError when there is none or it cannot be resumed."""
    path = Path(s.save_dir) / "last_epoch_weights.pth"
    checkpoint = load_checkpoint(path, kind, name_classes=s.name_classes, model_name=s.model_name, backbone=s.backbone)
    if checkpoint.training is None:
        raise UserError(f"{path} holds weights only and cannot be resumed: give it as model_path instead.")
    if checkpoint.settings["optimizer_type"] != s.optimizer_type:
        raise UserError(
            f"{path} was trained with {checkpoint.settings['optimizer_type']} and optimizer_type is "
            f"{s.optimizer_type}: a run is resumed with the optimiser that it began with.", 2
        )
    if checkpoint.epoch >= s.unfreeze_epoch:
        raise UserError(
            f"{path} has {checkpoint.epoch} epochs and unfreeze_epoch is {s.unfreeze_epoch}: raise it to go on.", 2
        )
    return checkpoint


def start_model(s: Settings, checkpoint: Checkpoint | None, procs: Processes) -> SegmentationNetwork:
    """The network with its start weights, on the device, in channels-last format.

    The weights are those of the resumed checkpoint, if there is one, else those of model_path. Without model_path, the
    backbone gets those of backbone_path or, if `pretrained`, torchvision's. All other weights are fresh.
    """
    start = checkpoint.training.get("weights", checkpoint.model) if checkpoint else None
    if start is None and s.model_path:
        start = weights_in(read_torch_file(s.model_path), s.model_path)
    try:
        model = build_model(
            s.model_name, len(s.name_classes), s.backbone, s.downsample_factor,
            pretrained=s.pretrained and start is None, **run_options(s, checkpoint),
        )
    except (ConnectionError, ValueError) as error:  # the weights cannot be downloaded, or there are none
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
    return on_device(model, s.sync_bn, procs)


def on_device(model: Network, sync_bn: bool, procs: Processes) -> Network:
    """The network on the device, ready to train, in channels-last format.

    sync_bn: its BatchNorms compute their statistics over all GPUs of a run with several.
    """
    if sync_bn and procs.world_size > 1 and procs.device.type == "cuda":
        model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return for_cpu(model).to(procs.device, memory_format=torch.channels_last)


def run_options(s: Settings, checkpoint: Checkpoint | None) -> dict[str, bool]:
    """The network's options for these settings. A resumed run (`checkpoint`) keeps its way of upsampling."""
    exact = checkpoint.options.get("exact_upsampling", False) if checkpoint else True
    options = {
        "decoder": s.decoder, "exact_upsampling": exact, "auxiliary": True,
        "original_instances": s.instance_loss == "original",
    }
    return {name: value for name, value in options.items() if name in options_of(s.model_name)}


def keep_previous(save_dir: str | Path, kind: type[Checkpoint] = Checkpoint) -> None:
    """Renames the best and last weights of an earlier run to previous_*, so that a new run does not replace them.

    Weights of a run that stopped in its first epoch are not kept, because they would replace an older previous_* file.

    kind: of the run's checkpoints.
    """
    for name in ("best_epoch_weights.pth", "last_epoch_weights.pth"):
        path = Path(save_dir) / name
        if path.exists() and _has_learned(path, kind):
            path.replace(path.with_name(f"previous_{name}"))
            print(f"{path} of an earlier run is now previous_{name}.")


def _has_learned(path: Path, kind: type[Checkpoint]) -> bool:
    """Whether a checkpoint was saved after at least one epoch. True for a file that cannot be read."""
    try:
        checkpoint = load_checkpoint(path, kind)
    except UserError:
        return True
    return checkpoint.epoch > checkpoint.settings.get("init_epoch", 0)
