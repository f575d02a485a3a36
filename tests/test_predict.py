"""predict.py: images that are asked for, speed, export and the whole script; folders and videos are in predicting/."""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

import predict
from coloured import ColourModel, run, sheet, truth, working_folder
from helpers import checkpoint_of, dot, new_deeplab
from utils import config
from utils.files.images import read_image
from utils.files.masks import read_mask
from utils.network import onnx_export
from utils.network.checkpoint import save_checkpoint
from utils.predicting import timing
from utils.utils import UserError


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "model.pth"
    save_checkpoint(path, checkpoint_of(new_deeplab(3), [64, 64]))
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return working_folder(tmp_path, monkeypatch)


# ---- Image ----

def test_one_image(folder, capsys):
    Image.fromarray(sheet()).save("a b.png")
    assert run(mode="image", image="a b.png", count=True) == 0
    np.testing.assert_array_equal(read_mask("img_out/masks/a b.png"), truth())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{Path('img_out/a b.png')} and {Path('img_out/masks/a b.png')} written."
    assert [line.split() for line in lines[1:4]] == [
        ["_background_", "936", "pixels", "78.000", "%"], ["Barcode", "200", "pixels", "16.667", "%"],
        ["Label", "64", "pixels", "5.333", "%"],
    ]
    assert lines[4].split(None, 1)[1].strip() == "200 pixels at row 2, column 5, 10 high, 20 wide"
    assert run(mode="image", image="a b.png", crops=True) == 0
    crop = Path("img_out/crops/a b_Label_1.jpg")
    assert capsys.readouterr().out.splitlines()[2] == f"{crop} written." and read_image(crop).shape == (8, 8, 3)


def test_images_are_asked_for_until_an_empty_line(folder, monkeypatch, capsys):
    Image.fromarray(sheet()).save("a.png")
    answers = iter(["a.png", "typo.png", ' "a.png" ', ""])
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    assert run(mode="image") == 1  # for the typo
    out, err = capsys.readouterr()
    assert out.count("a.png written") == 2 and "typo.png is not there" in err
    assert next(answers, "none left") == "none left"


def test_the_end_of_the_input_is_an_empty_line(folder, monkeypatch):
    def ended(prompt):  # Ctrl-D, or no console
        raise EOFError

    monkeypatch.setattr("builtins.input", ended)
    assert run(mode="image") == 0


def test_an_image_in_the_output_folder_is_not_overwritten(folder, capsys):
    Image.fromarray(sheet()).save("img/a.png")
    before = Path("img/a.png").read_bytes()
    assert run(mode="image", image="img/a.png", output_dir="img") == 1
    assert "is an input and would be overwritten" in capsys.readouterr().err
    assert Path("img/a.png").read_bytes() == before


# ---- Speed ----

def test_fps(folder, monkeypatch, capsys):
    Image.fromarray(sheet()).save("img/a.png")
    clock = iter([0, 9, 10, 19, 20, 29, 30, 30.1, 40, 40.2, 50, 50.3])  # three to warm up, then 0.1, 0.2 and 0.3 s
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    assert run(mode="fps", fps_repeats=3) == 0
    out = capsys.readouterr().out
    assert f"{Path('img/a.png')}, 40 x 30 pixels on cpu: 200.0 ms an image (120.0 to 280.0 ms), 5.0 images/s" in out


@pytest.mark.parametrize("changes", [{}, {"fps_repeats": 0, "image": "a.png"}])
def test_fps_needs_an_image_and_repeats(folder, changes):
    with pytest.raises(UserError, match="Mode fps needs an image"):
        run(mode="fps", **changes)


# ---- Export, with the real network ----

def test_onnx(checkpoint, tmp_path, capsys):
    path = tmp_path / "ü" / "model.onnx"
    assert run(mode="onnx", model_path=str(checkpoint), onnx_path=str(path)) == 0
    assert "logits differ by at most" in capsys.readouterr().out
    model = new_deeplab(3).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["model"])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 64, 64), (3, 3, 50, 97)):  # batch, height and width are free
        images = torch.rand(shape)
        with torch.inference_mode():
            expected = model(images).numpy()
        np.testing.assert_allclose(session.run(None, {"image": images.numpy()})[0], expected, atol=1e-5)
    about = session.get_modelmeta().custom_metadata_map
    assert about["name_classes"] == '["_background_", "Barcode", "Label"]' and about["input_shape"] == "[64, 64]"
    assert about["min_confidence"] == "0.0"  # this checkpoint says nothing
    assert [entry.version for entry in onnx.load(path).opset_import] == [17]
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]


def test_onnx_says_that_instances_are_left_out(folder, monkeypatch, capsys):
    monkeypatch.setattr(predict, "export_onnx", lambda *arguments: 0.0)
    monkeypatch.setattr(ColourModel, "model", dot(), raising=False)
    monkeypatch.setattr(ColourModel, "checkpoint", checkpoint_of(dot(), [64, 64], model_name="nhm"), raising=False)
    assert run(mode="onnx", onnx_path="a.onnx") == 0
    assert "instances" not in capsys.readouterr().out
    monkeypatch.setattr(ColourModel, "finds_instances", True)
    assert run(mode="onnx", onnx_path="a.onnx") == 0
    assert "a.onnx gives the classes only: the instances of nhm are not exported." in capsys.readouterr().out


def test_onnx_without_its_packages(folder, monkeypatch, capsys):
    monkeypatch.setattr(ColourModel, "model", dot(), raising=False)
    monkeypatch.setattr(ColourModel, "checkpoint", checkpoint_of(dot(), [64, 64]), raising=False)
    installed = {"onnx"}
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: name if name in installed else None)
    assert run(mode="onnx", onnx_path="a.onnx") == 0
    assert "a.onnx written (not checked: pip install -r requirements-extras.txt)" in capsys.readouterr().out
    installed.clear()
    with pytest.raises(UserError, match="onnx package is not installed: pip install -r requirements-extras.txt"):
        run(mode="onnx", onnx_path="b.onnx")
    assert not Path("b.onnx").exists()


# ---- The whole script ----

def test_the_real_network_end_to_end(checkpoint, tmp_path, monkeypatch, capsys):
    Image.fromarray(sheet(90, 70)).save(tmp_path / "a.jpg")
    monkeypatch.setattr(sys, "argv", [
        "predict.py", f"--model_path={checkpoint}", f"--input_dir={tmp_path}", f"--output_dir={tmp_path / 'out'}",
        "--device=cpu",
    ])
    with pytest.raises(SystemExit) as end:
        config.run(predict.main)
    assert end.value.code == 0 and "1 sheets in" in capsys.readouterr().out
    assert read_image(tmp_path / "out" / "a.jpg").shape == (90, 70, 3)
    assert read_mask(tmp_path / "out" / "masks" / "a.png").shape == (90, 70)


def test_a_mode_that_is_none(capsys):
    with pytest.raises(UserError, match="mode is 'movie': it has to be one of folder, image"):
        config.read(predict, mode="movie")
