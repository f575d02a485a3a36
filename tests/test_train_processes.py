"""train.py in processes of its own: killed, and two at once."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from boxed import make_boxes, save_detector, yolo_settings
from helpers import BACKBONE_OF, ROOT, group_exists, numbers, train_settings, wait_for
from utils import config
from utils.dataloader import SheetDataset, make_loader
from utils.detection.boxes import DETECTION_CLASSES
from utils.detection.checkpoint import DetectionCheckpoint
from utils.detection.data.layouts import open_boxes
from utils.detection.data.samples import BoxDataset, collate, read_boxes
from utils.detection.training.validation import BoxLoss, FoundBoxes
from utils.files.voc import VocDataset
from utils.network import precision
from utils.network.checkpoint import load_checkpoint
from utils.network.distributed import Processes
from utils.training.loss import make_loss
from utils.utils_fit import run_epoch
from utils.utils_metrics import scores

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # several processes at a time


def as_arguments(settings):
    """The constants that are not as in train.py, for a command line."""
    given = config.read(ROOT / "train.py").to_dict()
    return [f"--{name}={value}" for name, value in settings.to_dict().items() if value != given[name]]


def test_a_kill_leaves_a_loadable_checkpoint_and_no_workers(folder):
    arguments = as_arguments(train_settings(
        folder, freeze_train=False, unfreeze_epoch=500, num_workers=1, input_shape=(32, 32)))
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


@pytest.fixture(scope="module")
def trained_by_two(tmp_path_factory):
    """A data set on which two processes trained each network and a detector, as in_processes.py describes."""
    folder = make_boxes(tmp_path_factory.mktemp("two") / "demo", train=2, val=2)
    plants = (0.0, 0, 0, 0, 0, -9, -9, -9, -9, 9)  # an anchor of 16 x 30 fits the plants of 16 x 20 pixels
    save_detector(folder / "start.pth", yolo_settings(folder), spread=0.01, bias=plants)
    result = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "tests/in_processes.py",
         str(folder)],
        cwd=ROOT, env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("2 x cpu") == result.stdout.count("Epoch 2/2: loss") == len(BACKBONE_OF) + 1
    return folder


@pytest.mark.parametrize("model_name", BACKBONE_OF)
def test_two_processes(trained_by_two, model_name):
    folder = trained_by_two
    checkpoint = load_checkpoint(folder / model_name / "logs" / "last_epoch_weights.pth")
    assert (checkpoint.model_name, checkpoint.epoch) == (model_name, 2)
    # the weights that both processes agreed on score what the log says
    data = VocDataset(folder.parent, folder.name)
    procs = Processes(0, 1, torch.device("cpu"))
    loader = make_loader(SheetDataset(data.files("val"), (48, 32), 0), 1, 0, procs)
    plain = precision.choose_precision(False, procs.device)
    loss_fn = make_loss(train_settings(folder), np.ones((1, 5)), procs.device)
    loss, matrix = run_epoch(checkpoint.build(), loader, loss_fn, plain, procs, "check", num_classes=5)
    logged = {name: numbers(folder / model_name, f"epoch_{name}.txt") for name in ("val_loss", "miou")}
    assert len(logged["miou"]) == 2
    assert loss == pytest.approx(logged["val_loss"][-1], rel=1e-4)
    assert scores(matrix.numpy()).miou == pytest.approx(logged["miou"][-1], abs=1e-4)


def test_two_processes_find_boxes(trained_by_two):
    folder = trained_by_two
    checkpoint = load_checkpoint(folder / "yolov5" / "logs" / "last_epoch_weights.pth", DetectionCheckpoint)
    model = checkpoint.build()
    start = load_checkpoint(folder / "start.pth", DetectionCheckpoint).build()
    changed = [not torch.equal(*pair) for pair in zip(model.parameters(), start.parameters(), strict=True)]
    assert checkpoint.epoch == 2 and all(changed)
    procs = Processes(0, 1, torch.device("cpu"))
    sheets = read_boxes(open_boxes(folder.parent, folder.name, DETECTION_CLASSES, {}), "val")
    loader = make_loader(BoxDataset(sheets, (64, 64), 0), 1, 0, procs, collate)
    plain = precision.choose_precision(False, procs.device)
    loss_fn, found = BoxLoss(model.anchors), FoundBoxes(model.anchors, 5)
    loss, _ = run_epoch(model, loader, loss_fn, plain, procs, "check", observe=found.observe)
    names = ("val_loss", "val_box_loss", "map50")
    logged = {name: numbers(folder / "yolov5", f"epoch_{name}.txt")[-1] for name in names}
    assert loss == pytest.approx(logged["val_loss"], rel=1e-4)
    assert loss_fn.take_parts(procs)["box_loss"] == pytest.approx(logged["val_box_loss"], rel=1e-4)
    assert found.scores(procs).map50 == pytest.approx(logged["map50"], rel=1e-2) and logged["map50"] > 0
