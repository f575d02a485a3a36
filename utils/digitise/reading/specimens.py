"""Specimens: the plants on a sheet, which a detector finds as boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from utils.detection.boxes import Box
from utils.digitise.record import SheetObject
from utils.objects.outline import Rectangle
from utils.objects.regions import Region
from utils.utils import UserError

SHIPPED = "model_data/yolov5_mobilenet.pth"  # the only detector that may be missing
Color = Sequence[int]


class Described(Protocol):
    """A network or its checkpoint."""

    name_classes: list[str]
    colors: Sequence[Color]


class Detector(Described, Protocol):
    """What this module needs from a model; `yolo.Detector` has it."""

    def detect(self, image: np.ndarray) -> list[Box]:
        """The objects in an image (H, W, 3); their boxes lie within it, and none is empty."""
        ...


def is_wanted(detector_path: str) -> bool:
    """Whether specimens are looked for: not with "", and not if the file is SHIPPED and not there, which is printed."""
    if detector_path == SHIPPED and not Path(SHIPPED).is_file():
        print(f"{SHIPPED} is not there, so specimens are not looked for.")
        return False
    return detector_path != ""


def all_classes(
    segmenter: Described, detector: Described | None, specimen_class: str
) -> tuple[list[str], list[Color]]:
    """Names and colours of all classes: those of the masks, background first, and with a detector that of specimens.

    Raises UserError when the detector has no `specimen_class`, or both networks have it.
    """
    names, colors = list(segmenter.name_classes), list(segmenter.colors)
    if detector is None:
        return names, colors
    if specimen_class not in detector.name_classes:
        raise UserError(f'specimen_class is "{specimen_class}", which the detector does not find: it finds '
                        f"{', '.join(detector.name_classes)}.", 2)
    if specimen_class in names:
        raise UserError(f'specimen_class is "{specimen_class}", which is also a class of the masks: set detector_path '
                        'to "", so that the masks alone say where such objects are.', 2)
    return names + [specimen_class], colors + [detector.colors[detector.name_classes.index(specimen_class)]]


def find_specimens(detector: Detector, pixels: np.ndarray, name: str, index: int) -> tuple[SheetObject, ...]:
    """The specimens of a sheet from top to bottom. Each fills its box, in whole pixels; the confidence is its score.

    Args:
        detector: finds the boxes.
        pixels: the photograph, uint8 (H, W, 3) RGB.
        name: their class in the detector.
        index: the number of their class, behind those of the masks.
    """
    regions = [_region(box, index, pixels.shape[:2]) for box in detector.detect(pixels) if box.name == name]
    return tuple(map(SheetObject, sorted(regions, key=lambda region: (region.top, region.left))))


def _region(box: Box, index: int, size: tuple[int, int]) -> Region:
    left, top, right, bottom = math.floor(box.x1), math.floor(box.y1), math.ceil(box.x2), math.ceil(box.y2)
    width, height = right - left, bottom - top
    x, y = left + width / 2, top + height / 2
    return Region(
        box.name, index, top, left, height, width, height * width, (y - 0.5, x - 0.5),
        Rectangle(x, y, width, height, 0.0), ((left, top), (right, top), (right, bottom), (left, bottom)),
        left == 0 or top == 0 or right == size[1] or bottom == size[0], box.score,
    )
