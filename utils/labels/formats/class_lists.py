"""Lists of class names that lie beside YOLO labels: classes.txt, obj.names, data.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from utils.labels.marked import reading_labels
from utils.utils import UserError

TEXT_LISTS = ("classes.txt", "obj.names", "_darknet.labels")
YAML_LISTS = ("*.yaml", "*.yml")
MAX_BYTES = 1_000_000  # of a list; a larger file is none


def require_same_classes(folder: Path, names: Sequence[str], values: Mapping[str, int]) -> None:
    """Raises UserError when a list of classes beside the labels says otherwise than `names` (yolo_names).

    folder: of the labels; the folder above it is looked into, too. values: name -> mask value, by which names are
    compared, so that two spellings of a class are the same.
    """
    for path, listed in _lists(folder):
        for index, (theirs, ours) in enumerate(zip(listed, names)):
            if values.get(theirs, theirs) != values.get(ours, ours):
                raise UserError(
                    f'{path} says that class {index} is "{theirs}", and yolo_names says "{ours}": set yolo_names to '
                    f"the names in the file's order, --yolo_names={','.join(listed)!r}, or remove the file.", 2
                )


def _lists(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    for place in dict.fromkeys((folder, folder.absolute().parent)):
        for name in TEXT_LISTS:
            path = place / name
            if path.is_file() and path.stat().st_size <= MAX_BYTES:
                with reading_labels(path, "list of classes", "save it in UTF-8, one name a line"):
                    lines = path.read_text(encoding="utf-8-sig").splitlines()
                yield path, [line.strip() for line in lines if line.strip()]
        for pattern in YAML_LISTS:
            for path in sorted(place.glob(pattern)):
                if path.is_file() and path.stat().st_size <= MAX_BYTES:
                    with reading_labels(path, "YAML file", "mend it or move it away"):
                        found = names_in(yaml.safe_load(path.read_text(encoding="utf-8-sig")))
                    if found:
                        yield path, found


def names_in(data: Any) -> list[str]:
    """The names of the classes in the content of a data.yaml, in the order of their indices; [] if it has none."""
    names = data.get("names") if isinstance(data, dict) else None
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=int)]
    return [str(name) for name in names] if isinstance(names, list) else []
