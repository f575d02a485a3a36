"""labelme/<sheet>.json, back through labelme_to_deeplab.py, and to_correct.txt."""

import dataclasses
import json
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import labelme_to_deeplab
from records import item, record, specimen
from utils import config
from utils.detection.boxes import SPECIMEN
from utils.detection.data.reading import labelme_objects
from utils.digitise.record import SheetObject
from utils.digitise.writing.labelme import correction_list, labelme_name, write_sheet
from utils.files.masks import read_mask
from utils.objects.regions import find_regions
from utils.utils import NAME_CLASSES

needs_odd_names = pytest.mark.skipif(os.name == "nt", reason="Windows has no such file names")


def written(
    folder: Path, mask: np.ndarray, name: str = "K1.jpg", confidence: float = 0.5,
    specimens: Sequence[SheetObject] = (),
) -> dict:
    """The JSON file of a mask whose upper half has this confidence, and the lower half 0.9."""
    (folder / "img").mkdir(exist_ok=True)
    image = folder / "img" / name
    Image.new("RGB", mask.shape[::-1]).save(image, format="JPEG")
    regions = find_regions(mask, NAME_CLASSES, probability=np.array([[confidence], [0.9]]))
    path = folder / "out" / labelme_name(name)
    write_sheet(path, mask, list(map(SheetObject, regions)), specimens, [*NAME_CLASSES, "Specimen"], image)
    return json.loads(path.read_text(encoding="utf-8"))


def converted(folder: Path) -> np.ndarray:
    """The mask that labelme_to_deeplab.py makes of the only JSON file, with its own constants."""
    settings = config.read(labelme_to_deeplab, input_dir=str(folder / "out/labelme"), output_dir=str(folder / "back"))
    assert labelme_to_deeplab.main(settings) == 0
    (path,) = (folder / "back/SegmentationClass").iterdir()
    return read_mask(path)


def test_round_trip_of_upright_objects_is_exact(tmp_path):
    """A barcode and a hole in a label, with a chart in the hole; rulers that touch at a corner are one; a speck."""
    mask = np.zeros((300, 200), np.uint8)
    mask[20:140, 20:180] = 2
    mask[30:50, 40:100] = 1
    mask[60:120, 60:140] = 0
    mask[80:100, 80:120] = 3
    mask[200:250, 10:20] = mask[250:280, 20:30] = 4
    expected = mask.copy()
    mask[150:152, 190:193] = 2
    data = written(tmp_path, mask)
    assert data["imagePath"] == "../../img/K1.jpg" and data["imageData"] is None
    assert (data["imageHeight"], data["imageWidth"]) == (300, 200)
    assert [(shape["label"], shape["description"]) for shape in data["shapes"]] == [
        ("Label", "confidence 0.50"), ("_background_", ""), ("Barcode", "confidence 0.50"),
        ("Scale", "confidence 0.90"), ("Color chart", "confidence 0.50")]
    assert data["shapes"][2]["points"] in (
        np.roll([[40, 30], [40, 50], [100, 50], [100, 30]], turn, 0).tolist() for turn in range(4))
    np.testing.assert_array_equal(converted(tmp_path), expected)


def test_round_trip_of_uneven_objects_changes_less_than_half_a_percent(tmp_path):
    """A sheet of 6000 pixels, where the outlines may be off by 1.2; it is narrow to be quick."""
    mask = np.zeros((6000, 450), np.uint8)
    angles = np.linspace(0, 2 * np.pi, 300)
    for index, y in enumerate((600, 2000, 3400, 4800), 1):
        radius = 190 + 15 * np.sin(7 * angles) + 5 * np.sin(23 * angles)
        points = np.stack([225 + radius * np.cos(angles), y + 2 * radius * np.sin(angles)], 1)
        cv2.fillPoly(mask, [points.astype(np.int32)], index)
    cv2.circle(mask, (225, 600), 90, 0, -1)
    data = written(tmp_path, mask)
    assert len(data["shapes"]) == 5 and max(len(shape["points"]) for shape in data["shapes"]) < 300  # of 1000 steps
    different = (converted(tmp_path) != mask).sum()
    assert 0 < different < 0.005 * (mask > 0).sum()


