"""The tables and exchange files of a batch. To add one, write a function and put its file name in TABLES or FILES."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from utils.digitise.record import Code, SheetRecord
from utils.digitise.writing.audiovisual import media_table, roi_table, sap_table
from utils.digitise.writing.coco import coco_file
from utils.digitise.writing.labelme import correction_list, lowest_confidence
from utils.predicting.tables import JOINT, OBJECT_COLUMNS, Table, csv_tables, object_row, points_text, yes_or_no

MOST_DUPLICATES = 10  # sheets that one cell names; a code of the whole institution can be on all of a batch
PHOTOGRAPH = ("sharpness", "dark", "light", "brightness", "entropy", "paper")  # fields of Photograph, and columns
CLIPPED = ("clipped_light", "clipped_dark")  # fields of ChartColours, and columns: the worst chart counts
WriteRecord = Callable[[SheetRecord], None]


@dataclass(frozen=True)
class TableOptions:
    """What the tables need that a record does not hold: constants, and questions about the other sheets."""

    name_classes: Sequence[str]             # background first, specimens last if they were looked for
    required: Collection[str] = ()          # classes that every sheet has to show
    media_url: str = ""                     # what stands before a file's path in its address on the web; "": unknown
    rights: str = ""                        # of the photographs, such as "CC0 1.0"
    matches: Callable[[SheetRecord, Code], bool | None] = lambda record, code: None  # the file name; None: not asked
    sheets_with: Callable[[str], Collection[str]] = lambda text: ()  # all sheets with a barcode of this text, once each
    drift: Callable[[SheetRecord], float] = lambda record: math.nan  # of the chart's colours; NaN: unknown


@contextmanager
def open_tables(output_dir: Path, wanted: Collection[str], options: TableOptions) -> Iterator[WriteRecord]:
    """Yields a function that adds one sheet to the files `wanted`, which appear in `output_dir` at the end.

    wanted: names of TABLES and FILES. Raises UserError when a file cannot be written.
    """
    with ExitStack() as stack:
        tables = {name: make(options) for name, make in TABLES.items() if name in wanted}
        writers = [stack.enter_context(csv_tables(output_dir, tables))]
        writers += [stack.enter_context(make(output_dir / name, options)) for name, make in FILES.items()
                    if name in wanted]

        def write(record: SheetRecord) -> None:
            for writer in writers:
                writer(record)

        yield write


def objects_table(options: TableOptions) -> Table:
    """A row per object and specimen, the same as predict.py writes, with what was read and measured."""
    def rows(record: SheetRecord) -> Iterator[Sequence[Any]]:
        for number, item in enumerate(record.all_objects, 1):
            codes = [record.codes[index] for index in item.codes]
            yield object_row(
                record.name, number, item.region, record.size, px_per_cm=_px_per_cm(record), crop=item.crop,
                texts=[code.text for code in codes], symbologies=[code.symbology for code in codes],
            )

    return Table(OBJECT_COLUMNS, rows)


def barcodes_table(options: TableOptions) -> Table:
    """A row per barcode that was read."""
    def rows(record: SheetRecord) -> Iterator[Sequence[Any]]:
        for code in record.codes:
            under = None if code.object is None else record.objects[code.object].region
            sheets = options.sheets_with(code.text)
            others = list(islice((name for name in sheets if name != record.name), MOST_DUPLICATES))
            more = len(sheets) - 1 - len(others)
            yield [record.name, code.text, code.symbology, points_text(code.corners), code.read_by,
                   code.object + 1 if under else "", under.name if under else "",
                   yes_or_no(options.matches(record, code)), JOINT.join(others + [f"{more} more"] * (more > 0))]

    return Table(["sheet", "text", "symbology", "corners", "read_by", "object", "class", "matches_file_name",
                  "duplicates"], rows)


def sheets_table(options: TableOptions) -> Table:
    """A row per sheet: what is on it, how it was photographed, and what a person should look at."""
    classes = options.name_classes[1:]

    def rows(record: SheetRecord) -> Iterator[Sequence[Any]]:
        height, width = record.size
        counts = Counter(item.region.name for item in record.all_objects)
        px_per_cm, scale, lowest = _px_per_cm(record), record.scale, lowest_confidence(record)
        casts = [chart.cast for chart in record.charts if chart.cast]
        yield [
            record.name, institution(record.name), width, height, record.format, *(counts[name] for name in classes),
            JOINT.join(code.text for code in record.codes),
            *_short(px_per_cm, scale.uncertainty_percent if scale else math.nan), scale.unit if scale else "",
            *_short(width / px_per_cm, height / px_per_cm),
            *_short(*(getattr(record.photograph, name, math.nan) for name in PHOTOGRAPH)),
            *_short(*(max((getattr(chart, name) for chart in record.charts), default=math.nan) for name in CLIPPED)),
            *_short(*max(casts, key=lambda cast: math.hypot(*cast), default=(math.nan, math.nan))),
            *_short(options.drift(record), lowest if math.isfinite(lowest) else math.nan),
            record.photograph.turned if record.photograph else "",
            ";".join(problem.kind for problem in record.problems),
            " ".join(problem.text for problem in record.problems),
        ]

    return Table([
        "sheet", "institution", "width", "height", "format", *(f"count {name}" for name in classes), "barcodes",
        "px_per_cm", "uncertainty_percent", "unit", "width_cm", "height_cm", *PHOTOGRAPH, *CLIPPED, "cast_a", "cast_b",
        "drift", "lowest_confidence", "turned", "problems", "review",
    ], rows)


def _px_per_cm(record: SheetRecord) -> float:
    """Of the sheet; NaN where it is unknown."""
    return record.scale.px_per_cm if record.scale else math.nan


def _short(*values: float) -> list[float]:
    """The values with four digits that count."""
    return [float(f"{value:.4g}") for value in values]


def institution(name: str) -> str:
    """The letters that a sheet's file name begins with, in capitals: "BM" for "bm_1.jpg", "K" for "a/K000123.jpg".

    It is the prefix of the institution in most collections' file names. "" where the name begins otherwise.
    """
    return re.match(r"[^\W\d_]*", PurePosixPath(name).name).group().upper()


TABLES: Mapping[str, Callable[[TableOptions], Table]] = {
    "sheets.csv": sheets_table,
    "objects.csv": objects_table,
    "barcodes.csv": barcodes_table,
    "media.csv": lambda options: media_table(options.media_url, options.rights),
    "sap.csv": lambda options: sap_table(options.media_url),
    "roi.csv": lambda options: roi_table(options.media_url),
}

FILES: Mapping[str, Callable[[Path, TableOptions], AbstractContextManager[WriteRecord]]] = {
    "objects.json": lambda path, options: coco_file(path, options.name_classes),
    "to_correct.txt": lambda path, options: correction_list(path, options.required),
}
