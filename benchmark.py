"""Measures how fast this machine is at everything, beside what is physically needed for it: run `python benchmark.py`.

Prints the machine and one Markdown table. Sheets are drawn once (8 s each) or taken from a data set. What is measured
are the functions that predict.py, train.py and get_miou.py call; each measurement has a process of its own.

    python benchmark.py
    python benchmark.py --parts=predict,miou --repeats=3
    python benchmark.py --parts=step --batch_sizes=4,8 --steps=50
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from deeplab import DeeplabV3
from utils import config
from utils.benchmark.tools import (
    Row, draw_sheets, in_fresh_process, link_dataset, machine, naive_classes, naive_matrix, naive_miou, scale_sheets,
    table, timed,
)
from utils.benchmark.training import loader_speeds, naive_speeds, step_seconds, usual_step_seconds
from utils.files.masks import read_mask
from utils.files.voc import VocDataset
from utils.memory import keep_freed_memory
from utils.network.checkpoint import load_checkpoint
from utils.network.letterbox import letterbox_tightly, network_input
from utils.predicting.folder import predict_folder
from utils.utils import UserError, pick_device

# ---- What to measure ----
parts: tuple[Literal["predict", "loader", "step", "miou", "growth"], ...] = (
    "predict", "loader", "step", "miou", "growth")  # growth: more sheets and larger ones; takes the longest
repeats: int = 5                    # measurements of each thing; the table has median, smallest and largest
device: str = "auto"                # of the network: "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "mps", "cpu"
model_path: str = "model_data/deeplab_mobilenetv2.pth"  # to predict with; training is measured without start weights
# ---- Sheets ----
work_dir: str = "cache/benchmark"   # sheets drawn, copies and results; can be deleted
dataset: str = ""                   # folder of a data set whose val sheets, JPEGs, are measured with; "": drawn ones
drawn: int = 4                      # different sheets to draw; the others are copies of them
sheet_size: tuple[int, int] = (5616, 3744)  # height, width of drawn sheets
sheets: int = 8                     # in a folder, for all but the growth
# ---- Training step ----
input_shape: tuple[int, int] = (512, 512)   # height, width
batch_sizes: tuple[int, ...] = (4,)         # sheets a step
steps: int = 4                              # a repeat; give many on a GPU, so that starting an epoch does not count
num_workers: int = 2                        # processes that load sheets; beside a GPU, 4
# ---- Growth ----
growth_sheets: tuple[int, ...] = (10, 100, 500)             # in a folder: time a sheet and memory should not change
growth_megapixels: tuple[float, ...] = (5.0, 20.0, 60.0)   # a sheet: time should grow no faster than these
# ---- nothing below this line needs editing ----

CPU_MODES = (("one CPU thread", 1), ("all CPU threads", None))
ROOT = Path(__file__).parent


def main(settings: config.Settings) -> int:
    """Prints the table; 0 at the end. Raises UserError when a constant does not fit or a measurement fails."""
    s = settings
    for name in ("repeats", "drawn", "sheets", "steps"):
        if getattr(s, name) < 1:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be 1 or more.", 2)
    if s.num_workers < 0:
        raise UserError(f"num_workers is {s.num_workers}: it has to be 0 or more.", 2)
    if s.dataset:
        data = VocDataset(Path(s.dataset).parent, Path(s.dataset).name)
        files = data.files("val")
        if any(image.suffix.lower() not in (".jpg", ".jpeg") for image, _ in files):
            raise UserError(f'dataset {s.dataset} has val sheets that are no JPEG: list others, or set it to "".', 2)
    else:
        files = draw_sheets(Path(s.work_dir) / "drawn_{}x{}".format(*s.sheet_size), s.drawn, s.sheet_size)
    measure = {"predict": measure_predict, "loader": measure_loader, "step": measure_step, "miou": measure_miou,
               "growth": measure_growth}
    rows = [row for part in s.parts for row in measure[part](s, files)]
    print(f"{machine(pick_device(s.device))}\n\n{table(rows)}")
    return 0


# ---- (a) predicting a folder ----

def measure_predict(s: config.Settings, files: list[tuple[Path, Path]]) -> Iterator[Row]:
    """Seconds a sheet of `predict_folder`, beside decoding, the network and encoding of the same sheets."""
    data = link_dataset(Path(s.work_dir) / "predict", files, s.sheets)
    for title, threads in CPU_MODES:
        values, memory = in_fresh_process(predict_seconds, s, data.root, threads=threads)
        floor, _ = in_fresh_process(predict_floor, s, data.root, threads=threads)
        yield Row(f"predict a folder, {title}", "s/sheet", values, "decode + network + encode", floor, memory)


def predict_seconds(s: config.Settings, root: Path, repeats: int | None = None) -> list[float]:
    """Seconds a sheet for each repeat of predicting the folder as predict.py does (overlay JPEG and mask PNG)."""
    p = config.read(ROOT / "predict.py")
    model = DeeplabV3(s.model_path, device=s.device, fp16=p.fp16)
    images = sorted((root / "JPEGImages").iterdir())
    return [seconds / len(images) for seconds in timed(lambda: predict_folder(
        model, root / "JPEGImages", root / "out", mix_type=p.mix_type, recursive=p.recursive, count=p.count,
        crops=p.crops, num_workers=p.num_workers,
    ), repeats or s.repeats)]


def predict_floor(s: config.Settings, root: Path) -> list[float]:
    """Seconds a sheet, one after the other: Pillow's decoding, the network alone, Pillow's encoding of both results."""
    model = DeeplabV3(s.model_path, device=s.device, fp16=config.read(ROOT / "predict.py").fp16)
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
    for _ in range(s.repeats):
        left_out.clear()
        floor.append((timed(work, 1)[0] - sum(left_out)) / len(images))
    return floor


def network_input_of(model: DeeplabV3, pixels: np.ndarray) -> tuple[torch.Tensor, Any]:
    """The letterboxed image uint8 (1, h, w, 3) that `DeeplabV3.segment` makes of a sheet, and its placement."""
    boxed, placement = letterbox_tightly(pixels, model.input_shape, model.checkpoint.downsample_factor)
    return torch.from_numpy(boxed)[None], placement


# ---- (b) loading training samples ----

def measure_loader(s: config.Settings, files: list[tuple[Path, Path]]) -> Iterator[Row]:
    """Samples a second of one worker, first and later epochs, beside the usual way of loading them."""
    data = link_dataset(Path(s.work_dir) / "loader", files, s.sheets)
    (first, later), memory = in_fresh_process(loader_speeds, s, data, threads=1)
    naive, _ = in_fresh_process(naive_speeds, s, data, threads=1, plain=True)
    yield Row("training loader, first epoch with cache", "samples/s", first, "naive loader", naive, memory)
    yield Row("training loader, later epochs", "samples/s", later, "naive loader", naive, memory)


# ---- (c) training steps ----

def measure_step(s: config.Settings, files: list[tuple[Path, Path]]) -> Iterator[Row]:
    """Seconds a step of train.py's epochs, beside the bare and the usual step; and the waiting for data."""
    data = link_dataset(Path(s.work_dir) / "step", files, s.sheets)
    for batch in s.batch_sizes:
        usual, _ = in_fresh_process(usual_step_seconds, s, batch, plain=True)
        for fp16 in (True, False):
            (dtype, values, bare, waits, memory), cpu_memory = in_fresh_process(step_seconds, s, data, batch, fp16)
            title = f"{batch} x {s.input_shape[0]} x {s.input_shape[1]}, {dtype}"
            yield Row(f"training step, {title}", "s", values, "forward + backward + optimiser", bare,
                      memory or cpu_memory)
            yield Row(f"training step, {title}", "s", values, "usual float32 step", usual)
            yield Row(f"waiting for data, {title}", "% of the epoch", waits)
            if dtype == "float32":
                break  # fp16 changes nothing on this machine


