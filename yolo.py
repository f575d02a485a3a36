"""A trained detector for other programs: `Detector("model_data/yolov5_mobilenet.pth").detect(image)`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from deeplab import GPU_BATCH, rgb_array
from nets.blocks import fold_batchnorm
from nets.cpu import for_cpu
from nets.yolov5 import STRIDES
from utils.detection.boxes import Box
from utils.detection.checkpoint import DetectionCheckpoint
from utils.detection.decoding import PREDICTION, DecodedYolo, Suppression, non_maximum_suppression
from utils.files.images import to_uint8
from utils.network.batching import Batcher
from utils.network.checkpoint import load_checkpoint
from utils.network.letterbox import Placement, letterbox_tightly
from utils.network.precision import choose_precision
from utils.utils import UserError, pick_device


class Detector:
    """A trained network that finds objects as boxes, on images of any size.

    Attributes:
        name_classes: list of str; there is no background.
        colors: (R, G, B) of each class.
        input_shape: (height, width) that images are scaled to fit; the network's input is no larger than needed.
        device: the device that computes.
        checkpoint: the description in the file with the changes made here, without the weights.
        suppression: which boxes are kept.
        model: the network, for prediction only, because its BatchNorms are folded. It gives decoded boxes.
    """

    def __init__(
        self,
        model_path: str | Path,
        *,
        device: str = "auto",
        fp16: bool = True,
        input_shape: tuple[int, int] | None = None,
        min_confidence: float | None = None,
        overlap: float = PREDICTION.iou,
    ) -> None:
        """Loads `model_path`, a checkpoint of train_yolo.py, which describes itself.

        Args:
            model_path: the checkpoint file.
            device: "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps" or "cpu".
            fp16: use mixed precision on devices where it is faster.
            input_shape: (height, width), multiples of 32; the same weights work with any. None: the checkpoint's.
            min_confidence: 0 to 1; lower values find more objects, and more false ones. None: the checkpoint's.
            overlap: 0 to 1; of two boxes of one class with a higher IoU, only the surer one is kept.

        Raises:
            UserError: the file cannot be used, or an argument does not fit.
        """
        checkpoint = load_checkpoint(model_path, DetectionCheckpoint, input_shape=input_shape)
        least = checkpoint.min_confidence if min_confidence is None else min_confidence
        self.checkpoint = replace(checkpoint, model={}, training=None, min_confidence=least)
        for name, value in (("min_confidence", least), ("overlap", overlap)):
            if not 0 <= value <= 1:
                raise UserError(f"{name} is {value}: it has to be from 0 to 1.", 2)
        self.input_shape: tuple[int, int] = tuple(checkpoint.input_shape)
        if any(side < 1 or side % STRIDES[-1] for side in self.input_shape):
            raise UserError(
                f"input_shape is {self.input_shape}: height and width have to be multiples of {STRIDES[-1]}.", 2)
        self.suppression = PREDICTION._replace(score=least, iou=overlap)
        self.name_classes = checkpoint.name_classes
        self.colors = [tuple(color) for color in checkpoint.colors]
        self.device = pick_device(device)
        self.precision = choose_precision(fp16, self.device)
        self.model = DecodedYolo(for_cpu(fold_batchnorm(checkpoint.build()))).eval()
        self.model.to(self.device, memory_format=torch.channels_last)
        self._batcher = Batcher(self._forward, GPU_BATCH) if self.device.type == "cuda" else None

    def detect(self, image: Image.Image | np.ndarray) -> list[Box]:
        """The objects in an image, the surest first; their boxes lie within the image.

        Several threads may call this at once. On a GPU, sheets of one shape that arrive together become one batch.

        Args:
            image: an array, RGB (H, W, 3) or grey (H, W), uint8 or uint16; or a Pillow image. A Pillow image is first
                turned upright by its EXIF orientation, and its transparent parts become white.

        Raises:
            UserError: the image is of another kind, or the GPU's memory runs out.
        """
        found = self.find(image, self.suppression)
        return [
            Box(self.name_classes[int(index)], int(index), score, *sides) for *sides, score, index in found.tolist()
        ]

    @torch.inference_mode()
    def find(self, image: Image.Image | np.ndarray, suppression: Suppression) -> np.ndarray:
        """As `detect`, in float32 (k, 6): x1, y1, x2, y2 in pixels, score, class; `suppression`: which are kept."""
        pixels = to_uint8(rgb_array(image))
        boxed, placement = letterbox_tightly(pixels, self.input_shape, STRIDES[-1])
        sheet = torch.from_numpy(boxed)
        try:
            decoded = self._batcher(sheet) if self._batcher else self._forward(sheet[None])[0]
        except torch.OutOfMemoryError as error:
            raise UserError("The GPU's memory ran out: lower num_workers, or make input_shape smaller.") from error
        (found,) = non_maximum_suppression(decoded[None], suppression)
        return unletterbox_boxes(found.cpu().numpy(), placement, pixels.shape[:2])

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        """All boxes, float (N, boxes, 5 + classes), of uint8 (N, h, w, 3)."""
        return self.precision.forward(self.model, images.to(self.device))


def unletterbox_boxes(found: np.ndarray, placement: Placement, size: tuple[int, int]) -> np.ndarray:
    """Boxes, float32 (k, 6), in pixels of the image and cut at its edges; those that lie on the bars are left out.

    Args:
        found: in pixels of the letterbox.
        placement: the place of the image in the letterbox.
        size: (height, width) of the image.
    """
    top, left, height, width = placement
    found = found.copy()
    for first, start, inner, side in ((0, left, width, size[1]), (1, top, height, size[0])):
        found[:, first:4:2] = ((found[:, first:4:2] - start) * (side / inner)).clip(0, side)
    return found[(found[:, 2:4] - found[:, :2] > 0).all(1)]
