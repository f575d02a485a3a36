"""objects.json, as pycocotools and convert_labelled.py read it."""

import dataclasses
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

import convert_labelled
from records import item, record, specimen
from utils.digitise.record import SheetObject, SheetRecord
from utils.digitise.writing.coco import coco_file
from utils.labels.formats.coco import coco_objects, read_coco
from utils.labels.marked import paint_objects
from utils.labels.names import label_values
from utils.objects.regions import TOLERANCE, find_regions
from utils.utils import NAME_CLASSES, UserError


def written(path: Path, *sheets: SheetRecord) -> dict:
    with coco_file(path, [*NAME_CLASSES, "Specimen"]) as write:
        for sheet in sheets:
            write(sheet)
    return json.loads(path.read_text(encoding="utf-8"))


def drawn(size: tuple[int, int]) -> np.ndarray:
    """A mask: a label turned by 20 degrees with a barcode on it, a round chart, a ruler of two parts at the border."""
    mask, middle = np.zeros(size, np.uint8), (size[1] / 2, size[0] / 2)
    cv2.fillPoly(mask, [cv2.boxPoints((middle, (size[1] * 0.6, size[0] * 0.3), 20.0)).astype(np.int32)], 2)
    cv2.fillPoly(mask, [cv2.boxPoints((middle, (size[1] * 0.3, size[0] * 0.05), 20.0)).astype(np.int32)], 1)
    cv2.circle(mask, (size[1] // 5, size[0] // 7), size[1] // 9, 3, -1)
    mask[-40:, -200:-100], mask[-60:-40, -100:] = 4, 4
    return mask


def test_by_hand(tmp_path):
    """The largest object comes first, so that who paints in order has the barcode on the label."""
    two = dataclasses.replace(record("a/K1.jpg"), objects=(
        item("Barcode", (30, 230, 20, 10), confidence=0.98765), item("Label", (20, 220, 40, 60), confidence=math.nan)))
    data = written(tmp_path / "objects.json", two, record("empty.jpg"), dataclasses.replace(two, name="K2.jpg"))
    assert data["categories"] == [{"id": index, "name": name, "supercategory": ""} for index, name in (
        (1, "Barcode"), (2, "Label"), (3, "Color chart"), (4, "Scale"), (5, "Specimen"))]
    assert data["images"] == [{"id": number, "file_name": name, "width": 100, "height": 300} for number, name in (
        (1, "a/K1.jpg"), (2, "empty.jpg"), (3, "K2.jpg"))]
    assert data["annotations"][:2] == [
        {"id": 1, "image_id": 1, "object": 2, "category_id": 2, "bbox": [20, 220, 40, 60], "area": 2400,
         "segmentation": [[20, 220, 60, 220, 60, 280, 20, 280]], "iscrowd": 0},
        {"id": 2, "image_id": 1, "object": 1, "category_id": 1, "bbox": [30, 230, 20, 10], "area": 200,
         "segmentation": [[30, 230, 50, 230, 50, 240, 30, 240]], "iscrowd": 0, "score": 0.9877},
    ]
    assert [entry["id"] for entry in data["annotations"]] == list(range(1, 9))
    assert [entry["image_id"] for entry in data["annotations"]] == [1, 1, 2, 2, 2, 2, 3, 3]


def test_pycocotools_sees_the_mask(tmp_path):
    """Boxes leave the mask by no more than the tolerance of polygons, one pixel here, and areas by 0.5%."""
    mask = drawn((1500, 1000))
    regions = find_regions(mask, NAME_CLASSES)
    sheet = SheetRecord("K1.jpg", mask.shape, "JPEG", "", tuple(map(SheetObject, regions)))
    written(tmp_path / "objects.json", sheet)
    coco = COCO(str(tmp_path / "objects.json"))
    assert coco.getCatIds(["Scale"]) == [4] and len(coco.getAnnIds(imgIds=[1])) == len(regions) == 4
    shown, tolerance = np.zeros_like(mask), math.ceil(TOLERANCE * 1500)
    for entry in coco.loadAnns(coco.getAnnIds(imgIds=[1])):
        own, filled = mask == entry["category_id"], coco.annToMask(entry) > 0
        assert entry["area"] == own.sum()
        x, y, width, height = cv2.boundingRect(own.view(np.uint8))
        assert entry["bbox"] == [x, y, width, height]
        np.testing.assert_allclose(cv2.boundingRect(filled.view(np.uint8)), entry["bbox"], atol=tolerance)
        shown[filled] = entry["category_id"]
    assert ((shown != mask).sum() < 0.005 * (mask > 0).sum())


def test_convert_labelled_makes_the_mask_again(tmp_path):
    mask = drawn((1500, 1000))
    plants = (specimen((0, 0, 1000, 700), mask.shape), specimen((480, 740, 30, 20), mask.shape))  # one on the label
    sheet = SheetRecord("K1.jpg", mask.shape, "JPEG", "", tuple(map(SheetObject, find_regions(mask, NAME_CLASSES))))
    written(tmp_path / "objects.json", dataclasses.replace(sheet, specimens=plants))
    (image,) = read_coco(tmp_path / "objects.json").images
    values = label_values(NAME_CLASSES, convert_labelled.label_names)
    again, outcomes = paint_objects(coco_objects(image, mask.shape, False), mask.shape, values)
    assert (again != mask).sum() < 0.005 * (mask > 0).sum()
    assert [(item.name, item.column) for item in outcomes[-2:]] == [("Specimen", "ignored")] * 2


def test_no_sheets(tmp_path):
    data = written(tmp_path / "a" / "objects.json")
    assert data["images"] == data["annotations"] == []
    assert len(COCO(str(tmp_path / "a" / "objects.json")).cats) == 5


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "objects.json").mkdir()
    with pytest.raises(UserError, match="objects.json cannot be written"):
        written(tmp_path / "objects.json", record())
    assert [path.name for path in tmp_path.iterdir()] == ["objects.json"]
