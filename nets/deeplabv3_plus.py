"""DeepLabv3+: Chen et al. 2018, arXiv 1802.02611.

Module names and arithmetic are those of the community's PyTorch checkpoints (see `nets/community.py`). They deviate
from the paper in these points: convolutions before BatchNorm have a bias, bilinear upsampling aligns the corners
(unless `exact_upsampling`), the decoder's 3x3 convolutions are plain (the paper's best are separable) and have dropout.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nets.mobilenetv2 import mobilenetv2
from nets.winograd import WinogradConv2d
from nets.xception import xception

# backbone -> (function that builds it, channels of the low level, channels of the high level)
BACKBONES = {"mobilenet": (mobilenetv2, 24, 320), "xception": (xception, 256, 2048)}


class SingleValueBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm that uses its running statistics in training, too, where each channel holds one value only.

    PyTorch raises there, as one value has no variance. It happens after global pooling of a batch of one sample.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as x (N, C, H, W); running statistics stay as they are for N = H = W = 1."""
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class Dropout(nn.Dropout):
    """Dropout that costs little on a CPU, where PyTorch draws one number after the other for each value.

    In training there, 64 random bits serve four values: each is kept where 16 of them, as a number, are below a limit
    (the probability is right to 1 / 65536, and what is kept is scaled by it exactly). A training step of 4 x 512 x 512
    took 1.37 s on two cores with PyTorch's dropout, and takes 1.13 s.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as x, floats that lie densely in memory."""
        kept = round((1 - self.p) * 65536)
        if not self.training or x.device.type != "cpu" or not kept:
            return super().forward(x)
        bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        mask = bits[:x.numel()].as_strided(x.shape, x.stride()) <= kept - 32769
        return x * mask.to(x.dtype).mul_(65536 / kept)


