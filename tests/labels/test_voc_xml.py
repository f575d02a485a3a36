"""VOC boxes to masks."""

import numpy as np
import pytest

from converting import SIZE, boxes
from utils.files.masks import read_mask
from utils.utils import UserError


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
