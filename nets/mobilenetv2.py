"""MobileNetV2 as encoder: Sandler et al. 2018, arXiv 1801.04381.

It is `torchvision.models.mobilenet_v2` (width 1.0) without the last 1x1 convolution and the classifier. Deviation from
the paper: dilation replaces the last strides, as in DeepLab (Chen et al. 2017, arXiv 1706.05587).
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, WeightsEnum, mobilenet_v2

LEVELS = (1, 3, 6, 13, 17)  # layers that give the features: the one before each stride of 2, and the last
WEIGHTS = MobileNet_V2_Weights.IMAGENET1K_V1
# How many of the first layers autocast leaves in float32. These layers lose most accuracy in bfloat16 and save least
# time. Chosen on masks of 47 real sheets at 1024 x 1024, compared with float32 everywhere:
#   7 layers: 99.981% of the pixels have the same class (worst sheet 99.90%); the mIoU differs by 1e-4.
#  11 layers: 99.990% (99.94%), 5e-5; the network takes 7% more time, so training keeps to 7.
#  14 layers: 99.993% (99.97%), 1e-6; 15% more time, and more memory.
PRECISE, PRECISE_IN_TRAINING = 11, 7


class MobileNetV2(nn.Module):
    """An encoder; `forward` describes its features.

    `features` holds the first convolution and the 17 blocks under torchvision's names. When the product of the strides
    has reached `downsample_factor`, every further stride of 2 becomes 1. Each of these doubles the dilation of the 3x3
    convolutions after it, but not its own. So each weight still meets the values it was trained on, more densely.
    """

    channels = (16, 24, 32, 96, 320)

    def __init__(self, downsample_factor: int = 16) -> None:
        super().__init__()
        self.strides = tuple(min(stride, downsample_factor) for stride in (2, 4, 8, 16, 32))
        self.features = mobilenet_v2(weights=None).features[:-1]
        reached, dilation = 1, 1
        for conv in self.features.modules():
            if isinstance(conv, nn.Conv2d) and conv.kernel_size == (3, 3):
                conv.dilation = conv.padding = (dilation, dilation)
                if reached < downsample_factor:
                    reached *= conv.stride[0]
                else:
                    dilation *= conv.stride[0]
                    conv.stride = (1, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The features of x, float (N, 3, H, W) RGB in [0, 1]. Sizes are rounded up.

        | Number | Channels | Stride, downsample_factor 16 | 8 |
        |--:|--:|--:|--:|
        | 0 | 16 | 2 | 2 |
        | 1 | 24 | 4 | 4 |
        | 2 | 32 | 8 | 8 |
        | 3 | 96 | 16 | 8 |
        | 4 | 320 | 16 | 8 |
        """
        features, precise = [], PRECISE_IN_TRAINING if self.training else PRECISE
        for number, layer in enumerate(self.features):
            with torch.autocast(x.device.type, enabled=False) if number < precise else nullcontext():
                x = layer(x)
            if number in LEVELS:
                features.append(x)
        return features


def mobilenetv2(pretrained: bool = False, downsample_factor: int = 16) -> MobileNetV2:
    """The encoder, for input in [0, 1]. `pretrained` loads torchvision's ImageNet weights, downloaded once.

    Raises ConnectionError when they cannot be downloaded.
    """
    model = MobileNetV2(downsample_factor)
    if pretrained:
        model.features.load_state_dict(imagenet_features())
    return model


def imagenet_features() -> dict[str, Tensor]:
    """torchvision's ImageNet weights of features 0 to 17 (keys without `features.`), for RGB in [0, 1].

    They were trained on (x - mean) / std. `fold_normalisation` puts this into the first layer.
    Raises ConnectionError when they cannot be downloaded, or the download is damaged.
    """
    features = {
        key.removeprefix("features."): value
        for key, value in imagenet_weights(WEIGHTS).items()
        if key.startswith("features.") and not key.startswith("features.18.")
    }
    return fold_normalisation(features, WEIGHTS.transforms().mean, WEIGHTS.transforms().std)


def imagenet_weights(weights: WeightsEnum) -> dict[str, Tensor]:
    """A state dict of torchvision, on the CPU, downloaded once.

    Raises ConnectionError when it cannot be downloaded, or the download is damaged.
    """
    try:
        return weights.get_state_dict(map_location="cpu", check_hash=True)
    except (OSError, RuntimeError) as error:  # no network (URLError is an OSError); wrong checksum
        raise ConnectionError(
            f"pretrained is True and {weights.url} could not be fetched ({error}): connect to the internet, save that "
            f"file in {torch.hub.get_dir()}/checkpoints, or set pretrained = False."
        ) from error


def fold_normalisation(features: dict[str, Tensor], mean: list[float], std: list[float]) -> dict[str, Tensor]:
    """`features` changed to take x instead of (x - mean) / std; layer 0.0 is a convolution, 0.1 its BatchNorm.

    W * ((x - mean) / std) = (W / std) * x - sum(W * mean / std). The first term rescales the filters. The second is
    one constant per filter and moves to BatchNorm's running mean. The result is exact where a filter lies in the image.
    At the border the zero padding now stands for black; before, it stood for the mean colour. `mean` and `std` are RGB
    in [0, 1], and the convolution has no bias.
    """
    scaled = features["0.0.weight"] / torch.tensor(std).view(1, 3, 1, 1)
    constant = (scaled * torch.tensor(mean).view(1, 3, 1, 1)).sum(dim=(1, 2, 3))
    return {**features, "0.0.weight": scaled, "0.1.running_mean": features["0.1.running_mean"] + constant}
