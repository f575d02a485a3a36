"""DeepLabv3+ whose ASPP and decoder are computed only where objects may be. For prediction on a CPU.

Most of a herbarium sheet is background, and the backbone's last features already show where. A linear probe on them
marks the cells near which an object may be, and boxes are drawn around these. Inside the boxes the result is that of
the whole network, up to rounding. Everything else is background.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nets.blocks import upsample
from nets.deeplabv3_plus import ASPP, DeepLab
from nets.winograd import WinogradConv2d

# Tuned on 47 real sheets, with the probe's threshold at a recall of 99.9%: these compute the fewest cells.
GROWN = 2  # cells added on each side of those that the probe marks
BAND = 16  # most rows of cells in a box: higher boxes hold more background, lower ones overlap more
MOST = 0.6  # share of the cells from which the whole network is about as fast
REACH = 2  # how many of its input's rows and columns the decoder needs around a result: one for each 3x3 convolution
CERTAIN = 20.0  # logit of the background where nothing is computed; that of the other classes is 0


class Box(NamedTuple):
    """A box of cells; `bottom` and `right` lie outside it."""

    image: int  # its number in the batch
    top: int
    bottom: int
    left: int
    right: int


class SparseDeepLab:
    """A trained `DeepLab` with decoder, in evaluation mode on a CPU, that is computed only where objects may be.

    Args:
        model: the network. It is used, not copied.
        probe: float32 (C + 1,), the weights of the C channels of the backbone's last features, and the bias. Where the
            sum is above 0, an object may be.

    Raises:
        ValueError: the network is another one or has no decoder, or the probe does not fit its backbone.
    """

    def __init__(self, model: nn.Module, probe: Tensor) -> None:
        if not isinstance(model, DeepLab) or not model.decoder:
            raise ValueError("A probe fits only deeplabv3_plus with its decoder.")
        if probe.shape != (channels := model.backbone.channels[-1] + 1,):
            raise ValueError(f"The probe has shape {tuple(probe.shape)}, not ({channels},).")
        self.model, self.probe = model, probe
        for layer in model.cat_conv:
            if isinstance(layer, WinogradConv2d):
                layer.keep_kernels()  # it is called for many small boxes

    def __call__(self, x: Tensor) -> Tensor:
        """Logits, float (N, num_classes, H, W), for x, float (N, 3, H, W) RGB in [0, 1]. Any H and W will do."""
        low_level, high_level = self.model.pick(self.model.backbone(x))
        boxes = boxes_around(probe_scores(high_level, self.probe) > 0)
        chosen = covered(boxes, high_level)
        if chosen.float().mean() > MOST:
            return self.model.classify(low_level, high_level, x)
        return upsample(self.decode(low_level, high_level, boxes), x, 4, self.model.exact_upsampling)

    def decode(self, low_level: Tensor, high_level: Tensor, boxes: Sequence[Box]) -> Tensor:
        """Logits at the scale of the low-level features, float32 (N, num_classes, h, w); background outside the boxes.

        Args:
            low_level: features with stride 4, (N, C, h, w).
            high_level: features with the output stride.
            boxes: the cells of `high_level` to compute.
        """
        model, step = self.model, self.model.output_stride // 4
        logits = low_level.new_zeros(
            len(low_level), model.cls_conv.out_channels, *low_level.shape[2:], dtype=torch.float32)
        logits[:, 0] = CERTAIN
        if not boxes:
            return logits
        needed = grow(covered(boxes, high_level), 2)  # the decoder reaches at most one cell further, upsampling another
        features = upsample(aspp_at(model.aspp, high_level, needed), low_level, step, model.exact_upsampling)
        for image, *sides in boxes:
            top, bottom, left, right = (side * step for side in sides)
            above, before = min(top, REACH), min(left, REACH)
            near = (slice(image, image + 1), slice(None),
                    slice(top - above, bottom + REACH), slice(left - before, right + REACH))
            joined = torch.cat((features[near], model.shortcut_conv(low_level[near])), dim=1)
            result = model.cls_conv(model.cat_conv(joined))[0, :, above:, before:]
            inside = logits[image, :, top:bottom, left:right]
            inside[:] = result[:, :inside.shape[1], :inside.shape[2]]
        return logits


def probe_scores(features: Tensor, probe: Tensor) -> Tensor:
    """What the probe gives the cells of the backbone's last features, (N, C, h, w): float32 (N, h, w)."""
    return features.float().permute(0, 2, 3, 1).matmul(probe[:-1]) + probe[-1]


