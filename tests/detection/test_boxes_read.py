"""Boxes from each kind of label, by numbers worked out by hand."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from boxed import make_boxes, plain_image, write_shapes
from utils.detection.boxes import DETECTION_CLASSES, box_colors, box_values, boxes_of
from utils.detection.data.layouts import open_boxes
from utils.detection.data.samples import read_boxes, require_all_classes
from utils.files.masks import write_instances, write_mask
from utils.labels.marked import LabelledObject
from utils.labels.polygons import rectangle
from utils.utils import NAME_CLASSES, UserError, default_colors

SIZE = (50, 100)  # height, width
SHARE = np.array([1, 100, 50, 100, 50])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set with one sheet for training and one for validation, and no labels yet."""
    (tmp_path / "set" / "SegmentationClass").mkdir(parents=True)
    for split, stem in (("train", "K 1.a"), ("val", "K2")):
        plain_image(tmp_path / "set" / "JPEGImages" / f"{stem}.png", SIZE)
        path = tmp_path / "set" / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{stem}\n")
    return tmp_path / "set"


def read(root: Path, split: str = "train") -> np.ndarray:
    """The boxes of the one sheet of a split, in pixels."""
    (sheet,) = read_boxes(open_boxes(root.parent, root.name, DETECTION_CLASSES, {"Chart": "Color chart"}), split)
    assert sheet.size == SIZE
    return sheet.boxes * SHARE


def test_classes_and_colours() -> None:
    assert DETECTION_CLASSES == ("Barcode", "Label", "Color chart", "Scale", "Specimen")
    assert box_colors(5) == default_colors(6)[1:]  # a barcode is as red as in masks
    assert box_values(("A", "B"), {"b": "B", "x": "_ignore_", "y": "C"}) == {
        "A": 0, "B": 1, "b": 1, "x": 255, "_background_": 255, "_ignore_": 255, "__ignore__": 255}


def test_boxes_are_cut_at_the_edges_and_counted() -> None:
    objects = [
        LabelledObject("A", [rectangle(90, 40, 120, 45)]),   # reaches over the right edge
        LabelledObject("A", [rectangle(110, 0, 120, 9)]),    # outside
        LabelledObject("B", [rectangle(5, 5, 5.5, 30)]),     # thinner than a pixel
        LabelledObject("_ignore_", [rectangle(0, 0, 9, 9)]),
        LabelledObject("B", [rectangle(20, 30, 10, 10), rectangle(30, 5, 31, 6)]),  # two pieces
    ]
    boxes, outcomes = boxes_of(objects, SIZE, box_values(("A", "B")))
    np.testing.assert_array_equal(boxes, [[0, 90, 40, 100, 45], [1, 10, 5, 31, 30]])
    assert [(each.name, each.column) for each in outcomes] == [
        ("A", "cut at the border"), ("A", "without a pixel"), ("B", "without a pixel"), ("_ignore_", "ignored"),
        ("B", "written")]


def test_labelme(root: Path) -> None:
    patch = np.zeros((4, 6), np.uint8)
    patch[1:3, 2:5] = 255
    stream = io.BytesIO()
    Image.fromarray(patch).save(stream, "PNG")
    write_shapes(root / "labelme" / "K 1.a.json", SIZE, [
        {"label": "Specimen", "shape_type": "rectangle", "points": [[60, 40], [20, 10]]},
        {"label": "Label", "shape_type": "polygon", "points": [[10, 10], [30, 12], [20, 25]]},
        {"label": "Chart", "shape_type": "circle", "points": [[50, 20], [53, 24]]},  # radius 5
        {"label": "Barcode", "shape_type": "mask", "points": [[70, 30], [75, 33]],
         "mask": base64.b64encode(stream.getvalue()).decode()},
        {"label": "Scale", "shape_type": "rectangle", "points": [[0, 0], [10, 5]], "group_id": 7},
        {"label": "Scale", "shape_type": "rectangle", "points": [[20, 2], [30, 8]], "group_id": 7},
        {"label": "_ignore_", "shape_type": "rectangle", "points": [[0, 0], [100, 50]]},
    ])
    np.testing.assert_allclose(read(root), [
        [4, 20, 10, 60, 40], [1, 10, 10, 30, 25], [2, 45, 15, 55, 25], [0, 72, 31, 75, 33], [3, 0, 0, 30, 8],
    ], atol=1e-4)


