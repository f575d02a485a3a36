"""classes.csv and objects.csv."""

from pathlib import Path

import pytest
from PIL import Image

from coloured import NAMES, run, sheet
from helpers import csv_rows
from utils.objects.outline import Rectangle
from utils.objects.regions import Region
from utils.predicting.tables import OBJECT_COLUMNS, Found, csv_tables, object_row, objects_table, points_text
from utils.utils import UserError


def cells(row: list[object]) -> dict[str, object]:
    return dict(zip(OBJECT_COLUMNS, row, strict=True))


def test_tables_of_classes_and_objects(folder):
    Image.fromarray(sheet()).save("img/Käfer.png")
    Image.new("RGB", (30, 40)).save("img/empty.png")
    assert run(count=True) == 0
    assert csv_rows(Path("img_out/classes.csv")) == [
        ["sheet", *NAMES], ["Käfer.png", "936", "200", "64"], ["empty.png", "1200", "0", "0"]]
    header, barcode, label = csv_rows(Path("img_out/objects.csv"))
    assert tuple(header) == OBJECT_COLUMNS
    barcode = cells(barcode)
    assert sorted(barcode.pop("polygon").split()) == ["25,12", "25,2", "5,12", "5,2"]
    assert barcode == {
        "sheet": "Käfer.png", "object": "1", "class": "Barcode", "confidence": "0.9",
        "left": "5", "top": "2", "width": "20", "height": "10", "angle": "0.0",
        "rectangle_x": "15.0", "rectangle_y": "7.0", "rectangle_width": "20.0", "rectangle_height": "10.0",
        "area": "200", "touches_border": "no", "centroid_x": "15.0", "centroid_y": "7.0",
        "sheet_width": "30", "sheet_height": "40",
        "text": "", "symbology": "", "width_cm": "", "height_cm": "", "area_cm2": "", "crop": "", "instance": "",
    }
    label = cells(label)
    assert (label["object"], label["class"], label["confidence"]) == ("2", "Label", "0.8")
    assert (label["left"], label["top"], label["width"], label["height"]) == ("0", "30", "8", "8")
    assert label["touches_border"] == "yes"


def test_what_is_known_of_an_object():
    """A square of side 40 * sqrt(2) that stands on a corner, on a sheet with 20 pixels a centimetre."""
    corners = ((40.0, 10.0), (80.0, 50.0), (40.0, 90.0), (0.0, 50.5))
    rectangle = Rectangle(40.0, 50.0, 56.5685, 56.5685, 45.0)
    region = Region("Label", 2, 10, 0, 80, 80, 3200, (49.5, 39.5), rectangle, corners, True, 0.98765, 7)
    row = cells(object_row("a.jpg", 3, region, (100, 120), texts=("K1", "K 2"), symbologies=("Code 39", "QR Code"),
                           px_per_cm=20.0, crop="crops/a.jpg"))
    assert row == {
        "sheet": "a.jpg", "object": 3, "class": "Label", "confidence": 0.9877,
        "left": 0, "top": 10, "width": 80, "height": 80, "angle": 45.0,
        "rectangle_x": 40.0, "rectangle_y": 50.0, "rectangle_width": 56.57, "rectangle_height": 56.57,
        "polygon": "40,10 80,50 40,90 0,50.5", "area": 3200, "touches_border": "yes",
        "centroid_x": 40.0, "centroid_y": 50.0, "sheet_width": 120, "sheet_height": 100,
        "text": "K1 | K 2", "symbology": "Code 39 | QR Code",
        "width_cm": 2.83, "height_cm": 2.83, "area_cm2": 8.0, "crop": "crops/a.jpg", "instance": 7,
    }


def test_the_first_cell_of_points_is_no_formula():
    assert points_text([(-0.4, 10.04), (100.5, -3)]) == "0,10 100.5,0"


def test_crops_and_the_size_of_the_sheet(tmp_path):
    region = Region("Label", 2, 1, 2, 3, 4, 12, (2.0, 3.5), Rectangle(4.0, 2.5, 4.0, 3.0, 0.0), ((2, 1),), False)
    found = Found({}, [region, region], [tmp_path / "crops" / "a_1.jpg", tmp_path / "crops" / "a_2.jpg"], (9, 8))
    with csv_tables(tmp_path, {"objects.csv": objects_table(NAMES, tmp_path)}) as write:
        write(("a.jpg", found))
        write(("b.jpg", found._replace(crops=[])))
    rows = [cells(row) for row in csv_rows(tmp_path / "objects.csv")[1:]]
    assert [row["crop"] for row in rows] == ["crops/a_1.jpg", "crops/a_2.jpg", "", ""]
    assert [(row["sheet"], row["object"]) for row in rows] == [
        ("a.jpg", "1"), ("a.jpg", "2"), ("b.jpg", "1"), ("b.jpg", "2")]
    assert {(row["sheet_width"], row["sheet_height"], row["confidence"]) for row in rows} == {("8", "9", "")}


def test_tables_that_are_open_elsewhere_and_names_like_formulas(folder, capsys):
    Image.fromarray(sheet()).save("img/=1+1.png")
    assert run(count=True) == 0
    assert "\n'=1+1.png,936,200,64" in Path("img_out/classes.csv").read_text(encoding="utf-8-sig")
    Path("img_out/objects.csv").unlink()
    Path("img_out/objects.csv").mkdir()
    with pytest.raises(UserError, match="objects.csv cannot be written .* close the program that has it open"):
        run(count=True)
    assert capsys.readouterr().out.count("1 sheets in ") == 2  # what was done is told all the same
