"""What a run does, each stage in a process of its own: train, then evaluate and measure."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from utils.benchmark.processes import peak_memory, timed
from utils.benchmark.table import machine
from utils.config import Settings
from utils.dataloader import sheet_box
from utils.experiments.plan import choose_sheets
from utils.files.images import read_image
from utils.files.tables import write_text
from utils.files.voc import VocDataset
from utils.network.checkpoint import load_checkpoint
from utils.network.precision import choose_precision
from utils.training.cache import SheetCache
from utils.training.mixing import training_files
from utils.training.preflight import preflight
from utils.utils import UserError, pick_device

TIMED = 7  # validation sheets whose prediction is timed


def prepare_stage(s: Settings) -> None:
    """Checks the sheets of train.py's constants `s`, and fills the cache, or else the first run would seem slow.

    Raises UserError like `preflight`.
    """
    data = VocDataset(s.dataset_path, s.dataset, s.lists)
    train, val = training_files(s, data)[0], data.files("val")
    boxes = [sheet_box(s.input_shape, s.augment_scale)] * len(train) + [s.predict_shape or s.input_shape] * len(val)
    preflight(train + val, len(s.name_classes), True, boxes, SheetCache(s.cache_dir, s.cache_gb))


def train_stage(train: Callable[[Settings], int], s: Settings, is_main: bool) -> dict[str, Any]:
    """What training measures, after training or going on with it; of the main process alone, else {}.

    The keys are seconds, whole_time (False: a part of the run was killed, and its time is not known), memory in bytes,
    history (see LossHistory), number_format and samples.
    """
    folder = Path(s.save_dir)
    last = folder / "last_epoch_weights.pth"
    begun = last.exists()
    if not begun or load_checkpoint(last).epoch < s.unfreeze_epoch:
        with noted_time(folder / "times.json") if is_main else nullcontext():
            train(Settings(**{**s.to_dict(), "resume": begun}))
    if not is_main:
        return {}
    device = pick_device(s.device)
    times = json.loads((folder / "times.json").read_text(encoding="utf-8"))
    _, parts = training_files(s, VocDataset(s.dataset_path, s.dataset, s.lists))
    return {
        "seconds": sum(seconds or 0.0 for seconds in times),
        "whole_time": None not in times,
        "memory": most_memory(device),
        "history": load_checkpoint(last).training["epochs"],
        "number_format": str(choose_precision(s.fp16, device).dtype).removeprefix("torch."),
        "samples": sum(part.samples for part in parts) * s.unfreeze_epoch,
    }


def evaluate_stage(
    evaluate: Callable[[Settings], int], load_model: Callable[..., Any], s: Settings, shape: tuple[int, int]
) -> dict[str, Any]:
    """What evaluation measures: scores, predict_memory in bytes, seconds_a_sheet, parameters, flops, machine.

    Args:
        evaluate: get_miou.py's main.
        load_model: loads a model to predict with.
        s: constants of get_miou.py.
        shape: (height, width) that the operations are counted at.

    Raises:
        UserError: a validation sheet is bad or missing.
    """
    if evaluate(s):
        raise UserError(f"Not all validation sheets could be scored: {s.out_dir}/metrics.md names them.")
    device = pick_device(s.device)
    memory = most_memory(device)
    metrics = json.loads((Path(s.out_dir) / "metrics.json").read_text(encoding="utf-8"))
    data = VocDataset(s.dataset_path, s.dataset, s.lists)
    images = data.images()
    model = load_model(s.model_path, device=s.device)
    stems = choose_sheets((), data.stems("val"), TIMED)
    seconds = [prediction_seconds(model, images[stem]) for stem in [stems[0], *stems]][1:]  # the first one warms up
    network = load_checkpoint(s.model_path).build()
    return {
        "scores": {name: value for name, value in metrics.items() if name != "missing"},
        "predict_memory": memory,
        "seconds_a_sheet": statistics.median(seconds),
        "parameters": sum(values.numel() for values in network.parameters()),
        "flops": count_flops(network, shape),
        "machine": machine(device),
    }


def prediction_seconds(model: Any, path: Path) -> float:
    """Seconds that a model takes to segment an image, once it is read."""
    image = read_image(path)
    return timed(lambda: model.segment(image), 1)[0]


def count_flops(network: nn.Module, shape: tuple[int, int]) -> int:
    """Floating point operations for one image of `shape` (height, width); a multiplication with its addition is two.

    Convolutions and matrix products are counted, as PyTorch does; the rest is small.
    """
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network.eval()(torch.zeros(1, 3, *shape))
    return counter.get_total_flops()


def most_memory(device: torch.device) -> float:
    """The most memory in bytes that this process had at a time: of the GPU if it computes on CUDA; 0: not known."""
    return float(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else peak_memory()


@contextmanager
def noted_time(path: Path) -> Iterator[None]:
    """Adds the seconds of the block to the list in a JSON file; null until it ends, and for ever if it is killed."""
    times = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    write_text(path, json.dumps([*times, None]))
    start = time.perf_counter()
    try:
        yield
    finally:
        write_text(path, json.dumps([*times, time.perf_counter() - start]))

