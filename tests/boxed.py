"""Small data sets with boxes, and settings of train_yolo.py."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import train_yolo
from helpers import make_dataset, randomise, sheet
from nets.yolov5 import yolov5
from utils import config
from utils.detection.checkpoint import DetectionCheckpoint
from utils.network.checkpoint import save_checkpoint

PLANT = (36, 60, 60, 90)  # x1, y1, x2, y2 of the plant on every sheet of `make_boxes`


def make_boxes(folder: Path, train: int = 4, val: int = 2) -> Path:
    """Writes a data set in the VOC layout with a green plant on each sheet, and returns `folder`."""
    make_dataset(folder, train, val)
    specimens = {}
    for number, path in enumerate(sorted((folder / "JPEGImages").iterdir())):
        image, _ = sheet(number)
        image[PLANT[1]:PLANT[3], PLANT[0]:PLANT[2]] = (30, 140, 40)
        Image.fromarray(image).save(path, quality=95)
        specimens[path.name] = {"specimens": [PLANT]}
    (folder / "specimens.json").write_text(json.dumps(specimens))
    return folder


def yolo_settings(folder: Path, **changes: Any) -> config.Settings:
    """Settings of train_yolo.py for two short epochs on the data set `folder`, results in `folder`/logs."""
    return config.read(train_yolo, **{
        "device": "cpu", "num_workers": 0, "dataset_path": str(folder.parent), "dataset": folder.name, "fp16": False,
        "input_shape": (64, 64), "model_path": "", "backbone": "n", "freeze_epoch": 1, "unfreeze_epoch": 2, "ema": 0.0,
        "freeze_batch_size": 2, "unfreeze_batch_size": 2, "eval_period": 1, "overlays": 0,
        "save_dir": str(folder / "logs"), "cache_dir": str(folder / "cache"), **changes,
    })


def save_detector(
    path: Path, settings: config.Settings, spread: float = 0.05, bias: Sequence[float] = (0.0,) * 10
) -> None:
    """Writes a checkpoint of a network with random weights that finds something everywhere.

    spread: standard deviation of the weights of the last layer; small ones give boxes like the anchors.
    bias: of the last layer, for box, objectness and the five classes.
    """
    torch.manual_seed(3)
    model = randomise(yolov5("n", 5))
    for conv in model.head:
        torch.nn.init.normal_(conv.weight, 0.0, spread)
        conv.bias.data.copy_(torch.tensor(bias).repeat(3))
    save_checkpoint(path, DetectionCheckpoint.of_run(settings.to_dict(), model=model.state_dict()))


def write_shapes(path: Path, size: tuple[int, int], shapes: Sequence[Mapping[str, Any]]) -> None:
    """Writes a labelme file for an image of that size (height, width); shapes: label, shape_type, points, ..."""
    content = {"version": "5.5.0", "shapes": [{"group_id": None, **shape} for shape in shapes],
               "imagePath": f"{path.stem}.jpg", "imageData": None, "imageHeight": size[0], "imageWidth": size[1]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def plain_image(path: Path, size: tuple[int, int]) -> None:
    """Writes a grey image of that size (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), 128, np.uint8)).save(path)


