"""What to run: the experiments with their rows, and the runs behind them, each in a folder named by what it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, get_args

from utils.config import Settings
from utils.experiments.institutions import Lists, institution_lists, write_lists
from utils.experiments.runs import VARIANTS, ExperimentName, Variant
from utils.files.voc import VocDataset
from utils.utils import UserError

# Constants of train.py that do not change the weights, or whose effect is in the list of files.
NEUTRAL = ("save_dir", "cache_dir", "cache_gb", "num_workers", "resume", "lists")
SHEETS = 6  # rows in the picture of an experiment


@dataclass(frozen=True)
class Scripts:
    """The scripts that a run calls: how to read their constants, their `main`, and how to load a model."""

    train_settings: Callable[..., Settings]
    train: Callable[[Settings], int]
    evaluate_settings: Callable[..., Settings]
    evaluate: Callable[[Settings], int]
    load_model: Callable[..., Any]

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules that a run imports."""
        return self.train.__module__, self.evaluate.__module__


@dataclass(frozen=True)
class Run:
    """One training with its evaluation. Runs with the same constants and data share a folder, and so are one."""

    folder: Path
    training: Settings
    evaluation: Settings

    @property
    def result(self) -> dict[str, Any] | None:
        """What was measured. None: the run is not finished."""
        return _read(self.folder / "result.json")

    @property
    def trained(self) -> dict[str, Any] | None:
        """What was measured in training. None: that is not finished."""
        return _read(self.folder / "trained.json")

    @property
    def problem(self) -> str:
        """Why the run failed, or ""."""
        return (_read(self.folder / "failed.json") or {}).get("problem", "")

    @property
    def epochs_done(self) -> int:
        """The number of epochs in the run's log."""
        logs = sorted(self.folder.glob("loss_*/epoch_loss.txt"))
        return len(logs[-1].read_text(encoding="utf-8").split()) if logs else 0

    @property
    def state(self) -> str:
        """In words: finished, failed, interrupted or not run yet."""
        if self.result:
            return "finished"
        if self.problem:
            return "failed"
        if self.epochs_done:
            return f"{self.epochs_done} of {self.training.unfreeze_epoch} epochs"
        return "not run yet"


@dataclass(frozen=True)
class Experiment:
    """One table: its rows, each with a run per seed, its validation sheets to show, and notes."""

    name: ExperimentName
    rows: Sequence[tuple[Variant, Sequence[Run]]]
    shown: Sequence[str]
    notes: Sequence[str] = field(default=())

    @property
    def runs(self) -> list[Run]:
        """The runs of all rows."""
        return [run for _, runs in self.rows for run in runs]


def make_plan(s: Settings, scripts: Scripts) -> list[Experiment]:
    """The experiments that the constants ask for.

    Raises UserError when a constant does not fit, or when the data set or its lists are not there.
    """
    data = VocDataset(s.dataset_path, s.dataset)
    train, val = (list(dict.fromkeys(data.stems(name))) for name in ("train", "val"))
    check(s, val)
    names = get_args(ExperimentName) if s.experiment == "all" else (s.experiment,)
    experiments = []
    for name in names:
        variants, stems, notes = VARIANTS[name], val, []
        if name == "datasets":
            rows, notes = institution_lists(
                train, val, separator=s.separator, targets=s.targets, target_sheets=s.target_sheets,
                least_sheets=s.least_sheets, seed=s.seeds[0])
            variants, stems = [_variant_of(s, lists, len(train)) for lists in rows], rows[-1].val
        rows = [(variant, [_run(s, scripts, name, variant, seed) for seed in s.seeds])
                for variant in variants if not s.only or variant.name in s.only]
        if rows:
            experiments.append(Experiment(name, rows, choose_sheets(s.sheets, stems), notes))
    unknown = set(s.only) - {variant.name for each in experiments for variant, _ in each.rows}
    if unknown:
        known = [variant.name for name in names for variant in VARIANTS[name]]
        raise UserError(f"only names {', '.join(sorted(unknown))}, which is no row of {s.experiment}: there are "
                        f"{', '.join(known)}" + " and those of datasets." * ("datasets" in names), 2)
    return experiments


