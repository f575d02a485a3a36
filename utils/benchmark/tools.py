"""What `benchmark.py` is built of: sheets to measure with, fresh processes, the plain way to evaluate, the table."""

from __future__ import annotations

import contextlib
import io
import os
import platform
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from utils.files.encode import encode_pillow
from utils.files.masks import write_mask
from utils.files.voc import VocDataset
from utils.memory import keep_freed_memory
from utils.network.letterbox import Placement
from utils.sheets.compose import compose
from utils.sheets.drawing.fonts import find_fonts
from utils.sheets.write import polygons, rasterise
from utils.utils import UserError, write_bytes


class Row(NamedTuple):
    """One line of the table: measured values, and what they are compared with in the same unit."""

    name: str
    unit: str
    values: Sequence[float]
    reference: str = ""
    reference_values: Sequence[float] = ()
    memory: float = 0.0  # bytes at the peak; 0: not measured


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table: medians, smallest and largest value, and the medians' ratio."""
    lines = ["| What | Median (spread) | Compared with | Median (spread) | Ratio | Peak memory |",
             "|:--|--:|:--|--:|--:|--:|"]
    for row in rows:
        ratio = f"{np.median(row.values) / np.median(row.reference_values):.2f}" if row.reference else ""
        lines.append(f"| {row.name} | {_spread(row.values, row.unit)} | {row.reference} | "
                     f"{_spread(row.reference_values, row.unit)} | {ratio} | "
                     f"{f'{row.memory / 1e6:.0f} MB' if row.memory else ''} |")
    return "\n".join(lines)


def _spread(values: Sequence[float], unit: str) -> str:
    if not len(values):
        return ""
    low, median, high = (f"{value:.3g}" for value in (min(values), np.median(values), max(values)))
    return f"{median} {unit}" + (f" ({low} to {high})" if len(values) > 1 else "")


def machine(device: torch.device) -> str:
    """The machine in a line: processor, cores, GPU, versions."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        fields = dict(map(str.strip, line.split(":", 1)) for line in cpuinfo.read_text().splitlines() if ":" in line)
        name = fields.get("model name", name)
    gpu = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ", Apple GPU" * (device.type == "mps")
    return (f"{name}, {os.cpu_count()} cores{gpu}; {platform.system()}, Python {platform.python_version()}, "
            f"torch {torch.__version__}, OpenCV {cv2.__version__}")


# ---- clocks and processes ----

def timed(work: Callable[[], Any], repeats: int) -> list[float]:
    """Seconds that each call of `work` took."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def in_fresh_process(
    work: Callable[..., Any], *arguments: Any, threads: int | None = None, plain: bool = False
) -> tuple[Any, float]:
    """What `work(*arguments)` gives in a new process, and the most memory that process had at a time, in bytes.

    threads: 1 keeps it to one CPU thread, where the system can bind a process to a core; None lets it use all.
    plain: without `keep_freed_memory`, which the scripts set (`config.run`) and the usual code does not.
    Memory is 0 where the system does not tell it. Raises UserError when the work fails.
    """
    receiver, sender = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_work, args=(sender, threads, plain, work, arguments))
    process.start()
    sender.close()
    try:
        result, memory, error = receiver.recv()
    except EOFError:
        result, memory, error = None, 0.0, "the process was killed, maybe for want of memory"
    process.join()
    if error:
        raise UserError(f"{work.__name__} failed: {error}")
    return result, memory


def _work(
    sender: Connection, threads: int | None, plain: bool, work: Callable[..., Any], arguments: Sequence[Any]
) -> None:
    if not plain:
        keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            result = work(*arguments)
        sender.send((result, _peak_memory(), ""))
    except Exception:  # whatever it was, the parent prints it
        sender.send((None, 0.0, traceback.format_exc()))


def _peak_memory() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return float(lines["VmHWM"].split()[0]) * 1024  # getrusage counts what the parent had, too
    if sys.platform == "darwin":
        import resource  # not on Windows

        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return 0.0


# ---- sheets ----

def draw_sheets(root: Path, count: int, size: tuple[int, int]) -> list[tuple[Path, Path]]:
    """(image, mask) files of `count` synthetic sheets of `size` (height, width) in `root`; what is there is kept."""
    files = [(root / f"drawn_{number}.jpg", root / f"drawn_{number}.png") for number in range(count)]
    for number, (image_path, mask_path) in enumerate(tqdm(files, "Drawing", unit="sheet")):
        if mask_path.exists():
            continue
        image, shapes = compose(np.random.default_rng(number), find_fonts("bundled"), max(size))
        mask = rasterise(polygons(shapes, image.shape[:2]), image.shape[:2])
        _write(image_path, cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA))
        write_mask(mask_path, cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST))
    return files


def scale_sheets(files: Sequence[tuple[Path, Path]], root: Path, megapixels: float) -> list[tuple[Path, Path]]:
    """(image, mask) files in `root` of the same sheets at another size; what is there is kept."""
    scaled = [(root / image.name, root / mask.name) for image, mask in files]
    for (image_path, mask_path), (new_image, new_mask) in zip(files, scaled):
        if new_mask.exists():
            continue
        with Image.open(image_path) as image, Image.open(mask_path) as mask:
            factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
            size = round(image.width * factor), round(image.height * factor)
            _write(new_image, np.array(image.convert("RGB").resize(size, Image.Resampling.LANCZOS)))
            write_mask(new_mask, np.array(mask.resize(size, Image.Resampling.NEAREST)))
    return scaled


def link_dataset(root: Path, files: Sequence[tuple[Path, Path]], count: int) -> VocDataset:
    """A data set at `root` (made anew) of `count` sheets, which are `files` under other names again and again."""
    shutil.rmtree(root, ignore_errors=True)
    stems = [f"sheet_{number:04d}" for number in range(count)]
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for number, stem in enumerate(stems):
        for folder, path in zip(("JPEGImages", "SegmentationClass"), files[number % len(files)]):
            target = root / folder / f"{stem}{path.suffix}"
            try:
                os.link(path, target)
            except OSError:  # another drive, or a file system without links
                shutil.copy(path, target)
    for split in ("train", "val"):
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(stems), encoding="utf-8")
    return VocDataset(root.parent, root.name)


def _write(path: Path, pixels: np.ndarray) -> None:
    write_bytes(path, encode_pillow(Image.fromarray(pixels), format="JPEG", quality=90))


# ---- the plain way to evaluate ----

def naive_classes(logits: torch.Tensor, placement: Placement, size: tuple[int, int]) -> np.ndarray:
    """The classes, int64 (H, W), of logits float (C, h, w): softmax of all classes at full size, then argmax."""
    top, left, height, width = placement
    inner = logits[None, :, top:top + height, left:left + width].float().cpu()
    full = torch.nn.functional.interpolate(inner, size, mode="bilinear", align_corners=False)
    return torch.softmax(full[0], 0).argmax(0).numpy()


def naive_miou(matrix: np.ndarray) -> float:
    """Mean IoU of a confusion matrix (true classes down); absent classes are left out."""
    union = matrix.sum(0) + matrix.sum(1) - matrix.diagonal()
    return float(np.nanmean(np.where(union > 0, matrix.diagonal() / np.maximum(union, 1), np.nan)))


def naive_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Pixel counts, int64 (num_classes, num_classes), true classes down: one `np.bincount` at full size."""
    valid = truth < num_classes
    pairs = num_classes * truth[valid].astype(int) + prediction[valid]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
