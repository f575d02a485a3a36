"""objects.csv, barcodes.csv and sheets.csv; names and texts that are meant to do harm."""

import csv
import dataclasses
import json
import math
from pathlib import Path

import pytest

from helpers import csv_rows
from records import CODE, chart, photograph, record, ruler
from utils.digitise.record import Code, Problem, SheetRecord
from utils.digitise.writing.tables import FILES, TABLES, TableOptions, institution, open_tables
from utils.predicting.tables import Found, csv_tables, objects_table
from utils.utils import NAME_CLASSES, UserError

HARMFUL = '=HYPERLINK("http://x")\r\n<script>alert(\'1\')</script>;DROP TABLE "a",\t' + "é" * 200
OPTIONS = TableOptions(NAME_CLASSES)


def written(folder: Path, name: str, *sheets: SheetRecord, options: TableOptions = OPTIONS) -> list[dict[str, str]]:
    """The rows of one table."""
    with open_tables(folder, [name], options) as write:
        for sheet in sheets:
            write(sheet)
    header, *rows = csv_rows(folder / name)
    assert len(set(header)) == len(header)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_only_what_is_wanted_is_written(tmp_path):
    with open_tables(tmp_path / "some", ["roi.csv", "objects.json"], OPTIONS) as write:
        write(record())
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == ["objects.json", "roi.csv"]
    with open_tables(tmp_path / "all", [*TABLES, *FILES], OPTIONS) as write:
        write(record())
    assert {path.name for path in (tmp_path / "all").iterdir()} == {*TABLES, *FILES}


def test_objects_are_those_of_predict_with_more_known(tmp_path):
    sheet = dataclasses.replace(record(), scale=ruler(10.0))
    sheet = dataclasses.replace(sheet, objects=(
        dataclasses.replace(sheet.objects[0], codes=(0, 1), crop="crops/K0001_Barcode_1.jpg"), *sheet.objects[1:],
    ), codes=(CODE, dataclasses.replace(CODE, text="K 2", symbology="QR Code")))
    rows = written(tmp_path, "objects.csv", sheet)
    known = {
        "text": ["K0001 | K 2", "", "", ""], "symbology": ["Code 39 | QR Code", "", "", ""],
        "width_cm": ["2.0", "4.0", "3.0", "0.5"], "height_cm": ["1.2", "6.0", "2.0", "10.0"],
        "area_cm2": ["2.4", "24.0", "6.0", "5.0"], "crop": ["crops/K0001_Barcode_1.jpg", "", "", ""],
    }
    for column, values in known.items():
        assert [row.pop(column) for row in rows] == values
    with csv_tables(tmp_path, {"predicted.csv": objects_table(NAME_CLASSES, tmp_path)}) as write:
        write((sheet.name, Found({}, [item.region for item in sheet.objects], [], sheet.size)))
    header, *predicted = csv_rows(tmp_path / "predicted.csv")
    plain = [dict(zip(header, row)) for row in predicted]
    assert [[row.pop(column) for row in plain] for column in known] == [[""] * 4] * 6
    assert plain == rows and rows[1]["sheet_height"] == "300"


def test_barcodes(tmp_path):
    far = Code("K0002", "QR Code", ((-0.5, 1.0), (9.0, 1.0), (9.0, 9.5), (0.0, 9.5)), "whole sheet, 2x")
    sheet = dataclasses.replace(record(), codes=(CODE, far))
    many = [f"{number}.jpg" for number in range(14)]
    options = dataclasses.replace(
        OPTIONS, matches=lambda sheet, code: code.text in sheet.name,
        sheets_with=lambda text: ["K0001.jpg", "b.jpg"] if text == "K0001" else ["K0001.jpg", *many])
    first, second = written(tmp_path, "barcodes.csv", sheet, options=options)
    assert first == {
        "sheet": "K0001.jpg", "text": "K0001", "symbology": "Code 39", "corners": "10,12 30,12 30,24 10,24",
        "read_by": "object, 1x", "object": "1", "class": "Barcode", "matches_file_name": "yes", "duplicates": "b.jpg",
    }
    assert second["corners"] == "0,1 9,1 9,9.5 0,9.5"
    assert (second["object"], second["class"], second["matches_file_name"]) == ("", "", "no")
    assert second["duplicates"] == " | ".join([*many[:10], "4 more"])
    (unasked,) = written(tmp_path, "barcodes.csv", record())
    assert (unasked["matches_file_name"], unasked["duplicates"]) == ("", "")


