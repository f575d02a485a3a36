"""Which sheets are for training, validation and test, and what is in their masks."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from utils.files.masks import read_mask, require_known_values, value_counts
from utils.utils import IGNORE, UserError

SPLITS = ("train", "val", "test")
Groups = dict[str, list[str]]  # institution -> stems


def institution(stem: str, separator: str) -> str:
    """The part of `stem` before the first `separator`; "" when there is none: such sheets count as one institution."""
    return stem.split(separator, 1)[0] if separator and separator in stem else ""


def split_stems(
    stems: Sequence[str],
    *,
    trainval_percent: float,
    train_percent: float,
    seed: int,
    institutions: str = "mixed",
    separator: str = "_",
    val_institutions: Sequence[str] = (),
) -> dict[str, list[str]]:
    """The stems of "train", "val" and "test", sorted, the same for one seed on every machine.

    trainval_percent: share of train and val in all; train_percent: share of train in those; both above 0, up to 1.
    institutions: "mixed" disregards them; "stratified" gives each split its share of every institution, to within
    one sheet; "apart" never divides one, and comes as near to the shares as that allows. val_institutions: these make
    up val, none of their sheets is elsewhere, and train_percent is not used. Raises UserError when a constant does not
    fit or a split that should have sheets would be empty.
    """
    for name, value in (("trainval_percent", trainval_percent), ("train_percent", train_percent)):
        if not 0 < value <= 1:
            raise UserError(f"{name} is {value}: it has to be above 0 and at most 1.", 2)
    if not separator and (institutions != "mixed" or val_institutions):
        raise UserError('separator is "": name the character that ends the institution in file names, such as "_".', 2)
    groups: dict[str, list[str]] = {}
    for stem in sorted(stems):
        groups.setdefault(institution(stem, separator), []).append(stem)
    unknown = [name for name in val_institutions if name not in groups]
    if unknown:
        raise UserError(
            f"val_institutions names {', '.join(unknown)}, of which there are no sheets: there are those of "
            f"{', '.join(sorted(groups))}.", 2
        )
    named = [stem for name in dict.fromkeys(val_institutions) for stem in groups.pop(name)]
    if institutions == "mixed":
        groups = {"": [stem for group in groups.values() for stem in group]}
    generator = random.Random(seed)
    for group in groups.values():
        generator.shuffle(group)

    take = _take_whole if institutions == "apart" else _take_shares
    tests = _nearest((1 - trainval_percent) * (len(stems) - len(named)))
    vals = 0 if named else _nearest((1 - train_percent) * (len(stems) - tests))
    test, groups = take(groups, tests, generator)
    val, groups = take(groups, vals, generator)
    split = {"train": [stem for group in groups.values() for stem in group], "val": named + val, "test": test}
    wanted = {"train": True, "val": bool(named) or train_percent < 1, "test": trainval_percent < 1}
    for name in SPLITS:
        if wanted[name] and not split[name]:
            raise UserError(
                f"{name} would be empty: trainval_percent = {trainval_percent}, train_percent = {train_percent}, "
                f'institutions = "{institutions}" and {len(named)} sheets of val_institutions leave none of '
                f"{len(stems)} sheets for it; change these or add sheets.", 2
            )
    return {name: sorted(split[name]) for name in SPLITS}


def _take_shares(groups: Groups, number: int, generator: random.Random) -> tuple[list[str], Groups]:
    """`number` stems, of every shuffled group its share to within one stem, and the groups of the rest.

    The shares are laid end to end from a random start and each group gets the whole numbers that it passes
    (systematic sampling), so small groups have their chance and the sum is exact.
    """
    if not number:
        return [], groups
    total, done, start = sum(map(len, groups.values())), 0, generator.random()
    names = sorted(groups)
    generator.shuffle(names)
    taken: list[str] = []
    rest: Groups = {}
    for name in names:
        before = math.floor(done * number / total + start)
        done += len(groups[name])
        share = math.floor(done * number / total + start) - before
        taken += groups[name][:share]
        rest[name] = groups[name][share:]
    return taken, rest


def _take_whole(groups: Groups, number: int, generator: random.Random) -> tuple[list[str], Groups]:
    """Whole groups with about `number` stems, at least one group when `number` is not 0, and the other groups."""
    names = sorted(groups)
    generator.shuffle(names)
    taken: list[str] = []
    rest = dict(groups)
    for name in names:
        if abs(len(taken) + len(groups[name]) - number) < abs(len(taken) - number):
            taken += rest.pop(name)
    if number and names and not taken:  # every group is at least twice as large
        taken = rest.pop(min(names, key=lambda name: len(groups[name])))
    return taken, rest


def _nearest(number: float) -> int:
    return math.floor(number + 0.5)


class Survey(NamedTuple):
    """Pixels of each mask value in the readable masks, int64 (masks, 256), their stems, and what is wrong."""

    stems: list[str]
    pixels: np.ndarray
    problems: list[str]


def survey_masks(masks: Mapping[str, Path], name_classes: Sequence[str]) -> Survey:
    """The counts of every mask (stem -> file) and a sentence for each that is not 8-bit or has odd values."""
    found: dict[str, np.ndarray] = {}
    problems = []
    for stem, path in tqdm(masks.items(), "Check masks", unit="mask"):
        try:
            found[stem] = value_counts(read_mask(path))
            require_known_values(path, found[stem], len(name_classes))
        except UserError as error:
            problems.append(str(error))
    return Survey(list(found), np.array(list(found.values()), np.int64).reshape(-1, 256), problems)


def only_0_and_255(survey: Survey) -> int:
    """How many masks hold 255 and beside it nothing but background."""
    others = np.delete(survey.pixels, (0, 255), axis=1)
    return int(((others.sum(1) == 0) & (survey.pixels[:, 255] > 0)).sum())


def absent_classes(survey: Survey, stems: Sequence[str], name_classes: Sequence[str]) -> list[str]:
    """The classes of which the masks of these stems hold no pixel."""
    pixels = survey.pixels[np.isin(survey.stems, stems)].sum(0)
    return [name for name, count in zip(name_classes, pixels) if not count]


def survey_table(survey: Survey, split: Mapping[str, Sequence[str]], name_classes: Sequence[str]) -> str:
    """A table with one row a mask value: pixels, their share in all, and how many masks of each split have it."""
    members = {name: np.isin(survey.stems, split[name]) for name in SPLITS}
    total = max(survey.pixels.sum(), 1)
    lines = [f"{'value':>5}  {'class':<16}{'pixels':>15}{'share':>10}" + "".join(f"{name:>7}" for name in SPLITS)]
    for value in range(256):
        pixels = survey.pixels[:, value].sum()
        if value < len(name_classes) or pixels:
            name = "ignored" if value == IGNORE else (*name_classes, *["unknown"] * 256)[value]
            sheets = "".join(f"{(survey.pixels[members[split_name], value] > 0).sum():>7}" for split_name in SPLITS)
            lines.append(f"{value:>5}  {name:<16}{pixels:>15,}{pixels / total:>10.3%}{sheets}")
    return "\n".join(lines)
