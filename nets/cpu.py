"""What makes a network fast on a CPU: layers that compute the same in less time.

`for_cpu` gives such layers another forward pass in place. Parameters, their names and the results stay what they are
(up to rounding; dropout draws other numbers), so a network may be trained, saved and loaded with it or without.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual

from nets.winograd import WinogradConv2d, is_recorded

WIDE = 128  # channels from which on Winograd's convolution is faster
EARLY = 144  # channels up to which a block's features are so large, being the first ones, that bands of them pay
BAND = 6 << 20  # bytes of the largest tensor within a band: it stays in the processor's cache


def for_cpu(model: nn.Module) -> nn.Module:
    """`model` itself, for training and prediction on a CPU; on other devices it computes as before."""
    for module in model.modules():
        kind = type(module)
        if kind is nn.Dropout:
            module.__class__ = CheapDropout  # as PyTorch's own parametrizations do
        elif kind is InvertedResidual and module.conv[-2].in_channels <= EARLY:
            module.__class__ = BandedResidual
        elif kind is nn.Conv2d and module.kernel_size == (3, 3) and module.stride == (1, 1):
            if module.groups == 1 and module.padding == module.dilation == (1, 1):
                if min(module.in_channels, module.out_channels) >= WIDE:
                    module.__class__ = WinogradConv2d
            elif module.groups == module.in_channels == module.out_channels and module.padding == module.dilation:
                if module.dilation[0] == module.dilation[1] > 1:
                    module.__class__ = AtrousDepthwise
    return model


class CheapDropout(nn.Dropout):
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


class AtrousDepthwise(nn.Conv2d):
    """A dilated 3x3 depthwise convolution that keeps the size and is quick to train on a CPU.

    PyTorch's gradient of it is slow there (223 ms against 15 ms, 8 x 960 x 28 x 22 on two AVX2 cores). So for training
    every `dilation`-th row and column make images of their own, which a plain convolution filters: the same sums.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as x (N, C, H, W)."""
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        (count, channels, height, width), step = x.shape, self.dilation[0]
        x = F.pad(x, (0, -width % step, 0, -height % step))
        rows, columns = x.shape[2] // step, x.shape[3] // step
        x = x.permute(0, 2, 3, 1).reshape(count, rows, step, columns, step, channels)
        x = x.permute(2, 4, 0, 1, 3, 5).reshape(-1, rows, columns, channels).permute(0, 3, 1, 2)
        x = F.conv2d(x, self.weight, self.bias, padding=1, groups=channels)
        x = x.permute(0, 2, 3, 1).reshape(step, step, count, rows, columns, channels)
        x = x.permute(2, 3, 0, 4, 1, 5).reshape(count, rows * step, columns * step, channels)
        return x[:, :height, :width].permute(0, 3, 1, 2)


class BandedResidual(InvertedResidual):
    """MobileNetV2's block, worked out in bands of rows: it has several times more channels inside than outside.

    For prediction only: training keeps what is inside for the backward pass anyway. At 1024 x 688 the largest tensor
    has 6 MB, not 68.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, out_channels, H / stride, W / stride), sizes rounded up, from x (N, in_channels, H, W)."""
        count, _, height, width = x.shape
        stride = self.conv[-3][0].stride[0]
        rows = BAND // (x.element_size() * self.conv[-2].in_channels * count * width * stride)  # of the result
        whole = self.training or torch.is_grad_enabled() or x.device.type != "cpu" or is_recorded()
        if whole or rows < 1 or rows * stride >= height:
            return super().forward(x)
        bands = []
        for top in range(0, -(-height // stride), rows):
            first = max(top - 1, 0)  # one row more above and below: what the 3x3 convolution needs to see
            band = super().forward(x[:, :, first * stride:(top + rows + 1) * stride])
            bands.append(band[:, :, top - first:top - first + rows])
        return torch.cat(bands, dim=2)
