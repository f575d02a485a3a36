"""Measures predicting a folder, beside the decoding, the network and the encoding that it cannot do without."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from utils.benchmark.processes import timed
from utils.benchmark.setup import CPU_MODES, Model, Setup
from utils.benchmark.table import Row
from utils.files.masks import read_mask
from utils.network.letterbox import Placement, letterbox_tightly
from utils.predicting.folder import predict_folder


def measure_predict(setup: Setup) -> Iterator[Row]:
    """Seconds a sheet of `predict_folder`, beside decoding, the network and encoding of the same sheets."""
    s = setup.settings
    data = setup.linked("predict", s.sheets)
    for title, threads in CPU_MODES:
        runs = s.sheets * expected_seconds(setup.megapixels) * (2 if threads == 1 else 1)
        values, memory = setup.measure(
            f"Predicting a folder, {title}", runs * s.repeats, predict_seconds, data.root, threads=threads)
        floor, _ = setup.measure(f"Decoding, the network and encoding alone, {title}", runs * (s.repeats + 1),
                                 predict_floor, data.root, threads=threads)
        yield Row(f"predict a folder, {title}", "s/sheet", values, "decode + network + encode", floor, memory)


def expected_seconds(megapixels: float) -> float:
    """About how long a sheet takes on two cores, for estimates: the network, and what grows with the pixels."""
    return 0.2 + 0.013 * megapixels


def predict_seconds(setup: Setup, root: Path, repeats: int | None = None) -> list[float]:
    """Seconds a sheet for each repeat of predicting the folder as predict.py does (overlay JPEG and mask PNG)."""
    model, p = setup.make_model(), setup.predicting
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


def network_input_of(model: Model, pixels: np.ndarray) -> tuple[torch.Tensor, Placement]:
    """The letterboxed image uint8 (1, h, w, 3) that `DeeplabV3.segment` makes of a sheet, and its placement."""
    boxed, placement = letterbox_tightly(pixels, model.input_shape, model.checkpoint.downsample_factor)
    return torch.from_numpy(boxed)[None], placement
