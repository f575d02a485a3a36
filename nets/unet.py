"""U-Net: Ronneberger et al. 2015, arXiv 1505.04597, in the form of the community's PyTorch checkpoints.

Module names and arithmetic of the decoder are the community's (see `nets/community.py`). They deviate from the paper
as follows:
- The encoder is a classifier's: VGG16, ResNet-50 or MobileNetV2.
- Convolutions keep the size, so nothing is cropped and the logits have the size of the image.
- Bilinear upsampling with aligned corners replaces the 2x2 up-convolutions.
- The decoder has at most 512 channels, and no dropout.
- With an encoder whose first feature has stride 2, one more block without a skip connection leads to full size.
Our own deviation: features are upsampled to the size of the skip connection, so any image size will do.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nets.blocks import SegmentationNetwork, upsample

WIDTHS = (64, 128, 256, 512)  # channels of the decoder, finest first


class Up(nn.Module):
    """Upsampling by 2, joining with a skip connection, and two 3x3 convolutions.

    Args:
        skip_channels: channels of the skip connection; 0 joins nothing.
        in_channels: channels of the features that are upsampled.
        out_channels: channels of the result.
    """

    def __init__(self, skip_channels: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.joins = skip_channels > 0
        self.conv1 = nn.Conv2d(skip_channels + in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Features (N, out_channels, H, W) from x, (N, in_channels, h, w), and the skip connection, (N, _, H, W)."""
        x = upsample(x, skip, 2)
        if self.joins:
            x = torch.cat((skip, x), dim=1)
        return F.relu(self.conv2(F.relu(self.conv1(x))))


class UNet(SegmentationNetwork):
    """U-Net for `num_classes` classes on a backbone with five features, of which the first has stride 1 or 2.

    Args:
        num_classes: number of classes, background included.
        backbone: a module as described in `nets/models.py`, with downsample_factor 32.
    """

    def __init__(self, num_classes: int, backbone: nn.Module) -> None:
        super().__init__()
        channels = backbone.channels
        self.backbone = backbone
        self.up_concat4 = Up(channels[3], channels[4], WIDTHS[3])
        self.up_concat3 = Up(channels[2], WIDTHS[3], WIDTHS[2])
        self.up_concat2 = Up(channels[1], WIDTHS[2], WIDTHS[1])
        self.up_concat1 = Up(channels[0], WIDTHS[1], WIDTHS[0])
        self.up_conv = Up(0, WIDTHS[0], WIDTHS[0]) if backbone.strides[0] == 2 else None
        self.final = nn.Conv2d(WIDTHS[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, float (N, num_classes, H, W), for x, float (N, 3, H, W) RGB in [0, 1]. Any H and W will do."""
        skip1, skip2, skip3, skip4, features = self.backbone(x)
        features = self.up_concat4(features, skip4)
        features = self.up_concat3(features, skip3)
        features = self.up_concat2(features, skip2)
        features = self.up_concat1(features, skip1)
        if self.up_conv is not None:
            features = self.up_conv(features, x)
        return self.final(features).float()
