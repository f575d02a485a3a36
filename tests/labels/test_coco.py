"""COCO polygons, boxes and run lengths to masks, checked against pycocotools."""

import json
from pathlib import Path

import numpy as np
import pytest

from converting import SIZE, boxes
from utils.files.masks import read_mask
from utils.labels.formats.coco import uncompress_runs
from utils.labels.marked import decode_runs
from utils.utils import UserError


def coco_file(path: Path, annotations: list[dict], **changes) -> None:
    data = {
        "images": [{"id": 1, "file_name": "train\\K.1.jpg", "height": SIZE[0], "width": SIZE[1]},
                   {"id": 7, "file_name": "val/K2.jpg", "height": 8, "width": 9}],
        "categories": [{"id": 3, "name": "Label"}, {"id": 5, "name": "Barcode"}, {"id": 8, "name": "plant"}],
        "annotations": [{"id": number, "image_id": 1, "category_id": 3, "iscrowd": 0, **item}
                        for number, item in enumerate(annotations)],
        **changes,
    }
    path.write_text(json.dumps(data), encoding="utf-8")


def test_coco_polygons_boxes_and_crowds(tmp_path, labels, convert):
    coco_file(labels / "all.json", [
        {"category_id": 5, "bbox": [12, 6, 4, 3], "segmentation": []},  # a detection data set; on the label
        {"segmentation": [[10, 5, 20, 5, 20, 15, 10, 15], [30, 5, 35, 5, 35, 10, 30, 10]]},  # in two parts
        {"iscrowd": 1, "segmentation": {"size": [*SIZE], "counts": [0, 60, 1140]}},  # the two first columns
    ])
    assert convert("coco_to_masks", crowds="ignore") == 0
    expected = boxes((255, 0, 30, 0, 2), (2, 5, 15, 10, 20), (2, 5, 10, 30, 35), (1, 6, 9, 12, 16))
    np.testing.assert_array_equal(read_mask(tmp_path / "out/K.1.png"), expected)
    assert read_mask(tmp_path / "out/K2.png").shape == (8, 9)
    assert convert("coco_to_masks", overwrite=True) == 0  # a mask drawn with a brush, as CVAT writes it
    expected = boxes((2, 0, 30, 0, 2), (2, 5, 15, 10, 20), (2, 5, 10, 30, 35), (1, 6, 9, 12, 16))
    np.testing.assert_array_equal(read_mask(tmp_path / "out/K.1.png"), expected)


@pytest.mark.parametrize("compressed", [True, False])
def test_coco_run_lengths_equal_pycocotools(tmp_path, labels, convert, compressed):
    coco = pytest.importorskip("pycocotools.mask")
    region = np.random.default_rng(3).random(SIZE) < 0.3
    region[5:25, 10:30] = True
    encoded = coco.encode(np.asfortranarray(region.astype(np.uint8)))
    counts = encoded["counts"].decode()
    if not compressed:
        changes = np.flatnonzero(np.diff(np.r_[0, region.T.ravel().astype(int), -1]))
        counts = np.diff(np.r_[0, changes]).tolist()
        assert coco.decode(coco.frPyObjects({"size": [*SIZE], "counts": counts}, *SIZE)).tolist() == region.tolist()
    coco_file(labels / "all.json", [{"segmentation": {"size": [*SIZE], "counts": counts}}])
    assert convert("coco_to_masks") == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "out/K.1.png"), region * np.uint8(2))


def test_run_lengths_by_hand():
    # a character is 48 + 5 bits (+ 32: more follow): 5, then 2 + 32 * 9, then 1; from the fourth on the difference
    # to the last but one, here 288 - 290 = -2, which is 30 with its highest bit, 16, as the sign
    assert uncompress_runs("5R91N").tolist() == [5, 290, 1, 288]
    assert decode_runs(np.array([1, 2, 3]), (2, 3)).tolist() == [[False, True, False], [True, False, False]]


@pytest.mark.parametrize("segmentation, message", [
    ({"size": [*SIZE], "counts": [10, 20]}, "its runs cover 30 of 1200 pixels"),
    ({"size": [*SIZE], "counts": [1210, -10]}, "its runs have to be numbers from 0 to 1200"),
    ({"size": [*SIZE], "counts": "h"}, "neither polygons nor run lengths"),
    ({"size": [3, 3], "counts": [9]}, "its size is [3, 3] and the image's [30, 40]"),
    ({"counts": [9]}, "'size'"),
    ([[1, 2, 3, 4]], "a polygon needs 3 or more"),
    ([[1, 2, 3, 4, 5]], "neither polygons nor run lengths"),
    (None, "'bbox'"),
])
def test_bad_coco_annotations_are_named(tmp_path, labels, convert, capsys, segmentation, message):
    coco_file(labels / "all.json", [{"segmentation": segmentation}])
    assert convert("coco_to_masks") == 1
    err = capsys.readouterr().err
    assert f"{labels / 'all.json'}: annotation 0 of train\\K.1.jpg is neither" in err and message in err
    assert (tmp_path / "out/K2.png").is_file()


@pytest.mark.parametrize("height", [-2, 0, 10**9])
def test_coco_images_of_no_possible_size_are_named(labels, convert, capsys, height):
    coco_file(labels / "all.json", [], images=[{"id": 1, "file_name": "K9.jpg", "height": height, "width": 8}])
    assert convert("coco_to_masks") == 1
    assert f"K9.jpg has the size 8 x {height}: put it right" in capsys.readouterr().err


def test_coco_names_and_bad_files(tmp_path, labels, convert, capsys):
    box = {"bbox": [0, 0, 2, 2]}
    coco_file(labels / "all.json", [{**box, "category_id": 8}])
    with pytest.raises(UserError, match='Unknown labels: "plant"'):
        convert("coco_to_masks")
    # an unknown category that no annotation uses does no harm, and an annotation that belongs nowhere costs itself
    coco_file(labels / "all.json", [box, {**box, "category_id": 99}, {**box, "image_id": 98}])
    (labels / "labelme.json").write_text('{"shapes": []}', encoding="utf-8")
    (labels / "list.json").write_text("[1]", encoding="utf-8")
    (labels / "broken.json").write_text("{", encoding="utf-8")
    (labels / "ids.json").write_text('{"images": [{"id": [1]}], "categories": [], "annotations": []}', encoding="utf-8")
    (labels / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    assert convert("coco_to_masks") == 1
    out, err = capsys.readouterr()
    assert "2 files written" in out and "5 skipped" in out
    for message in ("all.json: 1 annotations belong to category 99, which the file does not have",
                    "all.json: 1 annotations belong to image 98", "labelme.json is not a COCO file",
                    "list.json is not a COCO file", "broken.json is not a COCO file", "ids.json is not a COCO file",
                    "deep.json is not a COCO file"):
        assert message in err
    assert (read_mask(tmp_path / "out/K.1.png") == 2).sum() == 4
