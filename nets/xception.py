"""Modified aligned Xception as encoder: Chen et al. 2018 (DeepLabv3+), arXiv 1802.02611, figure 4.

Module names and arithmetic are those of the community's PyTorch checkpoints, so their weights load unchanged. They
deviate from the paper and its TensorFlow code as follows:
- The identity shortcut of a block carries relu(x), not x.
- With downsample_factor 16, the stride that is replaced adds no dilation. With 8, blocks 4 to 20 and conv3 to conv5
  have dilation 2.
Our own deviation: BatchNorm momentum is PyTorch's 0.1; TensorFlow and the community use 0.0003. No ImageNet weights are
available, and with 0.0003 the statistics of a fresh network would need tens of thousands of steps.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class SeparableConv2d(nn.Module):
    """A 3x3 depthwise and a 1x1 pointwise convolution, each with BatchNorm.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: of the depthwise convolution.
        dilation: of the depthwise convolution.
        activate_first: True: one ReLU before both (inside blocks). False: a ReLU after each (the last three layers).
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, dilation: int = 1, activate_first: bool = True
    ) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, 3, stride, dilation, dilation, groups=in_channels, bias=False
        )
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.activate_first = activate_first

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_channels, H/stride, W/stride) from x (N, in_channels, H, W)."""
        if self.activate_first:
            return self.bn2(self.pointwise(self.bn1(self.depthwise(F.relu(x)))))
        x = F.relu(self.bn1(self.depthwise(x)))
        return F.relu(self.bn2(self.pointwise(x)))


class Block(nn.Module):
    """Three separable convolutions, the last one with the stride, plus a shortcut.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: of the last convolution and the shortcut.
        dilation: of all three convolutions.
        grow_first: True: the first convolution changes the number of channels. False: the second does.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, dilation: int = 1, grow_first: bool = True
    ) -> None:
        super().__init__()
        self.skip = None
        if in_channels != out_channels or stride != 1:
            self.skip = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.skipbn = nn.BatchNorm2d(out_channels)
        middle = out_channels if grow_first else in_channels
        self.sepconv1 = SeparableConv2d(in_channels, middle, dilation=dilation)
        self.sepconv2 = SeparableConv2d(middle, out_channels, dilation=dilation)
        self.sepconv3 = SeparableConv2d(out_channels, out_channels, stride, dilation)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output (N, out, H/stride, W/stride), and the input of the last convolution (N, out, H, W)."""
        shortcut = F.relu(x) if self.skip is None else self.skipbn(self.skip(x))
        before_stride = self.sepconv2(self.sepconv1(x))
        return self.sepconv3(before_stride) + shortcut, before_stride


class Xception(nn.Module):
    """An encoder; `forward` describes its features."""

    channels = (128, 256, 728, 2048)

    def __init__(self, downsample_factor: int = 16) -> None:
        super().__init__()
        self.strides = (2, 4, 8, downsample_factor)
        dilation = 16 // downsample_factor
        self.conv1 = nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.block1 = Block(64, 128, stride=2)
        self.block2 = Block(128, 256, stride=2)
        self.block3 = Block(256, 728, stride=2 // dilation)
        for number in range(4, 20):
            self.add_module(f"block{number}", Block(728, 728, dilation=dilation))
        self.block20 = Block(728, 1024, dilation=dilation, grow_first=False)
        self.conv3 = SeparableConv2d(1024, 1536, dilation=dilation, activate_first=False)
        self.conv4 = SeparableConv2d(1536, 1536, dilation=dilation, activate_first=False)
        self.conv5 = SeparableConv2d(1536, 2048, dilation=dilation, activate_first=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x: Tensor) -> list[Tensor]:
        """The features of x, float (N, 3, H, W) RGB in [0, 1]. Sizes are rounded up.

        The first three come from blocks 1 to 3, just before their strided convolutions.

        | Number | Channels | Stride, downsample_factor 16 | 8 |
        |--:|--:|--:|--:|
        | 0 | 128 | 2 | 2 |
        | 1 | 256 | 4 | 4 |
        | 2 | 728 | 8 | 8 |
        | 3 | 2048 | 16 | 8 |
        """
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        features = []
        for number in range(1, 21):
            x, before_stride = self.get_submodule(f"block{number}")(x)
            if number <= 3:
                features.append(before_stride)
        return [*features, self.conv5(self.conv4(self.conv3(x)))]


def xception(pretrained: bool = False, downsample_factor: int = 16) -> Xception:
    """The encoder, for input in [0, 1]. `pretrained` raises ValueError, because nobody hosts such weights reliably."""
    if pretrained:
        raise ValueError(
            'pretrained is True and backbone is "xception", for which no ImageNet weights can be downloaded: set '
            'pretrained = False and give a checkpoint to start from as model_path, or set backbone = "mobilenet".'
        )
    return Xception(downsample_factor)
