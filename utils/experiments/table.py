"""The table of an experiment as Markdown, and its numbers as CSV and JSON."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.config import Settings
from utils.experiments.plan import Experiment, Run, start_weights
from utils.experiments.runs import PUBLISHED, TITLES
from utils.files.tables import csv_file, write_text
from utils.training.schedule import learning_rate
from utils.utils_metrics import percent

Result = Mapping[str, Any]
Column = tuple[Callable[[Result], float | None], Callable[[float], str]]  # what is measured, and how it is written


def minutes(seconds: float) -> str:
    """Seconds as text: `0.75 min`, `12.00 min`."""
    return f"{seconds / 60:.2f} min"


def megabytes(size: float) -> str:
    """Bytes as text: `250 MB`."""
    return f"{size / 1e6:.0f} MB"


def _scored(key: str) -> Column:
    return (lambda result: result["scores"][key]), percent


def _measured(key: str, text: Callable[[float], str]) -> Column:
    return (lambda result: result[key] or None), text  # 0: not known


SCORE_KEYS = ("miou", "mpa", "mprecision", "mrecall", "accuracy")
SCORES = dict(zip(("mIoU", "mPA", "mPrecision", "mRecall", "Accuracy"), map(_scored, SCORE_KEYS)))
COST_KEYS = ("seconds", "memory", "samples", "parameters", "flops", "seconds_a_sheet", "predict_memory")
COSTS = dict(zip(
    ("Training", "Training memory", "Samples seen", "Parameters", "GFLOPs", "Prediction of a sheet",
     "Prediction memory"),
    map(_measured, COST_KEYS, (
        minutes, megabytes, "{:.0f}".format, lambda value: f"{value / 1e6:.2f} M", lambda value: f"{value / 1e9:.3g}",
        "{:.3g} s".format, megabytes))))
BY_CLASS = (("IoU", "iou"), ("PA (recall)", "recall"), ("Precision", "precision"))
DEFINITIONS = (
    "Scores are those of `get_miou.py` on the validation sheets at full size, by the epoch with the best mIoU, "
    "which is chosen on the same sheets. The time for training includes evaluation. Parameters are those that are "
    "trained. GFLOPs are for one image of predict_shape; a multiplication with its addition counts as two. The time "
    "for prediction is the median for a sheet that is already read. Memory is the most that the process held at a time "
    "(on CUDA: of the GPU), without the processes that load sheets.")


def write_results(experiment: Experiment, s: Settings) -> None:
    """Writes table.md, results.csv and results.json. s: the constants of experiments.py."""
    folder = Path(s.out_dir) / experiment.name
    write_text(folder / "table.md", markdown(experiment, s))
    write_text(folder / "results.json", json.dumps(_content(experiment, s), indent=1, ensure_ascii=False))
    names = class_names(experiment)
    header = ["run", "seed", "state", "problem", *SCORE_KEYS, *COST_KEYS, *(f"IoU {name}" for name in names)]
    with csv_file(folder / "results.csv", header) as write_row:
        for variant, runs in experiment.rows:
            for run in runs:
                result = run.result
                values = [] if not result else [
                    *(_number(result["scores"][key]) for key in SCORE_KEYS), *(result[key] for key in COST_KEYS),
                    *class_values(result, "iou")]
                write_row([variant.name, run.training.seed, run.state, run.problem, *values])


def markdown(experiment: Experiment, s: Settings) -> str:
    """The content of table.md: the budget, scores, costs, scores by class, and notes."""
    published = PUBLISHED.get(experiment.name, {})
    parts = [f"# {TITLES[experiment.name]}", budget(experiment, s), _table(
        ["Run", *SCORES, "State", "In the dissertation"],
        [[variant.name, *_cells(runs, SCORES.values()), states(runs), published.get(variant.name, "-")]
         for variant, runs in experiment.rows],
    ), _table(
        ["Run", *COSTS, "Computed in", "Highest learning rate", "Start"],
        [[variant.name, *_cells(runs, COSTS.values()), number_formats(runs),
          f"{highest_rate(runs[0].training):.2e}", start_weights(runs[0].training)]
         for variant, runs in experiment.rows],
    )]
    names = class_names(experiment)
    for title, key in BY_CLASS if names else ():
        columns = [(lambda result, k=k, key=key: class_values(result, key)[k], percent) for k in range(len(names))]
        parts.append(_table([title, *names], [[variant.name, *_cells(runs, columns)]
                                              for variant, runs in experiment.rows]))
    parts.append("\n".join(f"- {note}" for note in notes(experiment)))
    return "\n\n".join(parts) + "\n"


def budget(experiment: Experiment, s: Settings) -> str:
    """What all runs of the table have in common, in sentences."""
    first = experiment.runs[0]
    t = first.training
    results = [run.result for run in experiment.runs if run.result]
    where = f" Machine: {results[0]['machine']}." if results else ""
    seeds = ", ".join(map(str, s.seeds))
    spread = f" Mean ± standard deviation over {len(s.seeds)} seeds ({seeds})." if len(s.seeds) > 1 else (
        f" One seed ({seeds}), so there is no spread: small differences mean nothing.")
    frozen = f", {t.freeze_epoch} of them with a frozen backbone" if t.freeze_train and t.freeze_epoch else ""
    return (f"Data set {Path(t.dataset_path) / t.dataset}. Each run: {t.unfreeze_epoch} epochs{frozen}, batches of "
            f"{t.unfreeze_batch_size}, samples of {t.input_shape[0]} x {t.input_shape[1]}, prediction at "
            "{} x {}.".format(*(t.predict_shape or t.input_shape)) + where + spread)


def notes(experiment: Experiment) -> list[str]:
    """Sentences for below the table."""
    found = [*experiment.notes, f"Shown in sheets.jpg, from top to bottom: {', '.join(experiment.shown)}."]
    for variant, runs in experiment.rows:
        results = [run.result for run in runs if run.result]
        found += [f"**{variant.name}**, seed {run.training.seed}, failed: {' '.join(run.problem.split())}"
                  for run in runs if run.state == "failed"]
        if any(not result["whole_time"] for result in results):
            found.append(f"**{variant.name}**: took longer than it says, as a run was killed on the way.")
    found.append(DEFINITIONS)
    found.append("A dash under \"In the dissertation\" means that its figure is not known to this project.")
    return list(dict.fromkeys(found))


def states(runs: Sequence[Run]) -> str:
    """The states of a row's runs, with how often each occurs when there are several."""
    counted: dict[str, int] = {}
    for run in runs:
        counted[run.state] = counted.get(run.state, 0) + 1
    return ", ".join(f"{count} {state}" if len(runs) > 1 else state for state, count in counted.items())


