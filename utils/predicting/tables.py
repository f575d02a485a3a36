"""The tables of what was found in a folder. To add one: a function here, and its file name in TABLES."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from utils.files.tables import csv_file
from utils.objects.regions import Region


class Found(NamedTuple):
    """What a sheet shows: pixels of each class by name, and the objects, with the file that each was cut out to."""

    pixels: dict[str, int]
    regions: list[Region]
    crops: list[Path]  # one for each region, or none at all


Sheets = Mapping[str, Found]  # by the sheet's path within the input folder
Rows = Iterator[Sequence[Any]]  # the header first


def classes_table(sheets: Sheets, name_classes: Sequence[str], output_dir: Path) -> Rows:
    """Pixels of each class, a row a sheet."""
    yield ["sheet", *name_classes]
    for name, sheet in sheets.items():
        yield [name, *sheet.pixels.values()]


def objects_table(sheets: Sheets, name_classes: Sequence[str], output_dir: Path) -> Rows:
    """Class, box, area, centroid and crop of each object."""
    yield ["sheet", "class", "top", "left", "height", "width", "area", "centroid_row", "centroid_column", "crop"]
    for name, sheet in sheets.items():
        for region, crop in zip_longest(sheet.regions, sheet.crops):
            centroid = (round(value, 1) for value in region.centroid)
            cut_out = crop.relative_to(output_dir).as_posix() if crop else ""
            yield [name, region.name, *region[2:7], *centroid, cut_out]


TABLES: Mapping[str, Callable[[Sheets, Sequence[str], Path], Rows]] = {
    "classes.csv": classes_table, "objects.csv": objects_table,
}


def write_tables(output_dir: Path, sheets: Sheets, name_classes: Sequence[str]) -> None:
    """Writes each of TABLES to `output_dir`. Raises UserError when one cannot be written."""
    for file_name, table in TABLES.items():
        rows = table(sheets, name_classes, output_dir)
        with csv_file(output_dir / file_name, next(rows)) as write_row:
            for row in rows:
                write_row(row)
