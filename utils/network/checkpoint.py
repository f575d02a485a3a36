"""Checkpoints that describe themselves, and bare state dicts in the community's layout.

A checkpoint file is a dict of plain Python types and tensors. `torch.load(weights_only=True)` can read it. Its keys are
the fields of `Checkpoint`, the only place that spells them.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import nn

from nets.blocks import BackboneNetwork
from nets.community import community_model, from_community
from nets.models import build_model
from utils.network.soundness import require_sound
from utils.utils import UserError, atomic_path, default_colors

OLD_OPTIONS = ("decoder", "exact_upsampling")  # keys that old files have instead of `options`


DETECTORS = ("yolov5",)  # model_name of networks that find boxes; those of all others give each pixel a class


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file. Old files lack some of the fields that have a default."""

    detects: ClassVar[bool] = False  # whether the network is one of DETECTORS
    best: ClassVar[str] = "best_miou"  # the field with the best score so far

    model: Mapping[str, torch.Tensor] = field(repr=False)  # state dict of the network
    name_classes: list[str]                                # background first
    colors: list[list[int]]                                # [R, G, B], 0 to 255, of each class
    model_name: str                                        # see the tables in nets/models.py, here and below
    backbone: str
    downsample_factor: int
    input_shape: list[int]                                 # [height, width] to predict with
    options: dict[str, bool] = field(default_factory=dict)  # the network's own options, see nets/models.py
    min_confidence: float = 0.0     # 0 to 1: predictions drop less certain objects; 0 keeps all
    calibration: list[list[float]] = field(default_factory=list)  # [slope, shift] of each class; []: none
    probe: torch.Tensor | None = field(default=None, repr=False)  # where objects may be, see nets/sparse.py
    settings: dict[str, Any] = field(default_factory=dict, repr=False)  # constants of the run
    epoch: int = 0                  # number of completed epochs
    best_miou: float = math.nan     # best validation mIoU so far, NaN before the first evaluation
    training: dict[str, Any] | None = field(default=None, repr=False)  # for `resume`: optimiser, scaler, curves

    @classmethod
    def of_run(cls, constants: Mapping[str, Any], **fields_of_its_own: Any) -> Checkpoint:
        """A checkpoint of a run without weights. The constants of train.py fill the fields with the same names."""
        colors = [list(color) for color in default_colors(len(constants["name_classes"]))]
        known = {name: tuple_to_list(value) for name, value in constants.items() if name in cls.names()}
        return cls(**{"model": {}, "colors": colors, "settings": dict(constants), **known, **fields_of_its_own})

    @classmethod
    def names(cls) -> list[str]:
        """The names of the fields."""
        return [each.name for each in fields(cls)]

    def description(self) -> dict[str, Any]:
        """What is needed to predict, in plain types: all fields but weights, probe, settings and progress."""
        left_out = ("model", "probe", "settings", "epoch", "best_miou", "best_score", "training")
        return {name: getattr(self, name) for name in self.names() if name not in left_out}

    def build(self) -> BackboneNetwork:
        """The network with its weights, on the CPU, in evaluation mode.

        Raises UserError when the network, backbone or downsample_factor is unknown, or the weights do not fit.
        """
        try:
            model = build_model(
                self.model_name, len(self.name_classes), self.backbone, self.downsample_factor, **self.options)
        except ValueError as error:
            raise UserError(str(error), 2) from error
        load_weights(model, self.model, reinit_mismatched=False)
        return model.eval()


Kind = TypeVar("Kind", bound=Checkpoint)
REQUIRED = {each.name for each in fields(Checkpoint) if each.default is each.default_factory is MISSING}


