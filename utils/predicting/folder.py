"""Sheets from files to files: overlays, index masks, crops and lists of what was found."""

from __future__ import annotations

import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import cv2
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from utils.files.images import Kept, read_picture, write_mask, write_picture
from utils.files.tables import csv_file
from utils.objects.drawing import Region, count_pixels, draw, find_regions
from utils.utils import UserError, find_images, require_distinct

CROP_MARGIN = 0.004  # share of the sheet's diagonal that a crop is larger on each side: outlines are not exact
Item, Result = TypeVar("Item"), TypeVar("Result")


class Segmenter(Protocol):
    """What is needed of a `DeeplabV3`."""

    name_classes: list[str]
    colors: list[tuple[int, int, int]]

    def segment(self, image: np.ndarray) -> np.ndarray: ...


class Sheet(NamedTuple):
    """One input file and where its results go."""

    source: Path
    picture: Path
    mask: Path
    crops: Path  # the folder of all crops
    name: Path  # the source within its input folder


class Found(NamedTuple):
    """What a sheet shows: pixels of each class by name, and the objects, with the file that each was cut out to."""

    pixels: dict[str, int]
    regions: list[Region]
    crops: list[Path]  # one for each region, or none at all


def plan(sources: Sequence[Path], input_dir: Path, output_dir: Path, mix_type: int) -> list[Sheet]:
    """The output files of each source: its own name in `output_dir`, and masks/<stem>.png there; subfolders are kept.

    The picture of mix_type 1, a colour mask, is a PNG as well. Raises UserError when two sources would be written to
    one file, or any to a file that is itself a source.
    """
    sheets = []
    for source in sources:
        name = source.relative_to(input_dir)
        picture = name.with_suffix(".png") if mix_type == 1 else name
        mask = output_dir / "masks" / name.with_suffix(".png")
        sheets.append(Sheet(source, output_dir / picture, mask, output_dir / "crops", name))
    require_distinct([(sheet.source, path) for sheet in sheets for path in (sheet.picture, sheet.mask)])
    originals = {_same_file_key(source) for source in sources}
    for sheet in sheets:
        for path in (sheet.picture, sheet.mask):
            if _same_file_key(path) in originals:
                raise UserError(f"{path} is an input and would be overwritten: set output_dir to another folder.", 2)
    return sheets


def predict_sheet(model: Segmenter, sheet: Sheet, mix_type: int, crops: bool) -> Found:
    """What was found on a sheet, after its results have been written: picture, index mask and, if asked for, crops.

    Raises UserError.
    """
    pixels, kept = read_picture(sheet.source)
    mask = model.segment(pixels)
    regions = find_regions(mask, model.name_classes)
    cut_out = write_crops(sheet, pixels, kept, regions, model.name_classes) if crops else []
    write_mask(sheet.mask, mask, model.colors)
    if mix_type == 1:
        write_mask(sheet.picture, mask, model.colors)
    else:
        write_picture(sheet.picture, draw(pixels, mask, model.colors, mix_type, in_place=True), kept)
    return Found(count_pixels(mask, model.name_classes), regions, cut_out)


def write_crops(
    sheet: Sheet, pixels: np.ndarray, kept: Kept, regions: Sequence[Region], name_classes: Sequence[str]
) -> list[Path]:
    """The files that the objects of a sheet were cut out to, upright rectangles, one for each of `regions`.

    They are <class number>_<class>/<sheet>_<n> in the folder of crops, n counting the objects of a class from top to
    bottom, in the sheet's own format. Those that an earlier run left beyond the last n are removed. pixels: uint8 or
    uint16 (H, W, 3) RGB; kept: what its file had. Raises UserError when one cannot be written.
    """
    height, width = pixels.shape[:2]
    margin = round(CROP_MARGIN * math.hypot(height, width))
    options = {key: value for key, value in kept.options.items() if key != "exif"}  # its thumbnail shows the sheet
    counts, written = dict.fromkeys(range(1, len(name_classes)), 0), []

    def path(index: int, number: int) -> Path:
        folder = re.sub(r'[<>:"/\\|?*]', "_", f"{index}_{name_classes[index]}")
        return sheet.crops / folder / sheet.name.with_name(f"{sheet.name.stem}_{number}{sheet.name.suffix}")

    for region in regions:
        counts[region.index] += 1
        rows = slice(max(0, region.top - margin), min(height, region.top + region.height + margin))
        columns = slice(max(0, region.left - margin), min(width, region.left + region.width + margin))
        written.append(path(region.index, counts[region.index]))
        write_picture(written[-1], np.ascontiguousarray(pixels[rows, columns]), kept._replace(options=options))
    for index, number in counts.items():
        while (left_over := path(index, number + 1)).exists():
            left_over.unlink()
            number += 1
    return written


