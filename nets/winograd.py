"""3x3 convolutions with a quarter of the multiplications, for prediction on a CPU: Winograd's F(4x4, 3x3).

Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", arXiv 1509.09308, section 4.3 (matrices: their
reference code, interpolation points 0, 1, -1, 2, -2 and infinity). PyTorch's own convolutions on a CPU do not use it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

TILE = 4  # output pixels along each side of a tile; it takes TILE + 2 input pixels
ROWS = 2  # rows of tiles at a time: what is made of them in between stays in the processor's cache
MIN_CHANNELS = 128  # of input and output, from which it is faster

INPUT = torch.tensor([
    [4.0, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
])
KERNEL = torch.tensor([
    [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
])
OUTPUT = torch.tensor([[1.0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])


class WinogradConv2d(nn.Module):
    """The same as `conv` up to rounding (some 1e-5 of the largest value), without gradients.

    conv: 3x3, stride 1, no dilation, no groups, one pixel of zeros around. It does the work itself where the network is
    traced, compiled or exported, which would fix the number of tiles.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        weight = conv.weight.detach()
        kernels = torch.einsum("ik,ockl,jl->ijco", KERNEL, weight, KERNEL).flatten(0, 1)
        self.register_buffer("kernels", kernels.contiguous())  # (36, in, out)
        self.register_buffer("bias", torch.zeros(weight.shape[0]) if conv.bias is None else conv.bias.detach().clone())
        self.register_buffer("input_transform", torch.kron(INPUT, INPUT))
        self.register_buffer("output_transform", torch.kron(OUTPUT, OUTPUT))

    def forward(self, x: Tensor) -> Tensor:
        """(N, out, H, W) float32, channels last, from (N, in, H, W) float32."""
        if is_recorded():
            return self.conv(x)
        height, width = x.shape[2:]
        down, across = -(-height // (TILE * ROWS)) * ROWS, -(-width // TILE)  # tiles
        result = x.new_empty(len(x), down * TILE, across * TILE, len(self.bias))
        for image, output in zip(x.permute(0, 2, 3, 1), result):
            self._convolve(image, output)
        return result[:, :height, :width].permute(0, 3, 1, 2)

    def _convolve(self, image: Tensor, output: Tensor) -> None:
        """Fills `output` (whole tiles, out), at least as large as `image` (H, W, in), with what lies outside 0."""
        (points, channels, outputs), across = self.kernels.shape, output.shape[1] // TILE
        tiles, step = ROWS * across, ROWS * TILE
        band = image.new_zeros(step + 2, across * TILE + 2, channels)
        row, column, channel = band.stride()
        overlapping = band.as_strided(
            (TILE + 2, TILE + 2, ROWS, across, channels), (row, column, TILE * row, TILE * column, channel))
        inputs, changed = image.new_empty(2, points, tiles * channels)
        products, sums = image.new_empty(points, tiles, outputs), image.new_empty(TILE**2, tiles * outputs)
        for top in range(0, len(output), step):
            rows = image[max(top - 1, 0):top + step + 1]
            first = 1 if top == 0 else 0
            band[first:first + len(rows), 1:1 + image.shape[1]] = rows
            band[first + len(rows):] = 0
            inputs.view(overlapping.shape).copy_(overlapping)
            torch.mm(self.input_transform, inputs, out=changed)
            torch.bmm(changed.view(points, tiles, channels), self.kernels, out=products)
            torch.mm(self.output_transform, products.view(points, -1), out=sums)
            pixels = sums.view(TILE, TILE, ROWS, across, outputs).add_(self.bias).permute(2, 0, 3, 1, 4)
            output[top:top + step].view(pixels.shape).copy_(pixels)


def is_recorded() -> bool:
    """Whether the network is being traced, compiled or exported: loops over its input would be recorded at one size."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()


def use_winograd(model: nn.Module) -> nn.Module:
    """`model` itself with `WinogradConv2d` in place of each convolution in a Sequential that it fits and speeds up."""
    for parent in list(model.modules()):
        if isinstance(parent, nn.Sequential):
            for index, module in enumerate(parent):
                if _fits(module):
                    parent[index] = WinogradConv2d(module)
    return model


def _fits(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) and module.padding == (1, 1)
        and module.stride == module.dilation == (1, 1) and module.groups == 1 and module.padding_mode == "zeros"
        and min(module.in_channels, module.out_channels) >= MIN_CHANNELS
    )
