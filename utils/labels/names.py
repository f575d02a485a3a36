"""From the names in label files to mask values, the same for every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from utils.utils import IGNORE, UserError

IGNORE_NAMES: tuple[str, ...] = ("_ignore_", "__ignore__")  # labelme's own is the second; both become IGNORE
LEFT_OUT_NAME, LEFT_OUT = "_left_out_", -1  # objects that masks do not show, such as boxes around specimens
SHOWN_FILES = 3


def label_values(name_classes: Sequence[str], label_names: Mapping[str, str] | None = None) -> dict[str, int]:
    """Name in the label files -> mask value: every class, the names of `label_names` and IGNORE_NAMES (255).

    label_names: name in the files -> class of `name_classes` or one of IGNORE_NAMES, for files that spell a class in
    another way; or LEFT_OUT_NAME, which becomes LEFT_OUT unless the name is a class. An entry for a class that is not
    in `name_classes` does not count: the script's own entries stay when the classes are others. Raises UserError when
    a class is named twice.
    """
    if len(set(name_classes)) != len(name_classes):
        raise UserError(f"name_classes names a class twice: {', '.join(name_classes)}.", 2)
    targets = label_names or {}
    left_out = {name: LEFT_OUT for name, target in targets.items() if target == LEFT_OUT_NAME}
    values = {name: index for index, name in enumerate(name_classes)} | dict.fromkeys(IGNORE_NAMES, IGNORE)
    return left_out | values | {name: values[target] for name, target in targets.items() if target in values}


def classes_of_labels(name_classes: Sequence[str], values: Mapping[str, int]) -> dict[str, str]:
    """Name in the label files -> class, or the first of IGNORE_NAMES; `values` as `label_values` gives them.

    What is left out is not there.
    """
    return {name: IGNORE_NAMES[0] if value == IGNORE else name_classes[value]
            for name, value in values.items() if value != LEFT_OUT}


def require_known(names: Sequence[tuple[str, Path]], values: Mapping[str, int], constant: str = "name_classes") -> None:
    """Raises one UserError that names every unknown name of the (name, file) pairs, with files and near names.

    constant: what the message tells the user to add them to.
    """
    files: dict[str, list[Path]] = {}
    for name, path in names:
        if name not in values:
            files.setdefault(name, []).append(path)
    if not files:
        return
    described = []
    for name, paths in sorted(files.items()):
        distinct = list(dict.fromkeys(path.name for path in paths))
        more = f" and {len(distinct) - SHOWN_FILES} more files" if len(distinct) > SHOWN_FILES else ""
        by_folded = {known.casefold(): known for known in values}
        near = get_close_matches(name.casefold(), by_folded, 1)
        hint = f', perhaps "{by_folded[near[0]]}"' if near else ""
        described.append(f'"{name}" ({len(paths)} x in {", ".join(distinct[:SHOWN_FILES])}{more}{hint})')
    raise UserError(
        f"Unknown labels: {'; '.join(described)}. Known are {', '.join(values)}: add them to {constant}, "
        'or give them a class or "_ignore_" in label_names. Nothing has been written.'
    )
