"""Predicts sheets and writes the results: overlays, index masks, crops and tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from tqdm import tqdm

from utils.files.images import read_picture, write_picture
from utils.files.jobs import in_threads, warn
from utils.files.masks import write_instances, write_mask
from utils.objects.confidence import Calibration
from utils.objects.drawing import draw_mask
from utils.objects.regions import count_pixels, find_regions
from utils.predicting.crops import cut_out, require_distinct_crops, write_crops
from utils.predicting.plan import SheetFiles, find_sheets, plan
from utils.predicting.tables import Found, csv_tables, tables
from utils.utils import UserError, printable, remove_abandoned


class SourceFile(Protocol):
    """The files of one sheet, of which only the input counts here."""

    source: Path


Sheet, Result = TypeVar("Sheet", bound=SourceFile), TypeVar("Result")


class Segmenter(Protocol):
    """What this module needs from a model; `deeplab.Segmenter` has it."""

    name_classes: list[str]
    colors: list[tuple[int, int, int]]
    finds_instances: bool
    calibration: Calibration

    def segment_sheet(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The class of each pixel, uint8 (H, W), of an image (H, W, 3), its probability, float (h, w), and its object.

        The last is uint16 (H, W), or None if the model finds no instances.
        """
        ...


def predict_sheet(model: Segmenter, sheet: SheetFiles, mix_type: int, crops: bool) -> Found:
    """What was found on a sheet, after writing its picture, its index mask, its instances and its crops.

    Args:
        model: finds the objects.
        sheet: the file to read and those to write.
        mix_type: kind of picture, see `draw_mask`.
        crops: also cut each object out.

    Raises:
        UserError: the sheet cannot be read, or a result cannot be written.
    """
    pixels, kept = read_picture(sheet.source)
    mask, probability, instances = model.segment_sheet(pixels)
    regions = find_regions(
        mask, model.name_classes, probability=probability, instances=instances, calibration=model.calibration)
    cuts = [cut_out(pixels, region) for region in regions] if crops else []
    paths = write_crops(sheet.crops, sheet.name, cuts, kept, model.name_classes) if crops else []
    write_mask(sheet.mask, mask, model.colors)
    if sheet.instances:
        write_instances(sheet.instances, instances)
    if mix_type == 1:
        write_mask(sheet.picture, mask, model.colors)
    else:
        write_picture(sheet.picture, draw_mask(pixels, mask, model.colors, mix_type, in_place=True), kept)
    return Found(count_pixels(mask, model.name_classes), regions, paths, mask.shape)


def predict_folder(
    model: Segmenter, input_dir: str | Path, output_dir: str | Path, *,
    mix_type: int, recursive: bool, count: bool, crops: bool, num_workers: int,
) -> int:
    """The number of bad images in a folder, after predicting all others and printing a summary.

    Args:
        model: finds the objects.
        input_dir: the folder to read.
        output_dir: the folder to write to.
        mix_type: kind of picture, see `draw_mask`.
        recursive: also read the subfolders.
        count: also write classes.csv and objects.csv.
        crops: also cut each object out.
        num_workers: sheets processed at the same time, in threads.

    Raises:
        UserError: there are no images, or outputs would overwrite inputs or each other; this is checked first. Or, at
            the end, a table cannot be written.
    """
    input_dir, output_dir = Path(input_dir), Path(output_dir)
    sources = find_sheets(input_dir, output_dir, recursive)
    sheets = plan(sources, input_dir, output_dir, mix_type, model.finds_instances)
    if crops:
        require_distinct_crops(output_dir / "crops", sheets, model.name_classes)
    clean(sheets, crops)
    named_tables = tables(output_dir, model.name_classes) if count else {}
    with csv_tables(output_dir, named_tables) as write:
        return work_through(
            sheets, lambda sheet: predict_sheet(model, sheet, mix_type, crops),
            lambda sheet, found: write((sheet.name.as_posix(), found)), output_dir, num_workers,
        )


def work_through(
    sheets: Sequence[Sheet],
    work: Callable[[Sheet], Result],
    write: Callable[[Sheet, Result], None],
    output_dir: Path,
    num_workers: int,
) -> int:
    """The number of bad images, after working on all others in threads and printing a summary.

    Threads read and write sheets while the network computes others.

    Args:
        sheets: the files of each sheet.
        work: reads a sheet and writes what belongs to it alone. It raises UserError for a bad one.
        write: is called with each good sheet and its result, in order, one at a time.
        output_dir: the folder of the results, for the summary.
        num_workers: sheets processed at the same time.
    """

    def try_to_work(sheet: Sheet) -> Result | UserError:
        try:
            return work(sheet)
        except UserError as error:
            return error

    done, bad = 0, []
    start = time.perf_counter()
    results = zip(sheets, in_threads(try_to_work, sheets, num_workers))
    for sheet, result in tqdm(results, total=len(sheets), unit=" sheets"):
        if isinstance(result, UserError):
            bad.append(printable(sheet.source))
            warn(result)
        else:
            done += 1
            write(sheet, result)
    seconds = time.perf_counter() - start
    summary = f"{done} sheets in {seconds:.1f} s ({done / seconds:.1f} sheets/s) written to {output_dir}"
    print(f"{summary}, {len(bad)} bad: {', '.join(bad)}" if bad else summary)
    return len(bad)


def clean(sheets: Sequence[SheetFiles], crops: bool) -> None:
    """Removes what earlier runs that were killed left in the folders that the results of `sheets` go to."""
    for folder in {path.parent for sheet in sheets for path in sheet.written()}:
        remove_abandoned(folder)
    for folder in {sheet.crops for sheet in sheets if crops}:
        remove_abandoned(folder, recursive=True)
