"""Small data sets, settings and tools that several tests use."""

from __future__ import annotations

import csv
import os
import shutil
import sysconfig
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from nets.blocks import SegmentationNetwork
from nets.cpu import for_cpu
from nets.deeplabv3_plus import DeepLab
from nets.models import NETWORKS, build_model, options_of
from utils import config
from utils.files.masks import write_mask
from utils.network.batching import Batcher
from utils.network.checkpoint import Checkpoint
from utils.utils import UserError

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT.parent / "shared" / "fixtures"
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the folder of fixtures is not there")
COMPILES = pytest.mark.skipif(
    not shutil.which("g++") or not Path(sysconfig.get_path("include"), "Python.h").is_file(),
    reason="torch.compile needs a C++ compiler and Python's headers",
)
# The smallest backbone of each network.
BACKBONE_OF = {
    name: "mobilenet" if "mobilenet" in each.backbones else each.backbones[0] for name, each in NETWORKS.items()
}
COLOURS = np.array([(235, 230, 215), (20, 20, 20), (250, 250, 250), (200, 60, 40), (60, 90, 160)], np.uint8)


def sheet(seed: int, height: int = 96, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """An image uint8 (H, W, 3) and its mask uint8 (H, W): one box of each class, 3 pixels of IGNORE at the top."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    for index in range(1, 5):
        top = int(height * (0.05 + 0.22 * (index - 1))) + int(rng.integers(0, 4))
        left = int(rng.integers(2, width // 3))
        mask[top:top + height // 6, left:left + width // 2] = index
    image = COLOURS[mask]
    mask[:3] = 255
    noise = rng.integers(-10, 11, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8), mask


def make_dataset(folder: Path, train: int = 4, val: int = 2, height: int = 96, width: int = 64) -> Path:
    """Writes a data set in the VOC layout to `folder` and returns it."""
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "ImageSets" / "Segmentation").mkdir(parents=True)
    stems = [f"K.{number:04d}" for number in range(train + val)]
    for seed, stem in enumerate(stems):
        image, mask = sheet(seed, height, width)
        Image.fromarray(image).save(folder / "JPEGImages" / f"{stem}.jpg", quality=95)
        write_mask(folder / "SegmentationClass" / f"{stem}.png", mask)
    for split, part in (("train", stems[:train]), ("val", stems[train:])):
        (folder / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in part))
    return folder


def new_model(
    model_name: str, num_classes: int = 5, backbone: str = "", downsample_factor: int = 16, **options: bool,
) -> SegmentationNetwork:
    """A network with fresh weights and all its parts, as train.py has it on a CPU; without a backbone: BACKBONE_OF."""
    if "auxiliary" in options_of(model_name):
        options = {"auxiliary": True, **options}
    backbone = backbone or BACKBONE_OF[model_name]
    return for_cpu(build_model(model_name, num_classes, backbone, downsample_factor, **options))


def new_deeplab(
    num_classes: int = 5, backbone: str = "mobilenet", downsample_factor: int = 16, **options: bool,
) -> DeepLab:
    """A DeepLabv3+ with fresh weights, as train.py has it on a CPU."""
    return new_model("deeplabv3_plus", num_classes, backbone, downsample_factor, **options)


def striped_batch(samples: int = 2, height: int = 32, width: int = 32) -> tuple[torch.Tensor, ...]:
    """Noise float32 (N, 3, H, W) in [0, 1], masks uint8 (N, H, W) of five stripes, and the number of each as object."""
    stripes = (torch.arange(height) * 5 // height).to(torch.uint8)
    masks = stripes[None, :, None].repeat(samples, 1, width)
    return torch.rand(samples, 3, height, width), masks, masks


def class_logits(output: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    """The logits in what a network returned, in training or not."""
    return output if isinstance(output, torch.Tensor) else output[0]


def still(model: SegmentationNetwork) -> SegmentationNetwork:
    """`model` without what is random in training: dropout, and the noise of the NHM network."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
    if hasattr(model, "noise"):
        model.noise = 0.0
    return model


def dot(bias: float = 0.0) -> nn.Module:
    """A network of one convolution."""
    layer = nn.Conv2d(3, 2, 1)
    nn.init.constant_(layer.weight, 0.1)
    nn.init.constant_(layer.bias, bias)
    return layer.eval()


def checkpoint_of(model: SegmentationNetwork, input_shape: list[int], **changes: Any) -> Checkpoint:
    """The checkpoint of a DeepLabv3+ on MobileNetV2 of three classes, background, barcode and label."""
    return Checkpoint(**{
        "model": model.state_dict(), "name_classes": ["_background_", "Barcode", "Label"],
        "colors": [[0, 0, 0], [200, 0, 0], [0, 0, 250]], "model_name": "deeplabv3_plus", "backbone": "mobilenet",
        "downsample_factor": 16, "input_shape": input_shape, "epoch": 1, "best_miou": 0.5, **changes,
    })


def randomise(model: nn.Module) -> nn.Module:
    """`model` in evaluation mode with BatchNorms that are no identity, so that a wrong order of layers shows."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, 0.0, 0.1)
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.8, 1.2)
    return model.eval()


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Gives `target` the tensors of `source` in their order, whatever their names."""
    values = list(source.state_dict().values())
    target.load_state_dict(dict(zip(target.state_dict(), values, strict=True)))


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Copies of the parameters and buffers of `module`, name -> tensor."""
    return {key: value.clone() for key, value in module.state_dict().items()}


def train_settings(folder: Path, **changes: Any) -> config.Settings:
    """Settings of train.py for two short epochs on the data set `folder`, results in `folder`/logs."""
    return config.read(ROOT / "train.py", **{
        "device": "cpu", "num_workers": 0, "dataset_path": str(folder.parent), "dataset": folder.name,
        "input_shape": (64, 48), "predict_shape": None, "model_path": "", "freeze_epoch": 1, "unfreeze_epoch": 2,
        "freeze_batch_size": 2, "unfreeze_batch_size": 2, "eval_period": 1, "save_period": 0,
        "save_dir": str(folder / "logs"), "cache_dir": str(folder / "cache"), **changes,
    })


def numbers(folder: Path, name: str) -> list[float]:
    """What the log `name` of the only run in `folder`/logs holds, an epoch a line."""
    (log_dir,) = (folder / "logs").glob("loss_*")
    return [float(line) for line in (log_dir / name).read_text().split()]


def csv_rows(path: Path) -> list[list[str]]:
    """The cells of a CSV file that begins with the mark by which Excel knows UTF-8."""
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.reader(file))


def together(batcher: Batcher, work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """work(item) of each item, or its error, when all of them wait for `batcher` before it begins with the first."""
    with ThreadPoolExecutor(len(items)) as pool:
        with batcher._busy:
            futures = []
            for count, item in enumerate(items, 1):
                futures.append(pool.submit(work, item))
                end = time.monotonic() + 60
                while len(batcher._waiting) < count:
                    assert time.monotonic() < end
                    time.sleep(0.001)
        return [future.exception() or future.result() for future in futures]


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether `condition()` became true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def group_exists(leader: int) -> bool:
    """Whether any process of the group of `leader` is left."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def refused(work: Callable[[Path], object], path: Path, content: bytes) -> bool:
    """Whether `work` refuses a file of this content, with the project's own error, which has to name the file."""
    path.write_bytes(content)
    try:
        work(path)
    except UserError as error:
        assert str(path) in str(error)
        return True
    except Exception as error:
        raise AssertionError(f"{path.name}: {content[:4000].hex()}") from error
    return False