def save_checkpoint(path: str | Path, checkpoint: Checkpoint, half: bool = False) -> None:
    """Writes `checkpoint` to `path` under a temporary name, then renames the file.

    half: store the weights in half precision, which halves the file; they are read back as float32.
    Raises UserError when the file cannot be written. An existing file then does not change.
    """
    content = {name: value for name in checkpoint.names() if (value := getattr(checkpoint, name)) is not None}
    if half:
        content["model"] = {
            name: value.half() if value.is_floating_point() else value for name, value in checkpoint.model.items()
        }
    try:
        with atomic_path(path) as temporary:
            torch.save(content, temporary)
    except (OSError, RuntimeError) as error:  # PyTorch's writer raises RuntimeError on a full disk
        raise UserError(f"{path} cannot be written ({error}): check the folder and the free space.") from error


def is_half(checkpoint: Checkpoint) -> bool:
    """Whether half precision can hold the weights without loss, as those of a file that was written with `half`."""
    return all(torch.equal(value.half().float(), value) for value in checkpoint.model.values()
               if value.is_floating_point())


def load_checkpoint(
    path: str | Path,
    kind: type[Kind] = Checkpoint,
    *,
    name_classes: Sequence[str] | None = None,
    model_name: str | None = None,
    backbone: str | None = None,
    downsample_factor: int | None = None,
    input_shape: tuple[int, int] | None = None,
) -> Kind:
    """The checkpoint at `path` on the CPU, with weights in float32.

    Args:
        path: a checkpoint of this project, which describes itself, or a bare state dict in the community's layout.
        kind: what is asked for, a network for segmentation or for detection.
        name_classes: needed for a bare state dict; otherwise None, or the same as in the checkpoint.
        model_name: None, or the same as in the checkpoint.
        backbone: None, or the same as in the checkpoint.
        downsample_factor: replaces the checkpoint's, because the same weights fit any. A bare state dict gets 16. The
            probe is left out where it differs.
        input_shape: replaces the checkpoint's, for the same reason. A bare state dict gets (512, 512).

    Raises:
        UserError: the file is missing, unreadable, no checkpoint of these networks or one of the other kind, or the
            arguments contradict it.
    """
    content = read_torch_file(path)
    weights = weights_in(content, path)
    _require_kind(content["model_name"] if is_checkpoint(content) else "a network for segmentation", kind, path)
    if is_checkpoint(content):
        options = {name: content[name] for name in OLD_OPTIONS if name in content}
        known = {name: content[name] for name in kind.names() if name in content}
        checkpoint = require_sound(kind(**{"options": options, **known, "model": weights}), path)
    elif name_classes is None:
        raise UserError(f"{path} is a bare state dict and does not name its classes: give name_classes.")
    else:
        network, encoder = community_model(content)
        checkpoint = kind.of_run(
            {"name_classes": name_classes}, model=weights, model_name=network, backbone=encoder,
            downsample_factor=16, input_shape=[512, 512], settings={},
        )
    for name, given in (("name_classes", name_classes), ("model_name", model_name), ("backbone", backbone)):
        if given is not None and tuple_to_list(given) != getattr(checkpoint, name):
            raise UserError(
                f"{path} was trained with {name} {getattr(checkpoint, name)} and {tuple_to_list(given)} was asked for: "
                "set the same, or None in predict.py, where the checkpoint describes itself."
            )
    return replace(
        checkpoint,
        downsample_factor=downsample_factor or checkpoint.downsample_factor,
        input_shape=tuple_to_list(input_shape or checkpoint.input_shape),
        probe=checkpoint.probe if downsample_factor in (None, checkpoint.downsample_factor) else None,
    )


def _require_kind(model_name: Any, kind: type[Checkpoint], path: str | Path) -> None:
    """Raises UserError unless a network of this name does what `kind` is for."""
    if (model_name in DETECTORS) != kind.detects:
        does, script = ("finds boxes", "predict_yolo.py")
        if kind.detects:
            does, script = ("gives each pixel a class", "predict.py")
        raise UserError(f"{path} holds {model_name}, which {does}: give it to {script}, and another checkpoint here.")


