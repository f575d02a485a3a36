"""convert_labelled.py in every mode, on files written here; COCO checked against pycocotools."""

import json
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
from PIL import Image

import convert_labelled
import labelme_to_deeplab
from utils import config
from utils.files.masks import read_mask, write_mask
from utils.labels.conversions import MODES
from utils.labels.formats import labelme
from utils.labels.formats.coco import uncompress_runs
from utils.labels.marked import decode_runs
from utils.utils import NAME_CLASSES, UserError, default_colors, voc_palette

SIZE = (30, 40)  # height, width


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    folder = tmp_path / "labels"
    folder.mkdir()
    (tmp_path / "images").mkdir()
    return folder


@pytest.fixture
def convert(tmp_path: Path, labels: Path):
    """Runs the script from labels/ (images in images/) to out/."""
    def run(mode: str, **changes) -> int:
        usual = {"input_dir": str(labels), "image_dir": str(tmp_path / "images"), "output_dir": str(tmp_path / "out"),
                 "dry_run": False}
        return convert_labelled.main(config.read(convert_labelled, mode=mode, **{**usual, **changes}))

    return run


def boxes(*found: tuple[int, int, int, int, int]) -> np.ndarray:
    """A mask with (value, first row, end row, first column, end column) set one after the other."""
    mask = np.zeros(SIZE, np.uint8)
    for value, top, bottom, left, right in found:
        mask[top:bottom, left:right] = value
    return mask


def add_image(tmp_path: Path, stem: str, size: tuple[int, int] = SIZE) -> None:
    Image.new("RGB", size[::-1], (90, 120, 60)).save(tmp_path / "images" / f"{stem}.jpg")


# strip_suffix

def test_suffixes_are_stripped_in_copies(tmp_path, labels, convert):
    names = {"K.1_label.png": "K.1.png", "K2_labels.png": "K2.png", "K3.jpg": "K3.jpg", "_label.png": "_label.png",
             "K4_label_x.png": "K4_label_x.png", "K5_labels_label.txt": "K5_labels.txt"}
    for name in names:
        (labels / name).write_text(name, encoding="utf-8")
    assert convert("strip_suffix") == 0
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {v: k for k, v in names.items()}
    assert {path.name for path in labels.iterdir()} == set(names)


def test_names_that_become_one_are_refused_before_any_work(tmp_path, labels, convert):
    for name in ("A.png", "K1.png", "K1_label.png"):
        (labels / name).touch()
    with pytest.raises(UserError, match="would both be written to"):
        convert("strip_suffix")
    assert not (tmp_path / "out").exists()


def test_subfolders_are_kept(tmp_path, labels, convert):
    (labels / "a").mkdir()
    for name in ("K1_label.png", "a/K1_label.png"):
        (labels / name).touch()
    assert convert("strip_suffix", recursive=True) == 0
    assert (tmp_path / "out/K1.png").is_file() and (tmp_path / "out/a/K1.png").is_file()


# what holds for all modes

def test_dry_run_writes_nothing(tmp_path, labels, convert, capsys):
    (labels / "K1_label.png").touch()
    assert convert("strip_suffix", dry_run=True) == 0
    out = capsys.readouterr().out
    assert f"{labels / 'K1_label.png'} -> {tmp_path / 'out' / 'K1.png'}" in out and "1 files would be written" in out
    assert not (tmp_path / "out").exists()


def test_files_that_are_there_are_replaced_only_on_demand(tmp_path, labels, convert):
    (labels / "K1_label.png").write_text("new")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/K1.png").write_text("old")
    with pytest.raises(UserError, match="1 of 1 outputs are there already"):
        convert("strip_suffix")
    assert (tmp_path / "out/K1.png").read_text() == "old"
    assert convert("strip_suffix", overwrite=True) == 0
    assert (tmp_path / "out/K1.png").read_text() == "new"


def test_folder_that_cannot_be_written_to(tmp_path, labels, convert, capsys):
    (labels / "K1.png").touch()
    (tmp_path / "out").touch()  # a file where the folder should be
    assert convert("strip_suffix") == 1
    assert f"{labels / 'K1.png'} cannot be converted to {tmp_path / 'out' / 'K1.png'}" in capsys.readouterr().err


def test_every_mode_of_the_constant_exists():
    hint = get_type_hints(convert_labelled)["mode"]
    assert set(get_args(hint)) == set(MODES)


