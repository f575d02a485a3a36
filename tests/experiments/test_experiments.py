"""experiments.py itself: the loop with stand-ins, real runs in this process, and once as users start it."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import pytest

import experiments
from helpers import ROOT
from invented_runs import result
from utils import config
from utils.experiments import loop, stages
from utils.experiments.process import RunFailed
from utils.utils import UserError


@pytest.fixture
def here(monkeypatch):
    """Runs stages in this process."""
    def in_process(work, *arguments, log, watch=lambda: None, **_):
        try:
            return work(*arguments)
        except UserError as error:
            raise RunFailed(str(error)) from error

    monkeypatch.setattr(loop, "in_process", in_process)


@pytest.fixture
def invented(monkeypatch, here):
    """Stages that invent their numbers; the list names what they were asked to do."""
    done = []

    def train_stage(train, s, is_main):
        done.append(f"train {s.lr_decay_type}")
        if "fail" in done and s.lr_decay_type == "step":
            raise UserError("No memory.")
        return {key: value for key, value in result(0.5).items() if key in (
            "seconds", "whole_time", "memory", "history", "number_format", "samples")}

    def evaluate_stage(evaluate, load_model, s, shape):
        done.append(f"evaluate at {shape}")
        return result(0.5)

    monkeypatch.setattr(loop, "train_stage", train_stage)
    monkeypatch.setattr(loop, "evaluate_stage", evaluate_stage)
    return done


def test_a_run_that_fails_is_a_row_and_the_others_go_on(settings, invented, folder, capsys):
    invented.append("fail")
    s = settings(experiment="all", only=("cos", "step", "FL + DL"))
    assert experiments.main(s) == 1
    assert invented[1:] == ["train cos", "evaluate at (32, 32)", "train step"]
    table = (folder / "out" / "schedules" / "table.md").read_text()
    assert "| cos | 50.00% |" in table and "**step**, seed 11, failed: No memory." in table
    assert "| FL + DL | 50.00% |" in (folder / "out" / "losses" / "table.md").read_text()
    assert "schedules: step: No memory." in capsys.readouterr().err
    assert {path.name for path in (folder / "out" / "schedules").iterdir()} == {
        "table.md", "results.csv", "results.json", "curves.png", "sheets.jpg"}

    invented[:] = []
    assert experiments.main(s) == 0 and invented == ["train step", "evaluate at (32, 32)"]  # the failed one alone
    assert "failed" not in (folder / "out" / "schedules" / "table.md").read_text()
    invented[:] = []
    assert experiments.main(s) == 0 and invented == []


def test_ctrl_c_leaves_tables_and_a_run_that_is_trained_is_only_evaluated(settings, invented, folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    real = loop.evaluate_stage
    monkeypatch.setattr(loop, "evaluate_stage", interrupt)
    s = settings(only=("cos",))
    with pytest.raises(KeyboardInterrupt):
        experiments.main(s)
    assert "| cos | - |" in (folder / "out" / "schedules" / "table.md").read_text()
    monkeypatch.setattr(loop, "evaluate_stage", real)
    assert experiments.main(s) == 0 and invented == ["train cos", "evaluate at (32, 32)"]


def test_a_bad_sheet_is_named_before_the_first_run(settings, invented, folder):
    (folder / "SegmentationClass" / "K.0001.png").write_bytes(b"")
    with pytest.raises(UserError, match="K.0001.png"):
        experiments.main(settings())
    assert invented == []


def test_a_real_run_resumes_and_is_measured(settings, here, folder, monkeypatch):
    class Stopped(Exception):
        pass

    s = settings(only=("cos",))
    real = experiments.scripts()

    def stop_after_an_epoch(training):
        whole = config.Settings(**{**training.to_dict(), "unfreeze_epoch": 1})
        real.train(whole)
        raise Stopped

    with pytest.raises(Stopped):
        loop.run_experiments(s, dataclasses.replace(real, train=stop_after_an_epoch))
    assert "| 1 of 2 epochs |" in (folder / "out" / "schedules" / "table.md").read_text()
    resumed = []

    def train(training):
        resumed.append(training.resume)
        return real.train(training)

    assert loop.run_experiments(s, dataclasses.replace(real, train=train)) == 0 and resumed == [True]
    run_folder, = (path for path in (folder / "out" / "runs").iterdir() if path.is_dir())
    found = json.loads((run_folder / "result.json").read_text())
    assert [each["epoch"] for each in found["history"]] == [1, 2]
    assert found["samples"] == 8 and found["parameters"] > 5_000_000 and found["flops"] > 1e8
    assert found["seconds"] > 0 and found["seconds_a_sheet"] > 0 and found["scores"]["sheets"] == 2
    assert not (run_folder / "last_epoch_weights.pth").exists() and (run_folder / "best_epoch_weights.pth").exists()
    assert sorted(path.name for path in (run_folder / "miou" / "masks").iterdir()) == ["K.0004.png", "K.0005.png"]
    assert stages.most_memory(stages.pick_device("cpu")) >= 0


def test_quick_settings():
    own = config.read(experiments)
    assert experiments.with_quick(own) == own
    quick = experiments.with_quick(config.read(experiments, quick=True, unfreeze_epoch=7))
    assert quick.input_shape == experiments.QUICK["input_shape"] and quick.unfreeze_epoch == 7


def test_as_users_start_it(folder):
    """With processes of their own, and a space in the name of the data set."""
    shutil.copytree(folder, folder.parent / "with spaces")
    command = [
        sys.executable, "experiments.py", "--experiment=models", "--quick=true", "--only=PSPNet on MobileNetV2",
        f"--dataset_path={folder.parent}", "--dataset=with spaces", "--device=cpu", "--input_shape=32,32",
        "--predict_shape=none", "--unfreeze_epoch=1", f"--out_dir={folder / 'out'}", f"--cache_dir={folder / 'cache'}",
        '--changes={"fp16": False}']
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "models: finished" in done.stdout and "Run 1 of 1, models: PSPNet on MobileNetV2, seed 11" in done.stderr
    table = (folder / "out" / "models" / "table.md").read_text()
    row = next(line for line in table.splitlines() if line.startswith("| PSPNet on MobileNetV2 |"))
    assert " finished | - |" in row and " float32 |" in table
