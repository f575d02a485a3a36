"""Parts that all networks share: layers, upsampling, freezing, and folding BatchNorms for prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def conv_bn_relu(in_channels: int, out_channels: int, kernel: int, dilation: int = 1) -> list[nn.Module]:
    """The layers of a block: a convolution that keeps the size, with bias, then BatchNorm, then ReLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the square kernel, an odd number.
        dilation: distance between the values that the kernel meets.
    """
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=dilation)
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


class SingleValueBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm that, in training, uses its running statistics when a channel holds only one value.

    PyTorch raises an error in this case, because one value has no variance. It happens after global pooling of a batch
    of one sample.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The normalised x, (N, C, H, W). The running statistics do not change when N = H = W = 1."""
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


def upsample(x: Tensor, like: Tensor, stride: int, exact: bool = False) -> Tensor:
    """x resized bilinearly to the height and width of `like`: (N, C, H, W), with the dtype of x.

    Autocast is off here. On a CPU it would make the result float32, which changes nothing in the end.

    Args:
        x: float features or logits, (N, C, h, w).
        like: a tensor whose height and width the result gets.
        stride: how many pixels of `like`, along each axis, one value of x stands for.
        exact: True puts x[i] on pixel i * stride, the middle of the pixels it was computed from, and repeats the last
            value at the far edge. False aligns the corners. Both give the same for sizes n * stride + 1 (513 in
            DeepLab's code). For other sizes False stretches the result by up to `stride` - 1 pixels.
    """
    size = like.shape[-2:]
    if exact:
        x = torch.cat((x, x[..., -1:, :]), dim=-2)  # not F.pad: torch.compile fails on its "replicate", channels last
        x = torch.cat((x, x[..., -1:]), dim=-1)
        size = (x.shape[-2] - 1) * stride + 1, (x.shape[-1] - 1) * stride + 1
    with torch.autocast(x.device.type, enabled=False):
        x = F.interpolate(x, size, mode="bilinear", align_corners=True)
    return x[..., :like.shape[-2], :like.shape[-1]]


class BackboneNetwork(nn.Module):
    """A network with a `backbone` that can be frozen, as a whole for a while or its first layers for good."""

    backbone: nn.Module
    fixed: Sequence[nn.Module] = ()  # layers of the backbone that never learn

    def __init__(self) -> None:
        super().__init__()
        self.backbone_frozen = self.batchnorm_frozen = False

    def training_loss(
        self,
        output: Any,
        truth: Tensor,
        instances: Tensor | None,
        loss_fn: Callable[[Any, Tensor], Tensor],
    ) -> Tensor:
        """The loss to learn from, a scalar.

        Args:
            output: what `forward` returned in training.
            truth: what to find. For segmentation, the class of each pixel, uint8 (N, H, W). For detection, boxes,
                float32 (m, 6).
            instances: uint8 (N, H, W), the number of the object that each pixel belongs to, and 0 for none. None: a
                network that does not need them.
            loss_fn: the loss of what `forward` returns, or of its logits, and `truth`.
        """
        return loss_fn(output, truth)

    def freeze_backbone(self, frozen: bool) -> None:
        """Freezes the whole backbone, weights and BatchNorm statistics (True), or lets it learn again (False).

        A frozen backbone saves memory: it needs no gradients, so it keeps no activations for the backward pass.
        """
        self.backbone_frozen = frozen
        self.backbone.requires_grad_(not frozen)
        for layer in self.fixed:
            layer.requires_grad_(False)
        self.train(self.training)

    def freeze_batchnorm(self, frozen: bool) -> None:
        """Makes BatchNorm keep and use its running statistics in training (True), or each batch's own (False).

        Its scale and shift still learn. Statistics of a few samples are poor, above all after image pooling, which
        leaves one value per sample: Chen et al. 2017, arXiv 1706.05587, section 4.1.
        """
        self.batchnorm_frozen = frozen
        self.train(self.training)

    def train(self, mode: bool = True) -> BackboneNetwork:
        """The model itself, in training or evaluation mode. Frozen parts stay in evaluation mode."""
        super().train(mode)
        if self.backbone_frozen:
            self.backbone.eval()
        for layer in self.fixed:
            layer.eval()
        if self.batchnorm_frozen:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self


class SegmentationNetwork(BackboneNetwork):
    """A network that gives a class to each pixel.

    `forward` returns logits, float (N, C, H, W), for any H and W. In training it may return more, with the logits
    first: then the network also has its own `training_loss`.

    Attributes:
        options: those that `build_model` in nets/models.py was called with.
        needs_instances: whether `training_loss` needs to know which pixels belong to one object.
    """

    options: Mapping[str, bool] = {}
    needs_instances = False


def fold_batchnorm(model: nn.Module) -> nn.Module:
    """`model` itself, in evaluation mode, with BatchNorms folded into the convolutions before them.

    Only pairs inside an `nn.Sequential` are folded, because there the order of the layers is known. The result is the
    same up to rounding. It is for prediction only: the network can no longer be trained or load a checkpoint.
    """
    model.eval()
    for parent in list(model.modules()):
        if isinstance(parent, nn.Sequential):
            for index in range(len(parent) - 1):
                conv, norm = parent[index], parent[index + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    parent[index], parent[index + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return model
