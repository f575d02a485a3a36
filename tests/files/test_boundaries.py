"""Whatever a library raises within a reader or a writer is one sentence about that file, and the others go on."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import get_miou
from helpers import ROOT, make_dataset
from utils import config
from utils.files import images
from utils.files.images import reading, writing
from utils.files.voc import VocDataset
from utils.training.preflight import preflight
from utils.utils import UserError

ERRORS = [AttributeError("no such tag"), AssertionError("odd"), RecursionError("deep"), ZeroDivisionError("by zero"),
          NotImplementedError("kind"), KeyError(271), StopIteration(),
          UnicodeDecodeError("ascii", b"\xff", 0, 1, "odd")]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("boundary, words", [(reading, "x.jpg cannot be read"), (writing, "x.jpg cannot be written")])
def test_any_error_becomes_a_sentence(error, boundary, words):
    with pytest.raises(UserError, match=words) as found:
        with boundary(Path("x.jpg")):
            raise error
    assert found.value.__cause__ is error


@pytest.mark.parametrize("boundary", [reading, writing])
def test_sentences_and_the_users_own_ctrl_c_pass(boundary):
    for error in (UserError("a sentence", 2), KeyboardInterrupt(), SystemExit(3)):
        with pytest.raises(type(error)) as found:
            with boundary(Path("x.jpg")):
                raise error
        assert found.value is error


@pytest.fixture
def dataset(tmp_path):
    """Two sheets for training, two for validation; PNG, as Pillow reads these."""
    folder = make_dataset(tmp_path / "data", train=2, val=2)
    for path in list((folder / "JPEGImages").iterdir()):
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    return folder


def break_first(monkeypatch, stem: str) -> None:
    """Pillow fails with what nobody expects for the images of a stem."""
    real = images.keep

    def keep(image: Image.Image, path: Path) -> object:
        if Path(path).stem == stem:
            raise AttributeError("'IFDRational' object has no attribute 'encode'")
        return real(image, path)
    monkeypatch.setattr(images, "keep", keep)


def test_the_look_before_training_names_the_file_and_goes_on(dataset, monkeypatch):
    data = VocDataset(dataset.parent, dataset.name)
    files = data.files("train") + data.files("val")
    break_first(monkeypatch, files[1][0].stem)
    with pytest.raises(UserError, match=rf"1 of 4 sheets cannot be used:\n.*{files[1][0].name} cannot be read"):
        preflight(files, 5, progress=False)


class NoModel:
    """In the place of DeeplabV3: sees nothing."""

    name_classes = ["_background_", "Barcode", "Label", "Color chart", "Scale"]
    colors = [(index, 0, 0) for index in range(5)]

    def __init__(self, *arguments: object, **options: object) -> None:
        pass

    def segment(self, image: np.ndarray) -> np.ndarray:
        return np.zeros(image.shape[:2], np.uint8)


def test_evaluation_names_the_file_and_goes_on(dataset, tmp_path, monkeypatch, capsys):
    stems = VocDataset(dataset.parent, dataset.name).stems("val")
    break_first(monkeypatch, stems[0])
    monkeypatch.setattr(get_miou, "DeeplabV3", NoModel)
    settings = config.read(ROOT / "get_miou.py", dataset_path=str(dataset.parent), dataset=dataset.name,
                           out_dir=str(tmp_path / "out"))
    assert get_miou.main(settings) == 1
    assert f"{stems[0]}.png cannot be read" in capsys.readouterr().err
    assert [path.stem for path in (tmp_path / "out" / "masks").iterdir()] == stems[1:]
    assert json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
