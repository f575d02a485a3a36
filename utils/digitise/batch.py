"""What only the batch shows: sheets that are there twice, and sheets that differ from the others."""

from __future__ import annotations

import dataclasses
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from utils.config import Settings
from utils.digitise.checks import SIDES, check_sheet, mention, problem, quoted, sides
from utils.digitise.outliers import distances_to_others, outliers
from utils.digitise.reading.chart import drift
from utils.digitise.record import Problem, SheetRecord
from utils.digitise.writing.tables import institution

MIN_SHEETS = 20  # fewer are no batch to compare a sheet with
USUAL_BORDER = 0.1  # share of the sheets with an object at a border that makes this usual
SHOWN = 3  # names of other sheets that a sentence lists

# The least standard deviations; what differs by less than 3.5 times as much is no outlier. See `robust_scores`.
COUNT_FLOOR = 0.25  # of the number of objects, as a share of the usual number: twice as many are far from it
SIZE_FLOOR = 0.15  # of the logarithm of an object's area: 1.7 times as large or as small
PHOTOGRAPH_FLOOR = 0.1  # of the logarithm of the number of pixels: 1.4 times
RESOLUTION_FLOOR = 0.05  # of the logarithm of the pixels per centimetre: 1.2 times
PLACE_FLOOR = 0.06  # of the distance from where others lie, as a share of the sheet's sides: 0.21

Found = Iterator[tuple[int, Problem]]  # number of the sheet, and what is wrong with it


class Findings(NamedTuple):
    """What the batch shows. Sheets are given by their names."""

    problems: dict[str, tuple[Problem, ...]]  # of each sheet that has any, apart from its own
    drift: dict[str, float]  # CIEDE2000 of each sheet's color chart from the batch's own; that of the worst chart
    codes: dict[str, tuple[str, ...]]  # text of a barcode -> the sheets that show it, where there are several
    usual: dict[str, frozenset[tuple[str, str]]]  # institution -> (class, side): objects that often lie at a border
    notes: tuple[str, ...]  # sentences on the batch as a whole


class _Columns(NamedTuple):
    """What is kept of the records: a few numbers for each sheet and each object."""

    names: list[str]
    institutions: dict[str, int]  # name -> its number
    classes: dict[str, int]  # name -> its number
    files: dict[str, list[int]]  # SHA-256 -> the sheets, where there are several
    codes: dict[str, list[int]]  # text of a barcode -> the sheets, where there are several
    sheets: np.ndarray  # float64 (sheets, 3): number of the institution, pixels, pixels per centimetre or NaN
    objects: np.ndarray  # float64 (objects, 6): number of the sheet, number of the class, x and y of the centre, area,
    #                      each as a share of the sheet, and a bit for each side of the photograph that it reaches
    charts: list[tuple[int, np.ndarray]]  # number of the sheet, patches float32 (N, 3)


class _Group(NamedTuple):
    """Sheets that are compared with one another."""

    sheets: np.ndarray  # their numbers
    objects: np.ndarray  # their rows of _Columns.objects
    institutions: list[str]  # one; several only when none of them has MIN_SHEETS

    def most(self, count: int) -> int:
        """How many of `count` values can be outliers on either side."""
        share, least = (0.02, 2) if len(self.institutions) == 1 else (0.01, 1)  # institutions differ from one another
        return max(least, int(share * count))


def check_batch(records: Iterable[SheetRecord], limits: Settings) -> Findings:
    """What the batch shows. records: all of them, each once; none is kept."""
    columns = _gather(records)
    colours = _drift(columns)
    groups = list(_groups(columns))
    found: dict[int, list[Problem]] = {}
    unusual = chain.from_iterable(_unusual(columns, group, limits) for group in groups)
    for sheet, what in chain(_duplicates(columns), _drifted(columns, colours, limits), unusual):
        found.setdefault(sheet, []).append(what)
    borders = [_usual_borders(columns, group) for group in groups]
    return Findings(
        {columns.names[sheet]: tuple(found[sheet]) for sheet in sorted(found)}, colours,
        {text: tuple(columns.names[sheet] for sheet in sheets) for text, sheets in columns.codes.items()},
        {name: usual for group, usual in zip(groups, borders) for name in group.institutions},
        tuple(_note(group, usual) for group, usual in zip(groups, borders) if usual),
    )


def with_problems(record: SheetRecord, findings: Findings, limits: Settings) -> SheetRecord:
    """The record with all its problems: its own and those that the batch shows."""
    own = check_sheet(record, limits, findings.usual.get(institution(record.name), frozenset()))
    return dataclasses.replace(record, problems=own + findings.problems.get(record.name, ()))


