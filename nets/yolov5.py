"""YOLOv5, releases 6 and 7: finds objects as boxes. Written from its published description, not from its code.

Sources: https://docs.ultralytics.com/yolov5/tutorials/architecture_description; Redmon & Farhadi 2018 (YOLOv3, arXiv
1804.02767); Wang et al. 2019 (CSPNet, 1911.11929); Liu et al. 2018 (PANet, 1803.01534); He et al. 2014 (SPP,
1406.4729). Sizes n, s, m, l and x have the published numbers of parameters.

Our own addition is the size "mobilenet": MobileNetV2 in place of the backbone of size n. It can start from the backbone
of a segmentation network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nets.blocks import BackboneNetwork
from nets.mobilenetv2 import MobileNetV2

SIZES: Mapping[str, tuple[float, float]] = {  # depth and width, relative to size l
    "n": (0.33, 0.25), "s": (0.33, 0.50), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25),
    "mobilenet": (0.33, 0.25),
}
SizeName = Literal[tuple(SIZES)]
STRIDES = (8, 16, 32)  # pixels between the cells of the three levels
ANCHORS = (  # widths and heights in pixels, for COCO's objects at 640 x 640, a row for each level
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
USUAL_SIZE, USUAL_OBJECTS = 640, 8  # side of a training image, and how many objects a level expects in it at first


def conv_bn_silu(
    in_channels: int,
    out_channels: int,
    kernel: int = 1,
    stride: int = 1,
    padding: int | None = None,
) -> nn.Sequential:
    """A convolution without bias, BatchNorm and SiLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the square kernel.
        stride: of the convolution.
        padding: None: half the kernel, rounded down.
    """
    padding = kernel // 2 if padding is None else padding
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.03), nn.SiLU(inplace=True),
    )


class Bottleneck(nn.Module):
    """A 1x1 and a 3x3 convolution. With `shortcut` the input is added to the result."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.convs = nn.Sequential(conv_bn_silu(channels, channels), conv_bn_silu(channels, channels, 3))
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Features in the shape of x, (N, channels, H, W)."""
        return x + self.convs(x) if self.shortcut else self.convs(x)


class C3(nn.Module):
    """A stage of CSPNet: only half of the channels pass through the bottlenecks. It has three convolutions besides.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        repeats: number of bottlenecks.
        shortcut: of the bottlenecks.
    """

    def __init__(self, in_channels: int, out_channels: int, repeats: int, shortcut: bool) -> None:
        super().__init__()
        half = out_channels // 2
        self.main = nn.Sequential(
            conv_bn_silu(in_channels, half), *(Bottleneck(half, shortcut) for _ in range(repeats))
        )
        self.bypass = conv_bn_silu(in_channels, half)
        self.join = conv_bn_silu(2 * half, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_channels, H, W) from x, (N, in_channels, H, W)."""
        return self.join(torch.cat((self.main(x), self.bypass(x)), dim=1))


