"""Copies of the photographs under the names of their barcodes. The photographs themselves are never renamed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from utils.files.images import writing
from utils.utils import atomic_path

LONGEST = 200  # bytes of a barcode that go into a file name; file systems take 255
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\..*)?", re.IGNORECASE)  # names that Windows keeps for itself


class Copies:
    """The folder of copies. Sheets with the same barcode are told apart by a number: K000123.jpg, K000123_2.jpg."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._taken = folder, set()

    def add(self, source: Path, barcode: str) -> Path:
        """The copy of a photograph under its barcode. Raises UserError when it cannot be written."""
        stem, number = file_stem(barcode), 1
        while (name := f"{stem}_{number}" if number > 1 else stem).casefold() in self._taken:
            number += 1
        self._taken.add(name.casefold())
        path = self.folder / f"{name}{source.suffix}"
        with writing(path), atomic_path(path) as temporary:
            shutil.copyfile(source, temporary)
        return path


def file_stem(barcode: str) -> str:
    """The text of a barcode as a file name without suffix, on any system.

    Letters and digits of all scripts, and `-`, `_` and inner dots stay; each other character becomes `_`.
    """
    stem = re.sub(r"[^\w.-]", "_", barcode.strip()).encode()[:LONGEST].decode(errors="ignore").strip(".")
    return f"_{stem}" if not stem or RESERVED.fullmatch(stem) else stem
