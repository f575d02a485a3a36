"""Masks to labelme files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelme_to_deeplab
from converting import MASK, SIZE, add_image, boxes
from utils import config
from utils.files.masks import read_mask, write_mask
from utils.labels.formats import labelme
from utils.utils import UserError


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
