"""classes.csv and objects.csv."""

import csv
from pathlib import Path

import pytest
from PIL import Image

from coloured import NAMES, run, sheet
from utils.utils import UserError


def test_tables_of_classes_and_objects(folder):
    Image.fromarray(sheet()).save("img/Käfer.png")
    Image.new("RGB", (30, 40)).save("img/empty.png")
    assert run(count=True) == 0
    assert Path("img_out/classes.csv").read_bytes().startswith(b"\xef\xbb\xbf")  # Excel reads UTF-8 only so
    with open("img_out/classes.csv", encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["sheet", *NAMES], ["Käfer.png", "936", "200", "64"], ["empty.png", "1200", "0", "0"]
        ]
    with open("img_out/objects.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["sheet", "class", "top", "left", "height", "width", "area", "centroid_row", "centroid_column", "crop"],
        ["Käfer.png", "Barcode", "2", "5", "10", "20", "200", "6.5", "14.5", ""],
        ["Käfer.png", "Label", "30", "0", "8", "8", "64", "33.5", "3.5", ""],
    ]


def test_tables_that_are_open_elsewhere_and_names_like_formulas(folder, capsys):
    Image.fromarray(sheet()).save("img/=1+1.png")
    assert run(count=True) == 0
    assert "\n'=1+1.png,936,200,64" in Path("img_out/classes.csv").read_text(encoding="utf-8-sig")
    Path("img_out/objects.csv").unlink()
    Path("img_out/objects.csv").mkdir()
    with pytest.raises(UserError, match="objects.csv cannot be written .* close the program that has it open"):
        run(count=True)
    assert capsys.readouterr().out.count("1 sheets in ") == 2  # what was done is told all the same
