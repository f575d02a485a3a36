"""convert_labelled.py --mode=yolo_dataset: from masks, labelme files and specimens to a data set for train_yolo.py."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from boxed import write_shapes
from converting import MASK, SIZE, add_image, converter
from utils.detection.boxes import DETECTION_CLASSES
from utils.detection.data.layouts import label_file, open_boxes
from utils.detection.data.samples import read_boxes
from utils.files.masks import write_mask
from utils.utils import UserError


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., int]:
    """The converter, with a mask, a labelme file, their images and the boxes of their plants."""
    run = converter(tmp_path)
    write_mask(tmp_path / "labels" / "K1.png", MASK)
    write_shapes(tmp_path / "labels" / "K2_label.json", SIZE, [
        {"label": "Scale", "shape_type": "rectangle", "points": [[4, 6], [8, 12]]}])
    for stem in ("K1", "K2"):
        add_image(tmp_path, stem)
    (tmp_path / "plants.json").write_text(json.dumps({
        "K1.jpg": {"specimens": [[0, 0, 20, 15], [35, 10, 60, 20]]}, "K2.jpg": {"specimens": []}}))
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.txt").write_text("K1\nK9\n")
    (tmp_path / "lists" / "val.txt").write_text("K2\n")
    return lambda **changes: run("yolo_dataset", **{"specimens": str(tmp_path / "plants.json"), **changes})


def test_a_data_set_is_made_and_read_back(
    tmp_path: Path, convert: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(lists=str(tmp_path / "lists")) == 0
    out = tmp_path / "out"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.*")) == [
        "data.yaml", "images/train/K1.jpg", "images/val/K2.jpg", "labels/train/K1.txt", "labels/val/K2.txt"]
    lines = [line.split() for line in (out / "labels/train/K1.txt").read_text().splitlines()]
    # the barcode is at x 15 to 20 of 40, y 8 to 12 of 30; the second plant is cut at the right edge
    np.testing.assert_allclose([list(map(float, line)) for line in lines], [
        [0, 17.5 / 40, 10 / 30, 5 / 40, 4 / 30], [1, 22 / 40, 12.5 / 30, 24 / 40, 15 / 30],
        [2, 0.5, 26 / 30, 1, 4 / 30], [4, 0.25, 0.25, 0.5, 0.5], [4, 37.5 / 40, 0.5, 5 / 40, 10 / 30]], atol=1e-6)
    assert (out / "labels/val/K2.txt").read_text() == "3 0.15 0.3 0.1 0.2\n"
    content = yaml.safe_load((out / "data.yaml").read_text())
    assert list(content["names"].values()) == list(DETECTION_CLASSES)
    (sheet,) = read_boxes(open_boxes(tmp_path, "out", DETECTION_CLASSES, {}), "train")
    np.testing.assert_allclose(sheet.boxes[:, 0], [0, 1, 2, 4, 4])
    printed = capsys.readouterr()
    rows = {line[:12].strip(): line[12:].split() for line in printed.out.splitlines() if line[:1].isupper()}
    assert rows["Specimen"] == ["2", "2", "1", "0", "0"] and rows["Scale"] == ["1", "1", "0", "0", "0"]
    assert "K1.png: 1 x Specimen: cut at the border" in printed.err


def test_sheets_in_no_list_are_counted(
    tmp_path: Path, convert: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lists" / "val.txt").write_text("")
    assert convert(lists=str(tmp_path / "lists")) == 0
    assert "1 of 2 sheets are in no list" in capsys.readouterr().err
    with pytest.raises(UserError, match="train.txt is not there"):
        convert(lists=str(tmp_path / "no"), overwrite=True)


@pytest.mark.skipif(os.name != "posix", reason="links need permissions on Windows")
def test_links_leave_the_images_alone(tmp_path: Path, convert: Callable[..., int]) -> None:
    images = sorted((tmp_path / "images").iterdir())
    images[0].chmod(0o444)
    before = [(path.stat().st_mode, path.read_bytes()) for path in images]
    for overwrite in (False, True):
        assert convert(link_images=True, overwrite=overwrite) == 0
    linked = sorted((tmp_path / "out" / "images" / "train").iterdir())
    assert [path.resolve() for path in linked] == images and all(path.is_symlink() for path in linked)
    assert [(path.stat().st_mode, path.read_bytes()) for path in images] == before


def test_what_does_not_fit_is_named(
    tmp_path: Path, convert: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plants.json").write_text(json.dumps({"K1.jpg": {"specimens": []}}))
    write_mask(tmp_path / "labels" / "K1.png", MASK[:, :-1])
    assert convert() == 1
    err = capsys.readouterr().err
    assert "plants.json does not list K2" in err and "K1.png is 39 x 30 pixels and the image is 40 x 30" in err
    write_shapes(tmp_path / "labels" / "K3.json", SIZE, [
        {"label": "Plant", "shape_type": "rectangle", "points": [[4, 6], [8, 12]]}])
    with pytest.raises(UserError, match='Unknown labels: "Plant"'):
        convert(overwrite=True)


def test_label_files_lie_beside_images() -> None:
    assert label_file(Path("images/a/images/train/K.1.jpg")) == Path("images/a/labels/train/K.1.txt")
    assert label_file(Path("a/K.1.jpg")) == Path("a/K.1.txt")
