"""Measures digitise.py, beside predicting the same folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from utils.benchmark.predicting import expected_seconds, predict_seconds
from utils.benchmark.processes import timed
from utils.benchmark.setup import CPU_MODES, Setup
from utils.benchmark.table import Row
from utils.config import Settings
from utils.digitise.run import digitise_folder

MORE = 1.5  # times as long as predicting, for estimates


def measure_digitise(setup: Setup) -> Iterator[Row]:
    """Seconds a sheet of digitise.py with everything on, and of `predict_folder`, which is the floor here."""
    s = setup.settings
    data = setup.linked("digitise", s.sheets)
    for title, threads in CPU_MODES:
        seconds = s.sheets * s.repeats * expected_seconds(setup.megapixels) * (2 if threads == 1 else 1)
        floor, _ = setup.measure(
            f"Predicting the sheets to digitise, {title}", seconds, predict_seconds, data.root, threads=threads)
        values, memory = setup.measure(
            f"Digitising a folder, {title}", MORE * seconds, digitise_seconds, data.root, threads=threads)
        yield Row(f"digitise a folder, {title}", "s/sheet", values, "predict", floor, memory)


def digitise_seconds(setup: Setup, root: Path, repeats: int | None = None) -> list[float]:
    """Seconds a sheet for each repeat of digitising the folder anew, all outputs on."""
    images = sorted((root / "JPEGImages").iterdir())
    model = setup.make_model()
    s = Settings(**{
        **setup.digitising.to_dict(), "input_dir": str(root / "JPEGImages"), "output_dir": str(root / "digitised"),
        "model_path": setup.settings.model_path, "skip_done": False, "copies": True,
    })
    return [seconds / len(images) for seconds in timed(
        lambda: digitise_folder(s, lambda: model), repeats or setup.settings.repeats)]
