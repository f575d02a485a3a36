"""Whether the fields of a checkpoint are what they have to be; the file may come from anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from utils.utils import UserError

if TYPE_CHECKING:
    from utils.network.checkpoint import Checkpoint

Kind = TypeVar("Kind", bound="Checkpoint")
MAX_SIDE = 16_384  # pixels of the network's input; a larger one does not fit into any memory


def require_sound(checkpoint: Kind, path: str | Path) -> Kind:
    """The checkpoint itself. Raises UserError when one of its fields is of another kind or out of range."""
    def is_shape(value: Any) -> bool:
        return isinstance(value, list) and len(value) == 2 and all(
            type(side) is int and 1 <= side <= MAX_SIDE for side in value)

    def are_colors(value: Any) -> bool:
        return isinstance(value, list) and len(value) == len(checkpoint.name_classes) and all(
            isinstance(color, list) and len(color) == 3
            and all(type(part) is int and 0 <= part <= 255 for part in color) for color in value)

    def are_lines(value: Any) -> bool:
        return isinstance(value, list) and len(value) in (0, len(checkpoint.name_classes)) and all(
            isinstance(line, list) and len(line) == 2 and all(
                isinstance(part, float) and math.isfinite(part) for part in line) and line[0] > 0 for line in value)

    def is_vector(value: Any) -> bool:
        return isinstance(value, torch.Tensor) and value.dtype == torch.float32 and value.ndim == 1 and bool(
            value.isfinite().all())

    names, least, probe = checkpoint.name_classes, checkpoint.min_confidence, checkpoint.probe
    checks = {
        "model": (isinstance(checkpoint.model, Mapping), "a state dict"),
        "name_classes": (isinstance(names, list) and 2 - checkpoint.detects <= len(names) <= 255 and all(
            isinstance(name, str) for name in names), f"a list of {2 - checkpoint.detects} to 255 names"),
        "colors": (isinstance(names, list) and are_colors(checkpoint.colors), "[R, G, B] of each class, 0 to 255"),
        "model_name": (isinstance(checkpoint.model_name, str), "a name"),
        "backbone": (isinstance(checkpoint.backbone, str), "a name"),
        "downsample_factor": (type(checkpoint.downsample_factor) is int, "a whole number"),
        "input_shape": (is_shape(checkpoint.input_shape), f"height and width, 1 to {MAX_SIDE}"),
        "options": (isinstance(checkpoint.options, dict) and all(
            isinstance(name, str) and isinstance(value, bool) for name, value in checkpoint.options.items()),
            "names with true or false"),
        "calibration": (isinstance(names, list) and are_lines(checkpoint.calibration), "a finite slope above 0 and a "
                        "finite shift of each class, or an empty list"),
        "min_confidence": (isinstance(least, (int, float)) and 0 <= least <= 1, "a number from 0 to 1"),
        "probe": (probe is None or is_vector(probe), "a finite float32 tensor of one axis"),
        "settings": (isinstance(checkpoint.settings, dict), "a dictionary"),
        "epoch": (type(checkpoint.epoch) is int and checkpoint.epoch >= 0, "a whole number, 0 or more"),
    }
    for name, (good, allowed) in checks.items():
        if not good:
            value = "" if name == "model" else f" {getattr(checkpoint, name)!r:.60}"
            raise UserError(f"{path} is damaged: its {name}{value} has to be {allowed}. Copy the file again.")
    return checkpoint
