"""report.html: what a curator opens by double click to see which sheets need attention."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from utils.digitise.record import Problem, SheetObject, SheetRecord
from utils.digitise.report.look import data_uri, link, number, write_page
from utils.digitise.writing.tables import institution

TEMPLATE = Path(__file__).with_name("page.html")
INSTITUTIONS = 500   # how many are counted one by one; more mean that the names do not begin with an institution
UNREADABLE = 200     # how many unreadable files the page names
SPREAD = 5           # the histograms' bars: 0, 1, 2, 3, 4 and more objects on a sheet
OTHERS = "All others"


@dataclass
class Group:
    """The sheets of one institution, counted."""

    sheets: int = 0
    attention: int = 0
    objects: Counter[str] = field(default_factory=Counter)


@dataclass
class Totals:
    """All sheets of a run, counted one by one: small, however many there are."""

    name_classes: Sequence[str]                     # background first, specimens last if they were looked for
    sheets: int = 0
    attention: int = 0                              # sheets with a problem
    problems: Counter[str] = field(default_factory=Counter)         # kind -> sheets
    objects: Counter[str] = field(default_factory=Counter)          # class -> objects
    spread: dict[str, Counter[int]] = field(default_factory=dict)   # class -> number of objects -> sheets
    institutions: dict[str, Group] = field(default_factory=dict)    # prefix -> its sheets
    unreadable: int = 0
    unreadable_files: list[tuple[str, str]] = field(default_factory=list)  # name, reason; the first ones

    def add(self, record: SheetRecord) -> None:
        """Counts one sheet, with the problems that `record` has by now."""
        found = Counter(item.region.name for item in record.all_objects)
        name = institution(record.name)
        if name not in self.institutions and len(self.institutions) >= INSTITUTIONS:
            name = OTHERS
        group = self.institutions.setdefault(name, Group())
        for count in (self, group):
            count.sheets += 1
            count.attention += bool(record.problems)
            count.objects.update(found)
        self.problems.update({problem.kind for problem in record.problems})
        for name in self.name_classes[1:]:
            self.spread.setdefault(name, Counter())[found[name]] += 1

    def add_unreadable(self, name: str, reason: str) -> None:
        """Counts a file that could not be read."""
        self.unreadable += 1
        if len(self.unreadable_files) < UNREADABLE:
            self.unreadable_files.append((name, reason))


class ReportSheet(NamedTuple):
    """A sheet that the page shows."""

    record: SheetRecord
    picture: Path | None = None     # a JPEG of about 900 pixels
    original: Path | None = None    # the photograph itself, to link to


def write_report(
    path: Path,
    sheets: Iterable[ReportSheet],
    totals: Totals,
    *,
    title: str,
    folder: str,
    name_classes: Sequence[str],
    colors: Sequence[Sequence[int]],
    kinds: Mapping[str, str] | None = None,
    severity: Callable[[Sequence[Problem]], int] = len,
    table: str = "sheets.csv",
    notes: Sequence[str] = (),
    created: datetime | None = None,
) -> None:
    """Writes the report. It never holds more than one sheet in memory.

    Args:
        path: the HTML file; the crops of the records are linked relative to its folder.
        sheets: those to show, in the order in which they are to stand: the ones with problems first.
        totals: of all sheets.
        title: of the page.
        folder: where the sheets came from, in words.
        name_classes, colors: background first, specimens last if they were looked for.
        kinds: what to call each kind of problem in two or three words; a kind that is not in it gets its own name.
        severity: of the problems of a sheet, by which the page sorts; 0 for none.
        table: the file that lists all sheets, to name when the page shows some of them; "": there is none.
        notes: sentences on all sheets together.
        created: when the run ended; None: now.

    Raises:
        UserError: the file cannot be written.
    """
    write_page(
        path, TEMPLATE, colors, title=title, folder=folder, created=created or datetime.now(), table=table, notes=notes,
        totals=totals, verdict=verdict(totals), kinds=_kinds(totals, kinds or {}), classes=_classes(totals),
        institutions=_institutions(totals), densest=_densest(totals),
        cards=({**_card(sheet, path.parent, name_classes), "severity": severity(sheet.record.problems)}
               for sheet in sheets),
    )


def verdict(totals: Totals) -> str:
    """The run in one sentence."""
    if not totals.sheets:
        return "No sheets were found."
    if totals.sheets == 1:
        return "The sheet needs attention." if totals.attention else "The sheet passes."
    if not totals.attention:
        return f"All {number(totals.sheets)} sheets pass."
    need = "needs" if totals.attention == 1 else "need"
    return f"{number(totals.attention)} of {number(totals.sheets)} sheets {need} attention."


def _kinds(totals: Totals, names: Mapping[str, str]) -> list[tuple[str, str, int]]:
    """Kind, what to call it, and sheets; the most frequent first."""
    return [(kind, names.get(kind, kind), count) for kind, count in totals.problems.most_common()]


def _classes(totals: Totals) -> list[dict[str, Any]]:
    """For each class how many objects there are, and on how many sheets 0, 1, 2, 3, and 4 or more."""
    classes = []
    for index, name in enumerate(totals.name_classes[1:], 1):
        spread = totals.spread.get(name, Counter())
        bars = [spread[objects] for objects in range(SPREAD - 1)]
        bars.append(spread.total() - sum(bars))
        classes.append({"index": index, "name": name, "objects": totals.objects[name], "bars": bars})
    return classes


def _institutions(totals: Totals) -> list[tuple[str, Group]]:
    """The institutions, the one with the most sheets first, the sum of the uncounted ones last."""
    return sorted(totals.institutions.items(), key=lambda item: (item[0] == OTHERS, -item[1].sheets, item[0]))


def _densest(totals: Totals) -> float:
    """The most objects of one class per sheet that an institution has: the full length of the bars."""
    return max((count / group.sheets for group in totals.institutions.values() for count in group.objects.values()),
               default=0.0)


def _card(sheet: ReportSheet, folder: Path, name_classes: Sequence[str]) -> dict[str, Any]:
    """What the template shows of one sheet."""
    record = sheet.record
    found = Counter(item.region.name for item in record.all_objects)
    classes = [(index, name, found[name]) for index, name in enumerate(name_classes[1:], 1)]
    return {
        "name": record.name, "institution": institution(record.name), "size": record.size,
        "picture": data_uri(sheet.picture), "original": sheet.original and link(sheet.original, folder),
        "problems": record.problems, "codes": record.codes, "scale": record.scale,
        "objects": [_object(item, record, folder) for item in record.objects]
        + [{**_object(item, record, folder), "box": True} for item in record.specimens or ()],
        "classes": classes, "missing": [index for index, _, count in classes if not count],
        "confidence": min(filter(math.isfinite, (item.region.confidence for item in record.objects)), default=math.nan),
    }


def _object(item: SheetObject, record: SheetRecord, folder: Path) -> dict[str, Any]:
    """What the template shows of one object."""
    region = item.region
    sides = region.rectangle.width, region.rectangle.height
    return {
        "index": region.index, "name": region.name, "confidence": region.confidence,
        "points": " ".join(f"{x:.6g},{y:.6g}" for x, y in region.polygon),
        "cm": record.scale and [side / record.scale.px_per_cm for side in sides], "pixels": sides,
        "crop": item.crop and link(folder / item.crop, folder),
    }
