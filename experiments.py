"""Repeats the experiments of the dissertation on your own sheets: edit the constants, then run `python experiments.py`.

Each run is train.py with a few constants changed, then get_miou.py on the same validation sheets. The results of an
experiment are in out_dir/<experiment>/: table.md, curves.png, sheets.jpg, results.csv and results.json. A run that is
finished is not run again, and one that was interrupted goes on. A run that fails becomes a row that says so.

    python experiments.py --experiment=losses --quick=true
    python experiments.py --experiment=models --dataset=mine --unfreeze_epoch=30
    python experiments.py --experiment=all --seeds=1,2,3
    torchrun --nproc_per_node=2 experiments.py --distributed=true
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import get_miou
import train
from deeplab import DeeplabV3
from utils import config
from utils.experiments.loop import run_experiments
from utils.experiments.plan import Scripts
from utils.memory import keep_freed_memory

# ---- What to run ----
experiment: Literal[                # which table of the dissertation to repeat; utils/experiments/runs.py has the rows
    "models", "datasets", "losses", "optimizers", "schedules", "precision", "all"] = "all"
quick: bool = False                 # True: a look at all of it in minutes: two epochs of tiny samples. Scores mean
                                    # nothing then; what is given as --name=value stays as given
only: tuple[str, ...] = ()          # names of the rows to run, such as "CE","FL + DL"; (): all
seeds: tuple[int, ...] = (11,)      # one run of each row with each; several give mean and spread
out_dir: str = "experiments_out"    # tables, pictures, and runs/ with the logs and weights of each run
# ---- Machine: these and all constants below that train.py has, too, go to every run ----
device: str = "auto"                # "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps", "cpu"
distributed: bool = False           # True: several processes, started by torchrun
num_workers: int = 2                # processes that load sheets; 0: the main process loads them
cache_dir: str = "cache"            # holds scaled-down sheets for later epochs and runs; safe to delete; "": no cache
# ---- Data ----
dataset_path: str = "herbarium_sheets"   # folder that holds the data sets
dataset: str = "demo"                    # <dataset_path>/<dataset>/{JPEGImages,SegmentationClass,ImageSets}
sheets: tuple[str, ...] = ()        # names of validation sheets to show in sheets.jpg; (): six from all over the list
separator: str = "_"                # datasets: ends the institution in file names: K_0001.jpg is one of K
least_sheets: int = 8               # datasets: institutions with fewer training sheets get no row of their own
targets: tuple[str, ...] = ()       # datasets: institutions to validate on; (): all in val.txt
target_sheets: int = 2              # datasets: validation sheets of each of them that the last row trains on
# ---- The same budget for every run ----
unfreeze_epoch: int = 100           # number of epochs
freeze_epoch: int = 0               # of them with a frozen backbone; only for backbones with start weights
passes: int = 1                     # how often each sheet appears in an epoch; raise it when sheets are few
input_shape: tuple[int, int] = (512, 512)     # height, width of training samples; multiples of 32 fit all networks
predict_shape: tuple[int, int] | None = (1024, 1024)  # to validate and predict; None: input_shape
freeze_batch_size: int = 8          # sheets per step while the backbone is frozen, over all processes
unfreeze_batch_size: int = 4        # sheets per step, over all processes
eval_period: int = 5                # epochs between evaluations, from which the best epoch is chosen
learning_rates: dict[str, float] = {}     # highest rate by optimiser: {"adam": 5e-4, "sgd": 7e-3}; {}: train.py's own
min_confidence: float = 0.0         # objects with a lower mean probability are dropped; 0: none, fair to all networks
changes: dict[str, bool | int | float | str | tuple[float, ...] | None] = {}  # other constants of train.py for every
                                    # run: {"paste": 0.5}
# ---- Start weights ----
backbone_paths: dict[str, str] = {}  # file of weights for each backbone: {"mobilenet": "mobilenet_v2.pth"}
pretrained: bool = False            # True: download torchvision's ImageNet weights for backbones without such a file
model_path: str = ""                # start weights for all experiments but models; "": as there
# ---- nothing below this line needs editing ----

QUICK = {  # what `quick` changes
    "unfreeze_epoch": 2, "input_shape": (64, 64), "predict_shape": (64, 64), "eval_period": 1, "num_workers": 0,
}


def main(settings: config.Settings) -> int:
    """The exit status: 1 when a run has failed, else 0. Raises UserError when a constant does not fit."""
    return run_experiments(with_quick(settings), scripts())


def scripts() -> Scripts:
    """What a run calls."""
    return Scripts(partial(config.read, train), train.main, partial(config.read, get_miou), get_miou.main, DeeplabV3)


def with_quick(s: config.Settings) -> config.Settings:
    """The settings to run with: where `quick` is set, those of QUICK, but for what the command line gives."""
    own = config.read(__file__).to_dict()
    changed = {name: value for name, value in QUICK.items() if getattr(s, name) == own[name]}
    return config.Settings(**{**s.to_dict(), **(changed if s.quick else {})})


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
