"""PSPNet: Zhao et al. 2017, arXiv 1612.01105.

Module names and arithmetic are those of the community's PyTorch checkpoints (see `nets/community.py`). They deviate
from the paper as follows:
- The backbone may be MobileNetV2, and its output stride 16; the paper's is a ResNet with output stride 8.
- Bilinear upsampling aligns the corners, unless `exact_upsampling` is True.
Our own deviation: in training with one sample, BatchNorm after pooling to one value uses its running statistics.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nets.blocks import SegmentationNetwork, SingleValueBatchNorm2d, upsample

BINS = (1, 2, 3, 6)  # rows and columns of the grids that the features are averaged in
AUXILIARY_WEIGHT = 0.4  # of the auxiliary head's loss, section 5.1 of the paper


class GridAverage(nn.Module):
    """nn.AdaptiveAvgPool2d by two matrix products, which ONNX can express for images of any size.

    bins: number of rows and columns of the grid. Neighbouring cells overlap where the size is no multiple of it.
    """

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.bins = bins

    def forward(self, x: Tensor) -> Tensor:
        """The averages of x, (N, C, H, W), in float32 or the wider dtype of x: (N, C, bins, bins)."""
        with torch.autocast(x.device.type, enabled=False):
            x = x if x.dtype == torch.float64 else x.float()
            return self.weights(x, -2) @ x @ self.weights(x, -1).T

    def weights(self, x: Tensor, axis: int) -> Tensor:
        """How much each position along `axis` of x counts in each cell, (bins, size)."""
        size, cell = x.shape[axis], torch.arange(self.bins, device=x.device)[:, None]
        position = torch.arange(size, device=x.device)
        start, end = cell * size // self.bins, ((cell + 1) * size + self.bins - 1) // self.bins
        return ((position >= start) & (position < end)).to(x.dtype) / (end - start)


class PyramidPooling(nn.Module):
    """The features and their averages in four grids, joined by a 3x3 convolution to a quarter of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = channels // len(BINS)
        self.stages = nn.ModuleList(
            nn.Sequential(
                GridAverage(bins), nn.Conv2d(channels, width, 1, bias=False), SingleValueBatchNorm2d(width),
                nn.ReLU(inplace=True),
            )
            for bins in BINS
        )
        self.bottleneck = nn.Sequential(*_conv_bn_relu_dropout(channels + width * len(BINS), width))

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, channels / 4, H, W) from x, (N, channels, H, W)."""
        averages = [upsample(stage(x), x, 1).to(x.dtype) for stage in self.stages]
        return self.bottleneck(torch.cat((x, *averages), dim=1))


class PSPNet(SegmentationNetwork):
    """PSPNet for `num_classes` classes on a backbone of output stride 8 (finer, more memory) or 16.

    Args:
        num_classes: number of classes, background included.
        backbone: a module as described in `nets/models.py`.
        auxiliary: True adds a second head on the last feature but one. It is for training only: there, `forward`
            returns the logits of both heads. Predictions do not need it.
        exact_upsampling: True places upsampled logits exactly; False does as the community's networks do.
    """

    def __init__(
        self, num_classes: int, backbone: nn.Module, auxiliary: bool = False, exact_upsampling: bool = False
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.exact_upsampling = exact_upsampling
        *_, middle, last = backbone.channels
        self.master_branch = nn.Sequential(PyramidPooling(last), nn.Conv2d(last // 4, num_classes, 1))
        self.auxiliary_branch = None
        if auxiliary:
            self.auxiliary_branch = nn.Sequential(
                *_conv_bn_relu_dropout(middle, last // 8), nn.Conv2d(last // 8, num_classes, 1)
            )

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits, float (N, num_classes, H, W), for x, float (N, 3, H, W) RGB in [0, 1]. Any H and W will do.

        In training with the auxiliary head they come with this head's logits, in the same shape.
        """
        if self.training and self.auxiliary_branch is not None:
            return self.both_heads(x)
        return self._upsample(self.master_branch(self.backbone(x)[-1]), x, -1)

    def training_loss(
        self,
        output: Tensor | tuple[Tensor, Tensor],
        masks: Tensor,
        instances: Tensor | None,
        loss_fn: Callable[[Tensor, Tensor], Tensor],
    ) -> Tensor:
        """The loss of the network plus AUXILIARY_WEIGHT times that of the auxiliary head, if there is one."""
        if self.auxiliary_branch is None:
            return loss_fn(output, masks)
        logits, auxiliary = output
        return loss_fn(logits, masks) + AUXILIARY_WEIGHT * loss_fn(auxiliary, masks)

    def both_heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of the network and of its auxiliary head, both float (N, num_classes, H, W), for x as above."""
        *_, middle, last = self.backbone(x)
        return self._upsample(self.master_branch(last), x, -1), self._upsample(self.auxiliary_branch(middle), x, -2)

    def _upsample(self, logits: Tensor, x: Tensor, feature: int) -> Tensor:
        """The logits of a head at the size of x; `feature` is the index of the feature that the head reads."""
        return upsample(logits.float(), x, self.backbone.strides[feature], self.exact_upsampling)


def _conv_bn_relu_dropout(in_channels: int, out_channels: int) -> list[nn.Module]:
    """The layers of a block: a 3x3 convolution that keeps the size, BatchNorm, ReLU, and dropout of whole channels."""
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True), nn.Dropout2d(0.1),
    ]