# ---- (d) scoring ----

def measure_miou(s: config.Settings, files: list[tuple[Path, Path]]) -> Iterator[Row]:
    """Sheets a second of get_miou.py at full size, beside the usual evaluation of the same sheets."""
    data = link_dataset(Path(s.work_dir) / "miou", files, s.sheets + 1)
    for title, threads in CPU_MODES:
        (values, miou), memory = in_fresh_process(miou_speeds, s, data, threads=threads)
        (naive, naive_result), _ = in_fresh_process(naive_miou_speeds, s, data, threads=threads, plain=True)
        yield Row(f"get_miou, {title} (mIoU differs by {abs(miou - naive_result):.0e})", "sheets/s", values,
                  "naive evaluation", naive, memory)


def miou_speeds(s: config.Settings, data: VocDataset) -> tuple[list[float], float]:
    """Sheets a second of get_miou.py, and the mIoU. What it does once (loading, plots) is measured and left out."""
    import get_miou  # with Matplotlib, which takes memory that predict.py does not

    lists, stems = data.list_dir, data.stems("train")
    (lists / "one.txt").write_text(stems[0], encoding="utf-8")
    settings = {split: config.read(
        ROOT / "get_miou.py", model_path=s.model_path, device=s.device, dataset_path=str(data.root.parent),
        dataset=data.root.name, split=split, out_dir=str(data.root / split), object_scores=False, min_confidence=0.0,
    ) for split in ("one", "val")}
    get_miou.main(settings["one"])
    once = np.median(timed(lambda: get_miou.main(settings["one"]), s.repeats))
    seconds = timed(lambda: get_miou.main(settings["val"]), s.repeats)
    result = json.loads((data.root / "val" / "metrics.json").read_text(encoding="utf-8"))
    return [(len(stems) - 1) / max(each - once, 1e-9) for each in seconds], result["miou"]


