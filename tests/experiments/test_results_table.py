"""The tables of an experiment: means and spreads worked out by hand, and every state of a run."""

import json

import pytest

from helpers import csv_rows
from utils.experiments.ranks import STOPPED, Ranks, first_cause, join_ranks
from utils.experiments.table import markdown, megabytes, minutes, number_formats, spread, write_results
from utils.utils import UserError
from utils.utils_metrics import percent


def rows_of(text, name):
    """The cells of the table rows that begin with `name`."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()
            if line.startswith(f"| {name} |")]


def test_mean_and_spread():
    assert spread([0.5, 0.6, 0.7], percent) == "60.00% ± 10.00%"  # deviations -0.1, 0, 0.1: variance 0.02 / 2
    assert spread([0.5], percent) == "50.00%" and spread([], percent) == "-"
    assert (minutes(150), megabytes(2.5e8)) == ("2.50 min", "250 MB")


def test_a_table_with_every_state(plan, settings, finish, folder):
    seeds = (1, 2, 3)
    experiment, = plan(seeds=seeds)
    cos, step = (runs for _, runs in experiment.rows)
    finish(cos[0], 0.5, seconds=60.0)
    finish(cos[1], 0.7, seconds=180.0, whole_time=False)
    step[0].folder.mkdir(parents=True)
    (step[0].folder / "failed.json").write_text(json.dumps({"problem": "No | memory\nleft."}))
    (step[1].folder / "loss_1").mkdir(parents=True)
    (step[1].folder / "loss_1" / "epoch_loss.txt").write_text("1.5\n")
    text = markdown(experiment, settings(seeds=seeds))
    scores, costs, iou, recall, precision = rows_of(text, "cos")
    assert scores[1] == "60.00% ± 14.14%" and scores[6:] == ["2 finished, 1 not run yet", "-"]
    assert costs[1:8] == ["2.00 min ± 1.41 min", "500 MB ± 0 MB", "8 ± 0", "5.81 M ± 0.00 M", "2.5 ± 0",
                          "0.25 s ± 0 s", "-"]
    assert costs[8:] == ["float32 (fp16 does nothing here)", "3.00e-04", "fresh weights"]
    assert iou[1:] == recall[1:] == ["60.00% ± 14.14%"] * 2 and precision[1:] == ["-", "-"]
    assert rows_of(text, "step")[0][1:] == ["-"] * 5 + ["1 failed, 1 1 of 2 epochs, 1 not run yet", "-"]
    assert "**step**, seed 1, failed: No | memory left." in text
    assert "**cos**: took longer than it says" in text and "over 3 seeds (1, 2, 3)" in text
    assert number_formats(step) == "-"

    write_results(experiment, settings(seeds=seeds))
    header, *rows = csv_rows(folder / "out" / "schedules" / "results.csv")
    assert header[:5] == ["run", "seed", "state", "problem", "miou"] and header[-1] == "IoU Label"
    assert [row[:3] for row in rows[:2]] == [["cos", "1", "finished"], ["cos", "2", "finished"]]
    assert float(rows[1][4]) == 0.7 and rows[3][2:4] == ["failed", "No | memory\nleft."]
    content = json.loads((folder / "out" / "schedules" / "results.json").read_text())
    assert content["rows"][0]["runs"][1]["result"]["scores"]["miou"] == 0.7
    assert content["rows"][1]["runs"][0]["problem"] == "No | memory\nleft."


def test_the_dissertations_figures_stand_beside(plan, settings):
    experiment, = plan(experiment="models", only=("DeepLabv3+ on MobileNetV2", "PSPNet on MobileNetV2"))
    text = markdown(experiment, settings())
    assert "90.65%" in rows_of(text, "DeepLabv3+ on MobileNetV2")[0][-1]
    assert rows_of(text, "PSPNet on MobileNetV2")[0][-1] == "-" and "not known to this project" in text
    assert "One seed (11)" in text


def test_processes_agree_on_why_a_run_failed(monkeypatch):
    assert first_cause(["", ""]) == ""
    assert first_cause([STOPPED, "No memory."]) == "Process 1: No memory."
    alone = Ranks()
    assert alone.share("key", 1) == 1 and alone.agree(0, "No memory.") == "No memory." and alone.environment(0) == {}
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(UserError, match="torchrun did not start this process"):
        join_ranks(True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="distributed is False"):
        join_ranks(False)
