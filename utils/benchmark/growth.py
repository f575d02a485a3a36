"""Measures how time and memory grow with the number of sheets and with their size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from utils.benchmark.digitising import MORE, digitise_seconds
from utils.benchmark.predicting import expected_seconds, predict_seconds
from utils.benchmark.processes import timed
from utils.benchmark.scoring import REPORT
from utils.benchmark.setup import Setup
from utils.benchmark.sheets import scale_sheets
from utils.benchmark.table import Row
from utils.files.voc import VocDataset

OBJECTS = 0.025  # seconds that scoring the objects of a sheet takes for each megapixel; for estimates


def measure_growth(setup: Setup) -> Iterator[Row]:
    """Seconds a sheet and memory of predicting, digitising and scoring with more sheets and with larger ones."""
    s, drawn = setup.settings, setup.files[0][0].parent.name
    sets = [(f"{count} sheets", setup.megapixels, count) for count in s.growth_sheets]
    sets += [(f"{size:g} megapixels", size, s.sheets) for size in s.growth_megapixels]
    for number, (title, size, count) in enumerate(sets):
        files = setup.files
        if number >= len(s.growth_sheets):
            files = scale_sheets(files, Path(s.work_dir) / f"{drawn}_{size:g}_megapixels", size)
        data = setup.linked("growth", count, files)
        values, memory = setup.measure(
            f"Predicting {title}", count * expected_seconds(size), predict_seconds, data.root, 1)
        yield Row(f"predict a folder, {title}", "s/sheet", values, memory=memory)
        values, memory = setup.measure(
            f"Digitising {title}", MORE * count * expected_seconds(size), digitise_seconds, data.root, 1)
        yield Row(f"digitise a folder, {title}", "s/sheet", values, memory=memory)
        values, memory = setup.measure(
            f"Scoring {title}", REPORT + count * (expected_seconds(size) + OBJECTS * size), miou_seconds, data)
        yield Row(f"get_miou, {title}", "s/sheet", values, memory=memory)


def miou_seconds(setup: Setup, data: VocDataset) -> list[float]:
    """Seconds a sheet of get_miou.py as a whole."""
    return [seconds / len(data.images()) for seconds in timed(setup.evaluation(data, "val"), 1)]
