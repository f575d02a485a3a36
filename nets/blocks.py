"""What the networks have in common: layers, upsampling, freezing, and BatchNorms folded for prediction."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def conv_bn_relu(in_channels: int, out_channels: int, kernel: int, dilation: int = 1) -> list[nn.Module]:
    """Convolution with bias that keeps the size, BatchNorm, ReLU."""
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=dilation)
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


class SingleValueBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm that uses its running statistics in training, too, where each channel holds one value only.

    PyTorch raises there, as one value has no variance. It happens after global pooling of a batch of one sample.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as x (N, C, H, W); running statistics stay as they are for N = H = W = 1."""
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


def upsample(x: Tensor, like: Tensor, stride: int, exact: bool = False) -> Tensor:
    """x (N, C, h, w), resized bilinearly to the height and width of `like`: (N, C, H, W), in the format of x.

    Autocast would make the result float32 on a CPU, for the same values in the end.

    Args:
        x: float features or logits.
        like: a tensor of the height and width that are wanted.
        stride: how many pixels of `like` one value of x stands for.
        exact: True puts x[i] on pixel i * stride, the middle of what it was computed from, and repeats the edge beyond
            the last. False aligns the corners: the same for sizes n * stride + 1 (513 in DeepLab's code), while other
            sheets are stretched by up to `stride` - 1 pixels from the top left to the bottom right.
    """
    size = like.shape[-2:]
    if exact:
        x = torch.cat((x, x[..., -1:, :]), dim=-2)  # torch.compile fails on F.pad's "replicate", channels last
        x = torch.cat((x, x[..., -1:]), dim=-1)
        size = (x.shape[-2] - 1) * stride + 1, (x.shape[-1] - 1) * stride + 1
    with torch.autocast(x.device.type, enabled=False):
        x = F.interpolate(x, size, mode="bilinear", align_corners=True)
    return x[..., :like.shape[-2], :like.shape[-1]]


class SegmentationNetwork(nn.Module):
    """A network with a `backbone` that can be frozen; `forward` gives logits, float (N, C, H, W), of any H and W.

    `options` are those that `build_model` in nets/models.py was given.
    """

    backbone: nn.Module
    options: Mapping[str, bool] = {}

    def __init__(self) -> None:
        super().__init__()
        self.backbone_frozen = self.batchnorm_frozen = False

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

    def train(self, mode: bool = True) -> SegmentationNetwork:
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
