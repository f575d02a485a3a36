"""What became of the labelled objects: read, written, cut at the border, ignored or without a pixel, by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from utils.files.jobs import warn
from utils.utils import UserError

COLUMNS = ("read", "written", "cut at the border", "ignored", "without a pixel")


class Outcome(NamedTuple):
    """What became of one object: the column of the table it counts in beside "read", and why when that is a fault."""

    name: str  # the object's class
    column: str
    why: str = ""


class Tally:
    """Counts the objects of all files, and names each that was not written whole.

    strict: a file with such an object, or with another fault, is an error and counts nothing. classes: the class that
    each label stands for; other labels count under their own names.
    """

    def __init__(self, strict: bool = False, classes: Mapping[str, str] | None = None) -> None:
        self.strict = strict
        self.classes = classes or {}
        self.counts: dict[str, Counter[str]] = {}

    def settle(self, source: Path, outcomes: Iterable[Outcome], faults: Iterable[str] = ()) -> None:
        """Counts the outcomes of a file, and prints a line for each fault and each group of equal faulty objects.

        Call it before the result is written. faults: what else is wrong with the file. Raises UserError instead of
        printing when `strict`.
        """
        outcomes = list(outcomes)
        groups = Counter(outcome for outcome in outcomes if outcome.why)
        lines = [f"{count} x {name}: {column} ({why})" for (name, column, why), count in groups.items()]
        lines = [*faults, *lines]
        if lines and self.strict:
            raise UserError(f"{source}: {'; '.join(lines)}. It was not written, as strict = True asks for.")
        for line in lines:
            warn(f"{source}: {line}.")
        for name, column, _ in outcomes:
            counts = self.counts.setdefault(self.classes.get(name, name), Counter())
            counts["read"] += 1
            counts[column] += 1
            counts["written"] += column == "cut at the border"

    def table(self, names: Iterable[str]) -> str:
        """The counts, one line a class: those of `names`, then others that were read."""
        rows = [*names, *(name for name in self.counts if name not in set(names))]
        width = max(map(len, rows), default=0)
        lines = [" ".join(["Objects".ljust(width), *(f"{column:>{len(column) + 2}}" for column in COLUMNS)])]
        for name in rows:
            counts = self.counts.get(name, Counter())
            lines.append(" ".join([name.ljust(width), *(f"{counts[column]:>{len(column) + 2}}" for column in COLUMNS)]))
        return "\n".join(lines)

    @property
    def written(self) -> int:
        """How many objects were written, whole or cut."""
        return sum(counts["written"] for counts in self.counts.values())