class SPPF(nn.Module):
    """Spatial pyramid pooling. Three max poolings of 5x5 in a row see 5, 9 and 13 positions along each side."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.reduce = conv_bn_silu(in_channels, in_channels // 2)
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)
        self.join = conv_bn_silu(in_channels // 2 * 4, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_channels, H, W) from x, (N, in_channels, H, W)."""
        parts = [self.reduce(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.join(torch.cat(parts, dim=1))


class CSPDarknet(nn.Module):
    """The encoder of sizes n to x; `forward` describes its features.

    Args:
        depth: factor for the number of bottlenecks.
        width: factor for the number of channels.
    """

    strides = STRIDES

    def __init__(self, depth: float, width: float) -> None:
        super().__init__()
        stem, *rest = (_channels(base, width) for base in (64, 128, 256, 512, 1024))
        self.channels = tuple(rest[1:])
        self.stem = conv_bn_silu(3, stem, 6, stride=2, padding=2)
        self.stages = nn.ModuleList(
            nn.Sequential(conv_bn_silu(before, after, 3, stride=2), C3(after, after, _repeats(base, depth), True))
            for before, after, base in zip((stem, *rest), rest, (3, 6, 9, 3))
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """The features of x, float (N, 3, H, W) RGB in [0, 1].

        | Number | Channels, width 1 | Stride |
        |--:|--:|--:|
        | 0 | 256 | 8 |
        | 1 | 512 | 16 |
        | 2 | 1024 | 32 |
        """
        x, features = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features[1:]


class Neck(nn.Module):
    """SPPF and PANet: features of three strides learn from each other, first from coarse to fine, then back.

    Args:
        in_channels: channels of the three features of the backbone, finest first.
        channels: channels of the three results.
        repeats: number of bottlenecks in each C3.
    """

    def __init__(self, in_channels: Sequence[int], channels: Sequence[int], repeats: int) -> None:
        super().__init__()
        in_fine, in_middle, in_coarse = in_channels
        fine, middle, coarse = channels

        def c3(before: int, after: int) -> C3:
            return C3(before, after, repeats, shortcut=False)

        self.pyramid = SPPF(in_coarse, coarse)
        self.reduce_coarse = conv_bn_silu(coarse, middle)
        self.up_middle = c3(middle + in_middle, middle)
        self.reduce_middle = conv_bn_silu(middle, fine)
        self.up_fine = c3(fine + in_fine, fine)
        self.stride_fine = conv_bn_silu(fine, fine, 3, stride=2)
        self.down_middle = c3(2 * fine, middle)
        self.stride_middle = conv_bn_silu(middle, middle, 3, stride=2)
        self.down_coarse = c3(2 * middle, coarse)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Three features (N, channels[k], h, w) from three (N, in_channels[k], h, w) of strides 8, 16 and 32."""
        in_fine, in_middle, in_coarse = features
        coarse = self.reduce_coarse(self.pyramid(in_coarse))
        middle = self.reduce_middle(self.up_middle(_enlarge_and_join(coarse, in_middle)))
        fine = self.up_fine(_enlarge_and_join(middle, in_fine))
        middle = self.down_middle(torch.cat((self.stride_fine(fine), middle), dim=1))
        coarse = self.down_coarse(torch.cat((self.stride_middle(middle), coarse), dim=1))
        return [fine, middle, coarse]


class YoloV5(BackboneNetwork):
    """YOLOv5 on a backbone whose last three features have the strides 8, 16 and 32.

    Args:
        num_classes: number of classes; there is none for the background.
        backbone: a module as described in `nets/models.py`.
        depth: factor for the number of bottlenecks in the neck.
        width: factor for the number of channels in the neck.
        anchors: widths and heights of the three anchors of each level, in pixels, finest level first.

    Attributes:
        anchors: the same, float32 (3, 3, 2). They are a part of the weights that are saved and loaded.
    """

    anchors: Tensor

    def __init__(
        self,
        num_classes: int,
        backbone: nn.Module,
        depth: float,
        width: float,
        anchors: Sequence[Sequence[Sequence[float]]] | Tensor = ANCHORS,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.backbone = backbone
        channels = [_channels(base, width) for base in (256, 512, 1024)]
        self.neck = Neck(backbone.channels[-3:], channels, _repeats(3, depth))
        self.register_buffer("anchors", torch.as_tensor(anchors, dtype=torch.float32).clone())
        count = self.anchors.shape[1]
        self.head = nn.ModuleList(nn.Conv2d(width, count * (5 + num_classes), 1) for width in channels)
        for conv, stride in zip(self.head, STRIDES):
            _expect_few_objects(conv.bias.data.view(count, -1), stride)

    def forward(self, x: Tensor) -> list[Tensor]:
        """For each level, float32 (N, 3, h, w, 5 + num_classes), for x, float (N, 3, H, W) RGB in [0, 1].

        h and w are H and W divided by STRIDES. H and W should be multiples of 32; other sizes are rounded, so the cells
        no longer lie exactly on the pixels that they were computed from. The last axis holds x, y, width, height,
        objectness and the classes, before the sigmoid. `decode` in utils/detection/decoding.py makes boxes of them.
        """
        outputs = []
        for conv, feature in zip(self.head, self.neck(self.backbone(x)[-3:])):
            count, _, height, width = feature.shape
            output = conv(feature).view(count, self.anchors.shape[1], -1, height, width)
            outputs.append(output.permute(0, 1, 3, 4, 2).float())
        return outputs

    def fix_layers(self, count: int) -> None:
        """Lets the first layers of the backbone never learn, weights and BatchNorm statistics, and the others learn.

        count: how many. The sizes of YOLOv5 have a stem and four stages; "mobilenet" has MobileNetV2's 18 layers, of
            which the first 7 make the features of stride 8. The layers must be those that will be trained, not yet
            wrapped or copied.
        """
        layers = self.backbone.features if isinstance(self.backbone, MobileNetV2) else (
            self.backbone.stem, *self.backbone.stages)
        self.fixed = tuple(layers)[:count]
        self.freeze_backbone(self.backbone_frozen)


def yolov5(
    size: str, num_classes: int, anchors: Sequence[Sequence[Sequence[float]]] | Tensor = ANCHORS
) -> YoloV5:
    """A YOLOv5 with fresh weights, on the CPU, in training mode.

    Args:
        size: a name in SIZES.
        num_classes: number of classes.
        anchors: as in `YoloV5`.

    Raises:
        ValueError: the size is unknown.
    """
    if size not in SIZES:
        raise ValueError(f"size is {size}: it has to be one of {', '.join(SIZES)}.")
    depth, width = SIZES[size]
    backbone = MobileNetV2(downsample_factor=32) if size == "mobilenet" else CSPDarknet(depth, width)
    return YoloV5(num_classes, backbone, depth, width, anchors)


def _channels(base: int, width: float) -> int:
    """base * width, rounded up to a multiple of 8."""
    return math.ceil(base * width / 8) * 8


def _repeats(base: int, depth: float) -> int:
    """How many bottlenecks a C3 has."""
    return max(round(base * depth), 1)


def _enlarge_and_join(coarse: Tensor, fine: Tensor) -> Tensor:
    """Both features joined, (N, C + c, H, W), from coarse (N, C, h, w), each value repeated, and fine (N, c, H, W)."""
    return torch.cat((F.interpolate(coarse, fine.shape[-2:], mode="nearest"), fine), dim=1)


def _expect_few_objects(bias: Tensor, stride: int) -> None:
    """Makes a fresh head expect few objects and no class more than others, or its first steps would be wasted.

    bias: of one level, float (anchors, 5 + num_classes). Changed in place.
    stride: of the level.
    """
    num_classes = bias.shape[1] - 5
    bias[:, 4] += math.log(USUAL_OBJECTS / (USUAL_SIZE / stride) ** 2)
    bias[:, 5:] += math.log(0.6 / (num_classes - 0.99999))
