"""Draws synthetic herbarium sheets with exact labels: a data set for training without labelled photographs.

It writes to <output_dir>/<dataset>/: JPEGImages/*.jpg, SegmentationClass/*.png (8-bit palette), labelme/*.json (the
same labels as polygons, to open in labelme), specimens.json (boxes around the pieces of the plants, for train_yolo.py),
ImageSets/Segmentation/{train,val,trainval,test}.txt and samples.png.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Literal

import cv2
import numpy as np
from tqdm import tqdm

from utils import config
from utils.memory import keep_freed_memory
from utils.sheets.compose import NAMES, compose
from utils.sheets.drawing.fonts import find_fonts
from utils.sheets.write import (
    SPECIMENS, Boxes, plant_boxes, tile, write_lists, write_samples, write_sheet, write_specimens,
)
from utils.utils import UserError, remove_abandoned

# What to draw
count: int = 200                        # number of sheets
height: int | tuple[int, int] = 1024    # pixels of the long side, or (lowest, highest); real sheets have 1024 to 10000
seed: int = 0                           # the same seed gives the same bytes on machines with the same libraries
fonts: Literal["bundled", "system"] = "bundled"   # "system": also this machine's; sheets then differ between machines
jpeg_quality: tuple[int, int] = (40, 98)          # lowest, highest; 1 to 100
often: dict[str, float] = {}            # {"tag": 4.0} makes tags 4 times as frequent; an unknown name prints the names
turned: float | tuple[float, float] | None = None  # degrees counter-clockwise, or (lowest, highest); None: mostly 0

# Where to
output_dir: str = "herbarium_sheets"    # folder that holds the data sets
dataset: str = "synthetic"              # subfolder of output_dir to write to
overwrite: bool = False                 # True: replace the sheets of an earlier run; other files are never touched
val_share: float = 0.1                  # share of the sheets for val.txt; the rest is train.txt

# How
num_workers: int = 0                    # processes; 0: only the main one. It changes the speed, not the sheets
num_samples: int = 24                   # sheets shown on samples.png, each image beside its mask; 0: no such file
# ----------------------------------------------------------------------------------------------------------------------

STEM = "synthetic_{:06d}"
Drawn = tuple[np.ndarray | None, Boxes, float]
OWN = re.compile(r"synthetic_\d{6,}")


def main(settings: config.Settings) -> int:
    """The exit status 0, after writing all sheets. Raises UserError for bad constants or files that are in the way."""
    check(settings)
    root = Path(settings.output_dir) / settings.dataset
    stems = [STEM.format(index) for index in range(settings.count)]
    require_free(root, settings.overwrite)
    work = partial(make_sheet, settings)
    start, seconds, tiles, plants = time.perf_counter(), 0.0, [], {}
    with tqdm(total=settings.count, desc="Drawing", unit="sheet") as bar:
        for stem, (small, boxes, spent) in zip(stems, draw_all(work, settings.count, settings.num_workers)):
            seconds += spent
            plants[f"{stem}.jpg"] = boxes
            if small is not None:
                tiles.append(small)
            bar.update()
    write_specimens(root / SPECIMENS, plants)
    write_lists(root, stems, settings.val_share, np.random.default_rng([settings.seed, settings.count]))
    if tiles:
        write_samples(root / "samples.png", tiles)
    print(f"{settings.count} sheets in {root}: {settings.count / seconds:.2f} sheets per second and core, "
          f"{time.perf_counter() - start:.1f} s in all.")
    return 0


def make_sheet(settings: config.Settings, index: int) -> Drawn:
    """What sheet `index` leaves beside its files, after writing these.

    That is its tile for samples.png (None from num_samples on), the boxes of its plants, and the CPU seconds it took.
    """
    start = time.process_time()
    rng = np.random.default_rng(np.random.SeedSequence((settings.seed, index)))
    low, high = settings.height if isinstance(settings.height, tuple) else (settings.height, settings.height)
    image, shapes = compose(rng, find_fonts(settings.fonts), int(rng.integers(low, high + 1)), settings.often,
                            settings.turned)
    root = Path(settings.output_dir) / settings.dataset
    quality = int(rng.integers(settings.jpeg_quality[0], settings.jpeg_quality[1] + 1))
    mask = write_sheet(root, STEM.format(index), image, shapes, quality)
    small = tile(image, mask) if index < settings.num_samples else None
    return small, plant_boxes(shapes, image.shape[:2]), time.process_time() - start


def draw_all(work: Callable[[int], Drawn], count: int, num_workers: int) -> Iterator[Drawn]:
    """Yields work(0) ... work(count - 1) in order, from this process or from `num_workers` others."""
    if num_workers == 0:
        yield from map(work, range(count))
        return
    with ProcessPoolExecutor(num_workers, get_context("spawn"), initializer=start_worker) as pool:
        yield from pool.map(work, range(count))


def start_worker() -> None:
    """Limits OpenCV to one thread in this worker, because the workers share the cores, and ends it with its parent."""
    cv2.setNumThreads(1)
    Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """Ends this process once its parent has ended, however that came about."""
    parent_process().join()
    os._exit(1)


def check(settings: config.Settings) -> None:
    """Raises UserError when a constant is out of range."""
    heights = settings.height if isinstance(settings.height, tuple) else (settings.height,) * 2
    turns = settings.turned if isinstance(settings.turned, tuple) else (settings.turned or 0,) * 2
    rules = (
        ("count", settings.count, settings.count >= 1, "1 or more"),
        ("seed", settings.seed, settings.seed >= 0, "0 or more"),
        ("height", settings.height, 256 <= heights[0] <= heights[1], "256 or more, the lowest first"),
        ("jpeg_quality", settings.jpeg_quality, 1 <= settings.jpeg_quality[0] <= settings.jpeg_quality[1] <= 100,
         "two numbers from 1 to 100, the lowest first"),
        ("often", settings.often, all(times > 0 for times in settings.often.values()), "numbers above 0"),
        ("turned", settings.turned, -360 <= turns[0] <= turns[1] <= 360, "degrees from -360 to 360, the lowest first"),
        ("val_share", settings.val_share, 0 <= settings.val_share < 1, "0 or more and less than 1"),
        ("num_workers", settings.num_workers, settings.num_workers >= 0, "0 or more"),
        ("num_samples", settings.num_samples, settings.num_samples >= 0, "0 or more"),
    )
    for name, value, right, allowed in rules:
        if not right:
            raise UserError(f"{name} is {value}: it has to be {allowed}.", 2)
    for name in settings.often:
        if name not in NAMES:
            raise UserError(f'often has "{name}": the names are {", ".join(NAMES)}.', 2)


def require_free(root: Path, overwrite: bool) -> None:
    """Removes the sheets of an earlier run if `overwrite` is True.

    Raises UserError, before anything is removed, when the folder holds a file that this script has not made, or when
    it holds sheets of an earlier run and `overwrite` is False.
    """
    remove_abandoned(root, recursive=True)
    found = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    for path in found:
        if not is_own(path.relative_to(root), path):
            raise UserError(f"{path} was not made by make_sheets.py: choose another dataset than "
                            f'"{root.name}", or move the file away.', 2)
    if found and not overwrite:
        raise UserError(f"{root} already holds synthetic sheets: set overwrite = True to replace them, or choose "
                        "another dataset.", 2)
    for path in found:
        path.unlink()


def is_own(name: Path, path: Path) -> bool:
    """Whether this script writes files like `path`; `name` is its path within the data set."""
    if name.suffix == ".txt":
        return name.parts[:-1] == ("ImageSets", "Segmentation") and all(
            OWN.fullmatch(line) for line in path.read_text(encoding="utf-8", errors="replace").split())
    if name == Path(SPECIMENS):
        try:
            return all(OWN.fullmatch(Path(sheet).stem) for sheet in json.loads(path.read_bytes()))
        except (ValueError, TypeError):
            return False
    folder = {".jpg": "JPEGImages", ".png": "SegmentationClass", ".json": "labelme"}.get(name.suffix)
    return name == Path("samples.png") or (name.parts[:-1] == (folder,) and bool(OWN.fullmatch(name.stem)))


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
