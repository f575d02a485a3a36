"""CSV files as spreadsheets read them."""

from __future__ import annotations

from pathlib import Path

from helpers import csv_rows
from utils.files.tables import csv_file


def test_csv_cells(tmp_path: Path) -> None:
    with csv_file(tmp_path / "a.csv", ["a;b", 'say "x", y']) as write_row:
        write_row(["+1", "@x", "-", "1-2", -3, float("nan"), 0.5])
    assert csv_rows(tmp_path / "a.csv") == [["a;b", 'say "x", y'], ["'+1", "'@x", "'-", "1-2", "-3", "", "0.5"]]
