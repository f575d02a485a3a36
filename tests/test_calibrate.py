"""calibrate.py from a data set on disk to a checkpoint, with a model that reads class and probability off the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import calibrate
from helpers import checkpoint_of, new_deeplab
from utils import config
from utils.files.masks import write_mask
from utils.network.checkpoint import load_checkpoint, save_checkpoint
from utils.scoring import reliability
from utils.utils import UserError

NAMES = ["_background_", "Barcode", "Label"]


class ColourModel:
    """Stands in for DeeplabV3: the class of a pixel is its red value / 10, its probability is its green value / 250."""

    name_classes = NAMES

    def __init__(self, model_path: str, device: str, min_confidence: float) -> None:
        assert device == "cpu" and min_confidence == 0

    def segment_with_probability(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return image[..., 0] // 10, image[..., 1] / np.float32(250)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of six sheets of three institutions, and a checkpoint; false objects have the probability 0.6."""
    monkeypatch.setattr(calibrate, "DeeplabV3", ColourModel)
    monkeypatch.setattr(reliability, "plot_reliability", lambda path, curves, title: path.write_bytes(b"drawn"))
    monkeypatch.chdir(tmp_path)
    for name in ("JPEGImages", "ImageSets/Segmentation"):
        (tmp_path / "data" / name).mkdir(parents=True)
    stems = [f"{code}_{number}" for code in ("BM", "K", "NY") for number in (1, 2)]
    for place, stem in enumerate(stems):
        truth = np.zeros((60, 40), np.uint8)
        truth[5:20, 5:20], truth[30:50, 5:30] = 1, 2
        image = np.zeros((60, 40, 3), np.uint8)
        image[..., 0] = truth * 10
        image[52:58, 20:38, 0] = 10 * (1 + place % 2)  # false
        image[..., 1] = np.where(truth > 0, 235 + place, 150)
        write_mask(tmp_path / "data" / "SegmentationClass" / f"{stem}.png", truth)
        Image.fromarray(image).save(tmp_path / "data" / "JPEGImages" / f"{stem}.png")
    (tmp_path / "data" / "ImageSets" / "Segmentation" / "val.txt").write_text("\n".join(stems))
    save_checkpoint("weights.pth", checkpoint_of(new_deeplab(3), [64, 64]), half=True)
    return tmp_path


def run(**changes: object) -> int:
    return calibrate.main(config.read(calibrate, **{
        "dataset_path": ".", "dataset": "data", "model_path": "weights.pth", "output_path": "new.pth", "device": "cpu",
        **changes}))


def test_a_copy_gets_calibration_and_limit(folder: Path, capsys: pytest.CaptureFixture) -> None:
    before = (folder / "weights.pth").read_bytes()
    assert run(false_price=3.0) == 0
    old, new = load_checkpoint("weights.pth"), load_checkpoint("new.pth")
    assert new.min_confidence == 0.75 and len(new.calibration) == 3 and new.calibration[0] == [1, 0]
    assert all(torch.equal(value, new.model[name]) for name, value in old.model.items())
    assert (folder / "weights.pth").read_bytes() == before
    assert (folder / "new.pth").stat().st_size < 1.05 * len(before), "half precision is kept"
    report = (folder / "calibration_out" / "reliability.md").read_text()
    assert report.startswith("18 objects of 3 institutions, 12 of them right.") and report in capsys.readouterr().out
    assert "| Barcode | 6 | 6 | 3 | 0 |" in report and "| Label | 6 | 6 | 3 | 0 |" in report
    assert (folder / "calibration_out" / "reliability.png").read_bytes() == b"drawn"


def test_another_checkpoint_may_get_it(folder: Path) -> None:
    save_checkpoint("sibling.pth", checkpoint_of(new_deeplab(3), [64, 64]))
    assert run(for_path="sibling.pth", separator="") == 0
    new, sibling = load_checkpoint("new.pth"), load_checkpoint("sibling.pth")
    assert new.calibration and not sibling.calibration
    assert all(torch.equal(value, new.model[name]) for name, value in sibling.model.items())
    names = ["_background_", "Barcode", "Stamp"]
    save_checkpoint("other.pth", checkpoint_of(new_deeplab(3), [64, 64], name_classes=names))
    with pytest.raises(UserError, match="other.pth finds Barcode, Stamp, and weights.pth Barcode, Label"):
        run(for_path="other.pth")


def test_bad_sheets_are_counted_and_originals_kept(folder: Path, capsys: pytest.CaptureFixture) -> None:
    (folder / "data" / "JPEGImages" / "K_1.png").write_bytes(b"")
    write_mask(folder / "data" / "SegmentationClass" / "NY_2.png", np.zeros((60, 41), np.uint8))
    assert run() == 1
    said = capsys.readouterr()
    assert "4 of 6 sheets used, 2 bad or missing" in said.out and "NY_2.png has 41 x 60 pixels" in said.err
    for path in ("weights.pth", "./weights.pth"):
        with pytest.raises(UserError, match="output_path is .*weights.pth, which is read"):
            run(output_path=path)
    with pytest.raises(UserError, match="false_price is -1"):
        run(false_price=-1.0)
