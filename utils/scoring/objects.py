"""Scores of objects and outlines, in addition to those of pixels. Counts of single sheets can be added up.

An object is an 8-connected component of a class. Objects of one class that touch are therefore one object, both in the
truth and in the prediction, because a mask of classes cannot tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import cv2
import numpy as np

from utils.objects.boxes import object_boxes
from utils.objects.regions import MIN_AREA
from utils.utils import IGNORE
from utils.utils_metrics import percent

MATCH_IOU = 0.5  # above 0.5 only one prediction can match an object (Kirillov et al. 2019, arXiv 1801.00868)
TOLERANCE = 0.002  # share of the sheet's diagonal: about the error of a label's outline made by hand
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True)
class ObjectCounts:
    """Counts of one sheet or, after `+`, of several. Each is int64 (C,), and 0 for the background."""

    sheets: int
    true: np.ndarray  # objects in the truth
    found: np.ndarray  # true objects that a predicted object matches
    false: np.ndarray  # predicted objects that match no true object
    true_edge: np.ndarray  # pixels on the outlines in the truth
    true_edge_met: np.ndarray  # those with a predicted outline within the tolerance
    predicted_edge: np.ndarray  # pixels on the outlines in the prediction
    predicted_edge_met: np.ndarray  # those with a true outline within the tolerance

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        return ObjectCounts(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    @property
    def recall(self) -> np.ndarray:
        """Share of the objects that were found, float64 (C,); NaN for a class without objects."""
        return _divide(self.found, self.true)

    @property
    def false_per_sheet(self) -> np.ndarray:
        """False objects per sheet, float64 (C,)."""
        return self.false / max(self.sheets, 1)

    @property
    def boundary_f1(self) -> np.ndarray:
        """How well the outlines agree, float64 (C,) from 0 to 1; NaN for a class without any outline.

        It is the F1 score of two shares: predicted outline pixels near a true outline, and true ones near a predicted
        outline (Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?"). Deviations: pixels
        are summed over the sheets, instead of averaging F1 over them; TOLERANCE is smaller than the paper's 0.0075.
        """
        precision = np.nan_to_num(_divide(self.predicted_edge_met, self.predicted_edge))
        recall = np.nan_to_num(_divide(self.true_edge_met, self.true_edge))
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        return np.where(self.true_edge + self.predicted_edge > 0, f1, math.nan)


def no_objects(num_classes: int) -> ObjectCounts:
    """The counts of no sheets, as the start of a sum."""
    return ObjectCounts(0, *np.zeros((7, num_classes), np.int64))


def count_objects(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> ObjectCounts:
    """The counts of one sheet.

    A true object is found if a predicted object of its class has an IoU above MATCH_IOU with it. The IoU does not count
    pixels on IGNORE. Objects smaller than MIN_AREA (slivers, specks) are left out in both masks, and so are predicted
    objects that lie mostly on IGNORE. Outline pixels within the tolerance of IGNORE are left out. The edge of the sheet
    is not an outline.

    truth: uint8 (H, W) of class indices and IGNORE.
    prediction: uint8 (H, W) of class indices.
    """
    counts = np.zeros((7, num_classes), np.int64)
    min_area = MIN_AREA * truth.size
    tolerance = max(1.0, TOLERANCE * math.hypot(*truth.shape))
    margin = math.ceil(tolerance) + 1  # pixels around an outline that affect its counts
    for k in range(1, num_classes):
        for box in object_boxes((truth == k) | (prediction == k), gap=2 * margin):
            box = tuple(slice(max(side.start - margin, 0), side.stop + margin) for side in box)
            true, predicted = ((mask[box] == k).astype(np.uint8) for mask in (truth, prediction))
            ignored = (truth[box] == IGNORE).astype(np.uint8)
            matches = match_objects(true, predicted, ignored, min_area)
            counts[:3, k] += matches.true, matches.right.sum(), matches.false.sum()
            counts[3:, k] += _count_outlines(true, predicted, ignored, tolerance)
    return ObjectCounts(1, *counts)


def objects_table(counts: ObjectCounts, name_classes: Sequence[str]) -> str:
    """The object scores as a Markdown table: one row per class except background, and one row for all objects."""
    lines = ["| Class | Objects | Recall (found) | False objects | False a sheet | Boundary F1 |",
             "|:--|--:|--:|--:|--:|--:|"]
    rows = list(zip(name_classes, counts.true, counts.recall, counts.false, counts.false_per_sheet,
                    counts.boundary_f1, strict=True))[1:]
    for name, true, recall, false, per_sheet, f1 in rows:
        name = name.replace("|", "\\|")
        lines.append(f"| {name} | {true} | {percent(recall)} | {false} | {per_sheet:.2f} | {percent(f1)} |")
    true, false = counts.true.sum(), counts.false.sum()
    recall = percent(float(_divide(counts.found.sum(), true)))
    lines.append(f"| **all** | {true} | {recall} | {false} | {false / max(counts.sheets, 1):.2f} | |")
    return "\n".join(lines) + "\n"


class Matches(NamedTuple):
    """Which predicted objects of one class are right. Specks and those on ignored pixels are not false, either."""

    true: int  # objects in the truth; `right` says how many of them were found
    labels: np.ndarray  # number of the predicted object of each pixel, int32 (h, w); 0: none
    right: np.ndarray  # bool (n,), by number: it matches a true object
    false: np.ndarray  # bool (n,), by number: it matches none


def match_objects(true: np.ndarray, predicted: np.ndarray, ignored: np.ndarray, min_area: float) -> Matches:
    """The predicted objects of one class, compared with the true ones; see `count_objects`.

    Args:
        true: mask of the class in the truth, uint8 (h, w) of 0 and 1.
        predicted: mask of the class in the prediction, uint8 (h, w) of 0 and 1.
        ignored: mask of IGNORE, uint8 (h, w) of 0 and 1.
        min_area: smaller objects, in pixels, are left out.
    """
    true_count, true_labels, true_stats, _ = cv2.connectedComponentsWithStats(true, connectivity=8)
    predicted_count, labels, stats, _ = cv2.connectedComponentsWithStats(predicted, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    scored_areas = areas - np.bincount(labels[ignored > 0], minlength=predicted_count)
    matched = np.zeros(predicted_count, bool)
    objects = [k for k in range(1, true_count) if true_stats[k, cv2.CC_STAT_AREA] >= min_area]
    for k in objects:
        x, y, width, height, area = true_stats[k]
        box = np.s_[y:y + height, x:x + width]
        overlaps = np.bincount(labels[box][true_labels[box] == k], minlength=predicted_count)
        overlaps[0] = 0
        best = overlaps.argmax()  # no other can match: an IoU above 0.5 needs more than half of the true object
        if overlaps[best] / (area + scored_areas[best] - overlaps[best]) > MATCH_IOU:
            matched[best] = True
    false = ~matched & (areas >= min_area) & (scored_areas * 2 >= areas)
    false[0] = False
    return Matches(len(objects), labels, matched, false)


def _count_outlines(
    true: np.ndarray, predicted: np.ndarray, ignored: np.ndarray, tolerance: float
) -> tuple[int, int, int, int]:
    """How many outline pixels are true, true and met, predicted, predicted and met.

    Args:
        true, predicted, ignored: as in `_count_matches`.
        tolerance: distance in pixels at which two outlines still meet.
    """
    true_edge, predicted_edge = (mask > cv2.erode(mask, CROSS) for mask in (true, predicted))
    scored = ~_grow_mask(ignored > 0, tolerance)
    counts: list[int] = []
    for edge, other in ((true_edge, predicted_edge), (predicted_edge, true_edge)):
        edge = edge & scored
        counts += [int(edge.sum()), int((edge & _grow_mask(other, tolerance)).sum())]
    return tuple(counts)


def _grow_mask(mask: np.ndarray, distance: float) -> np.ndarray:
    """Which pixels are at most `distance` pixels from a True pixel of `mask`; both are bool (h, w)."""
    if not mask.any():
        return mask
    return cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= distance


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where `whole` is 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), math.nan)
