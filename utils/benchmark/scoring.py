"""Measures scoring at full size, beside the usual evaluation of the same sheets."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from PIL import Image

from utils.benchmark.naive import naive_matrix, naive_miou
from utils.benchmark.predicting import expected_seconds, usual_prediction
from utils.benchmark.processes import timed
from utils.benchmark.setup import CPU_MODES, Setup
from utils.benchmark.table import Row
from utils.files.voc import VocDataset

REPORT = 2.0  # seconds that get_miou.py takes beside its sheets, for plots above all; for estimates


def measure_miou(setup: Setup) -> Iterator[Row]:
    """Sheets a second of get_miou.py at full size, beside the usual evaluation of the same sheets."""
    s, size = setup.settings, setup.megapixels
    data = setup.linked("miou", s.sheets + 1)
    for title, threads in CPU_MODES:
        each = expected_seconds(size) * (2 if threads == 1 else 1)
        expected = (s.repeats + 1) * (REPORT + each) + s.repeats * (REPORT + each * (s.sheets + 1))
        (values, miou), memory = setup.measure(f"Scoring, {title}", expected, miou_speeds, data, threads=threads)
        (naive, naive_result), _ = setup.measure(
            f"Usual evaluation, {title}", s.repeats * (s.sheets + 1) * (2 * each + 0.2 * size),
            naive_miou_speeds, data, threads=threads, plain=True)
        yield Row(f"get_miou, {title} (mIoU differs by {abs(miou - naive_result):.0e})", "sheets/s", values,
                  "naive evaluation", naive, memory)


def miou_speeds(setup: Setup, data: VocDataset) -> tuple[list[float], float]:
    """Sheets a second of get_miou.py, and the mIoU. What it does once (loading, plots) is measured and left out."""
    lists, stems, repeats = data.list_dir, data.stems("train"), setup.settings.repeats
    (lists / "one.txt").write_text(stems[0], encoding="utf-8")
    one, val = (setup.evaluation(data, split, object_scores=False, min_confidence=0.0) for split in ("one", "val"))
    one()
    once = np.median(timed(one, repeats))
    seconds = timed(val, repeats)
    result = json.loads((data.root / "val" / "metrics.json").read_text(encoding="utf-8"))
    return [(len(stems) - 1) / max(each - once, 1e-9) for each in seconds], result["miou"]


def naive_miou_speeds(setup: Setup, data: VocDataset) -> tuple[list[float], float]:
    """Sheets a second of the usual evaluation, and the mIoU."""
    model, images = setup.make_model(), data.images()
    classes_of = usual_prediction(setup, model)
    classes, matrices = len(model.name_classes), []

    def work() -> None:
        for stem in data.stems("val"):
            prediction = classes_of(np.array(Image.open(images[stem]).convert("RGB")))
            matrices.append(naive_matrix(np.array(Image.open(data.mask(stem))), prediction, classes))

    seconds = timed(work, setup.settings.repeats)
    return [len(images) / each for each in seconds], naive_miou(np.sum(matrices, 0))
