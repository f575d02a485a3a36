"""The settings of each epoch: whether the backbone is frozen, batch size, learning rate, seed."""

from __future__ import annotations

import numpy as np

from nets.deeplabv3_training import batch_size_lr, lr_at
from utils.config import Settings
from utils.network.distributed import Processes

DEFAULT_LR = {"adam": 5e-4, "sgd": 7e-3}  # for batch size 16


def is_frozen(s: Settings, epoch: int) -> bool:
    """Whether the backbone is frozen in `epoch` (counted from 0)."""
    return s.freeze_train and epoch < s.freeze_epoch


def batch_size(s: Settings, epoch: int) -> int:
    """Sheets per batch, over all processes, in `epoch` (counted from 0)."""
    return s.freeze_batch_size if is_frozen(s, epoch) else s.unfreeze_batch_size


def learning_rate(s: Settings, epoch: int) -> float:
    """The learning rate of `epoch` (counted from 0), by the rule for batch sizes and the schedule of the run."""
    init_lr = DEFAULT_LR[s.optimizer_type] if s.init_lr is None else s.init_lr
    min_lr = 0.01 * init_lr if s.min_lr is None else s.min_lr
    batch = batch_size(s, epoch) * s.accumulate
    init_lr, min_lr = batch_size_lr(batch, init_lr, min_lr, s.optimizer_type, s.model_name, s.backbone)
    return lr_at(epoch, s.unfreeze_epoch, init_lr, min_lr, s.lr_decay_type)


def epoch_seed(s: Settings, epoch: int, procs: Processes) -> int:
    """The seed of dropout in `epoch` (counted from 0). Each epoch and process has its own.

    It does not depend on earlier random numbers, so a resumed run has the same dropout as an uninterrupted one.
    """
    return int(np.random.SeedSequence((s.seed, epoch, procs.rank)).generate_state(1)[0])