@pytest.mark.parametrize("output, recursive", [("labels", False), ("images", False), ("labels/out", True)])
def test_output_among_the_inputs_is_refused(tmp_path, labels, convert, output, recursive):
    (labels / "K1.png").touch()
    with pytest.raises(UserError, match="so that no original is replaced"):
        convert("strip_suffix", output_dir=str(tmp_path / "images/.." / output), recursive=recursive)


@pytest.mark.parametrize("changes, message", [
    ({"polygon_tolerance": -1.0}, "polygon_tolerance is -1.0"),
    ({"polygon_tolerance": float("nan")}, "polygon_tolerance is nan"),
    ({"min_pixels": 0}, "min_pixels is 0"),
    ({"color_tolerance": -0.5}, "color_tolerance is -0.5"),
    ({"color_table": {"Labl": (1, 2, 3)}}, '"Labl"'),
    ({"color_table": {"Label": (1, 2, 3), "Scale": (1, 2, 3)}}, "one colour to two classes"),
    ({"input_dir": "no/such/folder"}, "not a folder"),
    ({}, "holds no .jpg or .jpeg or .png"),
])
def test_constants_that_do_not_fit(convert, changes, message):
    with pytest.raises(UserError, match=message.replace(".", r"\.")):
        convert("colour_to_palette", **changes)


def test_default_colour_table_is_the_palette_of_the_masks():
    table = convert_labelled.color_table
    assert tuple(table) == (*NAME_CLASSES, "_ignore_")
    assert [table[name] for name in NAME_CLASSES] == default_colors(len(NAME_CLASSES))
    assert table["_ignore_"] == tuple(voc_palette()[255])


# colour_to_palette

def test_colours_become_the_nearest_class_within_the_tolerance(tmp_path, labels, convert, capsys):
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[0] = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]
    pixels[1] = [(0, 0, 128), (224, 224, 192), (100, 28, 10), (255, 0, 255)]  # (28, 28, 10): distance 40.8
    Image.fromarray(pixels).save(labels / "K1_label.png")
    assert convert("colour_to_palette") == 0
    assert read_mask(tmp_path / "out/K1.png").tolist() == [[0, 1, 2, 3], [4, 255, 255, 255]]
    assert "K1_label.png: 25.00% of the pixels are near no colour" in capsys.readouterr().err
    assert convert("colour_to_palette", color_tolerance=41.0, overwrite=True) == 0
    assert read_mask(tmp_path / "out/K1.png").tolist() == [[0, 1, 2, 3], [4, 255, 1, 255]]
    with Image.open(tmp_path / "out/K1.png") as image:
        assert image.mode == "P" and image.getpalette("RGB")[:15] == voc_palette()[:5].ravel().tolist()


def test_adaptive_palettes_get_the_same_numbers(tmp_path, labels, convert):
    """Two files whose own palettes number the same colours differently."""
    for stem, order in (("K1", [(0, 128, 0), (128, 0, 0)]), ("K2", [(128, 0, 0), (0, 128, 0)])):
        image = Image.fromarray(np.array([[order.index((128, 0, 0)), order.index((0, 128, 0))]], np.uint8))
        image.putpalette(np.ravel(order).tolist())
        image.save(labels / f"{stem}.png")
    assert convert("colour_to_palette") == 0
    assert [read_mask(tmp_path / f"out/{stem}.png").tolist() for stem in ("K1", "K2")] == [[[1, 2]], [[1, 2]]]


def test_bad_file_is_named_and_the_others_finished(tmp_path, labels, convert, capsys):
    Image.new("RGB", (3, 2), (0, 128, 0)).save(labels / "K2.png")
    (labels / "K1.png").touch()
    assert convert("colour_to_palette") == 1
    out, err = capsys.readouterr()
    assert "K1.png is empty" in err and "1 files written" in out and "1 skipped" in out
    assert (read_mask(tmp_path / "out/K2.png") == 2).all()


# VOC

def voc(*found: tuple[str, int, int, int, int]) -> str:
    items = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        "</bndbox></object>" for name, x0, y0, x1, y1 in found
    )
    return f"<annotation><size><width>{SIZE[1]}</width><height>{SIZE[0]}</height></size>{items}</annotation>"


def test_voc_boxes_hold_both_corner_pixels_counted_from_one(tmp_path, labels, convert):
    (labels / "K.1.xml").write_text(voc(("Barcode", 5, 3, 8, 4), ("Label", 1, 1, 20, 10)), encoding="utf-8")
    assert convert("voc_to_masks") == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "out/K.1.png"), boxes((2, 0, 10, 0, 20), (1, 2, 4, 4, 8)))
    assert convert("voc_to_masks", voc_origin=0, overwrite=True) == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "out/K.1.png"), boxes((2, 1, 11, 1, 21), (1, 3, 5, 5, 9)))


