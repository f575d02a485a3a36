"""The taxon that each sheet is filed under: from its subfolder, its file name or a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from utils.config import Settings
from utils.files.jobs import warn
from utils.utils import UserError, printable

SOURCES = ("taxon_folders", "taxon_pattern", "taxon_table")  # constants of find_mistakes.py, one of which is set
COLUMNS = ("file", "taxon")


class Row(NamedTuple):
    """A row of the table."""

    line: int
    taxon: str


def find_taxa(names: Sequence[PurePath], s: Settings) -> list[str]:
    """The taxon of each sheet; "" for one whose taxon is not known. What is not known or not used is said.

    Args:
        names: the paths of the sheets within input_dir.
        s: the constants of find_mistakes.py.

    Raises:
        UserError: not exactly one source is set, it does not fit or cannot be read, or no sheet has a taxon.
    """
    used = source(s)
    if s.taxon_folders:
        taxa = [name.parent.as_posix() if name.parent.parts else "" for name in names]
    elif s.taxon_pattern:
        taxa = by_pattern(names, s.taxon_pattern)
    else:
        taxa = by_table(names, Path(s.taxon_table))
    unknown = taxa.count("")
    if unknown == len(taxa):
        raise UserError(f"{used} is {getattr(s, used)} and gives no sheet of {s.input_dir} a taxon: "
                        f"{HINTS[used]}.")
    if unknown:
        first = printable(names[taxa.index("")].as_posix())
        warn(f"{unknown} of {len(taxa)} sheets have no taxon by {used}, such as {first}: no name to judge.")
    return taxa


def source(s: Settings) -> str:
    """The name of the constant that says how taxa are known. Raises UserError when not exactly one is set."""
    used = [name for name in SOURCES if getattr(s, name)]
    if len(used) != 1:
        given = f"{' and '.join(used)} are set" if used else "None is set"
        raise UserError(f"{given}: exactly one of {', '.join(SOURCES)} has to say how a sheet's taxon is known.", 2)
    return used[0]


HINTS = {
    "taxon_folders": "put the sheets of each taxon into a subfolder of its name",
    "taxon_pattern": "it has to match file names, such as (?P<taxon>[A-Za-z]+_[a-z]+)_ for Viola_alba_12.jpg",
    "taxon_table": "its column file has to hold paths of the sheets within input_dir, or their file names",
}


def by_pattern(names: Sequence[PurePath], pattern: str) -> list[str]:
    """What the group `taxon` of a regular expression matches in each file name, found anywhere in it; "" for nothing.

    Raises UserError when `pattern` is no regular expression with such a group.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(
            f"taxon_pattern is {pattern}, which is no regular expression ({error}): correct it.", 2) from None
    if "taxon" not in expression.groupindex:
        raise UserError(f"taxon_pattern is {pattern}: it has to have a group (?P<taxon>...).", 2)
    found = (expression.search(name.name) for name in names)
    return [(match["taxon"] or "").strip() if match else "" for match in found]


def by_table(names: Sequence[PurePath], path: Path) -> list[str]:
    """The taxa that a CSV file gives by the path of a sheet within input_dir, or else by its file name; "" for none.

    Rows that fit no sheet are counted and said. Raises UserError when the file cannot be read, lacks a column, or gives
    one file two taxa.
    """
    rows = read_table(path)
    taxa, used = [], set()
    for name in names:
        key = next((key for key in (name.as_posix(), name.name) if key in rows), "")
        used.add(key)
        taxa.append(rows[key].taxon if key else "")
    if left := len(rows.keys() - used):
        warn(f"{left} of {len(rows)} rows of {path} fit no sheet: they are left out.")
    return taxa


def read_table(path: Path) -> dict[str, Row]:
    """File -> its row, of a UTF-8 CSV with the columns file and taxon. Raises UserError as `by_table`."""
    rows: dict[str, Row] = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                found = ", ".join(reader.fieldnames or ()) or "nothing"
                raise UserError(f"{path} has no column {' and '.join(missing)}: its first line has to name the columns "
                                f"file and taxon, and holds {found}.")
            for cells in reader:
                name = (cells["file"] or "").strip().replace("\\", "/")
                if not name:
                    continue
                row = Row(reader.line_num, (cells["taxon"] or "").strip())
                first = rows.setdefault(name, row)
                if first.taxon != row.taxon:
                    raise UserError(f"{path} gives {name} two taxa, {first.taxon} in line {first.line} and {row.taxon} "
                                    f"in line {row.line}: keep one.")
    except FileNotFoundError:
        raise UserError(f"taxon_table is {path}, which is not there: check the name.", 2) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error}): it has to be a CSV file in UTF-8.") from error
    return rows
