"""Checks the constants of train_yolo.py before a run."""

from __future__ import annotations

from nets.yolov5 import STRIDES
from utils.config import Settings
from utils.network.checkpoint import DETECTORS
from utils.network.distributed import Processes
from utils.training.settings import check_run, require_multiples
from utils.utils import UserError


def with_network(s: Settings) -> Settings:
    """The settings of a run and the name of its network, which checkpoints and the learning rate need."""
    return Settings(**s.to_dict(), model_name=DETECTORS[0])


def check_settings(s: Settings, procs: Processes) -> None:
    """Raises UserError (exit status 2) for the first constant of train_yolo.py that is not allowed."""
    check_run(s, procs)
    if not 0 <= s.mosaic <= 1:
        raise UserError(f"mosaic is {s.mosaic}: it has to be from 0 to 1.", 2)
    if s.clip < 0:
        raise UserError(f"clip is {s.clip}: it has to be 0 or more.", 2)
    if s.freeze_layers < 0:
        raise UserError(f"freeze_layers is {s.freeze_layers}: it has to be 0 or more.", 2)
    require_multiples(s, STRIDES[-1], "the largest stride of the network")
    if not 1 <= len(s.name_classes) <= 255 or len(set(s.name_classes)) < len(s.name_classes):
        raise UserError(f"name_classes is {s.name_classes}: 1 to 255 different names are needed.", 2)