def test_voc_names(tmp_path, labels, convert):
    (labels / "K1.xml").write_text(voc(("Color_chart", 1, 1, 2, 2), ("logo", 5, 5, 6, 6)), encoding="utf-8")
    with pytest.raises(UserError, match=r'Unknown labels: "logo" \(1 x in K1.xml\)'):
        convert("voc_to_masks")
    assert convert("voc_to_masks", label_names={"Color_chart": "Color chart", "logo": "_ignore_"}) == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "out/K1.png"), boxes((3, 0, 2, 0, 2), (255, 4, 6, 4, 6)))


@pytest.mark.parametrize("content, message", [
    ("<annotation>", "is not a VOC file"),
    ("<annotation></annotation>", "needs size/height"),
    (voc(("Label", 1, 1, 2, 2)).replace("bndbox>", "robndbox>"), "is not a VOC file"),
    (voc(("Label", 1, 1, 2, 2)).replace("<name>Label</name>", ""), "is not a VOC file"),
    (voc().replace("40", "0"), "has the size 0 x 30"),
    (voc().replace("40", "inf"), "is not a VOC file"),
    (voc().replace("40", "100000000"), "has the size 100000000 x 30"),
])
def test_bad_voc_files_are_named(tmp_path, labels, convert, capsys, content, message):
    (labels / "bad.xml").write_text(content, encoding="utf-8")
    (labels / "good.xml").write_text(voc(), encoding="utf-8")
    assert convert("voc_to_masks") == 1
    assert f"{labels / 'bad.xml'} " in (err := capsys.readouterr().err) and message in err
    assert not read_mask(tmp_path / "out/good.png").any()


# YOLO

def test_yolo_boxes_and_polygons(tmp_path, labels, convert):
    add_image(tmp_path, "K1")
    (labels / "classes.txt").write_text("Barcode\nLabel\n", encoding="utf-8")
    (labels / "K1.txt").write_text(
        "0 0.25 0.2 0.1 0.2\n"  # centre (10, 6), 4 wide, 6 high; lies on the label, and yet comes first
        "1 0 0 0.5 0 0.5 0.5 0 0.5\n"
        "\n3 0.75 0.7 0.25 0.2 0.9876\n"  # a detector's confidence at the end
        "2 0.6 0.1 0.7 0.1 0.7 0.2 0.6 0.2 0.5\n", encoding="utf-8")
    assert convert("yolo_to_masks") == 0
    expected = boxes((2, 0, 15, 0, 20), (1, 3, 9, 8, 12), (4, 18, 24, 25, 35), (3, 3, 6, 24, 28))
    np.testing.assert_array_equal(read_mask(tmp_path / "out/K1.png"), expected)


@pytest.mark.parametrize("line, message", [
    ("4 0.5 0.5 0.1 0.1", "line 1 has class 4: yolo_names names 0 to 3"),
    ("-1 0.5 0.5 0.1 0.1", "line 1 has class -1"),
    ("Label 0.5 0.5 0.1 0.1", 'line 1 is "Label 0.5'),
    ("1 0.5 0.5 0.1 x", 'line 1 is "1 0.5'),
    ("1 0.5 0.5 0.1", "line 1 has 3 numbers: a box has 4"),
    ("1 0.5 0.5 0.1 nan", "line 1 has 4 numbers"),
    ("1 0.5 0.5 0.1 \xff", "cannot be read as text"),
])
def test_bad_yolo_files_are_named(tmp_path, labels, convert, capsys, line, message):
    add_image(tmp_path, "K1")
    (labels / "K1.txt").write_text(line, encoding="latin-1")
    assert convert("yolo_to_masks") == 1
    assert str(labels / "K1.txt") in (err := capsys.readouterr().err) and message in err


def test_yolo_needs_one_image(tmp_path, labels, convert, capsys):
    (labels / "K1.txt").write_text("", encoding="utf-8")
    assert convert("yolo_to_masks") == 1
    assert "needs one image with the stem K1" in capsys.readouterr().err
    add_image(tmp_path, "K1")
    assert convert("yolo_to_masks", yolo_names=("Label",)) == 0
    assert not read_mask(tmp_path / "out/K1.png").any()
    with pytest.raises(UserError, match='"stamp"'):
        convert("yolo_to_masks", yolo_names=("stamp",))


