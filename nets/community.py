"""Recognises the weights of other PyTorch programs, and renames them.

They are the community's DeepLabv3+, U-Net and PSPNet, and the Natural History Museum's network. Three parts have other
names here. In the blocks of MobileNetV2, torchvision groups a convolution with its BatchNorm and ReLU6 (`conv.1.0`,
`conv.1.1`). The community numbers all layers in one row (`conv.3`, `conv.4`). In U-Net, the encoder is `backbone`; the
community calls it `vgg` or `resnet`, and numbers the convolutions of the last block. In the museum's network, all parts
are named differently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

# The model_name and backbone of each network, and two keys that no other state dict has together.
MARKS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("deeplabv3_plus", "mobilenet"): ("cls_conv.weight", "backbone.features.1.conv.0.weight"),
    ("deeplabv3_plus", "xception"): ("cls_conv.weight", "backbone.block1.sepconv1.depthwise.weight"),
    ("unet", "vgg"): ("up_concat1.conv1.weight", "vgg.features.0.weight"),
    ("unet", "resnet50"): ("up_concat1.conv1.weight", "resnet.conv1.weight"),
    ("pspnet", "mobilenet"): ("master_branch.1.weight", "backbone.features.1.conv.0.weight"),
    ("pspnet", "resnet50s"): ("master_branch.1.weight", "backbone.conv3.weight"),
    ("nhm", "resnet18"): ("embedding.atrous1.weight", "conv_instance.3.weight"),
}
FLAT = re.compile(r"(backbone\.features\.(\d+)\.conv\.)(\d+)\.(\w+)")
NESTED = re.compile(r"(backbone\.features\.(\d+)\.conv\.)(\d+)\.(?:(\d+)\.)?(\w+)")
# Networks in which only the beginnings of the names differ: theirs -> ours.
STARTS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("unet", "vgg"): {"vgg.": "backbone."},
    ("unet", "resnet50"): {"resnet.": "backbone.", "up_conv.1.": "up_conv.conv1.", "up_conv.3.": "up_conv.conv2."},
    ("nhm", "resnet18"): {
        "embedding.downsample1.0.": "backbone.conv1.", "embedding.downsample1.1.": "backbone.bn1.",
        "embedding.downsample2.0.": "backbone.layer1.", "embedding.downsample2.1.": "backbone.layer2.",
        "embedding.atrous1.": "context.atrous.0.", "embedding.atrous2.": "context.atrous.1.",
        "embedding.atrous3.": "context.atrous.2.", "embedding.atrous4.": "context.atrous.3.",
        "embedding.conv1.": "context.join.", "reconstruction.upsample1.": "image_decoder.",
        "reconstruction.upsample2.": "feature_decoder.", "conv_semantic.": "class_head.",
        "conv_instance.": "embedding_head.",
    },
}


def community_model(state_dict: Mapping[str, object]) -> tuple[str, str] | None:
    """The model_name and backbone of a state dict in one of these layouts; None for any other.

    Keys may begin with DataParallel's `module.`.
    """
    keys = {key.removeprefix("module.") for key in state_dict}
    return next((names for names, marks in MARKS.items() if keys.issuperset(marks)), None)


def from_community(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state_dict` with this project's names, without DataParallel's `module.`. The tensors are the same objects.

    A state dict that already has this project's names keeps them.
    """
    state_dict = {key.removeprefix("module."): value for key, value in state_dict.items()}
    model = community_model(state_dict)
    if model is None:
        return state_dict
    if model in STARTS:
        return _with_starts(state_dict, STARTS[model])
    return {FLAT.sub(_to_nested_name, key): value for key, value in state_dict.items()}


def to_community(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state_dict` of one of these networks with the names of the other program. The tensors are the same objects.

    A network that the community does not have, such as U-Net on MobileNetV2, gets names alike.
    """
    for model, starts in STARTS.items():
        renamed = _with_starts(state_dict, {ours: theirs for theirs, ours in starts.items()})
        if community_model(renamed) == model:
            return renamed
    return {NESTED.sub(_to_flat_name, key): value for key, value in state_dict.items()}


def _with_starts(state_dict: Mapping[str, Tensor], starts: Mapping[str, str]) -> dict[str, Tensor]:
    """`state_dict` with other beginnings of its names; `starts`: old beginning -> new one."""
    renamed = {}
    for key, value in state_dict.items():
        old = next(filter(key.startswith, starts), "")
        renamed[starts.get(old, "") + key.removeprefix(old)] = value
    return renamed


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
