"""The training measurements of `benchmark.py`: what the loader gives, what a step takes, and the usual loader."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader

from nets.deeplabv3_training import make_optimizer
from nets.models import build_model
from utils import config
from utils.benchmark.tools import timed
from utils.dataloader import SheetDataset, make_loader, sheet_box
from utils.files.voc import VocDataset
from utils.network.distributed import Processes
from utils.network.letterbox import GREY
from utils.network.precision import choose_precision
from utils.training.augmentation import ASPECT_JITTER, BLUR, DEGREES, FLIP, HUE, ROTATE, SATURATION, VALUE
from utils.training.cache import SheetCache
from utils.training.loss import make_loss
from utils.training.preflight import preflight
from utils.training.schedule import learning_rate
from utils.training.start import start_model
from utils.utils import IGNORE, pick_device
from utils.utils_fit import Updates, run_epoch

TRAIN = Path(__file__).parents[2] / "train.py"


def train_settings(s: config.Settings, data: VocDataset, **changes: Any) -> config.Settings:
    """The settings of train.py for the data set `data`, without start weights, with a cache of its own."""
    return config.read(
        TRAIN, dataset_path=str(data.root.parent), dataset=data.root.name, device=s.device, model_path="",
        input_shape=s.input_shape, cache_dir=str(data.root / "cache"), freeze_train=False, **changes,
    )


def loader_speeds(s: config.Settings, data: VocDataset) -> tuple[list[float], list[float]]:
    """Samples a second in first epochs, the cache made anew for each, and in later ones."""
    t = train_settings(s, data)
    files, classes = data.files("train"), len(t.name_classes)
    box = sheet_box(t.input_shape, t.augment_scale)
    first, later = [], []
    for repeat in range(s.repeats):
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


def naive_speeds(s: config.Settings, data: VocDataset) -> list[float]:
    """Samples a second of the usual loader."""
    t, files = train_settings(s, data), data.files("train")
    work = partial(naive_samples, files, t.input_shape, t.augment_scale, len(t.name_classes), 0)
    return [len(files) / seconds for seconds in timed(lambda: [None for _ in work()], s.repeats)]


def step_seconds(
    s: config.Settings, data: VocDataset, batch: int, fp16: bool
) -> tuple[str, list[float], list[float], list[float], float]:
    """Number format, seconds a step of epochs and of bare steps, share of waiting in %, GPU memory in bytes."""
    t = train_settings(s, data, unfreeze_batch_size=batch, fp16=fp16)
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


def usual_step_seconds(s: config.Settings, batch: int) -> list[float]:
    """Seconds of a bare step of the usual code: float32, channels first, Adam unfused, logits copied for the losses."""
    t, device = config.read(TRAIN), pick_device(s.device)
    classes = len(t.name_classes)
    model = build_model(t.model_name, classes, t.backbone, t.downsample_factor).to(device).train()
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


def naive_samples(
    files: Sequence[tuple[Path, Path]], shape: tuple[int, int], scale: tuple[float, float], num_classes: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Training samples as the usual code for this network makes them, with the augmentation of `utils.dataloader`.

    Image float64 (3, h, w) in [0, 1], mask int64 (h, w) whose ignored pixels are num_classes, and one-hot mask float64
    (h, w, num_classes + 1). Each sheet is decoded and resized by Pillow at its full size.
    """
    rng = np.random.default_rng(seed)
    height, width = shape
    for image_path, mask_path in files:
        image, mask = Image.open(image_path).convert("RGB"), Image.fromarray(np.array(Image.open(mask_path)))
        jitter = rng.uniform(1 - ASPECT_JITTER, 1 + ASPECT_JITTER, 2)
        aspect = image.width / image.height * jitter[0] / jitter[1]
        factor = rng.uniform(*scale)
        if aspect < 1:
            size = int(factor * height * aspect), int(factor * height)
        else:
            size = int(factor * width), int(factor * width / aspect)
        image, mask = image.resize(size, Image.Resampling.BICUBIC), mask.resize(size, Image.Resampling.NEAREST)
        if rng.random() < FLIP:
            image, mask = (each.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for each in (image, mask))
        at = tuple(int(rng.uniform(0, 1) * (outer - inner)) for outer, inner in zip((width, height), size))
        canvas, labels = Image.new("RGB", (width, height), (GREY,) * 3), Image.new("L", (width, height), IGNORE)
        canvas.paste(image, at)
        labels.paste(mask, at)
        pixels, classes = np.array(canvas), np.array(labels)
        if rng.random() < BLUR:
            pixels = cv2.GaussianBlur(pixels, (5, 5), 0)
        if rng.random() < ROTATE:
            matrix = cv2.getRotationMatrix2D((width // 2, height // 2), rng.uniform(-DEGREES, DEGREES), 1)
            pixels = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=(GREY,) * 3)
            classes = cv2.warpAffine(classes, matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=IGNORE)
        gain = rng.uniform(-1, 1, 3) * (HUE, SATURATION, VALUE) + 1
        steps = np.arange(256)
        tables = (steps * gain[0] % 180, (steps * gain[1]).clip(0, 255), (steps * gain[2]).clip(0, 255))
        channels = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV))
        hsv = cv2.merge([cv2.LUT(channel, each.astype(np.uint8)) for channel, each in zip(channels, tables)])
        pixels = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float64) / 255
        classes = np.minimum(classes, num_classes).astype(np.int64)
        yield pixels.transpose(2, 0, 1), classes, np.eye(num_classes + 1)[classes]
