"""Checkpoints of detectors. They describe themselves, as those of segmentation do: see utils.network.checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from nets.yolov5 import STRIDES, YoloV5, yolov5
from utils.detection.boxes import box_colors
from utils.network.checkpoint import DETECTORS, Checkpoint, load_weights
from utils.utils import UserError


@dataclass(frozen=True)
class DetectionCheckpoint(Checkpoint):
    """The content of a detector's file. Classes are without the background; `backbone` is the size in nets/yolov5.py.

    `min_confidence` is the lowest score of a box to predict. The anchors are among the weights.
    """

    detects: ClassVar[bool] = True
    best: ClassVar[str] = "best_score"

    best_miou: None = None  # not in the file
    best_score: float = math.nan  # best validation score so far, see `fitness`; NaN before the first evaluation

    @classmethod
    def of_run(cls, constants: Mapping[str, Any], **fields_of_its_own: Any) -> DetectionCheckpoint:
        """A checkpoint of a run without weights. The constants of train_yolo.py fill the fields with the same names."""
        colors = [list(color) for color in box_colors(len(constants["name_classes"]))]
        return super().of_run(constants, **{
            "model_name": DETECTORS[0], "downsample_factor": STRIDES[-1], "colors": colors, **fields_of_its_own,
        })

    def build(self) -> YoloV5:
        """The network with its weights, on the CPU, in evaluation mode.

        Raises UserError when the size is unknown, or the weights do not fit.
        """
        try:
            model = yolov5(self.backbone, len(self.name_classes))
        except ValueError as error:
            raise UserError(str(error), 2) from error
        load_weights(model, self.model, reinit_mismatched=False)
        return model.eval()
