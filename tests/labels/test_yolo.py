"""YOLO boxes and polygons to masks, and masks to YOLO."""

import numpy as np
import pytest

from converting import MASK, add_image, boxes
from utils.files.masks import read_mask, write_mask
from utils.utils import UserError


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
