"""digitise.py as a whole: the package, runs that go on where they stopped, bad files, hostile names."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from coloured import save_16bit
from digitised import BOXES, PX_PER_CM, digitised, save, sheet
from helpers import csv_rows
from utils.digitise import sheet as sheets
from utils.files.masks import read_mask
from utils.utils import UserError

LIMITS = {"review_below": 0.5}


def table(name: str) -> list[dict[str, str]]:
    header, *rows = csv_rows(Path("digitised", name))
    return [dict(zip(header, row, strict=True)) for row in rows]


def files() -> set[str]:
    return {path.relative_to("digitised").as_posix() for path in Path("digitised").rglob("*") if path.is_file()}


def test_the_package_of_one_good_sheet(folder):
    save(Path("img/K000123.jpg"), sheet())
    assert digitised(copies=True, barcode_pattern="(?P<barcode>.*)") == 0
    assert files() == {
        "report.html", "sheets.csv", "objects.csv", "barcodes.csv", "objects.json", "media.csv", "sap.csv", "roi.csv",
        "to_correct.txt", "labelme/K000123.json", "masks/K000123.png", "collages/K000123.jpg", "collages/K000123.json",
        "plants/K000123.jpg", "previews/K000123.jpg", "records/K000123.json", "by_barcode/K000123.jpg",
        *(f"crops/K000123_{name}_1.jpg" for name in ("Barcode", "Label", "Color_chart", "Scale")),
    }
    (row,) = table("sheets.csv")
    assert row["barcodes"] == "K000123" and row["problems"] == row["review"] == ""
    assert float(row["px_per_cm"]) == pytest.approx(PX_PER_CM, rel=0.01)
    objects = table("objects.csv")
    assert [(int(item["top"]), int(item["left"]), int(item["height"]), int(item["width"])) for item in objects] == [
        BOXES[1], BOXES[2], BOXES[3], BOXES[4]]
    assert objects[0]["text"] == "K000123" and objects[0]["symbology"].replace(" ", "") == "Code128"
    (code,) = table("barcodes.csv")
    assert code["matches_file_name"] == "yes" and code["class"] == "Barcode"
    assert Path("img/K000123.jpg").read_bytes() == Path("digitised/by_barcode/K000123.jpg").read_bytes()
    assert len(COCO("digitised/objects.json").anns) == 4
    mask = read_mask("digitised/masks/K000123.png")
    assert [int((mask == index).sum()) for index in BOXES] == [height * width for *_, height, width in BOXES.values()]


@pytest.mark.parametrize("without, kind", [(1, "no_barcode"), (2, "no_label"), (3, "no_color_chart"), (4, "no_scale")])
def test_a_sheet_that_lacks_something_needs_attention(folder, without, kind):
    save(Path("img/K1.jpg"), sheet("K1", (without,)))
    assert digitised(report=False, coco=False, audiovisual_core=False) == 3
    (row,) = table("sheets.csv")
    assert row["problems"] == kind and row["review"].startswith("No ")


def test_each_output_can_be_left_out(folder):
    save(Path("img/K1.jpg"), sheet("K1"))
    off = ("report", "tables", "coco", "audiovisual_core", "labelme", "masks", "crops", "collages", "plants")
    assert digitised(**dict.fromkeys(off, False), barcodes=False, scale=False, charts=False) == 0
    assert files() == {"records/K1.json"}
    record = json.loads(Path("digitised/records/K1.json").read_text(encoding="utf-8"))
    assert record["codes"] == [] and record["scale"] is None and record["charts"] == [] and len(record["objects"]) == 4


def test_two_sheets_with_one_barcode(folder):
    for name in ("A1.jpg", "A2.jpg"):
        save(Path("img", name), sheet("K7"))
    assert digitised(copies=True) == 3
    assert [row["duplicates"] for row in table("barcodes.csv")] == ["A2.jpg", "A1.jpg"]
    assert all("duplicate_barcode" in row["problems"] and "duplicate_file" in row["problems"]
               for row in table("sheets.csv"))
    assert {"by_barcode/K7.jpg", "by_barcode/K7_2.jpg"} <= files()


def test_bad_files_are_named_and_the_others_finished(folder, capsys):
    save(Path("img/K1.jpg"), sheet("K1"))
    Path("img/bad.jpg").write_bytes(b"no picture")
    assert digitised() == 1
    assert "bad.jpg" in capsys.readouterr().err
    assert Path("digitised/unreadable.txt").read_text(encoding="utf-8").startswith("bad.jpg: ")
    assert [row["sheet"] for row in table("sheets.csv")] == ["K1.jpg"]
    assert "bad.jpg" in Path("digitised/report.html").read_text(encoding="utf-8")
    Path("img/bad.jpg").unlink()
    assert digitised() == 0 and "unreadable.txt" not in files()


def done(monkeypatch, **changes) -> list[str]:
    """The sheets that digitise.py works on."""
    worked, real = [], sheets.digitise_sheet
    monkeypatch.setattr(sheets, "digitise_sheet", lambda *args: worked.append(args[1].name.name) or real(*args))
    digitised(**changes)
    monkeypatch.setattr(sheets, "digitise_sheet", real)
    return worked


def test_a_second_run_does_what_has_changed(folder, monkeypatch):
    for name in ("K1", "K2"):
        save(Path(f"img/{name}.jpg"), sheet(name))
    assert done(monkeypatch) == ["K1.jpg", "K2.jpg"]
    assert done(monkeypatch) == []
    assert done(monkeypatch, max_cast=9.0, report_title="Ours") == []                 # of the batch
    assert done(monkeypatch, skip_done=False) == ["K1.jpg", "K2.jpg"]
    save(Path("img/K2.jpg"), sheet("K22"))
    assert done(monkeypatch) == ["K2.jpg"]
    assert [row["barcodes"] for row in table("sheets.csv")] == ["K1", "K22"]
    Path("digitised/crops/K1_Label_1.jpg").unlink()
    assert done(monkeypatch) == ["K1.jpg"]
    Path("digitised/records/K1.json").write_text('{"name": "K1.jpg"', encoding="utf-8")  # cut off by a full disk
    assert done(monkeypatch) == ["K1.jpg"]
    assert done(monkeypatch, plants=False) == ["K1.jpg", "K2.jpg"]                    # a constant of each sheet
    Path("weights.pth").write_bytes(b"other weights")
    assert done(monkeypatch, plants=False) == ["K1.jpg", "K2.jpg"]


def test_a_sheet_that_vanishes_during_the_run_is_named(folder, monkeypatch, capsys):
    for name in ("K1", "K2"):
        save(Path(f"img/{name}.jpg"), sheet(name))
    real = sheets.sheet_key
    monkeypatch.setattr(sheets, "sheet_key", lambda item, key: (
        item.source.unlink() if item.source.stem == "K2" else None, real(item, key))[1])
    assert digitised(report=False) == 1
    assert "K2.jpg cannot be read (No such file or directory)" in capsys.readouterr().err
    assert [row["sheet"] for row in table("sheets.csv")] == ["K1.jpg"]


def test_sheets_that_are_gone_leave_the_tables(folder, capsys):
    for name in ("K1", "K2"):
        save(Path(f"img/{name}.jpg"), sheet(name))
    assert digitised() == 0
    Path("img/K1.jpg").unlink()
    assert digitised() == 0
    assert [row["sheet"] for row in table("sheets.csv")] == ["K2.jpg"] and "crops/K1_Label_1.jpg" in files()
    assert "1 sheets of earlier runs are no longer in img" in capsys.readouterr().out


def test_hostile_names_and_barcodes(folder):
    name, text = "=1+1 <b>&'\"; DROP {{x}}.jpg", "</script><script>\nalert('1')"
    save(Path("img", name), sheet(text[:24]))
    save(Path("img", "é" * 100 + ".jpg"), sheet("K2"))
    digitised(copies=True)
    html = Path("digitised/report.html").read_text(encoding="utf-8")
    assert "<script>\nalert" not in html and "<b>&'" not in html and "{{x}}" in html
    assert [row["sheet"] for row in table("sheets.csv")] == [f"'{name}", "é" * 100 + ".jpg"]
    for path in map(Path, files()):
        assert not {".."} & set(path.parts)


def test_constants_that_do_not_fit(folder):
    save(Path("img/K1.jpg"), sheet("K1"))
    with pytest.raises(UserError, match="required_classes has Stamp, which the model does not find: it finds Barcode"):
        digitised(required_classes=("Label", "Stamp"))
    with pytest.raises(UserError, match="whole_classes has Stamp"):
        digitised(whole_classes=("Stamp",))
    with pytest.raises(UserError, match="review_below is 80.0: it has to be from 0 to 1"):
        digitised(review_below=80.0)
    with pytest.raises(UserError, match='symbologies has "Bars": use Code 39, '):
        digitised(symbologies=("Bars",))
    with pytest.raises(UserError, match="barcode_pattern"):
        digitised(barcode_pattern="(")
    with pytest.raises(UserError, match="output_dir is img"):
        digitised(output_dir="img")
    assert not Path("digitised").exists()
    save(Path("img/K1.png"), sheet("K1"))
    with pytest.raises(UserError, match="would both be written"):
        digitised()


def test_grey_16_bit_and_turned_sheets(folder):
    Image.fromarray(sheet("K1")).convert("L").save("img/grey.png")
    Image.fromarray(np.rot90(sheet("K2"))).save("img/turned.jpg", quality=95, exif=_orientation(6))
    deep = sheet("K3").astype(np.uint16) * 257
    save_16bit(Path("img/deep.tif"), deep)
    digitised()
    assert [row["sheet"] for row in table("sheets.csv")] == ["deep.tif", "grey.png", "turned.jpg"]
    assert [row["barcodes"] for row in table("sheets.csv")][0] == "K3"
    assert [row["width"] for row in table("sheets.csv")] == ["600"] * 3


def _orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()
