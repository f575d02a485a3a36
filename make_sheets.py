"""Draws synthetic herbarium sheets with exact labels: a data set to train on without any labelled photographs.

Writes <output_dir>/<dataset>/: JPEGImages/*.jpg, SegmentationClass/*.png (8-bit palette), labelme/*.json (the same
labels as polygons, to open in labelme), ImageSets/Segmentation/{train,val,trainval,test}.txt and samples.png.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from tqdm import tqdm

from utils import config
from utils.sheets.compose import compose
from utils.sheets.fonts import find_fonts
from utils.sheets.write import tile, write_lists, write_samples, write_sheet
from utils.utils import UserError

# What to draw
count: int = 200                        # sheets
height: int | tuple[int, int] = 1024    # pixels of the long side, or (lowest, highest); real ones: 1024 to 10000
seed: int = 0                           # the same seed gives the same bytes on machines with the same libraries
fonts: Literal["bundled", "system"] = "bundled"   # "system": also this machine's; other machines then draw other text
jpeg_quality: tuple[int, int] = (40, 98)          # lowest, highest

# Where to
output_dir: str = "herbarium_sheets"
dataset: str = "synthetic"              # the folder in output_dir
overwrite: bool = False                 # True: replace sheets of an earlier run of this script, never other files
val_share: float = 0.1                  # part of the sheets for val.txt; the rest is train.txt

# How
num_workers: int = 0                    # processes; 0: this one alone. The number changes nothing but the time
num_samples: int = 24                   # sheets on samples.png, images beside masks; 0: no such file
# ----------------------------------------------------------------------------------------------------------------------

STEM = "synthetic_{:06d}"


def main(settings: config.Settings) -> int:
    """0 when all sheets have been written. Raises UserError when a constant does not fit or files are in the way."""
    check(settings)
    root = Path(settings.output_dir) / settings.dataset
    stems = [STEM.format(index) for index in range(settings.count)]
    require_free(root, stems, settings.overwrite)
    work = partial(make_sheet, settings)
    start, seconds, tiles = time.perf_counter(), 0.0, []
    with tqdm(total=settings.count, desc="Drawing", unit="sheet") as bar:
        for small, spent in run(work, settings.count, settings.num_workers):
            seconds += spent
            tiles += [small] if small is not None else []
            bar.update()
    write_lists(root, stems, settings.val_share, np.random.default_rng([settings.seed, settings.count]))
    if tiles:
        write_samples(root / "samples.png", tiles)
    print(f"{settings.count} sheets in {root}: {settings.count / seconds:.2f} sheets per second and core, "
          f"{time.perf_counter() - start:.1f} s in all.")
    return 0


def make_sheet(settings: config.Settings, index: int) -> tuple[np.ndarray | None, float]:
    """Draws and writes sheet `index`; gives its tile for samples.png (None after the first ones) and CPU seconds."""
    start = time.process_time()
    rng = np.random.default_rng(np.random.SeedSequence((settings.seed, index)))
    low, high = settings.height if isinstance(settings.height, tuple) else (settings.height, settings.height)
    image, shapes = compose(rng, find_fonts(settings.fonts), int(rng.integers(low, high + 1)))
    root = Path(settings.output_dir) / settings.dataset
    quality = int(rng.integers(settings.jpeg_quality[0], settings.jpeg_quality[1] + 1))
    mask = write_sheet(root, STEM.format(index), image, shapes, quality)
    small = tile(image, mask) if index < settings.num_samples else None
    return small, time.process_time() - start


def run(work: partial, count: int, num_workers: int):
    """Yields work(0) ... work(count - 1) in order, from this process or from `num_workers` others."""
    if num_workers == 0:
        yield from map(work, range(count))
        return
    with ProcessPoolExecutor(num_workers, get_context("spawn"), initializer=one_thread) as pool:
        yield from pool.map(work, range(count))


def one_thread() -> None:
    """Keeps OpenCV of a worker to one thread: the workers share the cores."""
    cv2.setNumThreads(1)


def check(settings: config.Settings) -> None:
    """Raises UserError when a constant is out of range."""
    heights = settings.height if isinstance(settings.height, tuple) else (settings.height,) * 2
    rules = (
        ("count", settings.count, settings.count >= 1, "1 or more"),
        ("seed", settings.seed, settings.seed >= 0, "0 or more"),
        ("height", settings.height, 256 <= heights[0] <= heights[1], "256 or more, the lowest first"),
        ("jpeg_quality", settings.jpeg_quality, 1 <= settings.jpeg_quality[0] <= settings.jpeg_quality[1] <= 100,
         "two numbers from 1 to 100, the lowest first"),
        ("val_share", settings.val_share, 0 <= settings.val_share < 1, "0 or more and less than 1"),
        ("num_workers", settings.num_workers, settings.num_workers >= 0, "0 or more"),
        ("num_samples", settings.num_samples, settings.num_samples >= 0, "0 or more"),
    )
    for name, value, right, allowed in rules:
        if not right:
            raise UserError(f"{name} is {value}: it has to be {allowed}.", 2)


def require_free(root: Path, stems: list[str], overwrite: bool) -> None:
    """Raises UserError when the data set holds other files than those of an earlier run, or those and not `overwrite`."""
    names = {"JPEGImages": ".jpg", "SegmentationClass": ".png", "labelme": ".json"}
    ours = STEM.format(0)[:-6]
    for folder, suffix in names.items():
        for path in sorted((root / folder).glob("*")):
            own = path.stem.startswith(ours) and path.stem[len(ours):].isdecimal() and path.suffix == suffix
            if not own:
                raise UserError(f"{path} was not made by make_sheets.py: choose another dataset than "
                                f'"{root.name}" or move the file away.', 2)
            if not overwrite:
                raise UserError(f"{path} exists: set overwrite = True to replace the sheets of {root}, or choose "
                                "another dataset.", 2)
            path.unlink()


if __name__ == "__main__":
    config.run(main)
