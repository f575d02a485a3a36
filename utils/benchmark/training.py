"""Measures the training loader and the training step, beside the usual ones."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from nets.deeplabv3_training import make_optimizer
from utils.benchmark.naive import naive_network, naive_samples
from utils.benchmark.processes import timed
from utils.benchmark.setup import START, Setup
from utils.benchmark.table import Row
from utils.config import Settings
from utils.dataloader import SheetDataset, make_loader, sheet_box
from utils.files.voc import VocDataset
from utils.network.distributed import Processes
from utils.network.precision import choose_precision
from utils.training.cache import SheetCache
from utils.training.loss import make_loss
from utils.training.preflight import preflight
from utils.training.schedule import learning_rate
from utils.training.start import start_model
from utils.training.updates import Updates
from utils.utils import pick_device
from utils.utils_fit import run_epoch

STEP, USUAL_STEP = 1.1, 3.4  # seconds of a step for each megapixel of a batch on two cores; for estimates


def measure_loader(setup: Setup) -> Iterator[Row]:
    """Samples a second of one worker, first and later epochs, beside the usual way of loading them."""
    s, size = setup.settings, setup.megapixels
    data, loads = setup.linked("loader", s.sheets), s.repeats * s.sheets
    (first, later), memory = setup.measure(
        "Loading training samples", loads * (0.04 + 0.0015 * size), loader_speeds, data, threads=1)
    naive, _ = setup.measure("Usual loading of training samples", loads * (0.03 + 0.011 * size), naive_speeds, data,
                             threads=1, plain=True)
    yield Row("training loader, first epoch with cache", "samples/s", first, "naive loader", naive, memory)
    yield Row("training loader, later epochs", "samples/s", later, "naive loader", naive, memory)


def measure_step(setup: Setup) -> Iterator[Row]:
    """Seconds a step of train.py's epochs, beside the bare and the usual step; and the waiting for data."""
    s = setup.settings
    data = setup.linked("step", s.sheets)
    for batch in s.batch_sizes:
        size = f"{batch} x {s.input_shape[0]} x {s.input_shape[1]}"
        runs = (s.repeats + 1) * s.steps * batch * s.input_shape[0] * s.input_shape[1] / 1e6
        usual, _ = setup.measure(
            f"Usual training step, {size}", USUAL_STEP * runs, usual_step_seconds, batch, plain=True)
        for fp16 in (True, False):
            expected = (2 if fp16 else 4) * STEP * runs + START * (s.num_workers > 0)
            (dtype, values, bare, waits, memory), cpu_memory = setup.measure(
                f"Training step, {size}{'' if fp16 else ', float32'}", expected, step_seconds, data, batch, fp16)
            title = f"{size}, {dtype}"
            yield Row(f"training step, {title}", "s", values, "forward + backward + optimiser", bare,
                      memory or cpu_memory)
            yield Row(f"training step, {title}", "s", values, "usual float32 step", usual)
            yield Row(f"waiting for data, {title}", "% of the epoch", waits)
            if dtype == "float32":
                break  # fp16 changes nothing on this machine


def train_settings(setup: Setup, data: VocDataset, **changes: Any) -> Settings:
    """The settings of train.py for the data set `data`, without start weights, with a cache of its own."""
    return Settings(**{
        **setup.training.to_dict(), "dataset_path": str(data.root.parent), "dataset": data.root.name,
        "device": setup.settings.device, "model_path": "", "input_shape": setup.settings.input_shape,
        "cache_dir": str(data.root / "cache"), "freeze_train": False, **changes,
    })


def loader_speeds(setup: Setup, data: VocDataset) -> tuple[list[float], list[float]]:
    """Samples a second in first epochs, the cache made anew for each, and in later ones."""
    t = train_settings(setup, data)
    files, classes = data.files("train"), len(t.name_classes)
    box = sheet_box(t.input_shape, t.augment_scale)
    first, later = [], []
    for repeat in range(setup.settings.repeats):
        shutil.rmtree(t.cache_dir, ignore_errors=True)
        cache = SheetCache(t.cache_dir, t.cache_gb)
        build = timed(lambda: preflight(files, classes, False, [box] * len(files), cache), 1)[0]
        dataset = SheetDataset(files, t.input_shape, repeat, t.augment_scale, cache_dir=t.cache_dir)
        loader = make_loader(dataset, 4, 0, Processes(0, 1, torch.device("cpu")))
        for epoch in range(4):
            loader.sampler.epoch = epoch
            seconds = timed(lambda: [None for _ in loader], 1)[0]
            (later if epoch else first).append(len(files) / (seconds + (0 if epoch else build)))
    return first, later


