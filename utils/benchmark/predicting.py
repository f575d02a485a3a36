"""Measures predicting a folder, beside what it cannot do without, the network without its probe, and the usual way."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from utils.benchmark.naive import naive_classes
from utils.benchmark.processes import timed
from utils.benchmark.setup import CPU_MODES, Model, Setup
from utils.benchmark.table import Row
from utils.files.masks import read_mask
from utils.network.checkpoint import load_checkpoint
from utils.network.letterbox import Placement, letterbox_tightly, network_input
from utils.predicting.folder import predict_folder
from utils.utils import pick_device


def measure_predict(setup: Setup) -> Iterator[Row]:
    """Seconds a sheet of `predict_folder`, beside decoding, the network and encoding of the same sheets.

    On a CPU and with a probe in model_path, also beside the whole network. Last, beside the usual way.
    """
    s = setup.settings
    data = setup.linked("predict", s.sheets)
    sparse = pick_device(s.device).type == "cpu" and load_checkpoint(s.model_path).probe is not None
    for title, threads in CPU_MODES:
        runs = s.sheets * expected_seconds(setup.megapixels) * (2 if threads == 1 else 1)
        values, memory = setup.measure(
            f"Predicting a folder, {title}", runs * s.repeats, predict_seconds, data.root, threads=threads)
        floor, _ = setup.measure(f"Decoding, the network and encoding alone, {title}", runs * (s.repeats + 1),
                                 predict_floor, data.root, threads=threads)
        name = f"predict a folder, {title}"
        yield Row(name, "s/sheet", values, "decode + network + encode", floor, memory)
        if sparse:
            whole, _ = setup.measure(f"Predicting a folder with the whole network, {title}", runs * s.repeats,
                                     predict_seconds, data.root, None, False, threads=threads)
            yield Row(name, "s/sheet", values, "without the probe", whole)
        usual, _ = setup.measure(f"Usual prediction, {title}", 3 * runs * s.repeats,
                                 usual_predict_seconds, data.root, threads=threads, plain=True)
        yield Row(name, "s/sheet", values, "usual prediction", usual)


def expected_seconds(megapixels: float) -> float:
    """About how long a sheet takes on two cores, for estimates: the network, and what grows with the pixels."""
    return 0.2 + 0.013 * megapixels


def predict_seconds(setup: Setup, root: Path, repeats: int | None = None, sparse: bool = True) -> list[float]:
    """Seconds a sheet for each repeat of predicting the folder as predict.py does (overlay JPEG and mask PNG).

    With sparse=False, a CPU computes the whole network.
    """
    model, p = setup.make_model(sparse=sparse), setup.predicting
    images = sorted((root / "JPEGImages").iterdir())
    return [seconds / len(images) for seconds in timed(lambda: predict_folder(
        model, root / "JPEGImages", root / "out", mix_type=p.mix_type, recursive=p.recursive, count=p.count,
        crops=p.crops, num_workers=p.num_workers,
    ), repeats or setup.settings.repeats)]


def predict_floor(setup: Setup, root: Path) -> list[float]:
    """Seconds a sheet, one after the other: Pillow's decoding, the network alone, Pillow's encoding of both results."""
    model = setup.make_model()
    images = sorted((root / "JPEGImages").iterdir())

    def work() -> None:
        for path in images:
            with Image.open(path) as image:
                image.load()
            mark = time.perf_counter()  # making the network's input out of the pixels is no part of it
            batch, _ = network_input_of(model, np.array(image))
            mask = Image.fromarray(read_mask(root / "SegmentationClass" / f"{path.stem}.png"))
            left_out.append(time.perf_counter() - mark)
            with torch.inference_mode():
                model.precision.forward(model.model, batch.to(model.device)).cpu()
            image.save(io.BytesIO(), "JPEG", quality="keep")
            mask.save(io.BytesIO(), "PNG", compress_level=4)

    left_out: list[float] = []
    work()
    floor = []
    for _ in range(setup.settings.repeats):
        left_out.clear()
        floor.append((timed(work, 1)[0] - sum(left_out)) / len(images))
    return floor


def usual_predict_seconds(setup: Setup, root: Path) -> list[float]:
    """Seconds a sheet for each repeat of the usual way to the same overlays and masks, one sheet after the other."""
    model = setup.make_model()
    classes_of = usual_prediction(setup, model)
    images, palette = sorted((root / "JPEGImages").iterdir()), np.array(model.checkpoint.colors, np.uint8)
    (folder := root / "usual").mkdir(exist_ok=True)

    def work() -> None:
        for path in images:
            image = Image.open(path).convert("RGB")
            classes = classes_of(np.array(image))
            Image.blend(image, Image.fromarray(palette[classes]), 0.7).save(folder / f"{path.stem}.jpg", quality=95)
            Image.fromarray(classes.astype(np.uint8)).save(folder / f"{path.stem}.png")

    return [seconds / len(images) for seconds in timed(work, setup.settings.repeats)]


def usual_prediction(setup: Setup, model: Model) -> Callable[[np.ndarray], np.ndarray]:
    """What gives the classes, int64 (H, W), of the pixels, uint8 (H, W, 3), of a sheet in the usual way.

    The network is plain PyTorch, as the checkpoint builds it: BatchNorms of their own, channels first, float32, whole,
    and without the layers of `nets.cpu.for_cpu`. model: says how large its input is, and on which device.
    """
    network = load_checkpoint(setup.settings.model_path).build().to(model.device)

    def classes_of(pixels: np.ndarray) -> np.ndarray:
        batch, placement = network_input_of(model, pixels)
        with torch.inference_mode():
            logits = network(network_input(batch.to(model.device)).contiguous())[0]
        return naive_classes(logits, placement, pixels.shape[:2])

    return classes_of


def network_input_of(model: Model, pixels: np.ndarray) -> tuple[torch.Tensor, Placement]:
    """The letterboxed image uint8 (1, h, w, 3) that `DeeplabV3.segment` makes of a sheet, and its placement."""
    boxed, placement = letterbox_tightly(pixels, model.input_shape, model.checkpoint.downsample_factor)
    return torch.from_numpy(boxed)[None], placement
