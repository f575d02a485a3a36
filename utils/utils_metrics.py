"""The confusion matrix and the scores computed from it: IoU, PA (recall), precision, their means, accuracy.

The definitions are those of Long et al. 2015 (arXiv 1411.4038, section 5). One confusion matrix is summed over all
sheets, and means are over all classes, background included.
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

CHUNK = 1 << 20  # pixels counted at once: np.bincount copies them to int64, which takes 8 MiB


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Pixel counts, int64 (num_classes, num_classes): rows are the truth, columns the prediction.

    It needs one byte of memory per pixel in addition to the masks.

    Args:
        truth: uint8 (H, W) of class indices and IGNORE; pixels with IGNORE are not counted.
        prediction: uint8 (H, W) of class indices. IGNORE is not allowed, except where the truth is IGNORE.
        num_classes: number of classes, background included.

    Raises:
        ValueError: shapes or types do not fit, or a value is not a class.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"the truth is {truth.shape} and the prediction {prediction.shape}: sizes have to be equal")
    if truth.dtype != np.uint8 or prediction.dtype != np.uint8:
        raise ValueError(f"truth and prediction have to be uint8, not {truth.dtype} and {prediction.dtype}")
    counts = np.zeros(256 * 256, np.int64)
    for rows, columns in object_boxes(truth | prediction):  # all other pixels are background in both
        band = max(CHUNK // (columns.stop - columns.start), 1)
        for top in range(rows.start, rows.stop, band):
            part = slice(top, min(top + band, rows.stop)), columns
            pairs = truth[part].astype(np.uint16) << 8 | prediction[part]
            counts += np.bincount(pairs.ravel(), minlength=counts.size)
    counts[0] = truth.size - counts[1:].sum()
    return _select_classes(counts.reshape(256, 256), num_classes)


def confusion_matrix_torch(output: torch.Tensor, mask: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Pixel counts of a batch, int64 (num_classes, num_classes) on its device: rows truth, columns prediction.

    Args:
        output: logits, float (N, C, H, W), or class indices, integer (N, H, W).
        mask: uint8 or int64 (N, H, W) of class indices and IGNORE.
        num_classes: number of classes, background included.

    Raises:
        ValueError: as in `confusion_matrix`.
    """
    prediction = output.argmax(1) if output.is_floating_point() else output
    if prediction.shape != mask.shape:
        raise ValueError(
            f"the truth is {tuple(mask.shape)} and the prediction {tuple(prediction.shape)}: sizes have to be equal"
        )
    pairs = mask.long() * 256 + prediction.long()
    counts = torch.bincount(pairs.flatten(), minlength=256 * 256)
    return _select_classes(counts.view(256, 256), num_classes)


def _select_classes(counts: Any, num_classes: int) -> Any:
    """The part of `counts` that belongs to classes, (num_classes, num_classes), as an array or tensor like `counts`.

    Raises ValueError when a truth value is neither a class nor IGNORE, or when a prediction on a counted pixel is not a
    class. `counts` is (256, 256): how often each pair of truth and prediction occurs.
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
    """The scores of one confusion matrix, from 0 to 1 or NaN: float64 (C,) per class, and floats for the means.

    A class that is absent from both truth and prediction is NaN and left out of the means. For other classes, a score
    with denominator 0 is 0, as with scikit-learn's zero_division=0. This happens to the precision of a class that is
    never predicted, and to the recall of a class that is only predicted.
    """

    iou: np.ndarray
    recall: np.ndarray  # also called PA, the pixel accuracy of a class
    precision: np.ndarray
    miou: float
    mpa: float  # mean PA: the same number as mrecall, because reports use both names
    mprecision: float
    mrecall: float
    accuracy: float  # share of the counted pixels that are right


def scores(matrix: np.ndarray) -> Scores:
    """The scores of a confusion matrix, integer (C, C), summed over the sheets: rows truth, columns prediction."""
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
    """The scores in per cent as Markdown: one row per class, a row of means, and the accuracy below the table."""
    rows = zip(name_classes, result.iou, result.recall, result.precision, strict=True)
    lines = ["| Class | IoU | PA (recall) | Precision |", "|:--|--:|--:|--:|"]
    lines += [_format_row(name.replace("|", "\\|"), values) for name, *values in rows]
    lines.append(_format_row("**mean**", (result.miou, result.mpa, result.mprecision)))
    means = (("mIoU", result.miou), ("mPA", result.mpa), ("mPrecision", result.mprecision),
             ("mRecall", result.mrecall), ("accuracy", result.accuracy))
    return "\n".join(lines) + "\n\n" + ", ".join(f"{name} {percent(value)}" for name, value in means) + "\n"


def percent(value: float) -> str:
    """A share as text: 0.98765 -> "98.77%"; NaN -> "-"."""
    return "-" if math.isnan(value) else f"{value:.2%}"


def _format_row(name: str, values: Iterable[float]) -> str:
    """One row of the Markdown table."""
    return f"| {name} | " + " | ".join(percent(value) for value in values) + " |"
