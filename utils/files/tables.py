"""Text and CSV files of results, which may be open in another program when they are written."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from utils.utils import UserError, atomic_path

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
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return "" if isinstance(value, float) and math.isnan(value) else value


@contextmanager
def _open(path: Path, encoding: str) -> Iterator[TextIO]:
    """Yields a text file to write that becomes `path` at the end. Raises UserError when that cannot be."""
    try:
        with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding=encoding) as file:
            yield file
    except OSError as error:
        advice = "close the program that has it open, check the folder's permissions, or free some space"
        raise UserError(f"{path} cannot be written ({error}): {advice}.") from error
