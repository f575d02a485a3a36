"""File names that would control a terminal, are no UTF-8, or run as a formula."""

import csv
import os
from pathlib import Path

import pytest

from utils.files import jobs
from utils.files.jobs import find_files, read_each, warn, warn_once
from utils.files.tables import csv_file, write_text
from utils.utils import UserError, find_images, printable

NO_UTF8 = os.fsdecode(b"K\xff1.jpg")


@pytest.mark.parametrize("text, shown", [
    ("K.0001 23 标本 Ü.jpg", "K.0001 23 标本 Ü.jpg"),
    ("\x1b[2J\x07.jpg", "\\x1b[2J\\x07.jpg"),
    ("a\rb\tc\nd", "a\\rb\\tc\\nd"),
    ("\x9b31m", "\\x9b31m"),  # one character that begins a colour
    ("gpj.\u202etif", "gpj.\\u202etif"),  # the rest is shown from right to left
    ("\u2028", "\\u2028"),
    (NO_UTF8, "K\\udcff1.jpg"),
    ("\U0001f33f \U000e0001", "\U0001f33f \\U000e0001"),
])
def test_what_is_shown(text, shown):
    assert printable(text) == shown
    shown.encode()


def test_messages_keep_their_lines_and_nothing_else(capsys):
    error = UserError(f"two\nlines of \x1b[31m{NO_UTF8}")
    assert str(error) == "two\nlines of \\x1b[31mK\\udcff1.jpg"
    warn(error)
    warn("\x1b]0;title\x07")
    assert capsys.readouterr().err == f"{error}\n\\x1b]0;title\\x07\n"


def test_a_line_that_is_said_once(capsys):
    for _ in range(3):
        warn_once("only once, please")
    assert capsys.readouterr().err == "only once, please\n"


def test_debug_shows_where_an_error_came_from(capsys, monkeypatch):
    def read(path: Path) -> None:
        try:
            raise ValueError("the cause")
        except ValueError as error:
            raise UserError("the sentence") from error
    assert read_each([Path("x")], read) == ([], 1)
    assert "Traceback" not in capsys.readouterr().err
    monkeypatch.setattr(jobs.sys, "argv", ["predict.py", "--debug=true"])
    read_each([Path("x")], read)
    shown = capsys.readouterr().err
    assert shown.startswith("the sentence\n") and "Traceback" in shown and "ValueError: the cause" in shown


@pytest.mark.parametrize("cell", [
    "=1+1", "+1", "-1", "@SUM(A1)", "＝1+1", "＋1", "－1", "＠SUM(A1)", " =1", "\n=1", "\t=1", "\r\n  =1", "\u3000=1",
    "\u00a0@x", "\ufeff=1", "\u200b=1", "\x00=1", "\tx", "\rx", "\nx",
])
def test_cells_that_a_spreadsheet_would_run(tmp_path, cell):
    with csv_file(tmp_path / "x.csv", ["name"]) as write_row:
        write_row([cell])
    with open(tmp_path / "x.csv", newline="", encoding="utf-8-sig") as file:
        assert list(csv.reader(file)) == [["name"], ["'" + cell.replace("\0", "\ufffd")]]


def test_other_cells_stay(tmp_path):
    row = ["a=b", "K-1", "1+1", "x@y", "'", "", " a", "标本", -1, 2.5]
    with csv_file(tmp_path / "x.csv", ["name"] * len(row)) as write_row:
        write_row(row)
    with open(tmp_path / "x.csv", newline="", encoding="utf-8-sig") as file:
        assert list(csv.reader(file))[1] == [str(value) for value in row]


def test_names_that_are_no_utf8_go_into_tables_and_texts(tmp_path):
    with csv_file(tmp_path / "x.csv", ["name"]) as write_row:
        write_row([NO_UTF8])
    write_text(tmp_path / "x.md", NO_UTF8)
    assert "K\\udcff1.jpg" in (tmp_path / "x.csv").read_text(encoding="utf-8-sig")
    assert (tmp_path / "x.md").read_text(encoding="utf-8") == "K\\udcff1.jpg"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
def test_broken_links_and_pipes_are_found_and_folders_are_not(tmp_path, capsys):
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "b.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "c.jpg").mkdir()
    os.mkfifo(tmp_path / "d.jpg")
    assert [path.name for path in find_images(tmp_path)] == ["a.jpg", "b.jpg", "d.jpg"]
    assert [path.name for path in find_files(tmp_path, (".jpg",))] == ["a.jpg", "b.jpg"]  # nobody waits for a pipe
    assert "d.jpg is a pipe, a device or a socket: left out." in capsys.readouterr().err
