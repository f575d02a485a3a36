"""Renames the weights of state dicts to and from the layout of the community's DeepLabv3+ PyTorch checkpoints.

Only the blocks of MobileNetV2 differ. torchvision groups a convolution with its BatchNorm and ReLU6 (`conv.1.0`,
`conv.1.1`). The community numbers all layers in one row (`conv.3`, `conv.4`). Xception has the same names in both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

FLAT = re.compile(r"(backbone\.features\.(\d+)\.conv\.)(\d+)\.(\w+)")
NESTED = re.compile(r"(backbone\.features\.(\d+)\.conv\.)(\d+)\.(?:(\d+)\.)?(\w+)")


def is_community(state_dict: Mapping[str, object]) -> bool:
    """Whether `state_dict` is a DeepLabv3+ in the community's layout; keys may begin with DataParallel's `module.`."""
    keys = {key.removeprefix("module.") for key in state_dict}
    backbones = {"backbone.features.1.conv.0.weight", "backbone.block1.sepconv1.depthwise.weight"}
    return "cls_conv.weight" in keys and not keys.isdisjoint(backbones)


def from_community(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state_dict` with this project's names, without DataParallel's `module.`. The tensors are the same objects.

    A state dict that already has this project's names keeps them.
    """
    state_dict = {key.removeprefix("module."): value for key, value in state_dict.items()}
    if not is_community(state_dict):
        return state_dict
    return {FLAT.sub(_to_nested_name, key): value for key, value in state_dict.items()}


def to_community(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state_dict` of this project's `DeepLab` with the community's names. The tensors are the same objects."""
    return {NESTED.sub(_to_flat_name, key): value for key, value in state_dict.items()}


def _to_nested_name(match: re.Match[str]) -> str:
    """torchvision's name for a match of FLAT."""
    prefix, block, layer, rest = match.groups()
    layer, grouped = int(layer), _count_groups(int(block))
    if layer < 3 * grouped:
        return f"{prefix}{layer // 3}.{layer % 3}.{rest}"
    return f"{prefix}{layer - 2 * grouped}.{rest}"


def _to_flat_name(match: re.Match[str]) -> str:
    """The community's name for a match of NESTED."""
    prefix, block, layer, inner, rest = match.groups()
    if inner is not None:
        return f"{prefix}{3 * int(layer) + int(inner)}.{rest}"
    return f"{prefix}{int(layer) + 2 * _count_groups(int(block))}.{rest}"


def _count_groups(block: int) -> int:
    """How many (convolution, BatchNorm, ReLU6) groups precede the last convolution of MobileNetV2's `block`."""
    return 1 if block == 1 else 2  # block 1 has no expansion