def predict_folder(
    model: Segmenter, input_dir: str | Path, output_dir: str | Path, *,
    mix_type: int, recursive: bool, count: bool, crops: bool, num_workers: int,
) -> int:
    """How many images of a folder were bad; all others have been predicted, and a summary was printed.

    count: also write classes.csv and objects.csv. crops: also cut each object out. num_workers: sheets worked on at a
    time, in threads.
    Raises UserError when nothing can be done (no images, or outputs that would overwrite inputs or each other) and,
    at the end, when a table cannot be written.
    """
    input_dir, output_dir = Path(input_dir), Path(output_dir)
    same = _same_file_key(input_dir) == _same_file_key(output_dir)
    if same or input_dir.resolve().is_relative_to(output_dir.resolve()):
        raise UserError(f"output_dir is {output_dir}, which {'is' if same else 'holds'} input_dir: originals are kept, "
                        "set another folder.", 2)
    sources = [
        path for path in find_images(input_dir, recursive)
        if not path.resolve().is_relative_to(output_dir.resolve())  # the results of an earlier run
    ]
    if not sources:
        hint = "" if recursive else " (recursive = True looks into its subfolders)"
        raise UserError(f"{input_dir} holds no .jpg, .jpeg, .png, .tif or .tiff images{hint}: check input_dir.")
    sheets = plan(sources, input_dir, output_dir, mix_type)
    found: dict[str, Found] = {}
    bad: list[str] = []
    start = time.perf_counter()
    results = _predict_all(model, sheets, mix_type, crops, num_workers)
    for sheet, result in tqdm(results, total=len(sheets), unit=" sheets"):
        if isinstance(result, UserError):
            bad.append(str(sheet.source))
            tqdm.write(str(result), file=sys.stderr)
        else:
            found[sheet.name.as_posix()] = result
    seconds = time.perf_counter() - start
    summary = f"{len(found)} sheets in {seconds:.1f} s ({len(found) / seconds:.1f} sheets/s) written to {output_dir}"
    print(f"{summary}, {len(bad)} bad: {', '.join(bad)}" if bad else summary)
    if count:
        write_tables(output_dir, found, model.name_classes)
    return len(bad)


def write_tables(output_dir: Path, found: dict[str, Found], name_classes: Sequence[str]) -> None:
    """Writes classes.csv (pixels of each class) and objects.csv (class, box, area, centroid, crop), one line each.

    Raises UserError when one cannot be written.
    """
    with csv_file(output_dir / "classes.csv", ["sheet", *name_classes]) as write_row:
        for name, sheet in found.items():
            write_row([name, *sheet.pixels.values()])
    columns = ["sheet", "class", "top", "left", "height", "width", "area", "centroid_row", "centroid_column", "crop"]
    with csv_file(output_dir / "objects.csv", columns) as write_row:
        for name, sheet in found.items():
            for region, crop in zip_longest(sheet.regions, sheet.crops):
                centroid = (round(value, 1) for value in region.centroid)
                cut_out = crop.relative_to(output_dir).as_posix() if crop else ""
                write_row([name, region.name, *region[2:7], *centroid, cut_out])


def _predict_all(
    model: Segmenter, sheets: Sequence[Sheet], mix_type: int, crops: bool, num_workers: int
) -> Iterator[tuple[Sheet, Found | UserError]]:
    """Each sheet with what was found or why nothing was, in order; reading and writing overlap with the network."""

    def work(sheet: Sheet) -> Found | UserError:
        try:
            return predict_sheet(model, sheet, mix_type, crops)
        except UserError as error:
            return error

    yield from zip(sheets, in_threads(work, sheets, num_workers))


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], num_workers: int) -> Iterator[Result]:
    """work(item) of each item, in their order, by up to `num_workers` threads: no more than there are CPU threads.

    Decoding, the network and encoding do without Python's lock, so the threads overlap. NumPy's matrices are those of
    tiles: its own threads would only take the cores from the others. Ends early (Ctrl-C, an error) by finishing the
    items in work and starting no other.
    """
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    num_workers = max(min(num_workers, threads), 1)
    torch.set_num_threads(max(threads // num_workers, 1))
    cv2.setNumThreads(max(cv2_threads // num_workers, 1))
    pool = ThreadPoolExecutor(num_workers)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)


def _same_file_key(path: Path) -> str:
    """Equal for two paths of one file, also where letter case does not count."""
    return os.path.normcase(path.resolve()).casefold()
