"""The one table of networks and backbones, and the function that builds a network from it.

**A backbone** is a function of (pretrained, downsample_factor) that returns a module with

* `forward(x)`: a list of features, finest first, of x, float (N, 3, H, W) RGB in [0, 1]. Feature k is float
  (N, channels[k], H / strides[k], W / strides[k]), sizes rounded up;
* `channels`, `strides`: two tuples of int. The backbone has one feature for each of its strides up to
  `downsample_factor`; deeper features keep that stride. The docstring of its `forward` has the table.

| Backbone | Channels | Strides, downsample_factor 32 | 16 | 8 |
|:--|:--|:--|:--|:--|
| mobilenet | 16, 24, 32, 96, 320 | 2, 4, 8, 16, 32 | 2, 4, 8, 16, 16 | 2, 4, 8, 8, 8 |
| xception | 128, 256, 728, 2048 | | 2, 4, 8, 16 | 2, 4, 8, 8 |
| resnet18 | 64, 128 | | 4, 8 | 4, 8 |
| resnet50 | 64, 256, 512, 1024, 2048 | 2, 4, 8, 16, 32 | 2, 4, 8, 16, 16 | 2, 4, 8, 8, 8 |
| resnet50s | 128, 256, 512, 1024, 2048 | 2, 4, 8, 16, 32 | 2, 4, 8, 16, 16 | 2, 4, 8, 8, 8 |
| vgg | 64, 128, 256, 512, 512 | 1, 2, 4, 8, 16 | 1, 2, 4, 8, 16 | |

It raises ConnectionError when `pretrained` weights cannot be downloaded, and ValueError when there are none.

**A network** is a `SegmentationNetwork`, built from (num_classes, backbone, its own options). Not every backbone has
the features that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Literal, NamedTuple

from torch import nn

from nets.blocks import SegmentationNetwork
from nets.deeplabv3_plus import DeepLab
from nets.mobilenetv2 import mobilenetv2
from nets.nhm import NHM
from nets.pspnet import PSPNet
from nets.resnet import resnet18, resnet50, resnet50s
from nets.unet import UNet
from nets.vgg import vgg
from nets.xception import xception


class Network(NamedTuple):
    """What builds a network, the names of the backbones that fit it, and its stride if it can only have one."""

    make: Callable[..., SegmentationNetwork]
    backbones: tuple[str, ...]
    downsample_factor: int | None = None


BACKBONES: Mapping[str, Callable[[bool, int], nn.Module]] = {
    "mobilenet": mobilenetv2, "xception": xception, "resnet18": resnet18, "resnet50": resnet50, "resnet50s": resnet50s,
    "vgg": vgg,
}
NETWORKS: Mapping[str, Network] = {
    "deeplabv3_plus": Network(DeepLab, ("mobilenet", "xception")),
    "unet": Network(UNet, ("vgg", "resnet50", "mobilenet"), downsample_factor=32),
    "pspnet": Network(PSPNet, ("mobilenet", "resnet50", "resnet50s")),
    "nhm": Network(NHM, ("resnet18",), downsample_factor=8),
}
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
        backbone: a name in BACKBONES that fits the network.
        downsample_factor: largest stride of the features, one of DOWNSAMPLE_FACTORS. A network with a stride of its own
            takes no notice of it.
        pretrained: download ImageNet weights for the backbone.
        options: the network's own options, such as `decoder` and `exact_upsampling` of DeepLab.

    Raises:
        ValueError: a name, downsample_factor or option is unknown, the backbone does not fit, or it has no weights for
            `pretrained`.
        ConnectionError: these weights cannot be downloaded.
    """
    for name, value, known in (
        ("model_name", model_name, NETWORKS), ("backbone", backbone, BACKBONES),
        ("downsample_factor", downsample_factor, DOWNSAMPLE_FACTORS),
    ):
        if value not in known:
            raise ValueError(f"{name} is {value}: it has to be one of {', '.join(map(str, known))}.")
    require_fitting(model_name, backbone)
    network = NETWORKS[model_name]
    unknown = options.keys() - options_of(model_name)
    if unknown:
        raise ValueError(f"{model_name} has no option {', '.join(sorted(unknown))}.")
    features = BACKBONES[backbone](pretrained, network.downsample_factor or downsample_factor)
    model = network.make(num_classes, features, **options)
    model.options = options
    return model


def require_fitting(model_name: str, backbone: str) -> None:
    """Raises ValueError when the network cannot use the features of the backbone. Both names must be known."""
    fitting = NETWORKS[model_name].backbones
    if backbone not in fitting:
        raise ValueError(
            f"backbone is {backbone}, which does not fit {model_name}: it has to be one of {', '.join(fitting)}."
        )


def options_of(model_name: str) -> set[str]:
    """The names of the options that a network takes."""
    return signature(NETWORKS[model_name].make).parameters.keys() - {"num_classes", "backbone"}
