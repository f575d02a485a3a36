"""Measures predict_yolo.py, beside predict.py on the same folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from utils.benchmark.predicting import expected_seconds, predict_seconds
from utils.benchmark.processes import timed
from utils.benchmark.setup import CPU_MODES, Setup
from utils.benchmark.table import Row
from utils.detection.predicting.folder import predict_folder

SHARE = 0.5  # of the time of predict.py, for estimates


def measure_detect(setup: Setup) -> Iterator[Row]:
    """Seconds a sheet of predict_yolo.py, from JPEG to pictures and label files, and of predict.py."""
    s = setup.settings
    data = setup.linked("detect", s.sheets)
    for title, threads in CPU_MODES:
        seconds = s.sheets * s.repeats * expected_seconds(setup.megapixels) * (2 if threads == 1 else 1)
        masks, _ = setup.measure(
            f"Predicting the sheets to find boxes on, {title}", seconds, predict_seconds, data.root, threads=threads)
        values, memory = setup.measure(
            f"Finding boxes in a folder, {title}", SHARE * seconds, detect_seconds, data.root, threads=threads)
        yield Row(f"find boxes in a folder, {title}", "s/sheet", values, "predict", masks, memory)


def detect_seconds(setup: Setup, root: Path) -> list[float]:
    """Seconds a sheet for each repeat of finding the boxes in the folder as predict_yolo.py does."""
    model, d = setup.make_detector(), setup.detecting
    images = sorted((root / "JPEGImages").iterdir())
    return [seconds / len(images) for seconds in timed(lambda: predict_folder(
        model, root / "JPEGImages", root / "boxes", recursive=d.recursive, num_workers=d.num_workers,
    ), setup.settings.repeats)]
