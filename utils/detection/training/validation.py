"""The scores of a detector on validation sheets, and pictures of what it finds on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from nets.yolov5 import STRIDES
from utils.detection.average_precision import DetectionScores, detection_scores
from utils.detection.boxes import Box, box_colors
from utils.detection.data.samples import BoxDataset
from utils.detection.decoding import PREDICTION, VALIDATION, decode, non_maximum_suppression
from utils.detection.loss import detection_loss
from utils.detection.predicting.drawing import draw_boxes
from utils.network.distributed import Processes
from utils.network.precision import Precision

SCORES: Mapping[str, str] = {"fitness": "fitness", "map50": "mAP50", "map50_95": "mAP50-95"}  # see LossHistory
PARTS: Mapping[str, str] = {  # see LossHistory
    "box_loss": "boxes", "objectness_loss": "objectness", "class_loss": "classes", "val_box_loss": "boxes, validation",
    "val_objectness_loss": "objectness, validation", "val_class_loss": "classes, validation",
}
NOMINAL_BATCH = 64  # the published learning rates are for the sum of the losses of so many images


def fitness(scores: DetectionScores) -> float:
    """What decides which epoch is the best, as in YOLOv5: 0.1 mAP50 + 0.9 mAP50-95."""
    return 0.1 * scores.map50 + 0.9 * scores.map50_95


def numbers_of(scores: DetectionScores) -> dict[str, float]:
    """The numbers that SCORES names."""
    return {"fitness": fitness(scores), "map50": scores.map50, "map50_95": scores.map50_95}


class BoxLoss:
    """The loss of (outputs, targets) for each image, times NOMINAL_BATCH. It also adds up its three parts.

    anchors: of the network, on its device.
    """

    def __init__(self, anchors: Tensor) -> None:
        self.anchors = anchors
        self._sums = torch.zeros(4)  # of the parts over the images, and number of images

    def __call__(self, outputs: Sequence[Tensor], targets: Tensor) -> Tensor:
        """The loss, a scalar. Arguments: see `detection_loss`."""
        height, width = (side * STRIDES[0] for side in outputs[0].shape[2:4])
        images = len(outputs[0])
        total, *parts = detection_loss(outputs, targets, self.anchors, (height, width))
        parts = torch.stack(parts).detach() * (NOMINAL_BATCH * images)
        self._sums = self._sums.to(parts.device) + torch.cat((parts, parts.new_full((1,), images)))
        return total * (NOMINAL_BATCH / images)

    def take_parts(self, procs: Processes, prefix: str = "") -> dict[str, float]:
        """The mean of each part over the images of all processes since the last call; their sum is the mean loss.

        prefix: of the names, which are those of PARTS.
        """
        *sums, images = procs.sum(self._sums).tolist()
        self._sums = torch.zeros(4)
        names = ("box_loss", "objectness_loss", "class_loss")
        return {f"{prefix}{name}": value / images for name, value in zip(names, sums, strict=True)}


class FoundBoxes:
    """Collects the boxes that a network finds on validation sheets, for `run_epoch`, beside the true ones.

    anchors: of the network, on its device. num_classes: number of classes.
    """

    def __init__(self, anchors: Tensor, num_classes: int) -> None:
        self.anchors, self.num_classes = anchors, num_classes
        self.images: list[tuple[np.ndarray, np.ndarray]] = []  # found (k, 6) and true (n, 5) boxes of each

    def observe(self, outputs: Sequence[Tensor], targets: Tensor) -> None:
        """Adds the images of a batch. Arguments: see `detection_loss`."""
        found = non_maximum_suppression(decode(outputs, self.anchors), VALIDATION)
        true = targets.cpu().numpy()
        self.images += [(boxes.cpu().numpy(), true[true[:, 0] == number, 1:]) for number, boxes in enumerate(found)]

    def scores(self, procs: Processes) -> DetectionScores:
        """The scores over the images of all processes."""
        found, true = zip(*procs.gather(self.images))
        return detection_scores(found, true, self.num_classes)


@torch.inference_mode()
def draw_found(
    model: nn.Module,
    dataset: BoxDataset,
    count: int,
    name_classes: Sequence[str],
    precision: Precision,
    procs: Processes,
) -> list[np.ndarray]:
    """The first `count` sheets of `dataset` with the boxes that are found, each uint8 (h, w, 3) RGB.

    Args:
        model: the network.
        dataset: without augmentation.
        count: how many sheets; all of them if there are fewer.
        name_classes: the classes.
        precision: number format of the network.
        procs: the processes of the run.
    """
    model.eval()
    pictures = []
    for number in range(min(count, len(dataset))):
        image, _ = dataset[0, number]
        outputs = precision.forward(model, image[None].to(procs.device))
        (found,) = non_maximum_suppression(decode(outputs, model.anchors), PREDICTION)
        boxes = [Box(name_classes[int(index)], int(index), score, *sides) for *sides, score, index in found.tolist()]
        pictures.append(draw_boxes(image.numpy(), boxes, box_colors(len(name_classes))))
    return pictures