def _gather(records: Iterable[SheetRecord]) -> _Columns:
    names, institutions, classes, charts, sheets, objects = [], {}, {}, [], array("d"), array("d")
    files, codes = _Repeats(), _Repeats()
    for number, record in enumerate(records):
        names.append(record.name)
        height, width = record.size
        group = institutions.setdefault(institution(record.name), len(institutions))
        sheets.extend((group, height * width, record.scale.px_per_cm if record.scale else math.nan))
        for region in (item.region for item in record.objects):
            index = classes.setdefault(region.name, len(classes))
            reached = sum(1 << SIDES.index(side) for side in sides(region, record.size))
            y, x = region.centroid
            objects.extend((number, index, x / width, y / height, region.area / (height * width), reached))
        charts += [(number, np.array(chart.patches, np.float32)) for chart in record.charts]
        if record.sha256:
            files.add(record.sha256, number)
        for text in {code.text for code in record.codes}:
            codes.add(text, number)
    return _Columns(names, institutions, classes, files.repeated, codes.repeated,
                    np.array(sheets).reshape(-1, 3), np.array(objects).reshape(-1, 6), charts)


class _Repeats:
    """Keys that come with several sheets."""

    def __init__(self) -> None:
        self.first: dict[str, int] = {}
        self.repeated: dict[str, list[int]] = {}

    def add(self, key: str, sheet: int) -> None:
        first = self.first.setdefault(key, sheet)
        if first != sheet:
            self.repeated.setdefault(key, [first]).append(sheet)


def _duplicates(columns: _Columns) -> Found:
    """Sheets with the same file or barcode as others."""
    for sheets in columns.files.values():
        for sheet in sheets:
            yield sheet, Problem("duplicate_file", f"The same file as {_others(columns.names, sheets, sheet)}.")
    for text, sheets in columns.codes.items():
        for sheet in sheets:
            others = _others(columns.names, sheets, sheet)
            yield sheet, Problem("duplicate_barcode", f"The barcode {quoted(text)} is also on {others}.")


def _others(names: Sequence[str], sheets: Sequence[int], sheet: int) -> str:
    """The names of the other sheets, at most three, and how many more there are."""
    shown = [quoted(names[other]) for other in sheets[:SHOWN + 1] if other != sheet][:SHOWN]
    more = len(sheets) - 1 - len(shown)
    *first, last = [*shown, f"{more} more"] if more else shown
    return f"{', '.join(first)} and {last}" if first else last


def _drift(columns: _Columns) -> dict[str, float]:
    """Name of a sheet -> how far its chart's colours are from the batch's own, where there are enough charts."""
    names = list(columns.institutions)
    groups = [names[int(columns.sheets[sheet, 0])] for sheet, _ in columns.charts]
    result: dict[str, float] = {}
    for (sheet, _), value in zip(columns.charts, drift([patches for _, patches in columns.charts], groups).tolist()):
        if not math.isnan(value):
            name = columns.names[sheet]
            result[name] = max(value, result.get(name, 0.0))
    return result


def _drifted(columns: _Columns, found: Mapping[str, float], limits: Settings) -> Found:
    """Sheets whose colours differ from the batch's own."""
    for sheet, name in enumerate(columns.names):
        if found.get(name, 0) > limits.max_drift:
            yield sheet, Problem("drift", f"The colours of the color chart are {found[name]:.1f} (CIEDE2000) from "
                                          f"those of the batch; at most {limits.max_drift:g} is allowed.")


def _groups(columns: _Columns) -> Iterator[_Group]:
    """Yields the sheets of each institution with at least MIN_SHEETS, and all others together."""
    numbers, names = columns.sheets[:, 0].astype(int), np.array(list(columns.institutions))
    large = np.bincount(numbers, minlength=len(names)) >= MIN_SHEETS
    members = [np.arange(len(names)) == number for number in np.flatnonzero(large)]
    for chosen in (*members, ~large):
        if chosen.any():
            objects = columns.objects[chosen[numbers[columns.objects[:, 0].astype(int)]]]
            yield _Group(np.flatnonzero(chosen[numbers]), objects, names[chosen].tolist())


def _usual_borders(columns: _Columns, group: _Group) -> frozenset[tuple[str, str]]:
    """(class, side) for which USUAL_BORDER of the sheets with this class, at least three, have it at this border.

    For sheets of several institutions, all sides are usual when this is so for all sides together.
    """
    usual = set()
    for name, index in columns.classes.items():
        own = group.objects[group.objects[:, 1] == index]
        reached, least = own[:, 5].astype(int), max(3.0, USUAL_BORDER * len(np.unique(own[:, 0])))
        for bit, side in enumerate(SIDES):
            there = reached >> bit & 1 if len(group.institutions) == 1 else reached
            if len(np.unique(own[there > 0, 0])) >= least:
                usual.add((name, side))
    return frozenset(usual)