def test_sheets(tmp_path):
    shown = photograph(
        sharpness=0.123456, dark=0.01, light=0.02, brightness=90.25, entropy=0.1, paper=0.6, turned=90)
    full = dataclasses.replace(
        record("a/bm_1.TIF"), format="TIFF", scale=ruler(20.0), photograph=shown,
        charts=(chart(light=0.01, dark=0.25, cast=(0.5, -0.25)), chart(light=0.5, cast=(-3.0, 4.0)), chart(cast=None)),
        problems=(Problem("no_scale", "There is no scale."), Problem("blurred", "It is blurred.")))
    bare = dataclasses.replace(record("1.jpg"), objects=(), codes=())
    options = dataclasses.replace(OPTIONS, drift=lambda sheet: 2.34567 if sheet is full else math.nan)
    first, second = written(tmp_path, "sheets.csv", full, bare, options=options)
    assert first == {
        "sheet": "a/bm_1.TIF", "institution": "BM", "width": "100", "height": "300", "format": "TIFF",
        "count Barcode": "1", "count Label": "1", "count Color chart": "1", "count Scale": "1", "barcodes": "K0001",
        "px_per_cm": "20.0", "uncertainty_percent": "0.2", "unit": "cm", "width_cm": "5.0", "height_cm": "15.0",
        "sharpness": "0.1235", "dark": "0.01", "light": "0.02", "brightness": "90.25", "entropy": "0.1", "paper": "0.6",
        "clipped_light": "0.5", "clipped_dark": "0.25", "cast_a": "-3.0", "cast_b": "4.0", "drift": "2.346",
        "lowest_confidence": "0.95", "turned": "90",
        "problems": "no_scale;blurred", "review": "There is no scale. It is blurred.",
    }
    known = {"sheet": "1.jpg", "width": "100", "height": "300", "format": "JPEG",
             **{f"count {name}": "0" for name in NAME_CLASSES[1:]}}
    assert second == {**dict.fromkeys(first, ""), **known}


def test_institutions():
    names = ["BM_1.jpg", "x_y/K000123_a.tif", "e-1.png", "Ö1.jpg", "123.jpg", "_K.jpg", "USFS.jpg"]
    assert list(map(institution, names)) == ["BM", "K", "E", "Ö", "", "", "USFS"]


def test_harmful_names_and_texts(tmp_path):
    """No cell is run by a spreadsheet, no row is broken, and what a program reads is what was there."""
    code = dataclasses.replace(CODE, text=HARMFUL + "\0")
    sheet = dataclasses.replace(record(HARMFUL + ".jpg"), codes=(code,), problems=(Problem("odd", "-1 " + HARMFUL),))
    options = dataclasses.replace(OPTIONS, sheets_with=lambda text: [sheet.name, "=b.jpg"], rights="@me")
    with open_tables(tmp_path, [*TABLES, *FILES], options) as write:
        write(sheet)
        write(record("K2.jpg"))
    for name in TABLES:
        header, *rows = csv_rows(tmp_path / name)
        assert {len(row) for row in rows} == {len(header)}
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)
        with open(tmp_path / name, newline="", encoding="utf-8-sig") as file:
            assert "\0" not in file.read()
    assert csv_rows(tmp_path / "sheets.csv")[1][0] == f"'{HARMFUL}.jpg"
    header, first, _ = csv_rows(tmp_path / "barcodes.csv")
    row = dict(zip(header, first))
    assert (row["text"], row["duplicates"]) == (f"'{HARMFUL}\ufffd", "'=b.jpg")
    assert "<" not in (tmp_path / "roi.csv").read_text(encoding="utf-8-sig")
    data = json.loads((tmp_path / "objects.json").read_text(encoding="utf-8"))
    assert [image["file_name"] for image in data["images"]] == [sheet.name, "K2.jpg"]
    assert len((tmp_path / "to_correct.txt").read_text(encoding="utf-8").splitlines()) == 2


def test_a_file_name_that_is_no_utf8(tmp_path):
    with open_tables(tmp_path, [*TABLES, *FILES], OPTIONS) as write:
        write(record("K\udcff.jpg"))
    assert csv_rows(tmp_path / "sheets.csv")[1][0] == "K\\udcff.jpg"
    data = json.loads((tmp_path / "objects.json").read_text(encoding="utf-8"))
    assert data["images"][0]["file_name"] == "K\udcff.jpg"


def test_sheets_are_not_kept(tmp_path):
    """What was written is on the disk before the end, but for a buffer."""
    with open_tables(tmp_path, ["objects.csv"], OPTIONS) as write:
        for number in range(300):
            write(record(f"{number}.jpg"))
        (part,) = tmp_path.glob(".tmp_*.csv")
        with open(part, newline="", encoding="utf-8-sig") as file:
            assert sum(1 for _ in csv.reader(file)) > 1000
    assert len(csv_rows(tmp_path / "objects.csv")) == 1201


def test_an_error_leaves_the_old_tables(tmp_path):
    written(tmp_path, "sheets.csv", record("old.jpg"))
    with pytest.raises(ZeroDivisionError), open_tables(tmp_path, [*TABLES, *FILES], OPTIONS) as write:
        write(record("new.jpg"))
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["sheets.csv"]
    assert csv_rows(tmp_path / "sheets.csv")[1][0] == "old.jpg"
    (tmp_path / "sap.csv").mkdir()
    with pytest.raises(UserError, match="sap.csv cannot be written"):
        written(tmp_path, "sap.csv", record())
