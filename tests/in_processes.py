"""A program for `torchrun`: each process trains every network in turn on the data set in the folder that it is given.

A detector comes last; it starts from start.pth in that folder.

Its test is in test_train_processes.py. To start the processes takes longer than the training, so they start only once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import train
import train_yolo
from boxed import yolo_settings
from helpers import BACKBONE_OF, train_settings
from utils import callbacks
from utils.config import Settings
from utils.detection.training.settings import with_network
from utils.network.distributed import processes


def settings_of(folder: Path, model_name: str) -> Settings:
    """Settings for two epochs, the first with a frozen backbone; the results go to a folder with the network's name."""
    return train_settings(
        folder, model_name=model_name, backbone=BACKBONE_OF[model_name], save_dir=str(folder / model_name / "logs"),
        distributed=True, sync_bn=True, fp16=False, input_shape=(48, 32), unfreeze_batch_size=4,
    )


if __name__ == "__main__":
    callbacks.plot_curves = lambda *args: None
    with processes(True, "cpu") as procs:
        data = Path(sys.argv[1])
        for name in BACKBONE_OF:
            train.train(settings_of(data, name), procs)
        train_yolo.train(with_network(yolo_settings(
            data, save_dir=str(data / "yolov5" / "logs"), model_path=str(data / "start.pth"), distributed=True,
            sync_bn=True, unfreeze_batch_size=4,
        )), procs)
