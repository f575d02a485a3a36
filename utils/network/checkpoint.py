"""Checkpoints that describe themselves, and bare state dicts in the community's layout.

A checkpoint file is a dict of plain Python types and tensors, readable with `torch.load(weights_only=True)`. Its keys
are the fields of `Checkpoint`, which is the only place that spells them.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nets.blocks import SegmentationNetwork
from nets.community import from_community, is_community
from nets.models import build_model
from utils.utils import UserError, atomic_path, default_colors

DEFAULT_MODEL = "deeplabv3_plus"  # what a bare state dict in the community's layout is
OLD_OPTIONS = ("decoder", "exact_upsampling")  # keys of their own in files from before there was `options`


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds. Old files lack some of the fields that have a default."""

    model: Mapping[str, torch.Tensor] = field(repr=False)  # state dict of the network
    name_classes: list[str]                                # background first
    colors: list[list[int]]                                # [R, G, B], 0 to 255, of each class
    model_name: str                                        # this and the next: see the table in nets/models.py
    backbone: str
    downsample_factor: int
    input_shape: list[int]                                 # [height, width] to predict with
    options: dict[str, bool] = field(default_factory=dict)  # what else the network takes, see nets/models.py
    min_confidence: float = 0.0     # 0 to 1: objects below are left out of predictions; 0 keeps all
    settings: dict[str, Any] = field(default_factory=dict, repr=False)  # the constants of the run that made it
    epoch: int = 0                  # epochs completed
    best_miou: float = math.nan     # best validation mIoU so far, NaN before the first evaluation
    training: dict[str, Any] | None = field(default=None, repr=False)  # what `resume` needs: optimiser, scaler, curves

    @classmethod
    def of_run(cls, constants: Mapping[str, Any], **fields_of_its_own: Any) -> Checkpoint:
        """The description of a run with these constants of train.py, so far as they have the names of fields."""
        colors = [list(color) for color in default_colors(len(constants["name_classes"]))]
        known = {name: plain(value) for name, value in constants.items() if name in NAMES}
        return cls(**{"model": {}, "colors": colors, "settings": dict(constants), **known, **fields_of_its_own})

    def description(self) -> dict[str, Any]:
        """What the network is and how to predict with it, in plain types: all but weights, settings and progress."""
        left_out = ("model", "settings", "epoch", "best_miou", "training")
        return {name: getattr(self, name) for name in NAMES if name not in left_out}

    def build(self) -> SegmentationNetwork:
        """The network with its weights, on the CPU, in evaluation mode.

        Raises UserError for a network, backbone or downsample_factor that there is none of, or weights of another.
        """
        try:
            model = build_model(
                self.model_name, len(self.name_classes), self.backbone, self.downsample_factor, **self.options)
        except ValueError as error:
            raise UserError(str(error), 2) from error
        load_weights(model, self.model, reinit_mismatched=False)
        return model.eval()


NAMES = [each.name for each in fields(Checkpoint)]
REQUIRED = {each.name for each in fields(Checkpoint) if each.default is each.default_factory is MISSING}


def save_checkpoint(path: str | Path, checkpoint: Checkpoint, half: bool = False) -> None:
    """Writes `checkpoint` to `path` under a temporary name, then renames it.

    half: store the weights in half precision, which halves the file; they are read back as float32.
    Raises UserError when the file cannot be written; an older one then stays.
    """
    content = {name: value for name in NAMES if (value := getattr(checkpoint, name)) is not None}
    if half:
        content["model"] = {
            name: value.half() if value.is_floating_point() else value for name, value in checkpoint.model.items()
        }
    try:
        with atomic_path(path) as temporary:
            torch.save(content, temporary)
    except (OSError, RuntimeError) as error:  # RuntimeError: PyTorch's own writer, on a full disk
        raise UserError(f"{path} cannot be written ({error}): check the folder and the free space.") from error


