"""train.py in processes of its own: killed, and two at once."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from helpers import ROOT, group_exists, numbers, train_settings, wait_for
from utils.dataloader import SheetDataset, make_loader
from utils.files.voc import VocDataset
from utils.network import precision
from utils.network.checkpoint import load_checkpoint
from utils.network.distributed import Processes
from utils.training.loss import make_loss
from utils.utils_fit import run_epoch
from utils.utils_metrics import scores

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # several processes at a time


def test_a_kill_leaves_a_loadable_checkpoint_and_no_workers(folder):
    settings = train_settings(folder, freeze_train=False, unfreeze_epoch=500, num_workers=1).to_dict()
    arguments = [f"--{name}={settings[name]}" for name in (
        "device", "num_workers", "dataset_path", "dataset", "input_shape", "predict_shape", "model_path",
        "freeze_train", "unfreeze_epoch", "unfreeze_batch_size", "eval_period", "save_dir", "cache_dir")]
    process = subprocess.Popen(
        [sys.executable, "train.py", *arguments], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True)
    best = folder / "logs" / "best_epoch_weights.pth"  # written after an epoch, so both workers are at work
    assert wait_for(lambda: best.exists() or process.poll() is not None, 120)
    time.sleep(1)
    process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    process.wait()
    load_checkpoint(folder / "logs" / "last_epoch_weights.pth").build()
    if os.name == "posix":
        assert wait_for(lambda: not group_exists(process.pid), 60)


def test_two_processes(folder):
    settings = train_settings(folder).to_dict()
    arguments = [f"--{name}={settings[name]}" for name in (
        "device", "num_workers", "dataset_path", "dataset", "input_shape", "predict_shape", "model_path",
        "freeze_epoch", "unfreeze_epoch", "freeze_batch_size", "unfreeze_batch_size", "eval_period", "save_dir",
        "cache_dir")]
    result = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "train.py",
         "--distributed=true", "--sync_bn=true", *arguments],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert "2 x cpu" in result.stdout and result.stdout.count("Epoch 2/2: loss") == 1
    checkpoint = load_checkpoint(folder / "logs" / "last_epoch_weights.pth")
    assert checkpoint.epoch == 2 and len(numbers(folder, "epoch_miou.txt")) == 2
    # the weights that both processes agreed on score what the log says
    data = VocDataset(folder.parent, folder.name)
    procs = Processes(0, 1, torch.device("cpu"))
    loader = make_loader(SheetDataset(data.files("val"), (64, 48), 0), 1, 0, procs)
    plain = precision.choose_precision(False, procs.device)
    loss_fn = make_loss(train_settings(folder), np.ones((1, 5)), procs.device)
    loss, matrix = run_epoch(checkpoint.build(), loader, loss_fn, plain, procs, "check", num_classes=5)
    assert loss == pytest.approx(numbers(folder, "epoch_val_loss.txt")[-1], rel=1e-4)
    assert scores(matrix.numpy()).miou == pytest.approx(numbers(folder, "epoch_miou.txt")[-1], abs=1e-4)
