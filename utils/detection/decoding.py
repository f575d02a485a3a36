"""From the outputs of YOLOv5 to boxes, and of boxes for the same object to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms

from nets.yolov5 import STRIDES, YoloV5

MIN_SIDE = 0.01  # pixels: a shorter side would be 0 beside the coordinates, and the loss not a number


class Suppression(NamedTuple):
    """Settings of `non_maximum_suppression`.

    Attributes:
        score: lowest score of a box that is kept. Lower values find more objects, and more false ones.
        iou: of two boxes of one class whose IoU is above this, the one with the lower score is dropped.
        multi_label: whether a box is kept once for each class that reaches `score`, or for its best class only.
        most: how many boxes of an image are kept.
        candidates: how many boxes of an image are compared. Those with the highest scores are.
    """

    score: float = 0.25
    iou: float = 0.45
    multi_label: bool = False
    most: int = 300
    candidates: int = 30000


PREDICTION = Suppression()
VALIDATION = Suppression(score=0.001, iou=0.6, multi_label=True)  # average precision needs boxes of every score


class DecodedYolo(nn.Module):
    """A network that gives decoded boxes, as one tensor: what an ONNX file holds."""

    def __init__(self, model: YoloV5) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """The result of `decode` for x, float (N, 3, H, W) RGB in [0, 1]."""
        return decode(self.model(x), self.model.anchors)


def decode(outputs: Sequence[Tensor], anchors: Tensor) -> Tensor:
    """All boxes of the images, float32 (N, boxes, 5 + num_classes): x1, y1, x2, y2 in pixels, then scores in [0, 1].

    The scores are the objectness and, for each class, the probability that an object belongs to it. Boxes may reach
    outside the image.

    Args:
        outputs: of the network: for each level float (N, 3, h, w, 5 + num_classes).
        anchors: of the network: float (levels, 3, 2), width and height in pixels.
    """
    decoded = []
    for output, sides, stride in zip(outputs, anchors.unbind(), STRIDES, strict=True):
        rows, columns = (torch.arange(size, device=output.device) for size in output.shape[2:4])
        cells = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
        boxes = decode_boxes(output[..., :4], cells, sides[:, None, None], stride)
        decoded.append(torch.cat((boxes, output[..., 4:].sigmoid()), dim=-1).flatten(1, 3))
    return torch.cat(decoded, dim=1)


def decode_boxes(raw: Tensor, cells: Tensor, anchors: Tensor, stride: int) -> Tensor:
    """x1, y1, x2, y2 in pixels, float (..., 4).

    The centre lies up to half a cell outside the cell, and the sides are up to four times those of the anchor.

    Args:
        raw: x, y, width and height as the network gives them, float (..., 4).
        cells: column and row of the cell, int64 (..., 2).
        anchors: width and height of the anchor in pixels, float (..., 2).
        stride: pixels between the cells.
    """
    places, sides = raw.sigmoid().split(2, dim=-1)
    centres = (2 * places - 0.5 + cells) * stride
    half = ((2 * sides) ** 2 * anchors).clamp(min=MIN_SIDE) / 2
    return torch.cat((centres - half, centres + half), dim=-1)


def non_maximum_suppression(decoded: Tensor, settings: Suppression = PREDICTION) -> list[Tensor]:
    """The boxes that are left, for each image float32 (k, 6): x1, y1, x2, y2, score, class; the highest score first.

    The score is the objectness times the probability of the class. Boxes of different classes do not compete.

    decoded: float (N, boxes, 5 + num_classes), made by `decode`.
    settings: PREDICTION, VALIDATION or others.
    """
    return [_suppress(boxes.float(), settings) for boxes in decoded]


def _suppress(decoded: Tensor, settings: Suppression) -> Tensor:
    """The boxes of one image that are left, float32 (k, 6), from float32 (boxes, 5 + num_classes)."""
    decoded = decoded[decoded[:, 4] > settings.score]  # no product with a probability is higher
    scores = decoded[:, 4:5] * decoded[:, 5:]
    if settings.multi_label:
        box, classes = (scores > settings.score).nonzero(as_tuple=True)
        scores = scores[box, classes]
    else:
        scores, classes = scores.max(dim=1)
        box = (scores > settings.score).nonzero(as_tuple=True)[0]
        scores, classes = scores[box], classes[box]
    scores, order = scores.sort(descending=True, stable=True)
    scores, order = scores[:settings.candidates], order[:settings.candidates]
    boxes, classes = decoded[box[order], :4], classes[order]
    if not len(boxes):
        return decoded.new_zeros(0, 6)
    # From 0 on: batched_nms moves the classes apart by the largest coordinate, so negative ones would overlap.
    kept = batched_nms(boxes - boxes.min(), scores, classes, settings.iou)[:settings.most]
    return torch.cat((boxes[kept], scores[kept, None], classes[kept, None].to(boxes)), dim=1)