def load_checkpoint(
    path: str | Path,
    *,
    name_classes: Sequence[str] | None = None,
    backbone: str | None = None,
    downsample_factor: int | None = None,
    input_shape: tuple[int, int] | None = None,
) -> Checkpoint:
    """The checkpoint at `path` on the CPU, weights in float32.

    The other arguments describe a bare state dict in the community's layout, which needs `name_classes` and
    `backbone` (downsample_factor 16 and input_shape (512, 512) unless given). A checkpoint of this project describes
    itself: there only `downsample_factor` and `input_shape` may differ from it, since the same weights fit any, and
    then they replace its own.

    Raises UserError when the file is missing, unreadable, no checkpoint of these networks, or described otherwise.
    """
    content = read_torch_file(path)
    weights = weights_in(content, path)
    if is_checkpoint(content):
        options = {name: content[name] for name in OLD_OPTIONS if name in content}
        known = {name: content[name] for name in NAMES if name in content}
        checkpoint = Checkpoint(**{"options": options, **known, "model": weights})
    elif name_classes is None or backbone is None:
        raise UserError(f"{path} is a bare state dict that does not say what it is: give name_classes and backbone.")
    else:
        checkpoint = Checkpoint.of_run(
            {"name_classes": name_classes, "backbone": backbone}, model=weights, model_name=DEFAULT_MODEL,
            downsample_factor=16, input_shape=[512, 512], settings={},
        )
    for name, given in (("name_classes", name_classes), ("backbone", backbone)):
        if given is not None and plain(given) != getattr(checkpoint, name):
            raise UserError(
                f"{path} was trained with {name} {getattr(checkpoint, name)} and {plain(given)} was asked for: "
                "set the same, or None in predict.py, where the checkpoint describes itself."
            )
    return replace(
        checkpoint,
        downsample_factor=downsample_factor or checkpoint.downsample_factor,
        input_shape=plain(input_shape or checkpoint.input_shape),
    )


def weights_in(content: Any, path: str | Path) -> dict[str, torch.Tensor]:
    """The network's state dict in `content`, read from `path`: float32, under this project's names.

    `content` is a checkpoint of this project or a bare state dict in the community's layout; UserError otherwise.
    """
    if is_checkpoint(content):
        weights = content["model"]
    elif isinstance(content, dict) and is_community(content):
        weights = from_community(content)
    else:
        raise UserError(f"{path} holds no DeepLabv3+ weights: give a checkpoint made by train.py.")
    return {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}


def is_checkpoint(content: Any) -> bool:
    """Whether `content` is a checkpoint that describes itself."""
    return isinstance(content, dict) and REQUIRED <= content.keys()


def read_torch_file(path: str | Path) -> Any:
    """What `torch.save` wrote to `path`, on the CPU; only tensors and plain types are read (no code is run).

    Raises UserError when the file is missing or not such a file.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: give the path of a checkpoint (.pth).") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} cannot be read as a checkpoint ({type(error).__name__}): copy it again.") from error


def load_weights(model: nn.Module, state_dict: Mapping[str, torch.Tensor], reinit_mismatched: bool) -> list[str]:
    """Loads `state_dict` into `model`; returns the names of the model's layers that it does not fit.

    A layer does not fit when it is missing or has another shape. Such layers keep the model's own (fresh) values
    when `reinit_mismatched`; otherwise a UserError lists them.
    """
    own = model.state_dict()
    fitting = {name: value for name, value in state_dict.items() if name in own and own[name].shape == value.shape}
    mismatched = [name for name in own if name not in fitting]
    if mismatched and not reinit_mismatched:
        raise UserError(
            f"The start weights do not fit {len(mismatched)} of {len(own)} entries of the network "
            f"({_shorten(mismatched)}): check backbone and name_classes, or set reinit_mismatched = True to "
            "train these from scratch."
        )
    model.load_state_dict(fitting, strict=False)
    return mismatched


def load_backbone(backbone: nn.Module, path: str | Path) -> None:
    """Loads a state dict with the backbone's own (torchvision's) key names; a classifier in it is left out.

    Raises UserError when an entry of the backbone is missing or has another shape.
    """
    state_dict = read_torch_file(path)
    if not isinstance(state_dict, dict):
        raise UserError(f"backbone_path {path} holds no state dict: choose a file with weights by name.")
    own = backbone.state_dict()
    missing = [name for name in own if getattr(state_dict.get(name), "shape", None) != own[name].shape]
    if missing:
        raise UserError(f"backbone_path {path} does not fit the backbone ({_shorten(missing)}): choose other weights.")
    backbone.load_state_dict({name: state_dict[name] for name in own})


def plain(value: Any) -> Any:
    """`value`, a tuple as a list: what a file gives back."""
    return list(value) if isinstance(value, tuple) else value


def _shorten(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
