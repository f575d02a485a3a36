"""ResNet-50 and ResNet-18 as encoders: He et al. 2016, arXiv 1512.03385.

They are `torchvision.models.resnet50` and `resnet18` without the classifier. Deviations from the paper:
- The stride of a block is in its 3x3 convolution, as in torchvision.
- Dilation can replace the last strides, as in PSPNet (Zhao et al. 2017, arXiv 1612.01105).
- `resnet50` pools without padding, as the community's U-Net does: its windows begin at each second row and column.
- `resnet50s` has three 3x3 convolutions in place of the first 7x7, as PSPNet does. Its first feature has 128 channels.
- `resnet18` ends at stride 8, as in the Natural History Museum's network. It pools as torchvision does.
"""

from __future__ import annotations

from collections.abc import Container

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, ResNet50_Weights, WeightsEnum
from torchvision.models import resnet18 as torchvision_resnet18
from torchvision.models import resnet50 as torchvision_resnet50

from nets.mobilenetv2 import fold_normalisation, imagenet_weights


class ResNet50(nn.Module):
    """An encoder; `forward` describes its features. The layers have torchvision's names.

    When the product of the strides has reached `downsample_factor`, every further stride of 2 becomes 1. Each of these
    doubles the dilation of the 3x3 convolutions after it, but not its own.
    """

    channels = (64, 256, 512, 1024, 2048)

    def __init__(self, downsample_factor: int = 16) -> None:
        super().__init__()
        self.strides = tuple(min(stride, downsample_factor) for stride in (2, 4, 8, 16, 32))
        dilated = [False, downsample_factor < 16, downsample_factor < 32]
        for name, layer in torchvision_resnet50(replace_stride_with_dilation=dilated).named_children():
            if name not in ("relu", "maxpool", "avgpool", "fc"):
                self.add_module(name, layer)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The features of x, float (N, 3, H, W) RGB in [0, 1]. Sizes are rounded up.

        | Number | Channels | Stride, downsample_factor 32 | 16 | 8 |
        |--:|--:|--:|--:|--:|
        | 0 | 64 (`resnet50s`: 128) | 2 | 2 | 2 |
        | 1 | 256 | 4 | 4 | 4 |
        | 2 | 512 | 8 | 8 | 8 |
        | 3 | 1024 | 16 | 16 | 8 |
        | 4 | 2048 | 32 | 16 | 8 |
        """
        features = [self.stem(x)]
        x = self.pool(features[0])
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            features.append(x)
        return features

    def stem(self, x: Tensor) -> Tensor:
        """Features (N, channels[0], H / 2, W / 2) of an image x, (N, 3, H, W)."""
        return F.relu(self.bn1(self.conv1(x)))

    def pool(self, x: Tensor) -> Tensor:
        """x, (N, C, H, W) with no negative values, at half the size."""
        return F.max_pool2d(F.pad(x, (0, 2, 0, 2)), 3, stride=2)  # padding with 0 changes no maximum


class ResNet50S(ResNet50):
    """ResNet-50 with the deep stem of PSPNet."""

    channels = (128, 256, 512, 1024, 2048)

    def __init__(self, downsample_factor: int = 16) -> None:
        super().__init__(downsample_factor)
        self.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
        self.conv2, self.bn2 = nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)
        self.conv3, self.bn3 = nn.Conv2d(64, 128, 3, padding=1, bias=False), nn.BatchNorm2d(128)
        self.layer1[0].conv1 = nn.Conv2d(128, 64, 1, bias=False)
        self.layer1[0].downsample[0] = nn.Conv2d(128, 256, 1, bias=False)

    def stem(self, x: Tensor) -> Tensor:
        """Features (N, channels[0], H / 2, W / 2) of an image x, (N, 3, H, W)."""
        x = F.relu(self.bn2(self.conv2(super().stem(x))))
        return F.relu(self.bn3(self.conv3(x)))

    def pool(self, x: Tensor) -> Tensor:
        """x, (N, C, H, W), at half the size."""
        return F.max_pool2d(x, 3, stride=2, padding=1)


class ResNet18(nn.Module):
    """The first half of ResNet-18; `forward` describes its features. The layers have torchvision's names.

    `first` and `second` compute one feature each, for a network that changes the first before it goes on.
    """

    channels = (64, 128)
    strides = (4, 8)

    def __init__(self) -> None:
        super().__init__()
        for name, layer in torchvision_resnet18().named_children():
            if name in ("conv1", "bn1", "layer1", "layer2"):
                self.add_module(name, layer)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The features of x, float (N, 3, H, W) RGB in [0, 1]. Sizes are rounded up.

        | Number | Channels | Stride |
        |--:|--:|--:|
        | 0 | 64 | 4 |
        | 1 | 128 | 8 |
        """
        first = self.first(x)
        return [first, self.second(first)]

    def first(self, x: Tensor) -> Tensor:
        """Feature 0, (N, 64, H / 4, W / 4), of an image x, (N, 3, H, W)."""
        return F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)

    def second(self, x: Tensor) -> Tensor:
        """Feature 1, (N, 128, h / 2, w / 2), of feature 0, (N, 64, h, w)."""
        return self.layer2(self.layer1(x))


def resnet50(pretrained: bool = False, downsample_factor: int = 16) -> ResNet50:
    """The encoder, for input in [0, 1]. `pretrained` loads torchvision's ImageNet weights, downloaded once.

    Raises ConnectionError when they cannot be downloaded.
    """
    model = ResNet50(downsample_factor)
    if pretrained:
        model.load_state_dict(imagenet_encoder(ResNet50_Weights.IMAGENET1K_V1, model.state_dict()))
    return model


def resnet50s(pretrained: bool = False, downsample_factor: int = 16) -> ResNet50S:
    """The encoder with the deep stem, for input in [0, 1]. `pretrained` raises ValueError: torchvision has none."""
    if pretrained:
        raise ValueError(
            'pretrained is True and backbone is "resnet50s", for which torchvision has no ImageNet weights: set '
            'pretrained = False and give a file as backbone_path or model_path, or set backbone = "resnet50".'
        )
    return ResNet50S(downsample_factor)


def resnet18(pretrained: bool = False, downsample_factor: int = 16) -> ResNet18:
    """The encoder, for input in [0, 1]. `pretrained` loads torchvision's ImageNet weights, downloaded once.

    `downsample_factor` has no effect: the largest stride is 8.
    Raises ConnectionError when the weights cannot be downloaded.
    """
    model = ResNet18()
    if pretrained:
        model.load_state_dict(imagenet_encoder(ResNet18_Weights.IMAGENET1K_V1, model.state_dict()))
    return model


def imagenet_encoder(weights: WeightsEnum, names: Container[str]) -> dict[str, Tensor]:
    """torchvision's ImageNet weights with these names, changed by `fold_normalisation` to take RGB in [0, 1].

    Raises ConnectionError when they cannot be downloaded, or the download is damaged.
    """
    state = {name: value for name, value in imagenet_weights(weights).items() if name in names}
    first = {"0.0.weight": state["conv1.weight"], "0.1.running_mean": state["bn1.running_mean"]}
    folded = fold_normalisation(first, weights.transforms().mean, weights.transforms().std)
    return {**state, "conv1.weight": folded["0.0.weight"], "bn1.running_mean": folded["0.1.running_mean"]}
