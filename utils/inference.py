"""Sheets from files to files: overlays, index masks and lists of what was found."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import cv2
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from utils.drawing import Region, count_pixels, draw, find_regions
from utils.image_io import read_picture, write_mask, write_picture
from utils.utils import UserError, atomic_path, find_images, require_distinct

Item, Result = TypeVar("Item"), TypeVar("Result")


class Segmenter(Protocol):
    """What is needed of a `DeeplabV3`."""

    name_classes: list[str]
    colors: list[tuple[int, int, int]]

    def segment(self, image: np.ndarray) -> np.ndarray: ...


class Sheet(NamedTuple):
    """One input file and the two output files."""

    source: Path
    picture: Path
    mask: Path


class Found(NamedTuple):
    """What a sheet shows: pixels of each class by name, and the objects."""

    pixels: dict[str, int]
    regions: list[Region]


def plan(sources: Sequence[Path], input_dir: Path, output_dir: Path, mix_type: int) -> list[Sheet]:
    """The output files of each source: its own name in `output_dir`, and masks/<stem>.png there; subfolders are kept.

    The picture of mix_type 1, a colour mask, is a PNG as well. Raises UserError when two sources would be written to
    one file, or any to a file that is itself a source.
    """
    sheets = []
    for source in sources:
        name = source.relative_to(input_dir)
        picture = name.with_suffix(".png") if mix_type == 1 else name
        sheets.append(Sheet(source, output_dir / picture, output_dir / "masks" / name.with_suffix(".png")))
    require_distinct([(sheet.source, path) for sheet in sheets for path in (sheet.picture, sheet.mask)])
    originals = {_same_file_key(source) for source in sources}
    for sheet in sheets:
        for path in (sheet.picture, sheet.mask):
            if _same_file_key(path) in originals:
                raise UserError(f"{path} is an input and would be overwritten: set output_dir to another folder.", 2)
    return sheets


def predict_sheet(model: Segmenter, sheet: Sheet, mix_type: int) -> Found:
    """What was found on a sheet, after its picture and index mask have been written. Raises UserError."""
    pixels, kept = read_picture(sheet.source)
    mask = model.segment(pixels)
    write_mask(sheet.mask, mask, model.colors)
    if mix_type == 1:
        write_mask(sheet.picture, mask, model.colors)
    else:
        write_picture(sheet.picture, draw(pixels, mask, model.colors, mix_type, in_place=True), kept)
    return Found(count_pixels(mask, model.name_classes), find_regions(mask, model.name_classes))


def predict_folder(
    model: Segmenter, input_dir: str | Path, output_dir: str | Path, *,
    mix_type: int, recursive: bool, count: bool, num_workers: int,
) -> int:
    """How many images of a folder were bad; all others have been predicted, and a summary was printed.

    count: also write classes.csv and objects.csv. num_workers: sheets worked on at a time, in threads.
    Raises UserError when nothing can be done: no images, or outputs that would overwrite inputs or each other.
    """
    input_dir, output_dir = Path(input_dir), Path(output_dir)
    if _same_file_key(input_dir) == _same_file_key(output_dir):
        raise UserError(f"output_dir is {output_dir}, which is input_dir: originals are kept, set another folder.", 2)
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
    for sheet, result in tqdm(_predict_all(model, sheets, mix_type, num_workers), total=len(sheets), unit=" sheets"):
        if isinstance(result, UserError):
            bad.append(str(sheet.source))
            tqdm.write(str(result), file=sys.stderr)
        else:
            found[sheet.source.relative_to(input_dir).as_posix()] = result
    seconds = time.perf_counter() - start
    if count:
        write_tables(output_dir, found, model.name_classes)
    summary = f"{len(found)} sheets in {seconds:.1f} s ({len(found) / seconds:.1f} sheets/s) written to {output_dir}"
    print(f"{summary}, {len(bad)} bad: {', '.join(bad)}" if bad else summary)
    return len(bad)


def write_tables(output_dir: Path, found: dict[str, Found], name_classes: Sequence[str]) -> None:
    """Writes classes.csv (pixels of each class) and objects.csv (class, box, area, centroid), one line each."""
    classes = [[name, *sheet.pixels.values()] for name, sheet in found.items()]
    objects = [
        [name, region.name, region.top, region.left, region.height, region.width, region.area,
         *(round(value, 1) for value in region.centroid)]
        for name, sheet in found.items() for region in sheet.regions
    ]
    columns = ["sheet", "class", "top", "left", "height", "width", "area", "centroid_row", "centroid_column"]
    for path, rows in (("classes.csv", [["sheet", *name_classes], *classes]), ("objects.csv", [columns, *objects])):
        with atomic_path(output_dir / path) as temporary:
            with open(temporary, "w", newline="", encoding="utf-8-sig") as file:  # the mark tells Excel it is UTF-8
                csv.writer(file).writerows(rows)


def _predict_all(
    model: Segmenter, sheets: Sequence[Sheet], mix_type: int, num_workers: int
) -> Iterator[tuple[Sheet, Found | UserError]]:
    """Each sheet with what was found or why nothing was, in order; reading and writing overlap with the network."""

    def work(sheet: Sheet) -> Found | UserError:
        try:
            return predict_sheet(model, sheet, mix_type)
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
