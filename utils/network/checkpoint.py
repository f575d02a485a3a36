"""Checkpoints that describe themselves, and bare state dicts in the community's layout.

A checkpoint is a dict of plain Python types and tensors, readable with `torch.load(weights_only=True)`:

    model             state dict of the network
    name_classes      list of str, background first
    colors            list of [R, G, B], one for each class
    model_name        "deeplabv3_plus"
    backbone          "mobilenet" or "xception"
    downsample_factor 8 or 16
    decoder           optional, False: DeepLabv3, without a decoder
    exact_upsampling  optional, True: features are upsampled to where they lie, see nets/deeplabv3_plus.py
    input_shape       [height, width]
    min_confidence    optional, 0 to 1: less sure objects are left out of predictions; 0 keeps all
    refine_objects    optional, True: predicted objects are parted and joined as utils/objects/confidence.py says
    settings          the constants of the run that made it
    epoch             epochs completed
    best_miou         best validation mIoU so far, NaN before the first evaluation
    training          optional: what `resume` needs (optimiser, scaler, curves)
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nets.community import from_community, is_community
from nets.deeplabv3_plus import DeepLab
from utils.utils import UserError, atomic_path, default_colors

MODEL_NAME = "deeplabv3_plus"
DESCRIPTION = ("name_classes", "backbone", "downsample_factor", "input_shape")


def save_checkpoint(path: str | Path, content: Mapping[str, Any], half: bool = False) -> None:
    """Writes `content` (see the module's docstring) to `path` under a temporary name, then renames it.

    half: store the weights in half precision, which halves the file; they are read back as float32.
    Raises UserError when the file cannot be written; an older one then stays.
    """
    content = dict(content, model_name=MODEL_NAME)
    if half:
        content["model"] = {
            name: value.half() if value.is_floating_point() else value for name, value in content["model"].items()
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
) -> dict[str, Any]:
    """The checkpoint at `path` on the CPU, weights in float32, with all keys of the module's docstring.

    The other arguments describe a bare state dict in the community's layout, which needs `name_classes` and
    `backbone` (downsample_factor 16 and input_shape (512, 512) unless given). A checkpoint of this project describes
    itself: there only `downsample_factor` and `input_shape` may differ from it, since the same weights fit any, and
    then they replace its own.

    Raises UserError when the file is missing, unreadable, no DeepLabv3+ checkpoint, or described otherwise.
    """
    content = read_torch_file(path)
    weights = weights_in(content, path)
    given = dict(zip(DESCRIPTION, (name_classes, backbone, downsample_factor, input_shape)))
    if not is_checkpoint(content):
        content = _describe_bare(path, given)
    for key in ("name_classes", "backbone"):
        if given[key] is not None and _plain(given[key]) != content[key]:
            raise UserError(
                f"{path} was trained with {key} {content[key]} and {_plain(given[key])} was asked for: "
                "set the same, or None in predict.py, where the checkpoint describes itself."
            )
    for key in ("downsample_factor", "input_shape"):
        if given[key] is not None:
            content[key] = _plain(given[key])
    return {**content, "model": weights}


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
    return isinstance(content, dict) and {"model", "model_name", *DESCRIPTION} <= content.keys()


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


def build_model(checkpoint: Mapping[str, Any]) -> DeepLab:
    """The network of a loaded checkpoint with its weights, on the CPU, in evaluation mode.

    Raises UserError for a backbone or downsample_factor that does not exist, or weights of another network.
    """
    try:
        model = DeepLab(
            num_classes=len(checkpoint["name_classes"]),
            backbone=checkpoint["backbone"],
            downsample_factor=checkpoint["downsample_factor"],
            decoder=checkpoint.get("decoder", True),
            exact_upsampling=checkpoint.get("exact_upsampling", False),
        )
    except ValueError as error:
        raise UserError(str(error), 2) from error
    load_weights(model, checkpoint["model"], reinit_mismatched=False)
    return model.eval()


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


def _describe_bare(path: str | Path, given: Mapping[str, Any]) -> dict[str, Any]:
    if given["name_classes"] is None or given["backbone"] is None:
        raise UserError(f"{path} is a bare state dict that does not say what it is: give name_classes and backbone.")
    return {
        "name_classes": list(given["name_classes"]),
        "colors": [list(color) for color in default_colors(len(given["name_classes"]))],
        "model_name": MODEL_NAME,
        "backbone": given["backbone"],
        "downsample_factor": given["downsample_factor"] or 16,
        "input_shape": list(given["input_shape"] or (512, 512)),
        "settings": {},
        "epoch": 0,
        "best_miou": float("nan"),
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (tuple, list)) else value


def _shorten(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
