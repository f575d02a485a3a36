"""The rows of the experiment "datasets": each institution alone, all combined, combined with some of the target."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from utils.files.tables import write_text
from utils.labels.splits import institution
from utils.utils import UserError


class Lists(NamedTuple):
    """A row's name, its training sheets and its validation sheets, by stem."""

    name: str
    train: list[str]
    val: list[str]


def institution_lists(
    train: Sequence[str],
    val: Sequence[str],
    *,
    separator: str,
    targets: Sequence[str],
    target_sheets: int,
    least_sheets: int,
    seed: int,
) -> tuple[list[Lists], list[str]]:
    """The rows, and sentences about what is left out.

    All rows have the same validation sheets: those of the target institutions, but for those that the last row trains
    on.

    Args:
        train, val: stems of the data set's own lists.
        separator: ends the institution's name in a stem.
        targets: the institutions to validate on. (): all in `val`.
        target_sheets: how many validation sheets of each target the last row trains on. One is always left.
        least_sheets: an institution with fewer training sheets gets no row of its own.
        seed: of the choice of these sheets.

    Raises:
        UserError: a target has no validation sheets.
    """
    groups = {part: _groups(stems, separator) for part, stems in (("train", train), ("val", val))}
    targets = list(targets) or sorted(groups["val"])
    unknown = [name for name in targets if name not in groups["val"]]
    if unknown:
        raise UserError(
            f"targets names {', '.join(unknown)}, of which val.txt has no sheets: it has those of "
            f"{', '.join(sorted(groups['val']))}.", 2)
    moved: list[str] = []
    for name in targets:
        stems = groups["val"][name]
        moved += random.Random(f"{seed} {name}").sample(stems, min(target_sheets, len(stems) - 1))
    kept = [stem for name in targets for stem in groups["val"][name] if stem not in set(moved)]

    large = {name: stems for name, stems in groups["train"].items() if len(stems) >= least_sheets}
    order = sorted(large, key=lambda name: (-len(large[name]), name))
    rows = [Lists(f"{name or 'no institution'} alone", large[name], kept) for name in order]
    rows.append(Lists("all combined", list(train), kept))
    notes = []
    if moved:
        rows.append(Lists(f"all combined + {len(moved)} of the target", [*train, *moved], kept))
    else:
        notes.append(
            "No row with sheets of the target: no target institution has two validation sheets, or target_sheets is 0.")
    small = groups["train"].keys() - large.keys()
    if small:
        notes.append(f"{len(small)} institutions have fewer than {least_sheets} training sheets (least_sheets) and no "
                     f"row of their own: {', '.join(sorted(name or 'no institution' for name in small))}.")
    notes.append(f"Validation sheets: {len(kept)} of {', '.join(name or 'no institution' for name in targets)}.")
    return rows, notes


def write_lists(folder: Path, lists: Lists) -> None:
    """Writes train.txt and val.txt, one stem a line, if they are not there: a folder's name depends on its content."""
    for name, stems in (("train", lists.train), ("val", lists.val)):
        if not (folder / f"{name}.txt").exists():
            write_text(folder / f"{name}.txt", "".join(f"{stem}\n" for stem in stems))


def _groups(stems: Sequence[str], separator: str) -> dict[str, list[str]]:
    """Institution -> its stems, sorted and each once."""
    groups: dict[str, list[str]] = {}
    for stem in sorted(set(stems)):
        groups.setdefault(institution(stem, separator), []).append(stem)
    return groups
