"""DeepLabv3+: Chen et al. 2018, arXiv 1802.02611.

Module names and arithmetic are those of the community's PyTorch checkpoints (see `nets/community.py`). They deviate
from the paper as follows:
- Convolutions before BatchNorm have a bias.
- Bilinear upsampling aligns the corners, unless `exact_upsampling` is True.
- The decoder's 3x3 convolutions are plain (the paper's best are separable) and are followed by dropout.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nets.blocks import SegmentationNetwork, SingleValueBatchNorm2d, conv_bn_relu, upsample


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: a 1x1, three dilated 3x3 and image pooling, joined by a 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int = 256, rate: int = 1) -> None:
        super().__init__()
        self.branch1 = nn.Sequential(*conv_bn_relu(in_channels, out_channels, 1))
        self.branch2 = nn.Sequential(*conv_bn_relu(in_channels, out_channels, 3, 6 * rate))
        self.branch3 = nn.Sequential(*conv_bn_relu(in_channels, out_channels, 3, 12 * rate))
        self.branch4 = nn.Sequential(*conv_bn_relu(in_channels, out_channels, 3, 18 * rate))
        self.branch5_conv = nn.Conv2d(in_channels, out_channels, 1)
        self.branch5_bn = SingleValueBatchNorm2d(out_channels)
        self.conv_cat = nn.Sequential(*conv_bn_relu(5 * out_channels, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_channels, H, W) from x (N, in_channels, H, W)."""
        branches = [self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)]
        branches.append(self.pool(x).expand_as(branches[0]))
        return self.conv_cat(torch.cat(branches, dim=1))

    def pool(self, x: Tensor) -> Tensor:
        """Features of the whole image, (N, out_channels, 1, 1)."""
        return F.relu(self.branch5_bn(self.branch5_conv(x.mean(dim=(2, 3), keepdim=True))))


class DeepLab(SegmentationNetwork):
    """DeepLabv3+ for `num_classes` classes on a backbone of output stride 8 (finer, more memory) or 16.

    It uses two of the backbone's features: the one with stride 4 and the last one.

    Args:
        num_classes: number of classes, background included.
        backbone: a module as described in `nets/models.py`.
        decoder: False skips the decoder and classifies the ASPP's features. This is DeepLabv3 (Chen et al. 2017, arXiv
            1706.05587): a sixth of the arithmetic, and coarser edges. The decoder's weights do not change.
        exact_upsampling: True places upsampled features exactly; False does as the community's networks do.
    """

    def __init__(
        self, num_classes: int, backbone: nn.Module, decoder: bool = True, exact_upsampling: bool = False
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.low_level = backbone.strides.index(4)
        self.output_stride = backbone.strides[-1]
        self.aspp = ASPP(backbone.channels[-1], rate=16 // self.output_stride)
        self.shortcut_conv = nn.Sequential(*conv_bn_relu(backbone.channels[self.low_level], 48, 1))
        self.cat_conv = nn.Sequential(
            *conv_bn_relu(48 + 256, 256, 3), nn.Dropout(0.5), *conv_bn_relu(256, 256, 3), nn.Dropout(0.1)
        )
        self.cls_conv = nn.Conv2d(256, num_classes, 1)
        self.exact_upsampling = exact_upsampling
        self.decoder = decoder
        self.shortcut_conv.requires_grad_(decoder)
        self.cat_conv.requires_grad_(decoder)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, float (N, num_classes, H, W), for x, float (N, 3, H, W) RGB in [0, 1]. Any H and W will do."""
        return self.classify(*self.pick(self.backbone(x)), x)

    def classify(self, low_level: Tensor, high_level: Tensor, x: Tensor) -> Tensor:
        """The logits for the input x, from the backbone's low-level and high-level features of it."""
        features, stride = self.aspp(high_level), self.output_stride
        if self.decoder:
            low_level = self.shortcut_conv(low_level)
            features = upsample(features, low_level, stride // 4, self.exact_upsampling)
            features, stride = self.cat_conv(torch.cat((features, low_level), dim=1)), 4
        return upsample(self.cls_conv(features).float(), x, stride, self.exact_upsampling)

    def pick(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The low-level features (stride 4) and the high-level features (output stride)."""
        return features[self.low_level], features[-1]