def conv_bn_relu(in_channels: int, out_channels: int, kernel: int, dilation: int = 1) -> list[nn.Module]:
    """Convolution with bias that keeps the size, BatchNorm, ReLU."""
    if kernel == 3 and dilation == 1:
        conv = WinogradConv2d(in_channels, out_channels)
    else:
        conv = nn.Conv2d(in_channels, out_channels, kernel, padding=dilation * (kernel // 2), dilation=dilation)
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: 1x1, three dilated 3x3 and image pooling, joined by a 1x1 convolution."""

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
        """(N, out_channels, H, W) from (N, in_channels, H, W)."""
        branches = [self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)]
        pooled = x.mean(dim=(2, 3), keepdim=True)
        pooled = F.relu(self.branch5_bn(self.branch5_conv(pooled)))
        branches.append(pooled.expand_as(branches[0]))
        return self.conv_cat(torch.cat(branches, dim=1))


class DeepLab(nn.Module):
    """DeepLabv3+ for `num_classes` classes.

    backbone: "mobilenet" or "xception"; downsample_factor: 8 (finer, more memory) or 16; pretrained: start from
    ImageNet weights (MobileNetV2 only). Raises ValueError for anything else.
    decoder: False passes by the decoder and classifies the ASPP's features, which is DeepLabv3 (Chen et al. 2017,
    arXiv 1706.05587): a sixth of the arithmetic, and coarser edges. The decoder's weights stay as they are.
    exact_upsampling: puts upsampled features where they belong; False is what the community's networks do.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: str = "mobilenet",
        pretrained: bool = False,
        downsample_factor: int = 16,
        decoder: bool = True,
        exact_upsampling: bool = False,
    ) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f'backbone is "{backbone}": it has to be "mobilenet" or "xception".')
        if downsample_factor not in (8, 16):
            raise ValueError(f"downsample_factor is {downsample_factor}: it has to be 8 or 16.")
        build, low_channels, high_channels = BACKBONES[backbone]
        self.backbone = build(pretrained, downsample_factor)
        self.backbone_frozen = self.batchnorm_frozen = False
        self.aspp = ASPP(high_channels, rate=16 // downsample_factor)
        self.shortcut_conv = nn.Sequential(*conv_bn_relu(low_channels, 48, 1))
        self.cat_conv = nn.Sequential(
            *conv_bn_relu(48 + 256, 256, 3), Dropout(0.5), *conv_bn_relu(256, 256, 3), Dropout(0.1)
        )
        self.cls_conv = nn.Conv2d(256, num_classes, 1)
        self.downsample_factor = downsample_factor
        self.exact_upsampling = exact_upsampling
        self.decoder = decoder
        self.shortcut_conv.requires_grad_(decoder)
        self.cat_conv.requires_grad_(decoder)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, float (N, num_classes, H, W), of x, float (N, 3, H, W) RGB in [0, 1]; any H and W."""
        low_level, high_level = self.backbone(x)
        features, stride = self.aspp(high_level), self.downsample_factor
        if self.decoder:
            low_level = self.shortcut_conv(low_level)
            features = torch.cat((self.upsample(features, low_level, stride // 4), low_level), dim=1)
            features, stride = self.cat_conv(features), 4
        return self.upsample(self.cls_conv(features).float(), x, stride)

    def upsample(self, x: Tensor, like: Tensor, stride: int) -> Tensor:
        """x (N, C, h, w), resized bilinearly to height and width of `like`: (N, C, H, W).

        stride: what the strides between `like` and x multiply to. With `exact_upsampling` x[i] comes to lie on pixel
        i * stride, the middle of what it was computed from, and the edge is repeated beyond the last. Else the corners
        are aligned: the same for sizes n * stride + 1 (513 in the paper's code), while other sheets are stretched by up
        to `stride` - 1 pixels from the top left to the bottom right. The format of x is kept: autocast would make it
        float32 on a CPU, for the same values in the end (43 of 620 ms, 1024 x 688, one thread).
        """
        size = like.shape[-2:]
        if self.exact_upsampling:
            x = torch.cat((x, x[..., -1:, :]), dim=-2)  # torch.compile fails on F.pad's "replicate", channels last
            x = torch.cat((x, x[..., -1:]), dim=-1)
            size = (x.shape[-2] - 1) * stride + 1, (x.shape[-1] - 1) * stride + 1
        with torch.autocast(x.device.type, enabled=False):
            x = F.interpolate(x, size, mode="bilinear", align_corners=True)
        return x[..., :like.shape[-2], :like.shape[-1]]

    def freeze_backbone(self, frozen: bool) -> None:
        """Freezes the backbone whole, weights and BatchNorm statistics, or (False) lets it learn again.

        A frozen backbone keeps no activations for the backward pass: nothing in it asks for a gradient.
        """
        self.backbone_frozen = frozen
        self.backbone.requires_grad_(not frozen)
        self.train(self.training)

    def freeze_batchnorm(self, frozen: bool) -> None:
        """Makes BatchNorm use its running statistics in training, too, and keep them, or (False) those of each batch.

        Its scale and shift go on learning. Those of a few samples are poor statistics, most of all after the image
        pooling, which leaves one value a sample: Chen et al. 2017, arXiv 1706.05587, section 4.1.
        """
        self.batchnorm_frozen = frozen
        self.train(self.training)

    def train(self, mode: bool = True) -> DeepLab:
        """The model itself in training (or evaluation) mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        if self.backbone_frozen:
            self.backbone.eval()
        if self.batchnorm_frozen:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self


def fold_batchnorm(model: nn.Module) -> nn.Module:
    """`model` itself, in evaluation mode, with each BatchNorm that follows a convolution folded into its weights.

    Done inside `nn.Sequential`, where what follows is plain to see. The same function up to rounding, for prediction
    only: such a network can no longer be trained or given a checkpoint's weights.
    """
    model.eval()
    for parent in list(model.modules()):
        if isinstance(parent, nn.Sequential):
            for index in range(len(parent) - 1):
                conv, norm = parent[index], parent[index + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    parent[index], parent[index + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return model