def naive_speeds(setup: Setup, data: VocDataset) -> list[float]:
    """Samples a second of the usual loader."""
    t, files = train_settings(setup, data), data.files("train")
    work = partial(naive_samples, files, t.input_shape, t.augment_scale, len(t.name_classes), 0)
    return [len(files) / seconds for seconds in timed(lambda: [None for _ in work()], setup.settings.repeats)]


def step_seconds(
    setup: Setup, data: VocDataset, batch: int, fp16: bool
) -> tuple[str, list[float], list[float], list[float], float]:
    """Number format, seconds a step of epochs and of bare steps, share of waiting in %, GPU memory in bytes.

    Args:
        setup: the benchmark.
        data: the sheets to train on.
        batch: sheets a step.
        fp16: mixed precision where the device gains from it.
    """
    s, t = setup.settings, train_settings(setup, data, unfreeze_batch_size=batch, fp16=fp16)
    procs = Processes(0, 1, pick_device(s.device))
    precision = choose_precision(t.fp16, procs.device)
    files, box = data.files("train"), sheet_box(t.input_shape, t.augment_scale)
    pixels = preflight(files, len(t.name_classes), False, [box] * len(files), SheetCache(t.cache_dir, t.cache_gb))
    files = (files * (1 + s.steps * batch // len(files)))[:s.steps * batch]
    dataset = SheetDataset(files, t.input_shape, t.seed, t.augment_scale, t.paste, t.cache_dir, t.object_gap)
    model = start_model(t, None, procs)
    optimizer = make_optimizer(model, t.optimizer_type, learning_rate(t, t.freeze_epoch), t.momentum, t.weight_decay)
    updates = Updates(model, optimizer, precision.scaler())
    loss_fn = make_loss(t, pixels, procs.device)
    loader = WatchedLoader(make_loader(dataset, batch, s.num_workers, procs))
    images, masks = (each.to(procs.device) for each in next(iter(loader.loader)))

    def bare() -> None:
        for _ in range(s.steps):
            loss = loss_fn(precision.forward(model, images), masks)
            updates.scaler.scale(loss).backward()
            updates.step()
        loss.item()

    def epoch() -> None:
        loader.loader.sampler.epoch += 1
        run_epoch(model, loader, loss_fn, precision, procs, "benchmark", updates)

    epoch()
    values, alone, waits = [], [], []
    for _ in range(s.repeats):  # in turn, so that both see the machine alike
        loader.waited = 0.0
        seconds = timed(epoch, 1)[0]
        values.append(seconds / s.steps)
        waits.append(100 * loader.waited / seconds)
        alone.append(timed(bare, 1)[0] / s.steps)
    memory = torch.cuda.max_memory_allocated(procs.device) if procs.device.type == "cuda" else 0.0
    return str(precision.dtype).removeprefix("torch."), values, alone, waits, memory


def usual_step_seconds(setup: Setup, batch: int) -> list[float]:
    """Seconds of a bare step of the usual code: float32, channels first, Adam unfused, logits copied for the losses.

    The network is plain PyTorch, with its own convolutions and dropout: see `naive_network`.
    """
    s, t, device = setup.settings, setup.training, pick_device(setup.settings.device)
    classes = len(t.name_classes)
    model = naive_network(t).to(device)
    optimizer = torch.optim.Adam(model.parameters(), fused=False)
    images = torch.rand(batch, 3, *s.input_shape, device=device)
    masks = torch.randint(0, classes, (batch * s.input_shape[0] * s.input_shape[1],), device=device)
    truth = F.one_hot(masks, classes).float()

    def steps() -> None:
        for _ in range(s.steps):
            optimizer.zero_grad()
            pixels = model(images).permute(0, 2, 3, 1).reshape(-1, classes)
            p = pixels.softmax(1)
            dice = 2 * (p * truth).sum(0) / (p.sum(0) + truth.sum(0))
            loss = F.cross_entropy(pixels, masks) + 1 - dice.mean()
            loss.backward()
            optimizer.step()
        loss.item()

    steps()
    return [seconds / s.steps for seconds in timed(steps, s.repeats)]


class WatchedLoader:
    """A loader that adds up in `waited` the seconds that its batches were waited for."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        self.waited = 0.0

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        start = time.perf_counter()
        for batch in self.loader:
            self.waited += time.perf_counter() - start
            yield batch
            start = time.perf_counter()