# masks to YOLO

MASK = boxes((2, 5, 20, 10, 34), (1, 8, 12, 15, 20), (3, 24, 28, 0, 40), (255, 0, 3, 0, 5))


def test_masks_to_yolo_boxes_by_hand(tmp_path, labels, convert):
    write_mask(labels / "K1.png", MASK)
    assert convert("masks_to_yolo", yolo_shape="boxes") == 0
    lines = [[float(word) for word in line.split()] for line in (tmp_path / "out/K1.txt").read_text().splitlines()]
    np.testing.assert_allclose(lines, [  # largest first; class, centre and size as shares of 40 x 30
        [1, 22 / 40, 12.5 / 30, 24 / 40, 15 / 30],
        [2, 20 / 40, 26 / 30, 1, 4 / 30],
        [0, 17.5 / 40, 10 / 30, 5 / 40, 4 / 30],
    ], atol=1e-6)


def test_masks_to_yolo_polygons_and_back(tmp_path, labels, convert):
    write_mask(labels / "K1.png", MASK)
    add_image(tmp_path, "K1")
    assert convert("masks_to_yolo", polygon_tolerance=0.0) == 0
    assert convert("yolo_to_masks", input_dir=str(tmp_path / "out"), output_dir=str(tmp_path / "back")) == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "back/K1.png"), np.where(MASK == 255, 0, MASK))


def test_yolo_classes_in_another_order_and_left_out(tmp_path, labels, convert):
    write_mask(labels / "K1.png", MASK)
    assert convert("masks_to_yolo", yolo_names=("Scale", "Color chart", "Label")) == 0
    lines = (tmp_path / "out/K1.txt").read_text().splitlines()
    assert sorted(line.split()[0] for line in lines) == ["1", "2"]  # no barcode
    with pytest.raises(UserError, match="stamp"):
        convert("masks_to_yolo", yolo_names=("Scale", "stamp"))


# masks to labelme

def test_masks_to_labelme_and_back_is_exact(tmp_path, labels, convert):
    generator = np.random.default_rng(0)
    mask = generator.choice([0, 1, 2, 255], (10, 8)).astype(np.uint8).repeat(3, 0).repeat(5, 1)
    mask[12:18, 12:18] = 0
    write_mask(labels / "K.1.png", mask)
    add_image(tmp_path, "K.1")
    assert convert("masks_to_labelme", polygon_tolerance=0.0) == 0
    data = json.loads((tmp_path / "out/K.1.json").read_text(encoding="utf-8"))
    assert data["imagePath"] == "../images/K.1.jpg" and data["imageData"] is None
    assert (data["imageHeight"], data["imageWidth"]) == SIZE
    folders = {"input_dir": str(tmp_path / "out"), "output_dir": str(tmp_path / "back")}
    settings = config.read(labelme_to_deeplab, **folders, seam=0.0)
    assert labelme_to_deeplab.main(settings) == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "back/SegmentationClass/K.1.png"), mask)


def test_masks_to_labelme_by_hand(tmp_path, labels, convert):
    write_mask(labels / "K1_labels.png", MASK)
    add_image(tmp_path, "K1")
    assert convert("masks_to_labelme", min_pixels=16) == 0
    shapes = json.loads((tmp_path / "out/K1.json").read_text(encoding="utf-8"))["shapes"]
    assert [shape["label"] for shape in shapes] == ["Label", "Color chart", "Barcode"]  # _ignore_ has 15 pixels
    assert sorted(shapes[2]["points"]) == [[15, 8], [15, 12], [20, 8], [20, 12]]


def test_bad_masks_are_named(tmp_path, labels, convert, capsys):
    write_mask(labels / "odd.png", boxes((9, 0, 3, 0, 3)))
    Image.new("RGB", (4, 4)).save(labels / "colour.png")
    write_mask(labels / "no_image.png", MASK)
    assert convert("masks_to_labelme") == 1
    err = capsys.readouterr().err
    assert "odd.png has the values 9: allowed are 0 to 4 and 255" in err
    assert "colour.png is a 24-bit colour image" in err and "one image with the stem no_image" in err


def test_no_relative_path_between_drives(tmp_path, monkeypatch):
    def relpath(path: str, start: str) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")  # what Windows says

    monkeypatch.setattr(labelme.os.path, "relpath", relpath)
    with pytest.raises(UserError, match="different drives"):
        labelme.write_labelme(tmp_path / "K1.json", [], {}, SIZE, Path("K1.jpg"))


# COCO

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
