"""Tables of what was found in a folder. To add a table, write a function and put its file name in TABLES."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from utils.files.tables import csv_file
from utils.objects.regions import Region

OBJECT_COLUMNS: tuple[str, ...] = (
    "sheet", "object", "class", "confidence", "left", "top", "width", "height", "angle",
    "rectangle_x", "rectangle_y", "rectangle_width", "rectangle_height", "polygon", "area", "touches_border",
    "centroid_x", "centroid_y", "sheet_width", "sheet_height", "text", "symbology",
    "width_cm", "height_cm", "area_cm2", "crop", "instance",
)
JOINT = " | "  # between several texts in one cell


class Found(NamedTuple):
    """What was found on a sheet: pixels of each class by name, the objects, and their crop files."""

    pixels: dict[str, int]
    regions: list[Region]
    crops: list[Path]  # one for each region, or an empty list
    size: tuple[int, int]  # height and width of the sheet


class Table(NamedTuple):
    """A table that is written one sheet at a time."""

    header: Sequence[str]
    rows: Callable[[Any], Iterable[Sequence[Any]]]  # the rows of one sheet


NamedFound = tuple[str, Found]  # the name is the sheet's path within the input folder


@contextmanager
def csv_tables(output_dir: Path, tables: Mapping[str, Table]) -> Iterator[Callable[[Any], None]]:
    """Yields a function that adds the rows of one sheet to each table; the files appear in `output_dir` at the end.

    tables: by their file names. Raises UserError when one cannot be written.
    """
    with ExitStack() as stack:
        writers = [(table.rows, stack.enter_context(csv_file(output_dir / file_name, table.header)))
                   for file_name, table in tables.items()]

        def write(sheet: Any) -> None:
            for rows, write_row in writers:
                for row in rows(sheet):
                    write_row(row)

        yield write


def classes_table(name_classes: Sequence[str], output_dir: Path) -> Table:
    """A row per sheet with the pixels of each class."""
    def rows(sheet: NamedFound) -> Iterator[Sequence[Any]]:
        name, found = sheet
        yield [name, *found.pixels.values()]

    return Table(["sheet", *name_classes], rows)


def objects_table(name_classes: Sequence[str], output_dir: Path) -> Table:
    """A row per object, see `object_row`."""
    def rows(sheet: NamedFound) -> Iterator[Sequence[Any]]:
        name, found = sheet
        for number, (region, crop) in enumerate(zip_longest(found.regions, found.crops), 1):
            cut_out = crop.relative_to(output_dir).as_posix() if crop else ""
            yield object_row(name, number, region, found.size, crop=cut_out)

    return Table(OBJECT_COLUMNS, rows)


TABLES: Mapping[str, Callable[[Sequence[str], Path], Table]] = {
    "classes.csv": classes_table, "objects.csv": objects_table,
}


def tables(output_dir: Path, name_classes: Sequence[str]) -> dict[str, Table]:
    """The tables of predict.py, by file name; each takes pairs of a sheet's name and what was found on it."""
    return {file_name: make(name_classes, output_dir) for file_name, make in TABLES.items()}


def object_row(
    sheet: str,
    number: int,
    region: Region,
    size: tuple[int, int],
    *,
    texts: Sequence[str] = (),
    symbologies: Sequence[str] = (),
    px_per_cm: float = math.nan,
    crop: str = "",
) -> list[Any]:
    """The cells of OBJECT_COLUMNS for one object.

    Args:
        sheet: its name.
        number: of the object on the sheet, from 1.
        region: the object.
        size: height and width of the sheet.
        texts, symbologies: of the barcodes that were read on it.
        px_per_cm: of the sheet; NaN where it is unknown.
        crop: path of its crop in the output folder, or "".
    """
    rectangle, (height, width) = region.rectangle, size
    row, column = region.centroid
    return [
        sheet, number, region.name, round(region.confidence, 4), region.left, region.top, region.width, region.height,
        *(round(value, 2) for value in (rectangle.angle, rectangle.x, rectangle.y, rectangle.width, rectangle.height)),
        points_text(region.polygon), region.area, yes_or_no(region.touches_border),
        round(column + 0.5, 1), round(row + 0.5, 1), width, height, JOINT.join(texts), JOINT.join(symbologies),
        *(round(value, 2) for value in (
            rectangle.width / px_per_cm, rectangle.height / px_per_cm, region.area / px_per_cm ** 2)),
        crop, region.instance or "",
    ]


def points_text(points: Iterable[tuple[float, float]]) -> str:
    """Points as "x,y x,y" with up to one decimal. Below 0 becomes 0, as a cell that begins with "-" is a formula."""
    return " ".join(f"{max(x, 0):.1f},{max(y, 0):.1f}".replace(".0", "") for x, y in points)


def yes_or_no(value: bool | None) -> str:
    """The word for a cell, which is empty for None."""
    return "" if value is None else "yes" if value else "no"
