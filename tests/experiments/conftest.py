"""Settings of experiments.py for tiny sheets, and runs that are finished without having been run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import experiments
from helpers import ROOT
from invented_runs import result
from utils import config
from utils.experiments.plan import Experiment, Run, make_plan


@pytest.fixture
def settings(folder: Path) -> Callable[..., config.Settings]:
    """Makes the settings of two tiny epochs on the data set `folder`, with changes."""
    def make(**changes: object) -> config.Settings:
        return config.read(ROOT / "experiments.py", **{
            "device": "cpu", "num_workers": 0, "dataset_path": str(folder.parent), "dataset": folder.name,
            "input_shape": (32, 32), "predict_shape": None, "unfreeze_epoch": 2, "unfreeze_batch_size": 2,
            "eval_period": 1, "cache_dir": str(folder / "cache"), "out_dir": str(folder / "out"),
            "experiment": "schedules", **changes,
        })

    return make


@pytest.fixture
def plan(settings: Callable[..., config.Settings]) -> Callable[..., list[Experiment]]:
    """Makes the experiments of such settings."""
    return lambda **changes: make_plan(settings(**changes), experiments.scripts())


@pytest.fixture
def finish() -> Callable[..., None]:
    """Writes the result of a run, as if it had been run."""
    def write(run: Run, miou: float, **changes: object) -> None:
        run.folder.mkdir(parents=True, exist_ok=True)
        (run.folder / "result.json").write_text(json.dumps(result(miou, **changes)))

    return write
