"""Boxes around objects: their classes, and boxes of labelled objects of any format.

The boxes of one image are float32 (n, 5): class, x1, y1, x2, y2; x to the right, y down. Coordinates are continuous
(see utils.labels.polygons): a box around one pixel has sides of 1. They are pixels, or shares of the image, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from utils.labels.marked import LabelledObject, outcome
from utils.labels.names import IGNORE_NAMES
from utils.labels.polygons import Outline
from utils.labels.tally import Outcome
from utils.utils import IGNORE, NAME_CLASSES, default_colors

SPECIMEN = "Specimen"  # a plant, or a part of one that lies apart
DETECTION_CLASSES: tuple[str, ...] = (*NAME_CLASSES[1:], SPECIMEN)  # there is no background class
SMALLEST = 1.0  # pixels


class Box(NamedTuple):
    """An object that was found: its class, and its box in pixels of the image."""

    name: str
    index: int  # the class, from 0
    score: float  # 0 to 1
    x1: float
    y1: float
    x2: float
    y2: float


def box_colors(num_classes: int) -> list[tuple[int, int, int]]:
    """One (R, G, B) of the VOC palette for each class; masks have the same colours for the same classes."""
    return default_colors(num_classes + 1)[1:]


def box_values(name_classes: Sequence[str], label_names: Mapping[str, str] | None = None) -> dict[str, int]:
    """Name in the label files -> class, from 0: every class, the names of `label_names`, and IGNORE_NAMES (255).

    The background, which has no boxes, is ignored as well: digitise.py writes holes in objects as such shapes.

    label_names: name in the files -> class, or one of IGNORE_NAMES; entries for unknown classes do not count.
    """
    values = {name: index for index, name in enumerate(name_classes)} | dict.fromkeys(
        (NAME_CLASSES[0], *IGNORE_NAMES), IGNORE)
    return values | {name: values[target] for name, target in (label_names or {}).items() if target in values}


def boxes_of(
    objects: Sequence[LabelledObject], size: tuple[int, int], values: Mapping[str, int]
) -> tuple[np.ndarray, list[Outcome]]:
    """The boxes of labelled objects in pixels, cut at the edges of the image, and what became of each object.

    An object has no box if the part of it within the image is narrower or lower than SMALLEST.

    Args:
        objects: of one image, with polygons in pixels.
        size: height and width of the image.
        values: name -> class, made by `box_values`; it has the name of every object.
    """
    boxes, outcomes = [], []
    for item in objects:
        corners = np.concatenate(item.polygons) if item.polygons else np.zeros((1, 2))
        low, high = (edge.clip(0, size[::-1]) for edge in (corners.min(0), corners.max(0)))
        ignored, seen = values[item.name] == IGNORE, bool((high - low >= SMALLEST).all())
        outcomes.append(outcome(item.name, item.polygons, size, seen, seen, ignored))
        if seen and not ignored:
            boxes.append((values[item.name], *low, *high))
    return np.array(boxes, np.float32).reshape(-1, 5), outcomes


def as_shares(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes in pixels, float32 (n, 5), as shares of an image of that `size` (height, width)."""
    height, width = size
    return boxes / np.array([1, width, height, width, height], np.float32)


def as_outlines(boxes: np.ndarray) -> list[Outline]:
    """The upper left and the lower right corner of boxes (n, 5) as outlines, for the writers of label files."""
    return [
        Outline(int(index), np.array([[x1, y1], [x2, y2]], np.float64), round((x2 - x1) * (y2 - y1)))
        for index, x1, y1, x2, y2 in boxes.tolist()
    ]


def array_of(found: Sequence[Box]) -> np.ndarray:
    """Boxes that were found as an array, float32 (n, 5), without their scores."""
    return np.array([(box.index, *box[3:]) for box in found], np.float32).reshape(-1, 5)
