"""3x3 convolutions with a quarter of the multiplications, in float32 on a CPU: Winograd's F(4x4, 3x3).

Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", arXiv 1509.09308, section 4.3 (matrices: their
reference code, interpolation points 0, 1, -1, 2, -2 and infinity). PyTorch's own convolutions on a CPU do not use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

TILE = 4  # output pixels along each side of a tile; it takes TILE + 2 input pixels
POINTS = (TILE + 2) ** 2  # products that stand for a tile
TOGETHER = 96  # tiles at a time, about: what is made of them in between stays in the processor's cache

INPUT = torch.tensor([
    [4.0, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
])
KERNEL = torch.tensor([
    [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
])
OUTPUT = torch.tensor([[1.0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
# The same for both axes at once, of flattened tiles: (POINTS, POINTS), (POINTS, 9) and (TILE**2, POINTS).
INPUT, KERNEL, OUTPUT = (torch.kron(matrix, matrix) for matrix in (INPUT, KERNEL, OUTPUT))


class WinogradConv2d(nn.Conv2d):
    """A 3x3 convolution of stride 1 with a padding of 1, for many channels (from some 128 on it is faster).

    Winograd's for float32 in the channels-last format on a CPU: the same up to rounding (some 1e-5 of the largest
    value), gradients, too. Else PyTorch's, also while the network is traced, compiled or exported, which would fix the
    number of tiles.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, out_channels, H, W) from x (N, in_channels, H, W)."""
        plain = (
            x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu")
            or not x.is_contiguous(memory_format=torch.channels_last) or is_recorded()
        )
        return super().forward(x) if plain else _Convolution.apply(x, self.weight, self.bias)


class _Convolution(torch.autograd.Function):
    """The convolution of x (N, in, H, W) with weight (out, in, 3, 3), bias (out,), if there is one, added."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _convolve(x, weight, x.new_zeros(()) if bias is None else bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            _convolve(gradient, weight.flip(2, 3).transpose(0, 1), x.new_zeros(())) if of_x else None,
            _weight_gradient(x, gradient) if of_weight else None,
            gradient.sum(dim=(0, 2, 3)) if of_bias else None,
        )


def _convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x (N, in, H, W) convolved with weight (out, in, 3, 3), `bias` (out,) or () added: (N, out, H, W), channels last."""
    (outputs, channels), (height, width) = weight.shape[:2], x.shape[2:]
    kernels = KERNEL.mm(weight.permute(2, 3, 1, 0).reshape(9, -1)).view(POINTS, channels, outputs)
    rows, across = _band(width)
    result = x.new_empty(len(x), height, width, outputs)
    for image, output in zip(x.permute(0, 2, 3, 1), result):
        for tiles, band in zip(_tiles(image, 1), output.split(rows * TILE)):
            products = INPUT.mm(tiles).view(POINTS, -1, channels).bmm(kernels)
            pixels = OUTPUT.mm(products.flatten(1)).view(TILE, TILE, rows, across, outputs).permute(2, 0, 3, 1, 4)
            pixels = pixels.reshape(rows * TILE, across * TILE, outputs)[:len(band), :width]
            torch.add(pixels, bias, out=band)
    return result.permute(0, 3, 1, 2)


def _weight_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    """The gradient (out, in, 3, 3) of the weight, from x (N, in, H, W) and that of the result (N, out, H, W)."""
    channels, outputs = x.shape[1], gradient.shape[1]
    sums = x.new_zeros(POINTS, channels, outputs)
    for image, errors in zip(x.permute(0, 2, 3, 1), gradient.permute(0, 2, 3, 1)):
        for tiles, error_tiles in zip(_tiles(image, 1), _tiles(errors, 0)):
            inputs = INPUT.mm(tiles).view(POINTS, -1, channels)
            sums.baddbmm_(inputs.transpose(1, 2), OUTPUT.T.mm(error_tiles).view(POINTS, -1, outputs))
    return KERNEL.T.mm(sums.view(POINTS, -1)).view(3, 3, channels, outputs).permute(3, 2, 0, 1)


def _band(width: int) -> tuple[int, int]:
    """Rows of tiles to take at a time, and tiles in each, for images `width` pixels wide."""
    across = -(-width // TILE)
    return max(1, TOGETHER // across), across


def _tiles(image: Tensor, margin: int) -> Iterator[Tensor]:
    """The tiles of `image` (H, W, C), a band of rows at a time: their pixels down, tiles and channels across.

    They overlap by 2 * margin pixels; what lies outside the image is 0.
    """
    (height, width, channels), (rows, across) = image.shape, _band(image.shape[1])
    side, step = TILE + 2 * margin, TILE * rows
    band = image.new_zeros(step + 2 * margin, across * TILE + 2 * margin, channels)
    row, column, channel = band.stride()
    tiles = band.as_strided((side, side, rows, across, channels), (row, column, TILE * row, TILE * column, channel))
    for top in range(0, height, step):
        first = max(top - margin, 0)
        lines = image[first:top + step + margin]
        start = first - (top - margin)
        band[start:start + len(lines), margin:margin + width] = lines
        band[start + len(lines):] = 0
        yield tiles.reshape(side**2, -1)


def is_recorded() -> bool:
    """Whether the network is being traced, compiled or exported: loops over its input would be recorded at one size."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()
