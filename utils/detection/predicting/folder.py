"""Finds the boxes on sheets and writes the results: pictures, tables, and label files of three formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from utils.detection.boxes import Box, array_of, as_outlines
from utils.detection.predicting.drawing import draw_boxes
from utils.files.images import read_picture, write_picture, writing
from utils.files.tables import write_text
from utils.labels.formats.coco_writing import coco_file
from utils.labels.formats.labelme import write_labelme
from utils.labels.formats.yolo import yolo_lines
from utils.predicting.folder import work_through
from utils.predicting.plan import find_sheets, require_safe
from utils.predicting.tables import Table, csv_tables
from utils.utils import remove_abandoned

COLUMNS = ("sheet", "object", "class", "score", "x1", "y1", "x2", "y2", "sheet_width", "sheet_height")


class Detector(Protocol):
    """What this module needs from a model; `yolo.Detector` has it."""

    name_classes: list[str]
    colors: list[tuple[int, int, int]]

    def detect(self, image: np.ndarray) -> list[Box]:
        """The objects in an image (H, W, 3), the surest first."""
        ...


class BoxFiles(NamedTuple):
    """One input file and the files for its results."""

    source: Path
    picture: Path
    yolo: Path
    labelme: Path
    name: Path  # path of the source within input_dir

    def written(self) -> list[Path]:
        """The files that belong to this sheet alone."""
        return [self.picture, self.yolo, self.labelme]


class Found(NamedTuple):
    """The boxes on a sheet, and its size (height, width)."""

    boxes: list[Box]
    size: tuple[int, int]


def plan(sources: Sequence[Path], input_dir: Path, output_dir: Path) -> list[BoxFiles]:
    """The output files of each source: a picture with its own name, labels/<stem>.txt and labelme/<stem>.json.

    Subfolders are kept. Raises UserError when two sources have the same output, or an output is itself a source.

    Args:
        sources: the input files.
        input_dir: the folder that they are in.
        output_dir: the folder to write to.
    """
    sheets = []
    for source in sources:
        name = source.relative_to(input_dir)
        sheets.append(BoxFiles(
            source, output_dir / name, output_dir / "labels" / name.with_suffix(".txt"),
            output_dir / "labelme" / name.with_suffix(".json"), name,
        ))
    require_safe([(sheet.source, path) for sheet in sheets for path in sheet.written()])
    return sheets


def clean(sheets: Sequence[BoxFiles]) -> None:
    """Removes what earlier runs that were killed left in the folders that the results go to."""
    for folder in {path.parent for sheet in sheets for path in sheet.written()}:
        remove_abandoned(folder)


def predict_sheet(model: Detector, sheet: BoxFiles) -> Found:
    """What was found on a sheet, after writing its picture and its label files.

    Raises UserError when the sheet cannot be read or a result cannot be written.
    """
    pixels, kept = read_picture(sheet.source)
    size = pixels.shape[:2]
    boxes = model.detect(pixels)
    names = dict(enumerate(model.name_classes))
    outlines = as_outlines(array_of(boxes))
    with writing(sheet.yolo):
        write_text(sheet.yolo, yolo_lines(outlines, size, {index: index for index in names}, boxes=True))
    with writing(sheet.labelme):
        described = [f"score {box.score:.2f}" for box in boxes]
        write_labelme(sheet.labelme, outlines, names, size, sheet.source, described)
    write_picture(sheet.picture, draw_boxes(pixels, boxes, model.colors, in_place=True), kept)
    return Found(boxes, size)


def predict_folder(
    model: Detector, input_dir: str | Path, output_dir: str | Path, *, recursive: bool, num_workers: int
) -> int:
    """The number of bad images in a folder, after predicting all others and printing a summary.

    Beside the files of each sheet, output_dir gets boxes.csv, boxes.json (COCO) and classes.txt.

    Args:
        model: finds the objects.
        input_dir: the folder to read.
        output_dir: the folder to write to.
        recursive: also read the subfolders.
        num_workers: sheets processed at the same time, in threads.

    Raises:
        UserError: there are no images, or outputs would overwrite inputs or each other; this is checked first. Or a
            table cannot be written.
    """
    input_dir, output_dir = Path(input_dir), Path(output_dir)
    sheets = plan(find_sheets(input_dir, output_dir, recursive), input_dir, output_dir)
    clean(sheets)
    write_text(output_dir / "classes.txt", "".join(f"{name}\n" for name in model.name_classes))
    with ExitStack() as stack:
        write_rows = stack.enter_context(csv_tables(output_dir, {"boxes.csv": Table(COLUMNS, rows)}))
        names = dict(enumerate(model.name_classes))
        add_image = stack.enter_context(
            coco_file(output_dir / "boxes.json", names, "Objects on herbarium sheets, found by predict_yolo.py"))

        def write(sheet: BoxFiles, found: Found) -> None:
            name = sheet.name.as_posix()
            write_rows((name, found))
            add_image(name, found.size, map(coco_annotation, found.boxes))

        return work_through(sheets, lambda sheet: predict_sheet(model, sheet), write, output_dir, num_workers)


def rows(sheet: tuple[str, Found]) -> Iterator[Sequence[Any]]:
    """The rows of boxes.csv for one sheet, from its name and what was found on it."""
    name, (boxes, (height, width)) = sheet
    for number, box in enumerate(boxes, 1):
        yield [name, number, box.name, round(box.score, 4), *(round(side, 2) for side in box[3:]), width, height]


def coco_annotation(box: Box) -> dict[str, Any]:
    """A box as COCO has it: left, top, width and height. The ids of the categories are the classes, from 0."""
    left, top, width, height = (
        round(value, 2) for value in (box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1))
    return {
        "category_id": box.index, "bbox": [left, top, width, height], "area": round(width * height, 2),
        "segmentation": [], "iscrowd": 0, "score": round(box.score, 4),
    }
