"""Checkpoints describe themselves, load safely, and say what is wrong when they do not fit."""

import pickle

import pytest
import torch

from nets.community import to_community
from nets.deeplabv3_plus import DeepLab
from utils.network.checkpoint import build_model, load_backbone, load_checkpoint, load_weights, save_checkpoint
from utils.utils import UserError

NAMES = ["_background_", "Barcode", "Label"]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return DeepLab(3).eval()


def content(model, **changes):
    return {
        "model": model.state_dict(), "name_classes": NAMES, "colors": [[0, 0, 0], [128, 0, 0], [0, 128, 0]],
        "backbone": "mobilenet", "downsample_factor": 16, "input_shape": [64, 48], "settings": {"fp16": True},
        "epoch": 3, "best_miou": 0.5, **changes,
    }


def test_round_trip_without_unpickling_code(model, tmp_path):
    path = tmp_path / "weights.pth"
    save_checkpoint(path, content(model))
    plain = torch.load(path, weights_only=True)
    assert plain["model_name"] == "deeplabv3_plus" and plain["name_classes"] == NAMES and plain["epoch"] == 3
    x = torch.rand(1, 3, 64, 48)
    with torch.inference_mode():
        assert torch.equal(build_model(load_checkpoint(path))(x), model(x))


def test_half_precision_storage_is_read_as_float32(model, tmp_path):
    full, half = tmp_path / "full.pth", tmp_path / "half.pth"
    save_checkpoint(full, content(model))
    save_checkpoint(half, content(model), half=True)
    assert half.stat().st_size < 0.55 * full.stat().st_size
    weights = load_checkpoint(half)["model"]
    for name, value in model.state_dict().items():
        assert weights[name].dtype == value.dtype
        torch.testing.assert_close(weights[name], value, rtol=1e-3, atol=1e-6)


def test_an_interrupted_save_leaves_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    save_checkpoint(path, content(model))

    def stop(content, file):
        file.write_bytes(b"half a checkpoint")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, content(model, epoch=4))
    monkeypatch.undo()
    assert load_checkpoint(path)["epoch"] == 3 and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("file write failed")])
def test_a_full_disk_keeps_the_older_checkpoint(model, tmp_path, monkeypatch, error):
    path = tmp_path / "weights.pth"
    save_checkpoint(path, content(model, epoch=3))

    def fail(*_):
        raise error

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(UserError, match="weights.pth cannot be written .*: check the folder and the free space"):
        save_checkpoint(path, content(model, epoch=4))
    assert load_checkpoint(path)["epoch"] == 3 and list(tmp_path.iterdir()) == [path]


def test_bare_community_state_dict_needs_a_description(model, tmp_path):
    path = tmp_path / "community.pth"
    torch.save(to_community(model.state_dict()), path)
    for given in ({}, {"name_classes": NAMES}, {"backbone": "mobilenet"}):
        with pytest.raises(UserError, match="bare state dict .* give name_classes and backbone"):
            load_checkpoint(path, **given)
    checkpoint = load_checkpoint(path, name_classes=NAMES, backbone="mobilenet")
    assert checkpoint["downsample_factor"] == 16 and checkpoint["colors"][1] == [128, 0, 0]
    x = torch.rand(1, 3, 64, 48)
    with torch.inference_mode():
        assert torch.equal(build_model(checkpoint)(x), model(x))


def test_arguments_that_contradict_the_checkpoint(model, tmp_path):
    path = tmp_path / "weights.pth"
    save_checkpoint(path, content(model))
    with pytest.raises(UserError, match="trained with backbone mobilenet and xception was asked for"):
        load_checkpoint(path, backbone="xception")
    with pytest.raises(UserError, match="trained with name_classes"):
        load_checkpoint(path, name_classes=["a", "b"])
    changed = load_checkpoint(path, input_shape=(96, 96), downsample_factor=8)
    assert changed["input_shape"] == [96, 96] and changed["downsample_factor"] == 8


def test_files_that_are_no_checkpoint(tmp_path):
    path = tmp_path / "weights.pth"
    with pytest.raises(UserError, match="does not exist"):
        load_checkpoint(path)
    for rubbish in (b"", b"not a checkpoint", pickle.dumps(print)):
        path.write_bytes(rubbish)
        with pytest.raises(UserError, match="weights.pth cannot be read as a checkpoint"):
            load_checkpoint(path)
    torch.save({"a": torch.ones(3)}, path)
    with pytest.raises(UserError, match="holds no DeepLabv3"):
        load_checkpoint(path)


def test_truncated_checkpoint(model, tmp_path):
    path = tmp_path / "weights.pth"
    save_checkpoint(path, content(model))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        load_checkpoint(path)


def test_mismatching_layers_are_named_or_reinitialised(model):
    other = DeepLab(5)
    fresh = other.state_dict()["cls_conv.weight"].clone()
    with pytest.raises(UserError, match=r"do not fit 2 of \d+ .*cls_conv.weight, cls_conv.bias.*reinit_mismatched = True"):
        load_weights(other, model.state_dict(), reinit_mismatched=False)
    assert load_weights(other, model.state_dict(), reinit_mismatched=True) == ["cls_conv.weight", "cls_conv.bias"]
    assert torch.equal(other.state_dict()["cls_conv.weight"], fresh)
    assert torch.equal(other.state_dict()["cat_conv.0.weight"], model.state_dict()["cat_conv.0.weight"])


def test_backbone_file(model, tmp_path):
    path = tmp_path / "backbone.pth"
    other = DeepLab(3)
    torch.save({**model.backbone.state_dict(), "classifier.1.weight": torch.ones(1)}, path)
    load_backbone(other.backbone, path)
    assert all(torch.equal(a, b) for a, b in zip(other.backbone.parameters(), model.backbone.parameters()))
    torch.save([torch.ones(1)], path)
    with pytest.raises(UserError, match="backbone_path .* holds no state dict"):
        load_backbone(other.backbone, path)
    torch.save({"features.0.0.weight": torch.ones(1)}, path)
    with pytest.raises(UserError, match="backbone_path .* does not fit the backbone"):
        load_backbone(other.backbone, path)
