"""Mode map of predict_yolo.py: scores a detector on labelled sheets, with tables, plots and pictures of failures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from PIL import Image
from torchvision.ops import batched_nms, box_iou
from tqdm import tqdm

from utils.detection.average_precision import (
    IOUS, MATRIX_IOU, MATRIX_SCORE, RECALLS, DetectionScores, detection_matrix, detection_scores,
)
from utils.detection.boxes import Box
from utils.detection.data.samples import Boxed
from utils.detection.decoding import VALIDATION, Suppression
from utils.detection.predicting.drawing import draw_boxes
from utils.files.encode import encode_pillow
from utils.files.images import read_image, writing
from utils.files.jobs import in_threads
from utils.files.tables import csv_file, write_text
from utils.scoring.plots import plot_confusion, png_figure
from utils.utils import write_bytes
from utils.utils_metrics import percent

FOUND_IOU = 0.5   # from which a box counts as found in the pictures of failures
PICTURE = 1200    # longer side of such a picture, in pixels
TRUTH = (0, 180, 255)  # colour of true boxes that were missed: seen on paper, plants and boards alike


class Detector(Protocol):
    """What this module needs from a model; `yolo.Detector` has it."""

    name_classes: list[str]
    colors: list[tuple[int, int, int]]
    suppression: Suppression

    def find(self, image: np.ndarray, suppression: Suppression) -> np.ndarray:
        """The boxes on an image (H, W, 3), float32 (k, 6): x1, y1, x2, y2, score, class."""
        ...


class Failure(NamedTuple):
    """What went wrong on a sheet: true boxes that were missed and found boxes with nothing there."""

    missed: np.ndarray  # (n, 5): class, x1, y1, x2, y2
    false: np.ndarray   # (k, 6): x1, y1, x2, y2, score, class


def evaluate(model: Detector, sheets: Sequence[Boxed], out_dir: Path, num_workers: int, most: int) -> DetectionScores:
    """The scores on labelled sheets, after writing them.

    The files are metrics.json, scores.csv, confusion_matrix.png, precision_recall.png and failures/<sheet>.jpg.

    Args:
        model: finds the objects.
        sheets: with their true boxes.
        out_dir: the folder to write to.
        num_workers: sheets processed at the same time, in threads.
        most: how many pictures of failures to write; the sheets with most failures come first.

    Raises:
        UserError: a sheet cannot be read, or a file cannot be written.
    """
    def work(sheet: Boxed) -> np.ndarray:
        return model.find(read_image(sheet.image), VALIDATION)

    found = list(tqdm(in_threads(work, sheets, num_workers), total=len(sheets), unit=" sheets"))
    true = [true_boxes(sheet) for sheet in sheets]
    count = len(model.name_classes)
    scores = detection_scores(found, true, count)
    matrix = detection_matrix(found, true, count)
    write_scores(out_dir, scores, matrix, model.name_classes, len(sheets))
    failures = [find_failures(suppress_more(boxes, model.suppression), truth) for boxes, truth in zip(found, true)]
    worst = sorted(range(len(sheets)), key=lambda number: -sum(map(len, failures[number])))
    for number in worst[:most]:
        if any(map(len, failures[number])):
            draw_failures(model, sheets[number], failures[number], out_dir / "failures")
    return scores


def true_boxes(sheet: Boxed) -> np.ndarray:
    """The boxes of a sheet in its pixels, float32 (n, 5)."""
    height, width = sheet.size
    return sheet.boxes * np.array([1, width, height, width, height], np.float32)


def suppress_more(found: np.ndarray, settings: Suppression) -> np.ndarray:
    """The boxes that prediction would show: of those of VALIDATION, float32 (k, 6), the ones that `settings` keep."""
    found = found[found[:, 4] > settings.score]
    found = found[np.sort(np.unique(found[:, :4], axis=0, return_index=True)[1])]  # of several classes, the surest
    boxes, scores, classes = torch.from_numpy(found).split((4, 1, 1), dim=1)
    return found[batched_nms(boxes, scores[:, 0], classes[:, 0], settings.iou).numpy()[:settings.most]]


def find_failures(found: np.ndarray, true: np.ndarray) -> Failure:
    """What is wrong with the boxes; each true box is found by one box at most.

    found: float (k, 6), the surest first. true: float (n, 5).
    """
    ious = box_iou(torch.from_numpy(found[:, :4]), torch.from_numpy(true[:, 1:])).numpy()
    ious[found[:, 5:6] != true[None, :, 0]] = 0
    right, free = np.zeros(len(found), bool), np.ones(len(true), bool)
    for number in range(len(found)):
        offered = np.where(free, ious[number], 0)
        if len(true) and offered.max() >= FOUND_IOU:
            right[number], free[offered.argmax()] = True, False
    return Failure(true[free], found[~right])


def draw_failures(model: Detector, sheet: Boxed, failure: Failure, folder: Path) -> None:
    """Writes a small picture of a sheet: missed boxes are light blue, false ones have their class's colour."""
    image = read_image(sheet.image)
    factor = min(1.0, PICTURE / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    names = model.name_classes
    missed = [Box(f"{names[int(index)]} missed", 0, math.nan, *(factor * side for side in sides))
              for index, *sides in failure.missed.tolist()]
    false = [Box(names[int(index)], int(index), score, *(factor * side for side in sides))
             for *sides, score, index in failure.false.tolist()]
    small = draw_boxes(small, missed, [TRUTH], in_place=True)
    small = draw_boxes(small, false, model.colors, in_place=True)
    path = folder / f"{sheet.image.stem}.jpg"
    with writing(path):
        write_bytes(path, encode_pillow(Image.fromarray(small), format="JPEG", quality=90))


def write_scores(
    out_dir: Path, scores: DetectionScores, matrix: np.ndarray, name_classes: Sequence[str], sheets: int
) -> None:
    """Writes metrics.json, scores.csv, confusion_matrix.png and precision_recall.png.

    Args:
        out_dir: the folder.
        scores: over all sheets.
        matrix: int64 (C + 1, C + 1), see `detection_matrix`.
        name_classes: the classes.
        sheets: how many were scored.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    content = {
        "sheets": sheets, "map50": _plain(scores.map50), "map50_95": _plain(scores.map50_95),
        "best_confidence": scores.confidence, "ious": IOUS.round(2).tolist(), "classes": list(name_classes),
        "average_precisions": _plain(scores.average_precisions), "boxes": scores.truths.tolist(),
        "precision": _plain(scores.precision), "recall": _plain(scores.recall),
        "confusion_matrix": matrix.tolist(), "matrix_score": MATRIX_SCORE, "matrix_iou": MATRIX_IOU,
    }
    write_text(out_dir / "metrics.json", json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
    with csv_file(out_dir / "scores.csv", ["class", "boxes", "AP50", "AP50-95", "precision", "recall"]) as write_row:
        for row in class_rows(scores, name_classes):
            write_row(row)
    title = f"Boxes with a score above {MATRIX_SCORE:g} at an IoU above {MATRIX_IOU:g}"
    plot_confusion(out_dir / "confusion_matrix.png", matrix, [*name_classes, "nothing"], title)
    with png_figure(out_dir / "precision_recall.png", 8, 6) as figure:
        axes = figure.add_subplot()
        for name, curve, precisions in zip(name_classes, scores.precision_curves, scores.average_precisions):
            axes.plot(RECALLS, curve, label=f"{name} {percent(float(precisions[0]))}")
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title=f"IoU {IOUS[0]:g}")
        axes.grid(alpha=0.3)
        axes.legend()


def class_rows(scores: DetectionScores, name_classes: Sequence[str]) -> list[list[Any]]:
    """For each class: name, number of true boxes, AP50, AP50-95, and precision and recall at the best confidence."""
    return [
        [name, int(scores.truths[index]), *(round(float(value), 4) for value in (
            scores.average_precisions[index, 0], scores.average_precisions[index].mean(),
            scores.precision[index], scores.recall[index]))]
        for index, name in enumerate(name_classes)
    ]


def _plain(values: np.ndarray | float) -> Any:
    """Numbers as JSON has them: rounded, and None for NaN."""
    if isinstance(values, np.ndarray):
        return [_plain(value) for value in values]
    return None if math.isnan(values) else round(float(values), 5)
