"""train_probe.py: the probe goes into the checkpoint, and predictions with it are those of the whole network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import train_probe
from deeplab import Segmenter
from helpers import ROOT, checkpoint_of, make_dataset, new_deeplab, new_model
from nets.sparse import SparseDeepLab
from utils import config
from utils.files.images import read_image
from utils.network.checkpoint import load_checkpoint, save_checkpoint
from utils.utils import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of five sheets, and weights.pth, a network that sees objects here and there."""
    folder = tmp_path_factory.mktemp("probe")
    make_dataset(folder / "demo", train=3, val=2, height=128, width=96)
    torch.manual_seed(0)
    network = new_deeplab(3, downsample_factor=8)
    network.cls_conv.weight.data *= 100  # fresh weights see one class everywhere
    save_checkpoint(folder / "weights.pth", checkpoint_of(network, [128, 96], downsample_factor=8), half=True)
    return folder


def settings(folder, **changes):
    return config.read(ROOT / "train_probe.py", **{
        "model_path": str(folder / "weights.pth"), "save_path": str(folder / "new.pth"), "dataset_path": str(folder),
        **changes})


@pytest.fixture(scope="module")
def trained(folder):
    assert train_probe.main(settings(folder)) == 0
    return folder / "new.pth"


def test_the_rest_of_the_checkpoint_stays(folder, trained):
    old, new = (torch.load(path, weights_only=True) for path in (folder / "weights.pth", trained))
    probe = new.pop("probe")
    assert probe.shape == (321,) and probe.dtype == torch.float32
    for name, value in old.pop("model").items():
        assert torch.equal(value, new["model"][name]) and value.dtype == new["model"][name].dtype
    assert old == {name: value for name, value in new.items() if name != "model"}


def test_predictions_are_those_of_the_whole_network(folder, trained, monkeypatch):
    monkeypatch.setattr("nets.sparse.MOST", 2)  # a network that has learnt nothing sees objects everywhere
    image = read_image(folder / "demo" / "JPEGImages" / "K.0000.jpg")
    options = {"device": "cpu", "fp16": False, "straighten": False}
    sparse, whole = Segmenter(trained, **options), Segmenter(trained, sparse=False, **options)
    mask, probability = sparse.segment_with_probability(image)
    expected, expected_probability = whole.segment_with_probability(image)
    assert len(np.unique(expected)) > 1 and (mask == expected).mean() > 0.95
    assert np.isclose(probability, expected_probability, atol=0.01)[mask == expected].mean() > 0.95


def test_where_the_probe_is_used(trained, monkeypatch):
    calls = []
    monkeypatch.setattr(SparseDeepLab, "__call__", lambda self, x: calls.append(x) or self.model(x))
    image = np.zeros((128, 96, 3), np.uint8)
    for options, used in (({}, 1), ({"sparse": False}, 0), ({"downsample_factor": 16}, 0)):
        calls.clear()
        model = Segmenter(trained, device="cpu", straighten=False, **options)
        model.segment(image)
        assert len(calls) == used
        assert type(model.model).__name__ == "DeepLab"  # what predict.py exports to ONNX


@pytest.mark.parametrize(("model", "changes", "sentence"), [
    (None, {"recall": 1.0}, "recall is 1.0: it has to be above 0 and below 1"),
    (None, {"cells": 0.0}, "cells is 0.0"),
    (lambda: new_deeplab(3, decoder=False), {}, "is no DeepLabv3. with decoder"),
    (lambda: new_model("pspnet", 3), {}, "is no DeepLabv3. with decoder"),
    (lambda: blind(new_deeplab(3)), {}, "finds no object on the sheets of val"),
])
def test_what_cannot_be_used(folder, tmp_path, model, changes, sentence):
    if model is not None:
        network = model()
        name = "pspnet" if "PSP" in type(network).__name__ else "deeplabv3_plus"
        save_checkpoint(tmp_path / "other.pth", checkpoint_of(
            network, [64, 48], model_name=name, options=dict(network.options)))
        changes = {"model_path": str(tmp_path / "other.pth")}
    with pytest.raises(UserError, match=sentence):
        train_probe.main(settings(folder, **changes))


def blind(network):
    """`network`, which then sees background everywhere."""
    network.cls_conv.bias.data[0] = 1000.0
    return network


def test_a_bad_image_is_named_and_left_out(folder, tmp_path, capsys):
    data = make_dataset(tmp_path / "demo", train=3, val=2, height=128, width=96)
    (data / "JPEGImages" / "K.0001.jpg").write_bytes(b"no image")
    assert train_probe.main(settings(folder, dataset_path=str(tmp_path), save_path=str(tmp_path / "new.pth"))) == 1
    assert "K.0001.jpg" in capsys.readouterr().err and (tmp_path / "new.pth").is_file()
    for path in (data / "JPEGImages").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(UserError, match="None of the sheets of train could be read"):
        train_probe.main(settings(folder, dataset_path=str(tmp_path)))


def test_a_probe_of_another_backbone(trained, tmp_path):
    checkpoint = load_checkpoint(trained)
    save_checkpoint(tmp_path / "bad.pth", replace(checkpoint, probe=torch.zeros(9)))
    with pytest.raises(UserError, match=r"bad.pth is damaged: The probe has shape \(9,\), not \(321,\)"):
        Segmenter(tmp_path / "bad.pth", device="cpu")