def check(s: Settings, val: Sequence[str]) -> None:
    """Raises UserError when a constant of experiments.py does not fit. val: stems of the validation sheets."""
    for name, value, right, allowed in (
        ("seeds", s.seeds, len(set(s.seeds)) == len(s.seeds) > 0, "one number or more, all different"),
        ("target_sheets", s.target_sheets, s.target_sheets >= 0, "0 or more"),
        ("least_sheets", s.least_sheets, s.least_sheets >= 1, "1 or more"),
    ):
        if not right:
            raise UserError(f"{name} is {value}: it has to be {allowed}.", 2)
    for path in (s.model_path, *s.backbone_paths.values()):
        if path and not Path(path).is_file():
            raise UserError(f"{path} is not there: model_path and backbone_paths have to name files of weights.", 2)
    unknown = [stem for stem in s.sheets if stem not in val]
    if unknown:
        raise UserError(f"sheets names {', '.join(unknown)}, not in val.txt: it has {', '.join(val[:5])}"
                        + " and more." * (len(val) > 5), 2)


def choose_sheets(names: Sequence[str], stems: Sequence[str], count: int = SHEETS) -> list[str]:
    """The validation sheets to show: those named that are in `stems`, or `count` from the first to the last stem."""
    if names:
        return [name for name in names if name in stems]
    count = min(count, len(stems))
    return [stems[round(number * (len(stems) - 1) / max(count - 1, 1))] for number in range(count)]


def unique_runs(experiments: Sequence[Experiment]) -> dict[Path, tuple[str, Run]]:
    """Folder -> (a name for the run, the run), each run once, in the order of the tables."""
    found: dict[Path, tuple[str, Run]] = {}
    for experiment in experiments:
        for variant, runs in experiment.rows:
            for run in runs:
                found.setdefault(run.folder, (f"{experiment.name}: {variant.name}", run))
    return found


def start_weights(settings: Settings) -> str:
    """What a run starts from, in words."""
    if settings.model_path:
        return f"weights {Path(settings.model_path).name}"
    if settings.backbone_path:
        return f"backbone {Path(settings.backbone_path).name}"
    return "ImageNet backbone" if settings.pretrained else "fresh weights"


def _variant_of(s: Settings, lists: Lists, sheets: int) -> Variant:
    """The row of `lists`. Small training sets get more passes, so that all see about as many samples.

    sheets: number of training sheets in the data set.
    """
    content = json.dumps([lists.train, lists.val]).encode()
    folder = Path(s.out_dir) / "lists" / blake2b(content, digest_size=5).hexdigest()
    write_lists(folder, lists)
    return Variant(f"{lists.name} ({len(lists.train)})", {
        "lists": str(folder), "passes": max(round(s.passes * sheets / len(lists.train)), 1)})


def _run(s: Settings, scripts: Scripts, experiment: ExperimentName, variant: Variant, seed: int) -> Run:
    """The run of a row. Constants of experiments.py that train.py has, too, go to every run."""
    own = scripts.train_settings().to_dict()
    changes = {
        **{name: value for name, value in s.to_dict().items() if name in own}, "model_path": "", "pretrained": False,
        "save_period": 0, "overlays": 0, **s.changes, **variant.changes, "seed": seed,
    }
    together = {**own, **changes}
    if together["optimizer_type"] in s.learning_rates:
        changes["init_lr"] = s.learning_rates[together["optimizer_type"]]
    if s.model_path and experiment != "models":
        changes["model_path"] = s.model_path
    elif together["backbone"] in s.backbone_paths:
        changes["backbone_path"] = s.backbone_paths[together["backbone"]]
    else:
        changes["pretrained"] = s.pretrained
    training = scripts.train_settings(**changes)
    folder = Path(s.out_dir) / "runs" / f"{training.model_name}-{training.backbone}-seed{seed}-{_key(training)}"
    training.save_dir = str(folder)
    evaluation = scripts.evaluate_settings(
        model_path=str(folder / "best_epoch_weights.pth"), out_dir=str(folder / "miou"), split="val",
        **{name: getattr(training, name) for name in ("device", "num_workers", "dataset_path", "dataset", "lists")})
    return Run(folder, training, evaluation)


def _key(training: Settings) -> str:
    """Letters that stand for the constants, the sheets and the start weights of a run."""
    constants = {name: value for name, value in training.to_dict().items() if name not in NEUTRAL}
    data = VocDataset(training.dataset_path, training.dataset, training.lists)
    paths = [path for split in ("train", "val") for files in data.files(split) for path in files]
    weights = [Path(path) for path in (training.model_path, training.backbone_path) if path]
    about = [constants, [_stamp(path) for path in (*paths, *weights)]]
    return blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=5).hexdigest()


def _stamp(path: Path) -> tuple[str, int, int]:
    """Name, size and time of change of a file; zeros when it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return path.name, 0, 0
    return path.name, stat.st_size, stat.st_mtime_ns


def _read(path: Path) -> Mapping[str, Any] | None:
    """The content of a JSON file. None: there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
