"""Scores that see objects and outlines where the confusion matrix sees pixels; they add up sheet by sheet.

An object is an 8-connected component of a class. Objects of one class that touch are therefore one object, in the
truth and in the prediction alike: a mask of classes cannot tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np

from utils.objects.boxes import object_boxes
from utils.objects.regions import MIN_AREA
from utils.utils import IGNORE
from utils.utils_metrics import percent

MATCH_IOU = 0.5  # above it at most one prediction can match an object (Kirillov et al. 2019, arXiv 1801.00868)
TOLERANCE = 0.002  # share of the sheet's diagonal: about what a hand-drawn outline of a label is good to
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True)
class ObjectCounts:
    """Counts of one sheet or, after `+`, of several; int64 (C,) each, row 0 (the background) always 0."""

    sheets: int
    true: np.ndarray  # objects in the truth
    found: np.ndarray  # those of them that a predicted object matches
    false: np.ndarray  # predicted objects that match none
    true_edge: np.ndarray  # pixels on the outlines in the truth
    true_edge_met: np.ndarray  # those of them with a predicted outline within the tolerance
    predicted_edge: np.ndarray
    predicted_edge_met: np.ndarray

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        return ObjectCounts(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    @property
    def recall(self) -> np.ndarray:
        """Share of the objects that were found, float64 (C,); NaN for a class without objects."""
        return _share(self.found, self.true)

    @property
    def false_per_sheet(self) -> np.ndarray:
        """Falsely predicted objects a sheet, float64 (C,)."""
        return self.false / max(self.sheets, 1)

    @property
    def boundary_f1(self) -> np.ndarray:
        """Agreement of the outlines, float64 (C,) from 0 to 1; NaN for a class without any outline.

        F1 of the shares of predicted and of true outline pixels that are met (Csurka et al. 2013, "What is a good
        evaluation measure for semantic segmentation?"). Deviations: pixels are summed over the sheets instead of
        averaging F1 over them, and TOLERANCE is tighter than the paper's 0.0075.
        """
        precision = np.nan_to_num(_share(self.predicted_edge_met, self.predicted_edge))
        recall = np.nan_to_num(_share(self.true_edge_met, self.true_edge))
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        return np.where(self.true_edge + self.predicted_edge > 0, f1, math.nan)


def no_objects(num_classes: int) -> ObjectCounts:
    """The counts of no sheets, to add to."""
    return ObjectCounts(0, *np.zeros((7, num_classes), np.int64))


def count_objects(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> ObjectCounts:
    """The counts of one sheet. truth, prediction: uint8 (H, W) of class indices, IGNORE in the truth.

    A true object is found when one predicted object of its class has an IoU above MATCH_IOU with it. Objects below
    MIN_AREA are left out on both sides (slivers, specks), predicted objects that lie mostly on IGNORE too; pixels on
    IGNORE do not count in the IoU. Outline pixels within the tolerance of IGNORE are left out; the edge of the sheet
    is no outline.
    """
    counts = np.zeros((7, num_classes), np.int64)
    min_area = MIN_AREA * truth.size
    tolerance = max(1.0, TOLERANCE * math.hypot(*truth.shape))
    margin = math.ceil(tolerance) + 1  # what an outline needs to see around it
    for k in range(1, num_classes):
        for box in object_boxes((truth == k) | (prediction == k), gap=2 * margin):
            box = tuple(slice(max(side.start - margin, 0), side.stop + margin) for side in box)
            true, predicted = ((mask[box] == k).astype(np.uint8) for mask in (truth, prediction))
            ignored = (truth[box] == IGNORE).astype(np.uint8)
            counts[:3, k] += _match(true, predicted, ignored, min_area)
            counts[3:, k] += _outlines(true, predicted, ignored, tolerance)
    return ObjectCounts(1, *counts)


def objects_table(counts: ObjectCounts, name_classes: Sequence[str]) -> str:
    """The object scores as a Markdown table: one row a class, background left out, and one row for all objects."""
    lines = ["| Class | Objects | Recall (found) | False objects | False a sheet | Boundary F1 |",
             "|:--|--:|--:|--:|--:|--:|"]
    rows = list(zip(name_classes, counts.true, counts.recall, counts.false, counts.false_per_sheet,
                    counts.boundary_f1, strict=True))[1:]
    for name, true, recall, false, per_sheet, f1 in rows:
        name = name.replace("|", "\\|")
        lines.append(f"| {name} | {true} | {percent(recall)} | {false} | {per_sheet:.2f} | {percent(f1)} |")
    true, false = counts.true.sum(), counts.false.sum()
    recall = percent(float(_share(counts.found.sum(), true)))
    lines.append(f"| **all** | {true} | {recall} | {false} | {false / max(counts.sheets, 1):.2f} | |")
    return "\n".join(lines) + "\n"


def _match(true: np.ndarray, predicted: np.ndarray, ignored: np.ndarray, min_area: float) -> tuple[int, int, int]:
    """How many objects are true, found and falsely predicted; masks of 0 and 1, uint8 (h, w), of one class."""
    true_count, true_labels, true_stats, _ = cv2.connectedComponentsWithStats(true, connectivity=8)
    predicted_count, labels, stats, _ = cv2.connectedComponentsWithStats(predicted, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    scored_areas = areas - np.bincount(labels[ignored > 0], minlength=predicted_count)
    matched = np.zeros(predicted_count, bool)
    objects = [k for k in range(1, true_count) if true_stats[k, cv2.CC_STAT_AREA] >= min_area]
    found = 0
    for k in objects:
        x, y, width, height, area = true_stats[k]
        box = np.s_[y:y + height, x:x + width]
        overlaps = np.bincount(labels[box][true_labels[box] == k], minlength=predicted_count)
        overlaps[0] = 0
        best = overlaps.argmax()  # an IoU above 0.5 needs more than half of the true object
        if overlaps[best] / (area + scored_areas[best] - overlaps[best]) > MATCH_IOU:
            matched[best] = True
            found += 1
    false = ~matched & (areas >= min_area) & (scored_areas * 2 >= areas)
    return len(objects), found, int(false[1:].sum())


def _outlines(
    true: np.ndarray, predicted: np.ndarray, ignored: np.ndarray, tolerance: float
) -> tuple[int, int, int, int]:
    """Outline pixels: true, true and met, predicted, predicted and met; masks of 0 and 1, uint8 (h, w)."""
    true_edge, predicted_edge = (mask > cv2.erode(mask, CROSS) for mask in (true, predicted))
    scored = ~_near(ignored > 0, tolerance)
    counts: list[int] = []
    for edge, other in ((true_edge, predicted_edge), (predicted_edge, true_edge)):
        edge = edge & scored
        counts += [int(edge.sum()), int((edge & _near(other, tolerance)).sum())]
    return tuple(counts)


def _near(mask: np.ndarray, distance: float) -> np.ndarray:
    """Where a True pixel of `mask` lies within `distance` pixels; bool, as `mask`."""
    if not mask.any():
        return mask
    return cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= distance


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), math.nan)
