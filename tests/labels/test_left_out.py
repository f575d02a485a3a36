"""Labels that masks do not show: boxes around specimens, unless they are a class of their own."""

from pathlib import Path

from PIL import Image

import convert_labelled
import labelme_to_deeplab
from boxed import write_shapes
from utils import config
from utils.files.masks import read_mask
from utils.labels.names import IGNORE_NAMES, LEFT_OUT, classes_of_labels, label_values
from utils.utils import NAME_CLASSES

BOX = {"label": "Specimen", "shape_type": "rectangle", "points": [[0, 0], [20, 10]]}
LABEL = {"label": "Label", "shape_type": "rectangle", "points": [[2, 1], [6, 5]]}


def test_names():
    for script in (labelme_to_deeplab, convert_labelled):
        values = label_values(NAME_CLASSES, script.label_names)
        assert values["Specimen"] == LEFT_OUT and values["Color_chart"] == 3
        classes = classes_of_labels(NAME_CLASSES, values)
        assert "Specimen" not in classes and classes["Color_chart"] == "Color chart"
        assert {classes[name] for name in IGNORE_NAMES} == {"_ignore_"}
        assert label_values((*NAME_CLASSES, "Specimen"), script.label_names)["Specimen"] == 5


def test_a_box_on_top_hides_nothing(tmp_path: Path, capsys):
    folders = {"input_dir": str(tmp_path / "json"), "output_dir": str(tmp_path / "out")}
    mask = tmp_path / "out" / "SegmentationClass" / "K1.png"
    write_shapes(tmp_path / "json" / "K1.json", (30, 40), [LABEL, BOX])
    Image.new("RGB", (40, 30)).save(tmp_path / "json" / "K1.jpg")
    assert labelme_to_deeplab.main(config.read(labelme_to_deeplab, **folders)) == 0
    assert (read_mask(mask) == 2).sum() == (read_mask(mask) > 0).sum() == 16
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["Label", *"11000"] in rows and ["Specimen", *"10010"] in rows  # read, written, cut, ignored, no pixel
    write_shapes(tmp_path / "json" / "K1.json", (30, 40), [BOX])
    assert labelme_to_deeplab.main(config.read(labelme_to_deeplab, **folders)) == 0
    assert "K1.json: its shapes are left out, so its mask is all background." in capsys.readouterr().err
    own = {"name_classes": ("_background_", "Specimen")}
    assert labelme_to_deeplab.main(config.read(labelme_to_deeplab, **folders, **own)) == 0
    assert (read_mask(mask) == 1).sum() == 200
