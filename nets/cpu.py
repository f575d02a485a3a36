"""Layers that compute the same as PyTorch's, in less time on a CPU.

`for_cpu` gives the layers of a network another forward pass, in place. Parameters and their names do not change.
Results do not change either, apart from rounding and dropout's random numbers. So a network can be trained, saved and
loaded with or without it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual

from nets.winograd import WinogradConv2d, is_recorded

WIDE = 128  # from this number of channels, Winograd's convolution is faster
EARLY = 144  # up to this number of channels, bands pay: these are the first blocks, with the largest features
BAND = 6 << 20  # bytes of the largest tensor in a band: small enough to stay in the processor's cache


def for_cpu(model: nn.Module) -> nn.Module:
    """`model` itself, made faster for training and prediction on a CPU. Other devices compute as before."""
    for module in model.modules():
        kind = type(module)
        if kind is nn.Dropout:
            module.__class__ = CheapDropout  # PyTorch's own parametrizations change the class too
        elif kind is InvertedResidual and module.conv[-2].in_channels <= EARLY:
            module.__class__ = BandedResidual
        elif kind is nn.Conv2d and module.kernel_size == module.stride == (1, 1) and module.groups == 1:
            module.__class__ = PointwiseConv2d
        elif kind is nn.Conv2d and module.kernel_size == (3, 3) and module.stride == (1, 1):
            if module.groups == 1 and module.padding == module.dilation == (1, 1):
                if min(module.in_channels, module.out_channels) >= WIDE:
                    module.__class__ = WinogradConv2d
            elif module.groups == module.in_channels == module.out_channels and module.padding == module.dilation:
                if module.dilation[0] == module.dilation[1] > 1:
                    module.__class__ = AtrousDepthwise
    return model


class CheapDropout(nn.Dropout):
    """Dropout that is fast on a CPU, where PyTorch samples one random number for each value.

    Here 64 random bits serve four values in training. A value is kept when its 16 bits, read as a number, are below a
    limit. The probability is right to 1 / 65536, and the values that are kept are scaled by exactly this probability.
    With it, a training step of 4 x 512 x 512 takes 1.13 s on two cores instead of 1.37 s.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x with some values set to 0, in the same shape; x: floats that are dense in memory."""
        kept = round((1 - self.p) * 65536)
        if not self.training or x.device.type != "cpu" or not kept:
            return super().forward(x)
        bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        mask = bits[:x.numel()].as_strided(x.shape, x.stride()) <= kept - 32769
        return x * mask.to(x.dtype).mul_(65536 / kept)


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 convolution, for prediction in float32 with oneDNN on one CPU thread, too.

    PyTorch uses oneDNN for it only with several threads. On one thread of an AMD processor with AVX-512, oneDNN takes
    0.65 to 0.85 of the time of what PyTorch uses there.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The result (N, out_channels, H, W) for x (N, in_channels, H, W)."""
        plain = (
            x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu")
            or torch.is_grad_enabled() or is_recorded() or not torch.backends.mkldnn.is_available()
        )
        if plain:
            return super().forward(x)
        return torch.ops.aten.mkldnn_convolution(x, self.weight, self.bias, self.padding, (1, 1), (1, 1), 1)


class AtrousDepthwise(nn.Conv2d):
    """A dilated 3x3 depthwise convolution that keeps the size and trains fast on a CPU.

    PyTorch's gradient is slow there: 223 ms against 15 ms here, for 8 x 960 x 28 x 22 on two AVX2 cores. So training
    splits the input into images of every `dilation`-th row and column, and filters them with a plain convolution. The
    sums are the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The filtered x, (N, C, H, W)."""
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
    """MobileNetV2's block, computed in bands of rows, because it has several times more channels inside than outside.

    This is for prediction only: training has to keep the inner features for the backward pass. At 1024 x 688 the
    largest tensor then takes 6 MB instead of 68 MB.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_channels, H / stride, W / stride), sizes rounded up, from x (N, in_channels, H, W)."""
        count, _, height, width = x.shape
        stride = self.conv[-3][0].stride[0]
        rows = BAND // (x.element_size() * self.conv[-2].in_channels * count * width * stride)  # of the result
        whole = self.training or torch.is_grad_enabled() or x.device.type != "cpu" or is_recorded()
        if whole or rows < 1 or rows * stride >= height:
            return super().forward(x)
        bands = []
        for top in range(0, -(-height // stride), rows):
            first = max(top - 1, 0)  # the 3x3 convolution needs one more row above and below
            band = super().forward(x[:, :, first * stride:(top + rows + 1) * stride])
            bands.append(band[:, :, top - first:top - first + rows])
        return torch.cat(bands, dim=2)
