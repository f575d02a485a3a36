"""The files for all sheets together: tables, exchange formats, copies and the report, made from the sheets' records."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from utils.config import Settings
from utils.digitise.barcodes.names import matches_name
from utils.digitise.batch import Findings, check_batch, with_problems
from utils.digitise.checks import KINDS, severity
from utils.digitise.copies import Copies
from utils.digitise.plan import Sheet, read_record
from utils.digitise.record import Code, SheetRecord
from utils.digitise.report.page import ReportSheet, Totals, write_report
from utils.digitise.sheet import PREVIEWS
from utils.digitise.writing.tables import TableOptions, open_tables
from utils.files.tables import write_text
from utils.utils import printable

REPORT, UNREADABLE, BY_BARCODE = "report.html", "unreadable.txt", "by_barcode"


def write_package(
    sheets: Sequence[Sheet], s: Settings, name_classes: Sequence[str], colors: Sequence[Sequence[int]],
    unreadable: Mapping[str, str],
) -> int:
    """The number of sheets that need attention, after writing the tables and the report from the sheets' records.

    Args:
        sheets: all that have a record.
        s: the constants of digitise.py.
        name_classes, colors: background first, specimens last if they were looked for.
        unreadable: name of each other sheet -> what is wrong with its file, in a sentence.

    Raises:
        UserError: a file cannot be written.
    """
    output_dir, findings = Path(s.output_dir), check_batch(_records(sheets), s)
    totals = Totals(name_classes)
    worst: list[tuple[int, int]] = []  # severity and minus the number of each sheet for the report, as a heap
    copies = Copies(output_dir / BY_BARCODE) if s.copies else None
    with open_tables(output_dir, wanted_tables(s), table_options(s, name_classes, findings)) as write:
        for number, record in enumerate(_records(sheets)):
            record = with_problems(record, findings, s)
            write(record)
            totals.add(record)
            entry = severity(record.problems), -number
            (heapq.heappush if len(worst) < s.report_sheets else heapq.heappushpop)(worst, entry)
            if copies and record.codes:
                copies.add(sheets[number].source, main_barcode(record, s.barcode_pattern))
    for name, error in unreadable.items():
        totals.add_unreadable(name, error)
    if unreadable:
        lines = (f"{printable(name)}: {printable(error)}\n" for name, error in unreadable.items())
        write_text(output_dir / UNREADABLE, "".join(lines))
    else:
        (output_dir / UNREADABLE).unlink(missing_ok=True)
    if s.report:
        shown = [sheets[-number] for _, number in sorted(worst, reverse=True)]
        write_report(
            output_dir / REPORT,
            (ReportSheet(with_problems(record, findings, s), sheet.path(PREVIEWS, ".jpg"), sheet.source)
             for sheet, record in zip(shown, _records(shown))),
            totals, title=s.report_title, folder=s.input_dir, name_classes=name_classes, colors=colors, kinds=KINDS,
            severity=severity, table="sheets.csv" if s.tables else "", notes=findings.notes,
        )
    return totals.attention


def wanted_tables(s: Settings) -> list[str]:
    """The names of the files for all sheets that the constants ask for."""
    groups = {"tables": ("sheets.csv", "objects.csv", "barcodes.csv"), "coco": ("objects.json",),
              "audiovisual_core": ("media.csv", "sap.csv", "roi.csv"), "labelme": ("to_correct.txt",)}
    return [name for constant, names in groups.items() if getattr(s, constant) for name in names]


def table_options(s: Settings, name_classes: Sequence[str], findings: Findings) -> TableOptions:
    """What the tables need beside the records."""

    def matches(record: SheetRecord, code: Code) -> bool | None:
        if not s.barcode_pattern:
            return None
        return matches_name(code.text, PurePosixPath(record.name).stem, s.barcode_pattern)

    return TableOptions(
        name_classes, s.required_classes, s.media_url, s.rights, matches,
        lambda text: findings.codes.get(text, ()), lambda record: findings.drift.get(record.name, math.nan),
    )


def main_barcode(record: SheetRecord, pattern: str) -> str:
    """The text of the barcode that a sheet is known by: the one that fits its file name, else the first one.

    pattern: see `matches_name`; "": file names do not say.
    """
    stem = PurePosixPath(record.name).stem
    fitting = (code.text for code in record.codes if pattern and matches_name(code.text, stem, pattern))
    return next(fitting, record.codes[0].text)


def _records(sheets: Sequence[Sheet]) -> Iterator[SheetRecord]:
    """Yields the record of each sheet, one at a time, so that any number of sheets takes no more memory."""
    for sheet in sheets:
        yield read_record(sheet)
