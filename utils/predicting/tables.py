"""Tables of what was found in a folder. To add a table, write a function and put its file name in TABLES."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from utils.files.tables import csv_file
from utils.objects.regions import Region


class Found(NamedTuple):
    """What was found on a sheet: pixels of each class by name, the objects, and their crop files."""

    pixels: dict[str, int]
    regions: list[Region]
    crops: list[Path]  # one for each region, or an empty list


FoundBySheet = Mapping[str, Found]  # by the sheet's path within the input folder
Rows = Iterator[Sequence[Any]]  # the first one is the header


def classes_table(sheets: FoundBySheet, name_classes: Sequence[str], output_dir: Path) -> Rows:
    """Yields a header, then a row per sheet with the pixels of each class."""
    yield ["sheet", *name_classes]
    for name, sheet in sheets.items():
        yield [name, *sheet.pixels.values()]


def objects_table(sheets: FoundBySheet, name_classes: Sequence[str], output_dir: Path) -> Rows:
    """Yields a header, then a row per object with its class, box, area, centroid and crop."""
    yield ["sheet", "class", "top", "left", "height", "width", "area", "centroid_row", "centroid_column", "crop"]
    for name, sheet in sheets.items():
        for region, crop in zip_longest(sheet.regions, sheet.crops):
            centroid = (round(value, 1) for value in region.centroid)
            cut_out = crop.relative_to(output_dir).as_posix() if crop else ""
            yield [name, region.name, *region[2:7], *centroid, cut_out]


TABLES: Mapping[str, Callable[[FoundBySheet, Sequence[str], Path], Rows]] = {
    "classes.csv": classes_table, "objects.csv": objects_table,
}


def write_tables(output_dir: Path, sheets: FoundBySheet, name_classes: Sequence[str]) -> None:
    """Writes each table of TABLES to `output_dir`. Raises UserError when one cannot be written."""
    for file_name, table in TABLES.items():
        rows = table(sheets, name_classes, output_dir)
        with csv_file(output_dir / file_name, next(rows)) as write_row:
            for row in rows:
                write_row(row)
