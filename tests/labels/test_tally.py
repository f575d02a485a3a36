"""Nothing is dropped without a word: what became of each object is counted, and said where it was not written whole."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convert_labelled
import labelme_to_deeplab
from helpers import ROOT
from utils import config
from utils.files.masks import read_mask, write_mask
from utils.labels.tally import Outcome, Tally
from utils.utils import UserError

SIZE = (160, 120)  # height, width of K1
LABEL = [12, 112, 60, 144]  # left, top, right, bottom: 1536 pixels


@pytest.fixture
def convert(tmp_path, monkeypatch, capsys):
    """A function that runs a mode on labels/ and images/, and gives its exit status, output and warnings."""
    monkeypatch.chdir(tmp_path)
    Path("labels").mkdir()
    Path("images").mkdir()
    Image.new("RGB", SIZE[::-1]).save("images/K1.jpg")

    def run(mode: str, **changes) -> tuple[int, str, str]:
        status = convert_labelled.main(config.read(ROOT / "convert_labelled.py", **{
            "mode": mode, "input_dir": "labels", "image_dir": "images", "output_dir": "out", "dry_run": False,
            **changes,
        }))
        return status, *capsys.readouterr()

    return run


def coco(annotations: list[dict], **changes) -> None:
    image = {"id": 1, "file_name": "K1.jpg", "height": SIZE[0], "width": SIZE[1]}
    Path("labels/all.json").write_text(json.dumps({
        "images": [image], "categories": [{"id": 1, "name": "Barcode"}, {"id": 2, "name": "Label"}],
        "annotations": [
            {"id": number, "image_id": 1, "category_id": 2, **item} for number, item in enumerate(annotations)],
        **changes,
    }), encoding="utf-8")


def voc(*objects: str) -> None:
    Path("labels/K1.xml").write_text(
        f"<annotation><size><width>{SIZE[1]}</width><height>{SIZE[0]}</height></size>{''.join(objects)}</annotation>")


def voc_box(left: float, top: float, right: float, bottom: float, more: str = "") -> str:
    return (f"<object><name>Label</name>{more}<bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
            f"<ymax>{bottom}</ymax></bndbox></object>")


def box(left: float, top: float, right: float, bottom: float) -> dict:
    return {"bbox": [left, top, right - left, bottom - top]}


def labels_in(name: str = "K1") -> int:
    return int((read_mask(f"out/{name}.png") == 2).sum())


def row(out: str, name: str) -> list[int]:
    """Read, written, cut at the border, ignored, without a pixel."""
    (line,) = [line for line in out.splitlines() if line.startswith(name)]
    return [int(word) for word in line.split()[-5:]]


def test_table_and_warnings_by_hand(capsys):
    tally = Tally(classes={"label": "Label"})
    outside = Outcome("label", "without a pixel", "outside the image")
    cut = Outcome("Label", "cut at the border", "y")
    tally.settle(Path("K1.xml"), [Outcome("label", "written"), outside, outside, cut])
    tally.settle(Path("K2.xml"), [Outcome("Barcode", "ignored")], ["it is odd"])
    assert capsys.readouterr().err.splitlines() == [
        "K1.xml: 2 x label: without a pixel (outside the image).", "K1.xml: 1 x Label: cut at the border (y).",
        "K2.xml: it is odd."]
    assert row(tally.table(["Label", "Barcode"]), "Label") == [4, 2, 1, 0, 2]
    assert row(tally.table(["Label", "Barcode"]), "Barcode") == [1, 0, 0, 1, 0]
    assert tally.written == 2


def test_strict_counts_nothing_of_a_faulty_file():
    tally = Tally(strict=True)
    with pytest.raises(UserError, match="K1.xml: 1 x Label: without a pixel .below.*strict = True"):
        tally.settle(Path("K1.xml"), [Outcome("Label", "written"), Outcome("Label", "without a pixel", "below")])
    assert not tally.counts


def test_objects_outside_cut_hidden_and_too_small(convert):
    coco([box(*LABEL), box(200, 10, 220, 20), box(100, 10, 140, 20), box(3.6, 3.6, 4.4, 4.4), {**box(20, 120, 30, 130)},
          {**box(20, 120, 30, 130), "category_id": 1}])
    status, out, err = convert("coco_to_masks")
    assert status == 0 and row(out, "Label") == [5, 2, 1, 0, 3] and row(out, "Barcode") == [1, 1, 0, 0, 0]
    for words in ("without a pixel (outside the image)", "without a pixel (too thin or too small)",
                  "without a pixel (below other objects)", "cut at the border (it reaches beyond the image)"):
        assert f"K1.jpg: 1 x Label: {words}" in err
    status, out, err = convert("coco_to_masks", strict=True, overwrite=True)
    assert status == 1 and "0 files written" in out and "strict = True" in err


@pytest.mark.parametrize(("item", "pixels"), [
    ({"segmentation": [[]], **box(*LABEL)}, 1536),
    ({"image_id": "1", "category_id": 2.0, **box(*LABEL)}, 1536),
    ({"iscrowd": 1, "segmentation": {"size": list(SIZE), "counts": [0, 320, 160 * 118]}}, 320),
])
def test_coco_as_other_programs_write_it(convert, item, pixels):
    coco([item])
    assert convert("coco_to_masks")[0] == 0 and labels_in() == pixels


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"images": [{"id": 1, "file_name": "K9.jpg"}]}, "K9.jpg has no height and width: add them, or put the image into"),
    ({"images": [{"id": 1, "file_name": "K1.jpg", "height": 80, "width": 60}]},
     "K1.jpg is for an image of 60 x 80 pixels and images/K1.jpg has 120 x 160"),
    ({"annotations": [{"id": 1, "image_id": 1, "category_id": 2, "segmentation": [[0.1, 0.2, 0.5, 0.2, 0.5, 0.6]]}]},
     "the coordinates look like shares of the image"),
    ({"images": [{"id": 1, "file_name": "K9.jpg", "height": 900, "width": 800}], "annotations": [
        {"id": 1, "image_id": 1, "category_id": 2, "bbox": [5, 70, 30, 20]},
        {"id": 2, "image_id": 1, "category_id": 1, "bbox": [75, 2, 20, 5]}]}, "the coordinates look like percent"),
    ({"annotations": [{"id": 1, "image_id": 1, "category_id": 2, "bbox": [1e300, 0, 1, 1]}]}, "not finite or above"),
    ({"annotations": [{"id": 1, "image_id": 1, "category_id": 2, "segmentation": {
        "size": list(SIZE), "counts": [2**62, 2**62, 2**62, 2**62 + 19200]}}]}, "numbers from 0 to 19200"),
    ({"annotations": [{"id": 1, "image_id": 1, "category_id": 2, "segmentation": {
        "size": list(SIZE), "counts": "o" * 1_000_000}}]}, "character 9 of its run lengths"),
])
def test_coco_images_that_cannot_be_right_are_skipped(convert, changes, sentence):
    coco(**{"annotations": [], **changes})
    status, out, err = convert("coco_to_masks")
    assert status == 1 and "0 files written" in out and sentence in err


def test_coco_without_sizes_takes_those_of_the_images_and_names_of_web_addresses(convert):
    coco([box(*LABEL)], images=[{"id": 1, "file_name": "https://herbarium.example/scans/K1.jpg?size=full&x=.png"}])
    assert convert("coco_to_masks")[0] == 0 and labels_in() == 1536


def test_an_image_named_like_a_label_keeps_its_name(convert):
    coco([box(*LABEL)], images=[{"id": 1, "file_name": "K1_label.jpg", "height": SIZE[0], "width": SIZE[1]}])
    assert convert("coco_to_masks")[0] == 0 and labels_in("K1_label") == 1536


@pytest.mark.parametrize(("line", "pixels"), [
    ("1.0 0.3 0.8 0.4 0.2", 1536), ("1.000000e+00 0.3 0.8 0.4 0.2 0.87", 1536),
    ("1 0.1 0.7 0.5 0.7 0.5 0.9 0.1 0.9 0.46", 1536),
])
def test_yolo_lines_of_other_programs(convert, line, pixels):
    Path("labels/K1.txt").write_text(line)
    Path("labels/README.roboflow.txt").write_text("Exported by a program.\n")
    status, out, err = convert("yolo_to_masks")
    assert status == 0 and labels_in() == pixels and "Not taken for labels: README.roboflow.txt" in err


@pytest.mark.parametrize(("line", "sentence"), [
    ("1 36 128 48 32", "they go up to 128 and look like pixels"),
    ("1 30 80 40 20", "they go up to 80 and look like percent or pixels"),
    ("1 17 0.1 0.7 0.5 0.7 0.5 0.9 0.1 0.9", "the first, 17, looks like the number of an instance"),
    ("1 0.1 0.7 0.5 0.7 0.5 0.9 0.1 0.9 17", "the last, 17, looks like the number of an instance"),
    ("1 0.1 0.7 0.5 0.7 0.5 0.9 0.1 0.9 1.5", "ends with 1.5: one number more is a confidence"),
    ("1.5 0.3 0.8 0.4 0.2", "begins with 1.5: YOLO lines begin with a class index"),
    ("1 0.3 0.8 0.4 1e308", "look like pixels"),
])
def test_yolo_numbers_that_are_no_shares_are_refused(convert, line, sentence):
    Path("labels/K1.txt").write_text(line)
    status, out, err = convert("yolo_to_masks")
    assert status == 1 and "0 files written" in out and sentence in err


@pytest.mark.parametrize(("name", "text"), [
    ("labels/classes.txt", "Label\nBarcode\nScale\nColor chart\n"), ("labels/obj.names", "Label\nBarcode\n"),
    ("data.yaml", "train: images\nnc: 2\nnames: ['Label', 'Barcode']\n"),
    ("data.yaml", "names:\n  0: Label\n  1: Barcode\n"),
])
def test_a_class_list_in_another_order_is_refused(convert, name, text):
    Path("labels/K1.txt").write_text("0 0.3 0.8 0.4 0.2")
    Path(name).write_text(text)
    with pytest.raises(UserError, match='says that class 0 is "Label", and yolo_names says "Barcode": set yolo_names'):
        convert("yolo_to_masks")
    assert convert("yolo_to_masks", yolo_names=("Label", "Barcode", "Scale", "Color chart"))[0] == 0
    assert labels_in() == 1536


def test_a_class_list_that_spells_a_class_in_another_way_is_the_same(convert):
    Path("labels/K1.txt").write_text("1 0.3 0.8 0.4 0.2")
    Path("labels/classes.txt").write_text("Barcode\nLabel\nColor_chart\nScale\n")
    assert convert("yolo_to_masks")[0] == 0 and labels_in() == 1536


def test_voc_polygons_win_and_reversed_corners_are_exchanged(convert):
    triangle = "<polygon><x1>12</x1><y1>112</y1><x2>60</x2><y2>112</y2><x3>12</x3><y3>144</y3></polygon>"
    voc(voc_box(13, 113, 60, 144, triangle))
    status, out, err = convert("voc_to_masks")
    assert status == 0 and labels_in() == 768
    assert "object 1 (Label) has a polygon and a box: the polygon is taken" in err
    voc(voc_box(60, 144, 13, 113))
    status, out, err = convert("voc_to_masks", overwrite=True)
    assert status == 0 and labels_in() == 1536 and "has its corners in reverse order: they are exchanged" in err


@pytest.mark.parametrize(("text", "sentence"), [
    ('<?xml version="1.0" encoding="foo"?><annotation></annotation>', "is not a VOC file (unknown encoding"),
    ("<annotation><size><width>120</width><height>160</height></size>" + voc_box(0.1, 0.2, 0.5, 0.6) + "</annotation>",
     "look like shares of the image"),
])
def test_voc_files_that_cannot_be_right(convert, text, sentence):
    Path("labels/K1.xml").write_text(text)
    status, out, err = convert("voc_to_masks")
    assert status == 1 and sentence in err


def test_a_folder_that_comes_out_all_background_is_said(convert):
    voc()
    status, out, err = convert("voc_to_masks")
    assert status == 0 and "it has no objects, so its mask is all background" in err
    assert "No object was written: the files in out are all background" in err
    assert convert("voc_to_masks", strict=True, overwrite=True)[0] == 1


def index_mask() -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[112:144, 12:60], mask[10:20, 10:20], mask[30:32, 30:32], mask[50:60, 50:60] = 2, 1, 4, 255
    return mask


def test_grey_index_masks_of_three_channels_are_taken_as_they_are(convert):
    Image.fromarray(index_mask()).convert("RGB").save("labels/K1.png")
    status, out, err = convert("colour_to_palette")
    assert status == 0 and "hold class numbers" in err
    np.testing.assert_array_equal(read_mask("out/K1.png"), index_mask())
    assert row(out, "Label") == [1, 1, 0, 0, 0] and row(out, "_ignore_") == [1, 0, 0, 1, 0]


def test_masks_of_0_and_255_do_not_say_the_class(convert):
    Image.fromarray(np.where(index_mask() == 2, 255, 0).astype(np.uint8)).convert("RGB").save("labels/K1.png")
    status, out, err = convert("colour_to_palette")
    assert status == 1 and "holds only 0 and 255: white objects do not say which class they are" in err


@pytest.mark.parametrize("mode", ["masks_to_labelme", "masks_to_yolo"])
def test_what_masks_hold_is_counted_and_their_size_has_to_be_the_images(convert, mode):
    write_mask("labels/K1.png", index_mask())
    status, out, err = convert(mode, min_pixels=9, yolo_names=("Barcode", "Label", "Color chart", "Scale"))
    assert status == 0 and row(out, "Label") == [1, 1, 0, 0, 0] and row(out, "Scale") == [1, 0, 0, 1, 0]
    assert "1 x Scale: ignored (smaller than min_pixels = 9)" in err
    write_mask("labels/K1.png", index_mask()[::2, ::2])
    status, out, err = convert(mode, overwrite=True)
    assert status == 1 and "K1.png is for an image of 60 x 80 pixels and images/K1.jpg has 120 x 160" in err


def labelme(**changes) -> tuple[int, Path]:
    """Converts labels/K1.json with a label in it, and gives the exit status and the folder of the results."""
    corners = [[12, 112], [60, 112], [60, 144], [12, 144]]
    Path("labels/K1.json").write_text(json.dumps({
        "version": "5.5.0", "shapes": [{"label": "Label", "points": corners, "shape_type": "polygon"}],
        "imagePath": "K1.jpg", **changes,
    }))
    status = labelme_to_deeplab.main(config.read(ROOT / "labelme_to_deeplab.py", input_dir="labels", output_dir="out"))
    return status, Path("out")


def test_the_image_with_the_name_of_the_json_file_is_taken(convert, capsys):
    Image.new("RGB", SIZE[::-1], "red").save("labels/K0.png")
    Image.new("RGB", SIZE[::-1], "blue").save("labels/K1.png")
    assert labelme(imagePath="K0.png")[0] == 0
    assert Image.open("out/JPEGImages/K1.jpg").getpixel((5, 5))[2] > 200
    assert "imagePath names K0.png; K1.png has the JSON file's name and is taken" in capsys.readouterr().err


def test_letter_case_of_image_names_does_not_count(convert):
    Image.new("RGB", SIZE[::-1]).save("labels/k1.JPG", format="JPEG")
    assert labelme(imagePath="K1.JPG")[0] == 0


def test_the_embedded_image_is_taken_where_image_path_names_no_image(convert):
    data = base64.b64encode(Path("images/K1.jpg").read_bytes()).decode()
    Path("labels/notes.txt").write_text("no image")
    assert labelme(imagePath="notes.txt", imageData=data)[0] == 0
    assert Path("out/JPEGImages/K1.jpg").read_bytes() == Path("images/K1.jpg").read_bytes()


def test_own_classes_need_no_change_of_label_names(convert):
    Image.new("RGB", SIZE[::-1]).save("labels/K1.jpg")
    person = [{"label": "person", "points": [[0, 0], [9, 0], [9, 9]], "shape_type": "polygon"}]
    Path("labels/K1.json").write_text(json.dumps({"shapes": person, "imagePath": "K1.jpg"}))
    assert labelme_to_deeplab.main(config.read(
        ROOT / "labelme_to_deeplab.py", input_dir="labels", output_dir="out",
        name_classes=("_background_", "person"))) == 0
    assert set(np.unique(read_mask("out/SegmentationClass/K1.png"))) == {0, 1}
