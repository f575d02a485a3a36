"""predict.py with a network that tells objects of one class apart."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import predict
from coloured import ColourModel, run, sheet
from helpers import csv_rows
from utils.files.images import read_image
from utils.files.masks import read_instances


class CountingModel(ColourModel):
    """The barcode is one object on its left half and another on its right; of the label nothing is known."""

    finds_instances = True

    def segment_sheet(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mask, probability, _ = super().segment_sheet(image)
        return mask, probability, numbers(mask)


def numbers(mask: np.ndarray) -> np.ndarray:
    columns = np.arange(mask.shape[1])
    return np.where(mask == 1, np.where(columns < 15, 1, 300), 0).astype(np.uint16)


@pytest.fixture
def counting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(predict, "Segmenter", CountingModel)
    return folder


def test_instances_crops_and_tables(counting):
    Path("img/a").mkdir()
    Image.fromarray(sheet()).save("img/a/K.1.png")
    assert run(recursive=True, count=True, crops=True) == 0
    found = cv2.imread("img_out/instances/a/K.1.png", cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint16 and found.shape == (40, 30)
    np.testing.assert_array_equal(found, numbers(ColourModel().segment(sheet())))
    header, *rows = csv_rows(Path("img_out/objects.csv"))
    columns = [header.index(name) for name in ("class", "left", "width", "area", "crop", "instance")]
    assert [[row[column] for column in columns] for row in rows] == [
        ["Barcode", "5", "10", "100", "crops/a/K.1_Barcode_1.jpg", "1"],
        ["Barcode", "15", "10", "100", "crops/a/K.1_Barcode_2.jpg", "300"],
        ["Label", "0", "8", "64", "crops/a/K.1_Label_1.jpg", ""],
    ]
    assert [read_image(f"img_out/crops/a/K.1_Barcode_{number}.jpg").shape for number in (1, 2)] == [(10, 10, 3)] * 2


def test_one_image(counting, capsys):
    Image.fromarray(sheet()).save("a.png")
    assert run(mode="image", image="a.png") == 0
    paths = [Path("img_out", *parts) for parts in (["a.png"], ["masks", "a.png"], ["instances", "a.png"])]
    assert capsys.readouterr().out == f"{paths[0]}, {paths[1]} and {paths[2]} written.\n"
    assert read_instances(paths[2]).max() == 300


def test_what_a_killed_run_left_is_removed(counting):
    Image.fromarray(sheet()).save("img/a.png")
    abandoned = Path("img_out/instances/.tmp_abandon1.png")
    abandoned.parent.mkdir(parents=True)
    abandoned.touch()
    os.utime(abandoned, (0, 0))
    assert run() == 0
    assert [path.name for path in abandoned.parent.iterdir()] == ["a.png"]


def test_a_network_without_instances_writes_none(folder):
    Image.fromarray(sheet()).save("img/a.png")
    assert run() == 0
    assert sorted(path.name for path in Path("img_out").iterdir()) == ["a.png", "masks"]
