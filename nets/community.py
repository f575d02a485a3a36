"""State dicts to and from the layout that the community's DeepLabv3+ PyTorch checkpoints use.

Only MobileNetV2's blocks differ: torchvision groups a convolution with its BatchNorm and ReLU6 (`conv.1.0`,
`conv.1.1`), the community numbers all layers in a row (`conv.3`, `conv.4`). Xception's names are the same in both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

FLAT = re.compile(r"(backbone\.features\.(\d+)\.conv\.)(\d+)\.(\w+)")
NESTED = re.compile(r"(backbone\.features\.(\d+)\.conv\.)(\d+)\.(?:(\d+)\.)?(\w+)")


def is_community(state_dict: Mapping[str, object]) -> bool:
    """Whether `state_dict` is a DeepLabv3+ in the community's layout, with or without DataParallel's `module.`."""
    keys = {key.removeprefix("module.") for key in state_dict}
    backbones = {"backbone.features.1.conv.0.weight", "backbone.block1.sepconv1.depthwise.weight"}
    return "cls_conv.weight" in keys and not keys.isdisjoint(backbones)


def from_community(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state_dict` under this project's names, without DataParallel's `module.`; the tensors are the same objects.

    One that has this project's names already keeps them.
    """
    state_dict = {key.removeprefix("module."): value for key, value in state_dict.items()}
    if not is_community(state_dict):
        return state_dict
    return {FLAT.sub(_nest, key): value for key, value in state_dict.items()}


def to_community(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state_dict` of this project's `DeepLab` under the community's names; the tensors are the same objects."""
    return {NESTED.sub(_flatten, key): value for key, value in state_dict.items()}


def _nest(match: re.Match[str]) -> str:
    prefix, block, layer, rest = match.groups()
    layer, grouped = int(layer), _groups(int(block))
    if layer < 3 * grouped:
        return f"{prefix}{layer // 3}.{layer % 3}.{rest}"
    return f"{prefix}{layer - 2 * grouped}.{rest}"


def _flatten(match: re.Match[str]) -> str:
    prefix, block, layer, inner, rest = match.groups()
    if inner is not None:
        return f"{prefix}{3 * int(layer) + int(inner)}.{rest}"
    return f"{prefix}{int(layer) + 2 * _groups(int(block))}.{rest}"


def _groups(block: int) -> int:
    """How many (convolution, BatchNorm, ReLU6) groups precede the last convolution of MobileNetV2's `block`."""
    return 1 if block == 1 else 2  # block 1 has no expansion