def _note(group: _Group, usual: Iterable[tuple[str, str]]) -> str:
    whose = group.institutions[0] if len(group.institutions) == 1 else f"{len(group.institutions)} institutions"
    borders: dict[str, list[str]] = {}
    for name, side in sorted(usual):
        borders.setdefault(name, []).append(side)
    listed = "; ".join(f"{name} ({', '.join(where)})" for name, where in borders.items())
    return (f"On the {len(group.sheets)} sheets of {whose or 'no institution'}, these often lie at the border and are "
            f"not called cut off there: {listed}.")


def _unusual(columns: _Columns, group: _Group, limits: Settings) -> Found:
    """Sheets that differ from the others of their group, if it has enough."""
    if len(group.sheets) < MIN_SHEETS:
        return
    yield from _unusual_photographs(columns, group)
    for name, index in columns.classes.items():
        own = group.objects[group.objects[:, 1] == index]
        counts = np.bincount(own[:, 0].astype(int), minlength=len(columns.names))
        yield from _unusual_counts(group, counts[group.sheets], name, limits)
        if (counts > 0).sum() >= MIN_SHEETS:
            yield from _unusual_objects(columns, group, own, counts, name)


def _unusual_photographs(columns: _Columns, group: _Group) -> Found:
    for column, floor, unit, text in (
            (1, PHOTOGRAPH_FLOOR, 1e6, "The photograph has {:.1f} megapixels; usual in this batch: {:.1f}."),
            (2, RESOLUTION_FLOOR, 1, "A centimetre has {:.0f} pixels; usual in this batch: {:.0f}.")):
        values = columns.sheets[group.sheets, column]
        sheets, values = group.sheets[values > 0], values[values > 0]
        if len(sheets) >= MIN_SHEETS:
            for i in np.flatnonzero(outliers(np.log(values), floor, group.most(len(values)))):
                yield int(sheets[i]), Problem(
                    "unusual_photograph", text.format(values[i] / unit, np.median(values) / unit))


def _unusual_counts(group: _Group, counts: np.ndarray, name: str, limits: Settings) -> Found:
    """Sheets with unusually many or few objects of a class. `check_sheet` names those without a required one.

    counts: int (sheets of the group,).
    """
    usual = float(np.median(counts))
    far = outliers(counts.astype(float), COUNT_FLOOR * max(usual, 1), group.most(len(counts)))
    for i in np.flatnonzero(far):
        if counts[i] or name not in limits.required_classes:
            yield int(group.sheets[i]), Problem(
                "unusual_count", f"Found {counts[i]} of the class {name}; usual in this batch: {usual:g}.")


def _unusual_objects(
    columns: _Columns, group: _Group, objects: np.ndarray, counts: np.ndarray, name: str
) -> Found:
    """Objects of a class of unusual size, in square centimetres where rulers were measured, or in an unusual place.

    Args:
        columns: of all sheets.
        group: the sheets to look at.
        objects: the group's rows of this class.
        counts: int (all sheets,): objects of this class on each.
        name: of the class.
    """
    def found(row: np.ndarray, kind: str, text: str) -> tuple[int, Problem]:
        sheet = int(row[0])
        return sheet, problem(kind, f"{mention(name, [(row[2], row[3])], counts[sheet])} {text}.")

    pixels, resolution = columns.sheets[objects[:, 0].astype(int), 1:].T
    measured = np.isfinite(resolution)
    if len(np.unique(objects[measured, 0])) < MIN_SHEETS:
        measured[:] = False
    for where, areas in ((measured, objects[:, 4] * pixels / resolution ** 2), (~measured, objects[:, 4])):
        rows, areas = objects[where], areas[where]
        if len(np.unique(rows[:, 0])) >= MIN_SHEETS:
            percent = 100 * areas / np.median(areas)
            for i in np.flatnonzero(outliers(np.log(areas), SIZE_FLOOR, group.most(len(rows)))):
                yield found(rows[i], "unusual_size",
                            f"has {percent[i]:.0f}% of the area that is usual in this batch")
    far = outliers(distances_to_others(objects[:, 2:4]), PLACE_FLOOR, group.most(len(objects)))
    for row in objects[far]:
        yield found(row, "unusual_place", "lies in an unusual place for this batch")