def test_two_labels_that_almost_touch_get_the_converters_seam(tmp_path):
    """One pixel apart on a sheet of 1100: `seam` looks 2 pixels far, so that one column of each is ignored."""
    mask = np.zeros((1100, 300), np.uint8)
    mask[100:300, 50:100] = mask[100:300, 101:150] = 2
    written(tmp_path, mask)
    mask[100:300, [99, 101]] = 255
    np.testing.assert_array_equal(converted(tmp_path), mask)


def test_specimens_are_rectangles_behind_all_else_that_masks_do_not_show(tmp_path, capsys):
    mask = np.zeros((300, 200), np.uint8)
    mask[20:140, 20:180] = 2
    mask[60:120, 60:140] = 0
    boxes = [specimen((30, 40, 100, 220), (300, 200)), specimen((0, 0, 200, 30), (300, 200), math.nan)]
    shapes = written(tmp_path, mask, specimens=boxes)["shapes"]
    assert [(shape["label"], shape["shape_type"], shape["description"]) for shape in shapes] == [
        ("Specimen", "rectangle", "confidence 0.75"), ("Specimen", "rectangle", ""),
        ("Label", "polygon", "confidence 0.50"), ("_background_", "polygon", "")]
    assert [shape["points"] for shape in shapes[:2]] == [[[30, 40], [130, 260]], [[0, 0], [200, 30]]]
    np.testing.assert_array_equal(converted(tmp_path), mask)
    out = capsys.readouterr().out
    assert re.search(r"^Specimen +2 +0 +0 +2 +0$", out, re.MULTILINE)  # read, written, cut, ignored, without a pixel
    annotation = tmp_path / "out/labelme/K1.json"
    found = [(each.name, *np.concatenate(each.polygons).min(0), *np.concatenate(each.polygons).max(0))
             for each in labelme_objects(annotation, (300, 200)) if each.name == SPECIMEN]  # as train_yolo.py reads it
    assert found == [(SPECIMEN, 30, 40, 130, 260), (SPECIMEN, 0, 0, 200, 30)]


def test_small_holes_are_filled(tmp_path):
    mask = np.zeros((300, 200), np.uint8)
    mask[20:140, 20:180] = 2
    mask[30:33, 30:33] = 0  # 9 pixels; 0.0002 of the sheet are 12
    mask[50:53, 50:54] = 0
    assert [shape["label"] for shape in written(tmp_path, mask)["shapes"]] == ["Label", "_background_"]
    assert converted(tmp_path)[31, 31] == 2 and converted(tmp_path)[51, 51] == 0


def test_no_objects_and_no_confidence(tmp_path):
    assert written(tmp_path, np.zeros((30, 20), np.uint8))["shapes"] == []
    mask = np.full((30, 20), 2, np.uint8)
    (shape,) = written(tmp_path, mask, confidence=math.nan)["shapes"]
    assert shape["description"] == ""


@needs_odd_names
@pytest.mark.parametrize("stem", ['=1+1 <b>"x"\n\'; rm', "x" * 200, "K\udcff", "a.b"])
def test_names_that_are_odd_or_long(tmp_path, stem):
    mask = np.full((30, 20), 2, np.uint8)
    data = written(tmp_path, mask, f"{stem}.jpg")
    assert data["imagePath"] == f"../../img/{stem}.jpg"
    assert (tmp_path / "out" / "labelme" / f"{stem}.json").is_file()
    np.testing.assert_array_equal(converted(tmp_path), mask)


def test_sheets_to_correct_first(tmp_path):
    path = tmp_path / "to_correct.txt"

    def sheet(name: str, *confidences: float):
        objects = tuple(item("Label", (20, 220, 40, 60), confidence=value) for value in confidences)
        return dataclasses.replace(record(name), objects=objects)

    with correction_list(path, ["Label"]) as write:
        for entry in (
            sheet("sure.jpg", 0.99), sheet("unsure.jpg", 0.9, 0.4, math.nan), sheet("unknown.jpg", math.nan),
            sheet("a/empty.jpg"), dataclasses.replace(record("none.jpg"), objects=record().objects[:1]),
            sheet("less\nsure.b.TIF", 0.7),
        ):
            write(entry)
    assert path.read_text(encoding="utf-8").splitlines() == [
        "labelme/a/empty.json", "labelme/none.json", "labelme/unsure.json", "labelme/less\\nsure.b.json",
        "labelme/sure.json", "labelme/unknown.json"]