def spread(values: Sequence[float], text: Callable[[float], str]) -> str:
    """Mean and sample standard deviation in the same unit; the mean alone of one value; "-" of none."""
    if not values:
        return "-"
    mean = text(statistics.fmean(values))
    return mean if len(values) == 1 else f"{mean} ± {text(statistics.stdev(values))}"


def class_names(experiment: Experiment) -> list[str]:
    """The names of the classes; [] as long as no run is finished."""
    results = [run.result for run in experiment.runs]
    return next(([each["name"] for each in result["scores"]["classes"]] for result in results if result), [])


def class_values(result: Result, key: str) -> list[float]:
    """A score of each class; NaN for a class that is not there."""
    return [_number(each[key]) for each in result["scores"]["classes"]]


def _cells(runs: Sequence[Run], columns: Iterable[Column]) -> list[str]:
    """The cells of a row, over its finished runs."""
    results = [run.result for run in runs if run.result]
    return [spread([value for value in map(_number, map(get, results)) if not math.isnan(value)], text)
            for get, text in columns]


def highest_rate(t: Settings) -> float:
    """The highest learning rate of a run. t: its constants."""
    return max(learning_rate(t, epoch) for epoch in range(t.init_epoch, t.unfreeze_epoch))


def number_formats(runs: Sequence[Run]) -> str:
    """What the finished runs of a row computed in; "-" when there are none."""
    found = {result["number_format"] + " (fp16 does nothing here)" * (
        run.training.fp16 and result["number_format"] == "float32") for run in runs if (result := run.result)}
    return ", ".join(sorted(found)) or "-"


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _content(experiment: Experiment, s: Settings) -> dict[str, Any]:
    """What results.json holds."""
    return {
        "experiment": experiment.name, "constants": s.to_dict(), "published": PUBLISHED.get(experiment.name, {}),
        "rows": [{"name": variant.name, "changes": dict(variant.changes), "runs": [
            {"seed": run.training.seed, "state": run.state, "problem": run.problem, "folder": str(run.folder),
             "constants": run.training.to_dict(), "result": run.result} for run in runs]}
            for variant, runs in experiment.rows],
    }
