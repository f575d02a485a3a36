"""The loss of YOLOv5: box, objectness and classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import complete_box_iou_loss

from nets.yolov5 import STRIDES, USUAL_SIZE
from utils.detection.assignment import assign
from utils.detection.decoding import decode_boxes

BOX_GAIN, OBJECTNESS_GAIN = 0.05, 1.0
CLASS_GAIN, USUAL_CLASSES = 0.5, 80  # the gain is for this number of classes and falls with it
LEVEL_WEIGHTS = (4.0, 1.0, 0.4)  # of objectness: the finer level has more cells, so each object moves its mean less


class DetectionLoss(NamedTuple):
    """The loss of one batch. All are float32 scalars.

    `total` is what to learn from: the sum of the other three, times the number of images. The others hold their gains.
    """

    total: Tensor
    box: Tensor
    objectness: Tensor
    classes: Tensor


def detection_loss(
    outputs: Sequence[Tensor],
    targets: Tensor,
    anchors: Tensor,
    image_size: tuple[int, int],
) -> DetectionLoss:
    """The loss, which has a gradient for every output, even in a batch without boxes.

    Each level adds the mean of 1 - CIoU over its matches, the mean binary cross-entropy of the objectness over all its
    cells, times LEVEL_WEIGHTS, and that of the classes over its matches (not for a single class). The objectness to
    learn is the CIoU of the match (Zheng et al. 2020, arXiv 1911.08287), or 0 if there is no match or it is negative;
    the highest if a cell and anchor match several boxes.

    Args:
        outputs: of the network: for each level float (N, 3, h, w, 5 + num_classes).
        targets: float (m, 6): number of the image in the batch, class, x1, y1, x2, y2 in pixels. m may be 0.
        anchors: of the network: float (levels, 3, 2), width and height in pixels.
        image_size: height and width of the images in pixels. The gain of the objectness grows with the area.
    """
    num_classes = outputs[0].shape[-1] - 5
    box, objectness, classes = torch.zeros(3, device=outputs[0].device)
    for output, sides, stride, weight in zip(outputs, anchors.unbind(), STRIDES, LEVEL_WEIGHTS, strict=True):
        output = output.float()
        matches = assign(targets, sides, stride, output.shape[2:4])
        cell = matches.image, matches.anchor, matches.row, matches.column
        found = output[cell]  # (k, 5 + num_classes)
        places = torch.stack((matches.column, matches.row), dim=1)
        boxes = decode_boxes(found[:, :4], places, sides[matches.anchor], stride)
        distances = complete_box_iou_loss(boxes, matches.boxes)  # 1 - CIoU
        wanted = _place_largest(1 - distances.detach(), cell, output.shape[:4])
        box = box + _mean(distances)
        objectness = objectness + weight * F.binary_cross_entropy_with_logits(output[..., 4], wanted)
        if num_classes > 1:
            one_hot = F.one_hot(matches.classes, num_classes).float()
            classes = classes + _mean(F.binary_cross_entropy_with_logits(found[:, 5:], one_hot, reduction="none"))
    box = BOX_GAIN * box
    objectness = OBJECTNESS_GAIN * image_size[0] * image_size[1] / USUAL_SIZE ** 2 * objectness
    classes = CLASS_GAIN * num_classes / USUAL_CLASSES * classes
    return DetectionLoss((box + objectness + classes) * len(outputs[0]), box, objectness, classes)


def _mean(values: Tensor) -> Tensor:
    """The mean of values, a scalar; 0 with a graph if there are none."""
    return values.sum() / max(values.numel(), 1)


def _place_largest(values: Tensor, places: tuple[Tensor, ...], shape: Sequence[int]) -> Tensor:
    """Zeros, float (shape), with `values` at `places` where they are larger; the largest of those at the same place.

    Args:
        values: float (k,).
        places: an index int64 (k,) for each axis.
        shape: of the result.
    """
    flat = places[0]
    for index, size in zip(places[1:], shape[1:]):
        flat = flat * size + index
    result = values.new_zeros(shape)
    result.view(-1).scatter_reduce_(0, flat, values, "amax")
    return result
