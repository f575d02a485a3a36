"""The loop over all runs of the experiments: train, evaluate, write the tables, go on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from utils.config import Settings
from utils.experiments.pictures import write_pictures
from utils.experiments.plan import Experiment, Run, Scripts, make_plan, unique_runs
from utils.experiments.process import RunFailed, in_process
from utils.experiments.ranks import Ranks, join_ranks
from utils.experiments.stages import evaluate_stage, prepare_stage, train_stage
from utils.experiments.table import write_results
from utils.files.jobs import warn
from utils.files.tables import write_text
from utils.utils import UserError


def run_experiments(s: Settings, scripts: Scripts) -> int:
    """The exit status: 1 when a run has failed, else 0. Runs that are finished are not run again.

    Args:
        s: the constants of experiments.py.
        scripts: what a run calls.

    Raises:
        UserError: a constant does not fit, the data are not there, or a table cannot be written.
    """
    ranks = join_ranks(s.distributed)
    experiments = make_plan(s, scripts)
    runs = unique_runs(experiments)
    waiting = set(ranks.share("waiting", [str(folder) for folder, (_, run) in runs.items() if not run.result]))
    queue = [(name, run) for folder, (name, run) in runs.items() if str(folder) in waiting]
    failed = 0
    if queue and ranks.is_main:
        prepare(queue[0][1], s, scripts)
    ranks.share("prepared", True)
    with reporting(s, experiments, ranks), progress(queue, ranks) as bar:
        for number, (name, run) in enumerate(queue):
            bar.set_description(f"Run {number + 1} of {len(queue)}, {name}, seed {run.training.seed}")
            problem = one_run(run, scripts, ranks, number, bar)
            failed += bool(problem)
            if ranks.is_main:
                if problem:
                    warn(f"{name}: {problem}")
                for experiment in experiments:
                    if run.folder in {each.folder for each in experiment.runs}:
                        write_results(experiment, s)
    if ranks.is_main:
        print("\n".join(f"{s.out_dir}/{each.name}: {', '.join(sorted({run.state for run in each.runs}))}"
                        for each in experiments))
    ranks.share("written", True)  # torchrun would end the main process when another one has ended with an error
    return 1 if failed and ranks.is_main else 0


def prepare(run: Run, s: Settings, scripts: Scripts) -> None:
    """Checks all sheets before the first run. Raises UserError when one is bad."""
    print("Checking the sheets ...", file=sys.stderr)
    try:
        in_process(prepare_stage, Settings(**{**run.training.to_dict(), "lists": ""}),
                   log=Path(s.out_dir) / "runs" / "log.txt", preload=scripts.modules)
    except RunFailed as error:
        raise UserError(str(error)) from error


def one_run(run: Run, scripts: Scripts, ranks: Ranks, number: int, bar: tqdm) -> str:
    """Why the run failed, or "", after running it as far as it goes.

    Args:
        run: not yet finished.
        scripts: what it calls.
        ranks: the processes that take part in training; the main one evaluates.
        number: of the run.
        bar: shows the epochs.
    """
    begin, before = bar.n, run.epochs_done

    def watch() -> None:
        ranks.require_others(number)
        bar.n = begin + min(run.epochs_done, run.training.unfreeze_epoch) - before
        bar.refresh()

    log = run.folder / ("log.txt" if ranks.is_main else f"log_{ranks.rank}.txt")
    problem = ""
    try:
        if not ranks.share(f"trained {number}", bool(run.trained)):
            environment = ranks.environment(number)
            try:
                trained = in_process(train_stage, scripts.train, run.training, ranks.is_main,
                                     log=log, preload=scripts.modules, environment=environment, watch=watch)
            except RunFailed as error:
                problem = str(error)
            problem = ranks.agree(number, problem)
            if ranks.is_main and not problem:
                write_text(run.folder / "trained.json", json.dumps(trained))
        if ranks.is_main and not problem:
            shape = run.training.predict_shape or run.training.input_shape
            measured = in_process(evaluate_stage, scripts.evaluate, scripts.load_model, run.evaluation, shape,
                                  log=log, preload=scripts.modules, watch=watch)
            write_text(run.folder / "result.json", json.dumps({**run.trained, **measured}))
            for name in ("last_epoch_weights.pth", "failed.json"):  # the first one is large
                (run.folder / name).unlink(missing_ok=True)
    except RunFailed as error:
        problem = str(error)
    if problem and ranks.is_main:
        write_text(run.folder / "failed.json", json.dumps({"problem": problem}))
    bar.n = begin + run.training.unfreeze_epoch - before
    bar.refresh()
    return problem


@contextmanager
def progress(queue: Sequence[tuple[str, Run]], ranks: Ranks) -> Iterator[tqdm]:
    """A bar over the epochs that are left in all runs of the queue, so that it knows the time left."""
    left = sum(run.training.unfreeze_epoch - run.epochs_done for _, run in queue)
    with tqdm(total=left, unit="epoch", disable=not ranks.is_main or not queue) as bar:
        yield bar


@contextmanager
def reporting(s: Settings, experiments: Sequence[Experiment], ranks: Ranks) -> Iterator[None]:
    """Writes all tables at the start, and tables and pictures at the end, also when the block is stopped."""
    if ranks.is_main:
        for experiment in experiments:
            write_results(experiment, s)
    try:
        yield
    finally:
        for experiment in experiments if ranks.is_main else ():
            write_results(experiment, s)
            write_pictures(experiment, s)
