"""Scores of detection: average precision as COCO counts it, precision and recall, and the confusion matrix.

Average precision: Lin et al. 2014 (COCO, arXiv 1405.0312), with 101 points and ten IoUs. It is the mean precision over
recalls of 0, 0.01, ..., 1, where the precision at a recall is the highest at this or a higher recall.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import box_iou

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
CONFIDENCES = np.linspace(0, 1, 1001)
MATRIX_SCORE, MATRIX_IOU = 0.25, 0.45  # of the confusion matrix: what counts as a box, and as the same place


@dataclass(frozen=True)
class DetectionScores:
    """Scores over all images. Arrays are float64; C is the number of classes.

    What cannot be computed for a class without boxes in the truth is NaN, and the means leave it out.

    Attributes:
        truths: how many boxes each class has in the truth, int64 (C,).
        average_precisions: (C, 10), one for each of IOUS.
        precision_curves: precision at each of RECALLS, for an IoU of 0.5: (C, 101).
        f1_curves: F1 when boxes below each of CONFIDENCES are left out, for an IoU of 0.5: (C, 1001).
        confidence: the one of CONFIDENCES with the best mean F1; of equal ones the highest.
        precision: at this confidence, (C,); also NaN for a class without boxes above it.
        recall: at this confidence, (C,).
    """

    truths: np.ndarray
    average_precisions: np.ndarray
    precision_curves: np.ndarray
    f1_curves: np.ndarray
    confidence: float
    precision: np.ndarray
    recall: np.ndarray

    @property
    def map50(self) -> float:
        """Mean average precision at an IoU of 0.5; NaN without any box in the truth."""
        return nan_mean(self.average_precisions[:, 0])

    @property
    def map50_95(self) -> float:
        """Mean average precision over IOUS; NaN without any box in the truth."""
        return nan_mean(self.average_precisions)


def detection_scores(
    predictions: Sequence[np.ndarray | torch.Tensor],
    truths: Sequence[np.ndarray | torch.Tensor],
    num_classes: int,
) -> DetectionScores:
    """The scores of these images. Every box of the predictions counts; COCO's limit of 100 an image is not applied.

    Args:
        predictions: for each image float (k, 6): x1, y1, x2, y2, score, class. On the CPU. At least one image.
        truths: for each image float (n, 5): class, x1, y1, x2, y2. On the CPU.
        num_classes: number of classes.
    """
    images = _as_float64(predictions, truths)
    results = [_class_scores(images, k) for k in range(num_classes)]
    counts, average_precisions, curves, f1, precision, recall = (np.stack(part) for part in zip(*results))
    mean_f1 = f1[counts > 0].sum(axis=0)
    best = len(mean_f1) - 1 - int(mean_f1[::-1].argmax())
    return DetectionScores(
        counts, average_precisions, curves, f1, float(CONFIDENCES[best]), precision[:, best], recall[:, best]
    )


def detection_matrix(
    predictions: Sequence[np.ndarray | torch.Tensor],
    truths: Sequence[np.ndarray | torch.Tensor],
    num_classes: int,
) -> np.ndarray:
    """The confusion matrix, int64 (C + 1, C + 1): rows are the true classes, columns the predicted ones.

    The last column counts true boxes that were missed, the last row predicted boxes with nothing there. Boxes are
    matched whatever their classes, those with the highest IoU first. Arguments are those of `detection_scores`.
    """
    matrix = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for found, true in _as_float64(predictions, truths):
        found = found[found[:, 4] > MATRIX_SCORE]
        found_class, true_class = found[:, 5].astype(int), true[:, 0].astype(int)
        ious = _ious(found, true)
        found_free, true_free = np.ones(len(found), bool), np.ones(len(true), bool)
        pairs = np.argwhere(ious > MATRIX_IOU)
        for row, column in pairs[np.argsort(-ious[tuple(pairs.T)], kind="stable")]:
            if found_free[row] and true_free[column]:
                found_free[row] = true_free[column] = False
                matrix[true_class[column], found_class[row]] += 1
        np.add.at(matrix, (true_class[true_free], num_classes), 1)
        np.add.at(matrix, (num_classes, found_class[found_free]), 1)
    return matrix


def nan_mean(values: np.ndarray) -> float:
    """The mean of the values that are not NaN; NaN if there are none."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def _as_float64(
    predictions: Sequence[np.ndarray | torch.Tensor], truths: Sequence[np.ndarray | torch.Tensor]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The predictions (k, 6) and truths (n, 5) of each image, float64, the highest score first."""
    images = []
    for found, true in zip(predictions, truths, strict=True):
        found, true = np.asarray(found, np.float64).reshape(-1, 6), np.asarray(true, np.float64).reshape(-1, 5)
        images.append((found[np.argsort(-found[:, 4], kind="stable")], true))
    return images


def _ious(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The IoU of each predicted box, float64 (k, 6), with each true box, float64 (n, 5): float64 (k, n)."""
    return np.nan_to_num(box_iou(torch.from_numpy(found[:, :4]), torch.from_numpy(true[:, 1:])).numpy())


def _class_scores(images: list[tuple[np.ndarray, np.ndarray]], number: int) -> tuple[np.ndarray | int, ...]:
    """The first four attributes of DetectionScores for the class of this number, then precision and recall curves.

    These two are like `f1_curves`, float64 (1001,).
    """
    scores, matched, count = [], [], 0
    for found, true in images:
        found, true = found[found[:, 5] == number], true[true[:, 0] == number]
        scores.append(found[:, 4])
        matched.append(match_boxes(_ious(found, true)))
        count += len(true)
    scores, matched = np.concatenate(scores), np.concatenate(matched, axis=1)
    if not count:
        nan = np.full(len(CONFIDENCES), math.nan)
        return 0, np.full(len(IOUS), math.nan), np.full(len(RECALLS), math.nan), nan, nan, nan
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(matched[:, order], axis=1)
    curves = np.stack([_precision_curve(line, count) for line in hits])
    boxes = np.searchsorted(-scores, -CONFIDENCES, side="right")  # how many reach each confidence
    right = np.r_[0, hits[0]][boxes]
    precision = np.where(boxes > 0, right / np.maximum(boxes, 1), math.nan)
    return count, curves.mean(axis=1), curves[0], 2 * right / (boxes + count), precision, right / count


def match_boxes(ious: np.ndarray) -> np.ndarray:
    """Whether each box of one class and image finds a true box, for each of IOUS: bool (10, k).

    One after the other, each box takes the true box with the highest IoU that is not taken yet, if the IoU suffices;
    of equal ones the last, as COCO's program does.

    ious: of each box, the highest score first, with each true box, float64 (k, n).
    """
    found = np.zeros((len(IOUS), len(ious)), bool)
    free = np.ones((len(IOUS), ious.shape[1]), bool)
    for number in np.flatnonzero((ious >= IOUS[0]).any(axis=1)):
        offered = np.where(free, ious[number], -1.0)
        best = offered.shape[1] - 1 - offered[:, ::-1].argmax(axis=1)
        found[:, number] = np.take_along_axis(offered, best[:, None], axis=1)[:, 0] >= IOUS
        free[found[:, number], best[found[:, number]]] = False
    return found


def _precision_curve(hits: np.ndarray, count: int) -> np.ndarray:
    """The highest precision at each of RECALLS or more, float64 (101,).

    hits: how many of the first boxes, in order of their scores, are right, int64 (k,).
    count: how many true boxes there are, at least 1.
    """
    precision = hits / np.arange(1, len(hits) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return np.r_[highest, 0.0][np.searchsorted(hits / count, RECALLS, side="left")]
