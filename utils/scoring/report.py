"""The result files of get_miou.py: metrics.md, metrics.json, confusion_matrix.csv, per_sheet.csv and plots."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from utils.files.tables import csv_file, write_text
from utils.objects.regions import MIN_AREA
from utils.scoring.objects import MATCH_IOU, TOLERANCE, ObjectCounts, count_objects, no_objects, objects_table
from utils.scoring.plots import plot_bars, plot_confusion
from utils.utils_metrics import Scores, confusion_matrix, markdown_table, percent, scores


class SheetScores(NamedTuple):
    """The counts of one sheet: pixels, int64 (C, C), rows truth, columns prediction; and objects, or None."""

    matrix: np.ndarray
    objects: ObjectCounts | None


class Report:
    """The scores of many sheets. Only sums are kept, so memory does not grow with the number of sheets.

    name_classes: background first.
    colors: (R, G, B) of each class.
    with_objects: also score objects and outlines, which takes about 0.5 s for a sheet of 21 megapixels.
    """

    def __init__(self, name_classes: Sequence[str], colors: Sequence[Sequence[int]], with_objects: bool) -> None:
        self.name_classes, self.colors = name_classes, colors
        self.sheets = 0
        self.matrix = np.zeros((len(name_classes), len(name_classes)), np.int64)
        self.objects = no_objects(len(name_classes)) if with_objects else None

    def header(self) -> list[str]:
        """The first row of per_sheet.csv."""
        columns = ["sheet", "mIoU", *(f"IoU {name}" for name in self.name_classes)]
        return columns if self.objects is None else [*columns, "objects", "objects found", "false objects"]

    def measure(self, truth: np.ndarray, prediction: np.ndarray) -> SheetScores:
        """The counts of one sheet, for `add`. It changes nothing here, so several threads may call it at once.

        truth, prediction: uint8 (H, W). Raises ValueError like `confusion_matrix`.
        """
        count = len(self.name_classes)
        matrix = confusion_matrix(truth, prediction, count)
        return SheetScores(matrix, count_objects(truth, prediction, count) if self.objects is not None else None)

    def add(self, stem: str, sheet: SheetScores) -> list[Any]:
        """The row of a sheet in per_sheet.csv, after adding its counts: scores, NaN for absent classes, and objects."""
        result = scores(sheet.matrix)
        row = [stem, *(round(float(value), 4) for value in (result.miou, *result.iou))]
        if sheet.objects is not None:
            self.objects += sheet.objects
            row += [sheet.objects.true.sum(), sheet.objects.found.sum(), sheet.objects.false.sum()]
        self.matrix += sheet.matrix
        self.sheets += 1
        return row

    def write(self, out_dir: Path, missing: Sequence[str], about: Mapping[str, Any]) -> str:
        """The scores as Markdown text, after writing all files to `out_dir`.

        missing: one sentence for each sheet that could not be scored.
        about: entries for metrics.json that say where the scores come from.
        Raises UserError when a file cannot be written.
        """
        names, matrix, result = self.name_classes, self.matrix, scores(self.matrix)
        text = f"Sheets scored: {self.sheets}, missing: {len(missing)}.\n\n{markdown_table(result, names)}"
        content = {**about, "sheets": self.sheets, "missing": list(missing), **_scores_dict(result, matrix, names)}
        if self.objects is not None:
            text += f"\n{objects_table(self.objects, names)}"
            content["objects"] = _objects_dict(self.objects, names)
        write_text(out_dir / "metrics.md", text)
        write_text(out_dir / "metrics.json", json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        with csv_file(out_dir / "confusion_matrix.csv", ["truth \\ prediction", *names]) as write_row:
            for name, row in zip(names, matrix, strict=True):
                write_row([name, *row])
        for file, values, title in (
            ("iou.png", result.iou, f"mIoU = {percent(result.miou)}"),
            ("recall.png", result.recall, f"mPA = mRecall = {percent(result.mpa)}"),
            ("precision.png", result.precision, f"mPrecision = {percent(result.mprecision)}"),
        ):
            plot_bars(out_dir / file, values, names, self.colors, title)
        plot_confusion(out_dir / "confusion_matrix.png", matrix, names, "Where the pixels of each class go")
        return text


def _scores_dict(result: Scores, matrix: np.ndarray, name_classes: Sequence[str]) -> dict[str, Any]:
    """The pixel scores in plain types. NaN becomes None, which JSON writes as null."""
    per_class = {"iou": result.iou, "recall": result.recall, "precision": result.precision,
                 "true_pixels": matrix.sum(1), "predicted_pixels": matrix.sum(0)}
    means = {name: _nan_to_none(getattr(result, name)) for name in ("miou", "mpa", "mprecision", "mrecall", "accuracy")}
    return {**means, "classes": _class_records(name_classes, per_class), "confusion_matrix": matrix.tolist()}


def _objects_dict(counts: ObjectCounts, name_classes: Sequence[str]) -> dict[str, Any]:
    """The object scores in plain types, without the background."""
    per_class = {"true": counts.true, "found": counts.found, "recall": counts.recall, "false": counts.false,
                 "false_per_sheet": counts.false_per_sheet, "boundary_f1": counts.boundary_f1}
    rules = {"match_iou_above": MATCH_IOU, "min_area_share": MIN_AREA, "boundary_tolerance_of_diagonal": TOLERANCE}
    return {**rules, "classes": _class_records(name_classes, per_class)[1:]}


def _class_records(name_classes: Sequence[str], per_class: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """One dict per class with its name and its values."""
    return [
        {"name": name, **{key: _nan_to_none(values[k].item()) for key, values in per_class.items()}}
        for k, name in enumerate(name_classes)
    ]


def _nan_to_none(value: float) -> float | None:
    """`value`, or None for NaN, which JSON does not have."""
    return None if math.isnan(value) else value