def boxes_around(marked: Tensor) -> list[Box]:
    """Boxes that hold the cells `marked`, bool (N, h, w), and those at most GROWN away; they do not overlap."""
    return [box for number, cells in enumerate(grow(marked, GROWN)) for box in _boxes_of_image(number, cells)]


def _boxes_of_image(number: int, cells: Tensor) -> Iterator[Box]:
    """Yields boxes that hold all `cells`, bool (h, w). Each lies in one band of rows, and no column of it is empty."""
    for first, band in zip(range(0, len(cells), BAND), cells.split(BAND)):
        edges = F.pad(band.any(0).int(), (1, 1)).diff().nonzero().flatten().tolist()
        for left, right in zip(edges[::2], edges[1::2]):
            rows = band[:, left:right].any(1).nonzero().flatten().tolist()
            yield Box(number, first + rows[0], first + rows[-1] + 1, left, right)


def covered(boxes: Sequence[Box], like: Tensor) -> Tensor:
    """The cells in the boxes, bool (N, h, w), of features `like`, (N, C, h, w)."""
    cells = torch.zeros(len(like), *like.shape[2:], dtype=torch.bool)
    for image, top, bottom, left, right in boxes:
        cells[image, top:bottom, left:right] = True
    return cells


def grow(cells: Tensor, distance: int) -> Tensor:
    """`cells`, bool (N, h, w), and those at most `distance` rows and columns away from one of them."""
    return F.max_pool2d(cells[:, None].float(), 2 * distance + 1, stride=1, padding=distance)[:, 0] > 0


def aspp_at(aspp: ASPP, x: Tensor, where: Tensor) -> Tensor:
    """The ASPP's features of x, (N, C, h, w), at the cells `where`, bool (N, h, w), and 0 elsewhere: (N, C', h, w)."""
    places = where.flatten().nonzero().flatten()
    images = places // where[0].numel()
    branches = [aspp.branch1(_rows(x, places[None]))]
    for branch in (aspp.branch2, aspp.branch3, aspp.branch4):
        branches.append(branch[1:](convolve_at(branch[0], x, where)))
    branches.append(_rows(aspp.pool(x), images[None]))
    joined = aspp.conv_cat(torch.cat(branches, dim=1))
    result = joined.new_zeros(where.numel(), joined.shape[1]).index_copy_(0, places, joined[0, :, 0].T)
    return result.view(*where.shape, -1).permute(0, 3, 1, 2)


def convolve_at(conv: nn.Conv2d, x: Tensor, where: Tensor) -> Tensor:
    """The results of a 3x3 convolution that keeps the size, at n places, side by side: (1, C', 1, n).

    A gather brings the nine values that the kernel meets below each other. What remains is one matrix product, which
    PyTorch computes fastest as a convolution with a kernel of 9x1.

    Args:
        conv: the convolution, with any dilation.
        x: its input, (N, C, h, w).
        where: the places, bool (N, h, w), n of them.
    """
    image, row, column = where.nonzero(as_tuple=True)
    (height, width), steps = x.shape[2:], torch.arange(-1, 2) * conv.dilation[0]
    row, column = row + steps.repeat_interleave(3)[:, None], column + steps.repeat(3)[:, None]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    index = torch.where(inside, (image * height + row) * width + column, where.numel())
    return F.conv2d(_rows(x, index), conv.weight.flatten(2)[..., None], conv.bias)


def _rows(x: Tensor, index: Tensor) -> Tensor:
    """Pixels of x, (N, C, h, w), as an image (1, C, rows, columns).

    index: int64 (rows, columns), the number of each pixel, image by image and row by row. N * h * w gives 0.
    """
    pixels = F.pad(x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]), (0, 0, 0, 1))
    return pixels.index_select(0, index.flatten()).view(1, *index.shape, -1).permute(0, 3, 1, 2)