def test_masks_and_specimens(root: Path) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[10:20, 30:50] = 2
    mask[12:15, 33:40] = 1   # a barcode on the label
    mask[30:40, 0:10], mask[30:40, 10:25] = 4, 4
    mask[0, 0] = 3           # a speck: one of 5000 pixels is not less than the least share, so it stays
    mask[45:, :] = 255
    write_mask(root / "SegmentationClass" / "K 1.a.png", mask)
    (root / "specimens.json").write_text(json.dumps({"K 1.a.jpg": {"specimens": [[50, 5, 99.5, 45]], "note": ""}}))
    expected = [[0, 33, 12, 40, 15], [1, 30, 10, 50, 20], [2, 0, 0, 1, 1], [3, 0, 30, 25, 40], [4, 50, 5, 99.5, 45]]
    np.testing.assert_allclose(read(root), expected, atol=1e-4)
    instances = np.zeros(SIZE, np.uint16)
    instances[mask > 0] = 1
    instances[30:40, 10:25] = 2  # two rulers that touch
    instances[45:] = 0
    write_instances(root / "InstanceClass" / "K 1.a.png", instances)
    expected[3:4] = [[3, 0, 30, 10, 40], [3, 10, 30, 25, 40]]
    np.testing.assert_allclose(read(root), expected, atol=1e-4)
    with pytest.raises(UserError, match="1 of 1 sheets cannot be used.*\n.*K2.png is missing"):
        read(root, "val")
    write_mask(root / "SegmentationClass" / "K2.png", mask)
    with pytest.raises(UserError, match="specimens.json does not list K2: add its boxes"):
        read(root, "val")


def test_yolo(tmp_path: Path) -> None:
    root = tmp_path / "images" / "yolo"  # only the last folder named images becomes labels
    for split in ("train", "val"):
        plain_image(root / "images" / split / "K 1.a.png", SIZE)
    (root / "labels" / "train").mkdir(parents=True)
    (root / "labels" / "train" / "K 1.a.txt").write_text("1 0.5 0.5 0.2 0.4\n0 0.1 0.2 0.3 0.2 0.2 0.6\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: {0: Specimen, 1: Chart}\n")
    np.testing.assert_allclose(read(root), [[2, 40, 15, 60, 35], [4, 10, 10, 30, 30]], atol=1e-4)
    assert read(root, "val").shape == (0, 5)  # no label file: nothing on it
    (root / "images" / "list.txt").write_text("./train/K 1.a.png\n")  # paths from the folder of the list
    (root / "data.yaml").write_text("path: .\ntrain: images/list.txt\nval: [images/val]\nnames: [Specimen, Chart]\n")
    assert len(read(root)) == 2
    (root / "images" / "list.txt").write_text("./train/K 1.a.png\n./train/notes.docx\n")
    with pytest.raises(UserError, match="notes.docx"):
        read(root)


@pytest.mark.parametrize(("text", "message"), [
    ("names: [Specimen]\n", "has no folder of images for train"),
    ("train: images/none\nnames: [Specimen]\n", "is not a folder"),
    ("train: images/train\n", "data.yaml is not a data.yaml .*it has no names"),
    ("train: [\n", "data.yaml is not a data.yaml"),
    ("train: images/train\nnames: [Plant]\n", 'Unknown labels: "Plant"'),
])
def test_a_broken_yaml_is_named(tmp_path: Path, text: str, message: str) -> None:
    plain_image(tmp_path / "set" / "images" / "train" / "K1.png", SIZE)
    (tmp_path / "set" / "data.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        read(tmp_path / "set")


@pytest.mark.parametrize(("name", "text", "message"), [
    ("labelme/K 1.a.json", '{"shapes": []', "not a labelme file"),
    ("specimens.json", '{"K2.jpg": [[1, 2, 3, 4]]}', "specimens.json is not a file of specimens"),
    ("specimens.json", '{"K2.jpg": {"specimens": [[1, 2, 3]]}}', "specimens.json is not a file of specimens"),
    ("specimens.json", '{"K 1.a.jpg": {"specimens": [[0.1, 0.2, 0.5, 0.5]]}}', "look like shares of the image"),
])
def test_broken_labels_are_named(root: Path, name: str, text: str, message: str) -> None:
    write_mask(root / "SegmentationClass" / "K 1.a.png", np.ones(SIZE, np.uint8))
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read(root)


def test_labels_of_another_size_or_name_are_refused(root: Path) -> None:
    path = root / "labelme" / "K 1.a.json"
    write_shapes(path, (50, 99), [])
    with pytest.raises(UserError, match="is for an image of 99 x 50 pixels and the image has 100 x 50"):
        read(root)
    write_shapes(path, SIZE, [{"label": "Plnt", "shape_type": "rectangle", "points": [[0, 0], [9, 9]]}])
    with pytest.raises(UserError, match='Unknown labels: "Plnt"'):
        read(root)


def test_every_class_has_to_be_there(tmp_path: Path) -> None:
    root = make_boxes(tmp_path / "set", 2, 1)
    data = open_boxes(tmp_path, "set", DETECTION_CLASSES, {})
    train, val = (read_boxes(data, split) for split in ("train", "val"))
    require_all_classes(train, val, DETECTION_CLASSES)
    with pytest.raises(UserError, match="No training sheet has a box of Packet"):
        require_all_classes(train, val, (*DETECTION_CLASSES, "Packet"))
    with pytest.raises(UserError, match="None of the 1 validation sheets has a box"):
        require_all_classes(train, [sheet._replace(boxes=sheet.boxes[:0]) for sheet in val], DETECTION_CLASSES)
    assert NAME_CLASSES[1:] == DETECTION_CLASSES[:-1] and (root / "specimens.json").is_file()