def naive_miou_speeds(s: config.Settings, data: VocDataset) -> tuple[list[float], float]:
    """Sheets a second of the usual evaluation (unfused network, channels first), and the mIoU."""
    model, images = DeeplabV3(s.model_path, device=s.device), data.images()
    network = load_checkpoint(s.model_path).build().to(model.device)
    classes, matrices = len(model.name_classes), []

    def work() -> None:
        for stem in data.stems("val"):
            pixels = np.array(Image.open(images[stem]).convert("RGB"))
            batch, placement = network_input_of(model, pixels)
            with torch.inference_mode():
                logits = network(network_input(batch.to(model.device)).contiguous())[0]
            prediction = naive_classes(logits, placement, pixels.shape[:2])
            matrices.append(naive_matrix(np.array(Image.open(data.mask(stem))), prediction, classes))

    seconds = timed(work, s.repeats)
    return [len(images) / each for each in seconds], naive_miou(np.sum(matrices, 0))


# ---- (e) growth ----

def measure_growth(s: config.Settings, files: list[tuple[Path, Path]]) -> Iterator[Row]:
    """Seconds a sheet and memory of predicting and scoring with more sheets and with larger ones."""
    folder = Path(s.work_dir)
    sets = [(f"{count} sheets", files, count) for count in s.growth_sheets]
    sets += [(f"{size:g} megapixels", scale_sheets(files, folder / f"drawn_{size:g}_megapixels", size), s.sheets)
             for size in s.growth_megapixels]
    for title, sources, count in sets:
        data = link_dataset(folder / "growth", sources, count)
        values, memory = in_fresh_process(predict_seconds, s, data.root, 1)
        yield Row(f"predict a folder, {title}", "s/sheet", values, memory=memory)
        values, memory = in_fresh_process(miou_seconds, s, data)
        yield Row(f"get_miou, {title}", "s/sheet", values, memory=memory)


def miou_seconds(s: config.Settings, data: VocDataset) -> list[float]:
    """Seconds a sheet of get_miou.py as a whole."""
    import get_miou

    settings = config.read(
        ROOT / "get_miou.py", model_path=s.model_path, device=s.device, dataset_path=str(data.root.parent),
        dataset=data.root.name, out_dir=str(data.root / "miou"),
    )
    return [seconds / len(data.images()) for seconds in timed(lambda: get_miou.main(settings), 1)]


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
