"""Text and CSV files of results, which may be open in another program when they are written."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from utils.utils import UserError, atomic_path, require_written

# What a spreadsheet may run: a sign, also a full-width one, behind nothing or what it leaves out; tab and return alone.
FORMULA = re.compile(r"[\s\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠]|[\t\r\n]")

WriteRow = Callable[[Iterable[Any]], None]


@contextmanager
def csv_file(path: Path, header: Iterable[str]) -> Iterator[WriteRow]:
    """Yields a function that writes one row to a CSV file that Excel opens right; `path` appears at the end.

    UTF-8 with a byte order mark; texts that Excel would run as a formula get an apostrophe in front; NaN is empty.
    Raises UserError when the file cannot be written.
    """
    with _open(path, "utf-8-sig") as file:
        writer = csv.writer(file)

        def write_row(row: Iterable[Any]) -> None:
            writer.writerow([_cell(value) for value in row])

        write_row(header)
        yield write_row


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 text file. Raises UserError when that cannot be."""
    with _open(path, "utf-8") as file:
        file.write(text)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        text = value.replace("\0", "\ufffd")  # the readers of Python 3.10 and of many programs stop at a null
        return "'" + text if FORMULA.match(value) else text
    return "" if isinstance(value, float) and math.isnan(value) else value


@contextmanager
def _open(path: Path, encoding: str) -> Iterator[TextIO]:
    """Yields a text file to write that becomes `path` at the end. Raises UserError when that cannot be.

    File names that are no UTF-8 are written with escapes.
    """
    try:
        with atomic_path(path) as temporary:
            with open(temporary, "w", newline="", encoding=encoding, errors="backslashreplace") as file:
                yield file
                written = file.tell()
            require_written(temporary, written)
    except OSError as error:
        advice = "close the program that has it open, check the folder's permissions, or free some space"
        raise UserError(f"{path} cannot be written ({error}): {advice}.") from error
