"""3x3 convolutions with a quarter of the multiplications, for float32 on a CPU: Winograd's F(4x4, 3x3).

Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", arXiv 1509.09308, section 4.3. The matrices are
those of their reference code, with interpolation points 0, 1, -1, 2, -2 and infinity. PyTorch does not use this method
on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

TILE = 4  # output pixels along each side of a tile; it takes TILE + 2 input pixels
POINTS = (TILE + 2) ** 2  # products per tile
TOGETHER = 96  # tiles computed at a time: their intermediate results then stay in the processor's cache
# Tiles in a batch from which this pays: the kernels have to be transformed for few tiles as for many. Relative to
# PyTorch, 16 tiles take a time of 1.2 to 3, 64 take 0.7 to 1.15, and 100 to 192 take 0.6 to 0.9. Measured in training
# and prediction with 128 to 4096 channels, on one thread of a processor with AVX-512.
FEWEST = 64

INPUT = torch.tensor([
    [4.0, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
])
KERNEL = torch.tensor([
    [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
])
OUTPUT = torch.tensor([[1.0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
# The same for both axes at once, applied to flattened tiles: (POINTS, POINTS), (POINTS, 9) and (TILE**2, POINTS).
INPUT, KERNEL, OUTPUT = (torch.kron(matrix, matrix) for matrix in (INPUT, KERNEL, OUTPUT))


class WinogradConv2d(nn.Conv2d):
    """A 3x3 convolution with stride 1 and padding 1. It is faster than PyTorch's from about 128 channels.

    It uses Winograd's method for float32, channels-last input of at least FEWEST tiles on a CPU. Results and gradients
    are the same up to rounding, about 1e-5 of the largest value. In all other cases it is PyTorch's own. So it is while
    the network is traced, compiled or exported, because that would fix the number of tiles.
    """

    kernels: Tensor | None = None  # the transformed kernels, once `keep_kernels` was called

    def keep_kernels(self) -> None:
        """Transforms the kernels once for all. For prediction only: from now on, the weights must not change."""
        with torch.no_grad():
            self.kernels = _transform(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """The result (N, out_channels, H, W) for x (N, in_channels, H, W)."""
        plain = (
            x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu")
            or not x.is_contiguous(memory_format=torch.channels_last) or is_recorded()
            or self.kernels is None and len(x) * -(-x.shape[2] // TILE) * -(-x.shape[3] // TILE) < FEWEST
        )
        if plain:
            return super().forward(x)
        if self.kernels is not None and not torch.is_grad_enabled():
            return _convolve(x, self.kernels, self.bias)
        return _Convolution.apply(x, self.weight, self.bias)


class _Convolution(torch.autograd.Function):
    """Winograd's convolution and its gradients, for x (N, in, H, W), weight (out, in, 3, 3) and bias (out,) or None."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The result, (N, out, H, W).

        Args:
            ctx: keeps what `backward` needs.
            x: (N, in, H, W).
            weight: (out, in, 3, 3).
            bias: (out,). None: no bias.
        """
        ctx.save_for_backward(x, weight)
        return _convolve(x, _transform(weight), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """The gradients of x, weight and bias from that of the result, (N, out, H, W); None where none is needed."""
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            _convolve(gradient, _transform(weight.flip(2, 3).transpose(0, 1)), None) if of_x else None,
            _weight_gradient(x, gradient) if of_weight else None,
            gradient.sum(dim=(0, 2, 3)) if of_bias else None,
        )


def _transform(weight: Tensor) -> Tensor:
    """The kernels of weight (out, in, 3, 3) as `_convolve` takes them, (POINTS, in, out)."""
    outputs, channels = weight.shape[:2]
    return KERNEL.mm(weight.permute(2, 3, 1, 0).reshape(9, -1)).view(POINTS, channels, outputs)


def _convolve(x: Tensor, kernels: Tensor, bias: Tensor | None) -> Tensor:
    """x convolved with a weight, plus bias: (N, out, H, W), channels last.

    x: (N, in, H, W).
    kernels: (POINTS, in, out), from `_transform`.
    bias: (out,). None: no bias.
    """
    (channels, outputs), (height, width) = kernels.shape[1:], x.shape[2:]
    bias = x.new_zeros(()) if bias is None else bias
    rows, across = _band_size(height, width)
    result = x.new_empty(len(x), height, width, outputs)
    for image, output in zip(x.permute(0, 2, 3, 1), result):
        for tiles, band in zip(_split_tiles(image, 1), output.split(rows * TILE)):
            products = INPUT.mm(tiles).view(POINTS, -1, channels).bmm(kernels)
            pixels = OUTPUT.mm(products.flatten(1)).view(TILE, TILE, rows, across, outputs).permute(2, 0, 3, 1, 4)
            pixels = pixels.reshape(rows * TILE, across * TILE, outputs)[:len(band), :width]
            torch.add(pixels, bias, out=band)
    return result.permute(0, 3, 1, 2)


def _weight_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of the weight, (out, in, 3, 3), from x (N, in, H, W) and the result's gradient (N, out, H, W)."""
    channels, outputs = x.shape[1], gradient.shape[1]
    sums = x.new_zeros(POINTS, channels, outputs)
    for image, errors in zip(x.permute(0, 2, 3, 1), gradient.permute(0, 2, 3, 1)):
        for tiles, error_tiles in zip(_split_tiles(image, 1), _split_tiles(errors, 0)):
            inputs = INPUT.mm(tiles).view(POINTS, -1, channels)
            sums.baddbmm_(inputs.transpose(1, 2), OUTPUT.T.mm(error_tiles).view(POINTS, -1, outputs))
    return KERNEL.T.mm(sums.view(POINTS, -1)).view(3, 3, channels, outputs).permute(3, 2, 0, 1)


def _band_size(height: int, width: int) -> tuple[int, int]:
    """How many rows of tiles to compute at a time, and how many tiles a row has, for images of this size."""
    down, across = -(-height // TILE), -(-width // TILE)
    most = max(1, TOGETHER // across)
    return -(-down // -(-down // most)), across  # as many bands as with `most` rows, all about the same size


def _split_tiles(image: Tensor, margin: int) -> Iterator[Tensor]:
    """Yields the tiles of `image` (H, W, C), one band of rows at a time, as (pixels of a tile, tiles * C).

    Tiles overlap by 2 * margin pixels. Pixels outside the image are 0.
    """
    (height, width, channels), (rows, across) = image.shape, _band_size(*image.shape[:2])
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
    """Whether the network is being traced, compiled or exported, which would fix loops to one input size."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()
