"""Confusion matrix and the scores that follow from it: IoU, PA (recall), precision, their means, accuracy.

The definitions are those of Long et al. 2015 (arXiv 1411.4038, section 5): from one confusion matrix summed over all
sheets, means over all classes, background included.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from utils.objects.boxes import object_boxes
from utils.utils import IGNORE

CHUNK = 1 << 20  # pixels counted at once: np.bincount copies its input to int64, 8 MiB here


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Pixel counts, int64 (num_classes, num_classes): rows are the truth, columns the prediction.

    truth, prediction: uint8 (H, W) of class indices. Where the truth is IGNORE nothing is counted, whatever the
    prediction says; everywhere else the prediction has to be a class (IGNORE is none).
    Memory: one byte a pixel on top of the inputs.
    Raises ValueError when the shapes or types do not fit or a value is outside the classes.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"the truth is {truth.shape} and the prediction {prediction.shape}: sizes have to be equal")
    if truth.dtype != np.uint8 or prediction.dtype != np.uint8:
        raise ValueError(f"truth and prediction have to be uint8, not {truth.dtype} and {prediction.dtype}")
    counts = np.zeros(256 * 256, np.int64)
    for rows, columns in object_boxes(truth | prediction):  # the rest is background in both
        band = max(CHUNK // (columns.stop - columns.start), 1)
        for top in range(rows.start, rows.stop, band):
            part = slice(top, min(top + band, rows.stop)), columns
            pairs = truth[part].astype(np.uint16) << 8 | prediction[part]
            counts += np.bincount(pairs.ravel(), minlength=counts.size)
    counts[0] = truth.size - counts[1:].sum()
    return _classes_only(counts.reshape(256, 256), num_classes)


def confusion_matrix_torch(output: torch.Tensor, mask: torch.Tensor, num_classes: int) -> torch.Tensor:
    """The same counts for a batch on its device, int64 (num_classes, num_classes): rows truth, columns prediction.

    output: logits, float (N, C, H, W), or class indices, integer (N, H, W).
    mask: uint8 or int64 (N, H, W) of class indices and IGNORE. Raises ValueError like `confusion_matrix`.
    """
    prediction = output.argmax(1) if output.is_floating_point() else output
    if prediction.shape != mask.shape:
        raise ValueError(
            f"the truth is {tuple(mask.shape)} and the prediction {tuple(prediction.shape)}: sizes have to be equal"
        )
    pairs = mask.long() * 256 + prediction.long()
    counts = torch.bincount(pairs.flatten(), minlength=256 * 256)
    return _classes_only(counts.view(256, 256), num_classes)


def _classes_only(counts: Any, num_classes: int) -> Any:
    """The block of the classes out of counts (256, 256) of all pairs of values; an array or a tensor, as given.

    Raises ValueError when a truth value is neither a class nor IGNORE, or a prediction on a counted pixel no class.
    """
    counted = counts[:IGNORE]
    for what, axis, allowed in (
        ("truth", 1, f"0 to {num_classes - 1} and {IGNORE} (ignore)"),
        ("prediction", 0, f"0 to {num_classes - 1}"),
    ):
        per_value = counted.sum(axis).tolist()
        outside = [value for value, pixels in enumerate(per_value) if pixels and value >= num_classes]
        if outside:
            raise ValueError(f"the {what} holds {', '.join(map(str, outside))}: allowed are {allowed}")
    return counts[:num_classes, :num_classes]


@dataclass(frozen=True)
class Scores:
    """The scores of one confusion matrix: float64 (C,) per class, floats for the means; all from 0 to 1 or NaN.

    A class absent from both truth and prediction is NaN and left out of the means. For every other class a score
    without a denominator is 0, as scikit-learn's zero_division=0 has it: precision of a class that is there and never
    predicted, recall of a class that is predicted and nowhere there.
    """

    iou: np.ndarray
    recall: np.ndarray  # also known as PA, the pixel accuracy of a class
    precision: np.ndarray
    miou: float
    mpa: float  # the mean of the per-class PA: the same number as mrecall, under the two names it is reported by
    mprecision: float
    mrecall: float
    accuracy: float  # share of all counted pixels that are right


def scores(matrix: np.ndarray) -> Scores:
    """The scores of a confusion matrix, integer (C, C), rows truth, columns prediction (summed over the sheets)."""
    right, true, predicted = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    present = true + predicted > 0

    def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.where(present, part / np.maximum(whole, 1), np.nan)

    def mean(values: np.ndarray) -> float:
        return float(values[present].mean()) if present.any() else math.nan

    iou, recall, precision = share(right, true + predicted - right), share(right, true), share(right, predicted)
    accuracy = float(right.sum() / matrix.sum()) if present.any() else math.nan
    return Scores(iou, recall, precision, mean(iou), mean(recall), mean(precision), mean(recall), accuracy)


def markdown_table(result: Scores, name_classes: Sequence[str]) -> str:
    """The scores in per cent as a Markdown table: one row a class, a row of means, the accuracy below."""
    rows = zip(name_classes, result.iou, result.recall, result.precision, strict=True)
    lines = ["| Class | IoU | PA (recall) | Precision |", "|:--|--:|--:|--:|"]
    lines += [_row(name.replace("|", "\\|"), values) for name, *values in rows]
    lines.append(_row("**mean**", (result.miou, result.mpa, result.mprecision)))
    means = (("mIoU", result.miou), ("mPA", result.mpa), ("mPrecision", result.mprecision),
             ("mRecall", result.mrecall), ("accuracy", result.accuracy))
    return "\n".join(lines) + "\n\n" + ", ".join(f"{name} {percent(value)}" for name, value in means) + "\n"


def percent(value: float) -> str:
    """A share as text: 0.98765 -> "98.77%"; NaN -> "-"."""
    return "-" if math.isnan(value) else f"{value:.2%}"


def _row(name: str, values: Iterable[float]) -> str:
    return f"| {name} | " + " | ".join(percent(value) for value in values) + " |"