def weights_in(content: Any, path: str | Path) -> dict[str, torch.Tensor]:
    """The network's state dict, in float32 and with this project's names.

    content: a checkpoint of this project, or a bare state dict in the community's layout.
    path: the file that it was read from, for errors.
    Raises UserError when `content` is neither.
    """
    if is_checkpoint(content):
        weights = content["model"]
    elif isinstance(content, dict) and all(isinstance(name, str) for name in content) and community_model(content):
        weights = from_community(content)
    else:
        raise UserError(f"{path} holds no weights of these networks: give a checkpoint made by train.py.")
    if not isinstance(weights, Mapping) or not all(
            isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in weights.items()):
        raise UserError(f"{path} is damaged: its model has to be a state dict, tensors by name. Copy the file again.")
    weights = {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    bad = [name for name, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if bad:
        raise UserError(
            f"{path} has weights that are not finite ({_shorten(bad)}): its training failed. Take an earlier file."
        )
    return weights


def is_checkpoint(content: Any) -> bool:
    """Whether `content` is a checkpoint that describes itself."""
    return isinstance(content, dict) and REQUIRED <= content.keys()


def read_torch_file(path: str | Path) -> Any:
    """The content of a file from `torch.save`, on the CPU. Only tensors and plain types are read; no code runs.

    Raises UserError when the file is missing or of another kind.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: give the path of a checkpoint (.pth).") from None
    except pickle.UnpicklingError as error:
        if "GLOBAL" not in str(error):  # PyTorch names the class that it would have had to load
            raise UserError(f"{path} cannot be read as a checkpoint (UnpicklingError): copy it again.") from error
        raise UserError(
            f"{path} holds Python objects beside its weights, a whole model or NumPy numbers perhaps. Reading these "
            "could run code, so they are not read. Where the file was made, save the weights alone: "
            'torch.save(model.state_dict(), "weights.pth").'
        ) from error
    except Exception as error:  # the file comes from outside, and torch.load raises many kinds of errors for it
        raise UserError(f"{path} cannot be read as a checkpoint ({type(error).__name__}): copy it again.") from error


def load_weights(model: nn.Module, state_dict: Mapping[str, torch.Tensor], reinit_mismatched: bool) -> list[str]:
    """The names of the model's layers that `state_dict` does not fit, after loading all others into `model`.

    A layer does not fit when it is missing in `state_dict` or has another shape there. If `reinit_mismatched` is True,
    such layers keep their fresh values. Otherwise a UserError lists them.
    """
    own = model.state_dict()
    fitting = {name: value for name, value in state_dict.items() if name in own and own[name].shape == value.shape}
    mismatched = [name for name in own if name not in fitting]
    if mismatched and not reinit_mismatched:
        raise UserError(
            f"The start weights do not fit {len(mismatched)} of {len(own)} entries of the network "
            f"({_shorten(mismatched)}): check model_name, backbone and name_classes, or set reinit_mismatched = True "
            "to train these from scratch."
        )
    model.load_state_dict(fitting, strict=False)
    return mismatched


def load_backbone(backbone: nn.Module, path: str | Path) -> None:
    """Loads weights into `backbone` from a state dict with torchvision's key names. A classifier in it is ignored.

    Raises UserError when an entry of the backbone is missing or has another shape.
    """
    state_dict = read_torch_file(path)
    if not isinstance(state_dict, dict):
        raise UserError(f"backbone_path {path} holds no state dict: choose a file with weights by name.")
    own = backbone.state_dict()
    # Files older than PyTorch 0.4.1, such as resnet50-19c8e357.pth, count no batches, and BatchNorm can do without.
    own = {name: value for name, value in own.items() if name in state_dict or not name.endswith("num_batches_tracked")}
    missing = [name for name in own if getattr(state_dict.get(name), "shape", None) != own[name].shape]
    if missing:
        raise UserError(f"backbone_path {path} does not fit the backbone ({_shorten(missing)}): choose other weights.")
    backbone.load_state_dict({name: state_dict[name] for name in own})


def tuple_to_list(value: Any) -> Any:
    """`value`, but a tuple becomes a list, as it would in a file."""
    return list(value) if isinstance(value, tuple) else value


def _shorten(names: Sequence[str], most: int = 6) -> str:
    """The first `most` names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
