"""The one table of networks and backbones, and the function that builds a network from it.

**A backbone** is a function of (pretrained, downsample_factor) that returns a module with

* `forward(x)`: a list of features, finest first, of x, float (N, 3, H, W) RGB in [0, 1]. Feature k is float
  (N, channels[k], H / strides[k], W / strides[k]), sizes rounded up;
* `channels`, `strides`: two tuples of int. The backbone has one feature for each of its strides up to
  `downsample_factor`; deeper features keep that stride. The docstring of its `forward` has the table.

| Backbone | Channels | Strides, downsample_factor 16 | 8 |
|:--|:--|:--|:--|
| mobilenet | 16, 24, 32, 96, 320 | 2, 4, 8, 16, 16 | 2, 4, 8, 8, 8 |
| xception | 128, 256, 728, 2048 | 2, 4, 8, 16 | 2, 4, 8, 8 |

It raises ConnectionError when `pretrained` weights cannot be downloaded, and ValueError when there are none.

**A network** is a `SegmentationNetwork`, built from (num_classes, backbone, its own options).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Literal

from torch import nn

from nets.blocks import SegmentationNetwork
from nets.deeplabv3_plus import DeepLab
from nets.mobilenetv2 import mobilenetv2
from nets.xception import xception

BACKBONES: Mapping[str, Callable[[bool, int], nn.Module]] = {"mobilenet": mobilenetv2, "xception": xception}
NETWORKS: Mapping[str, Callable[..., SegmentationNetwork]] = {"deeplabv3_plus": DeepLab}
DOWNSAMPLE_FACTORS: tuple[int, ...] = (8, 16)
# The same choices as types, for the constants of the scripts.
BackboneName = Literal[tuple(BACKBONES)]
ModelName = Literal[tuple(NETWORKS)]
DownsampleFactor = Literal[DOWNSAMPLE_FACTORS]


def build_model(
    model_name: str,
    num_classes: int,
    backbone: str,
    downsample_factor: int = 16,
    *,
    pretrained: bool = False,
    **options: bool,
) -> SegmentationNetwork:
    """A network with fresh weights, on the CPU, in training mode.

    Args:
        model_name: a name in NETWORKS.
        num_classes: number of classes, background included.
        backbone: a name in BACKBONES.
        downsample_factor: largest stride of the features, one of DOWNSAMPLE_FACTORS.
        pretrained: download ImageNet weights for the backbone.
        options: the network's own options, such as `decoder` and `exact_upsampling` of DeepLab.

    Raises:
        ValueError: a name, downsample_factor or option is unknown, or the backbone has no weights for `pretrained`.
        ConnectionError: these weights cannot be downloaded.
    """
    for name, value, known in (
        ("model_name", model_name, NETWORKS), ("backbone", backbone, BACKBONES),
        ("downsample_factor", downsample_factor, DOWNSAMPLE_FACTORS),
    ):
        if value not in known:
            raise ValueError(f"{name} is {value}: it has to be one of {', '.join(map(str, known))}.")
    unknown = options.keys() - options_of(model_name)
    if unknown:
        raise ValueError(f"{model_name} has no option {', '.join(sorted(unknown))}.")
    model = NETWORKS[model_name](num_classes, BACKBONES[backbone](pretrained, downsample_factor), **options)
    model.options = options
    return model


def options_of(model_name: str) -> set[str]:
    """The names of the options that a network takes."""
    return signature(NETWORKS[model_name]).parameters.keys() - {"num_classes", "backbone"}
