"""MobileNetV2 as encoder: Sandler et al. 2018, arXiv 1801.04381.

It is `torchvision.models.mobilenet_v2` (width 1.0) without the last 1x1 convolution and the classifier. Deviation from the paper: the last strides are replaced by dilation, as DeepLab does (Chen et al.
2017, arXiv 1706.05587).
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

LEVELS = (1, 3, 6, 13, 17)  # the last layers before each stride of 2 (and the very last): they make the features
WEIGHTS = MobileNet_V2_Weights.IMAGENET1K_V1
# Within autocast the first layers are computed in the format of the input: of all, they are where bfloat16 rounds most
# of the result away, and gain least. Masks of 47 real sheets at 1024 x 1024, compared with float32: with 7 layers so,
# 99.981% of the pixels have the same class, on the worst sheet 99.90%, and the mIoU differs by 1e-4; with 11, 99.990%,
# 99.94% and 5e-5, for 7% more time of the network, which training does without; with 14, 99.993%, 99.97% and 1e-6, for
# 15% and more memory.
PRECISE, PRECISE_IN_TRAINING = 11, 7


class MobileNetV2(nn.Module):
    """Encoder: see `forward`. `features` holds the first convolution and the 17 blocks under torchvision's names.

    Strides of 2 become 1 once their product is `downsample_factor`. Each one replaced doubles the dilation of the 3x3
    convolutions after it (not its own), so every filter tap still meets the values it was trained on, more densely.
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
        """The features of x, float (N, 3, H, W) RGB in [0, 1]; sizes that the strides do not divide are rounded up.

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
    """The encoder, for input in [0, 1]; `pretrained` loads torchvision's ImageNet weights (downloaded once).

    Raises ConnectionError when they cannot be had.
    """
    model = MobileNetV2(downsample_factor)
    if pretrained:
        model.features.load_state_dict(imagenet_features())
    return model


def imagenet_features() -> dict[str, Tensor]:
    """torchvision's ImageNet weights of features 0 to 17 (keys without `features.`), for RGB in [0, 1].

    They were trained on (x - mean) / std, which `fold_normalisation` puts into the first layer.
    Raises ConnectionError when they cannot be downloaded (or, on the way, were damaged).
    """
    try:
        state = WEIGHTS.get_state_dict(map_location="cpu", check_hash=True)
    except (OSError, RuntimeError) as error:  # no network (URLError is an OSError); wrong checksum
        raise ConnectionError(
            f"pretrained is True and {WEIGHTS.url} could not be fetched ({error}): connect to the internet, save that "
            f"file in {torch.hub.get_dir()}/checkpoints, or set pretrained = False."
        ) from error
    features = {
        key.removeprefix("features."): value
        for key, value in state.items()
        if key.startswith("features.") and not key.startswith("features.18.")
    }
    return fold_normalisation(features, WEIGHTS.transforms().mean, WEIGHTS.transforms().std)


def fold_normalisation(features: dict[str, Tensor], mean: list[float], std: list[float]) -> dict[str, Tensor]:
    """`features` (0.0: a 3x3 convolution without bias, 0.1: its BatchNorm) made for x instead of (x - mean) / std.

    W * ((x - mean) / std) = (W / std) * x - sum(W * mean / std): the first term rescales the filters, the second is a
    constant of each filter and moves to BatchNorm's running mean. Exact wherever the filter lies inside the image; at
    the border the zero padding now stands for black where it stood for the mean colour. `mean`, `std`: RGB in [0, 1].
    """
    scaled = features["0.0.weight"] / torch.tensor(std).view(1, 3, 1, 1)
    constant = (scaled * torch.tensor(mean).view(1, 3, 1, 1)).sum(dim=(1, 2, 3))
    return {**features, "0.0.weight": scaled, "0.1.running_mean": features["0.1.running_mean"] + constant}
