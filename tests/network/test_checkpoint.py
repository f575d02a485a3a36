"""Checkpoints describe themselves, load safely, and say what is wrong when they do not fit."""

import json
import os

import numpy as np
import pytest
import torch

from helpers import checkpoint_of, new_deeplab
from nets.community import to_community
from nets.cpu import for_cpu
from utils.network.checkpoint import load_backbone, load_checkpoint, load_weights, save_checkpoint
from utils.utils import UserError

NAMES = ["_background_", "Barcode", "Label"]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return new_deeplab(3).eval()


def content(model, **changes):
    return checkpoint_of(model, [64, 48], **{"settings": {"fp16": True}, "epoch": 3, **changes})


def test_round_trip_without_unpickling_code(model, tmp_path):
    path = tmp_path / "weights.pth"
    save_checkpoint(path, content(model))
    plain = torch.load(path, weights_only=True)
    assert plain["model_name"] == "deeplabv3_plus" and plain["name_classes"] == NAMES and plain["epoch"] == 3
    x = torch.rand(1, 3, 64, 48)
    with torch.inference_mode():
        assert torch.equal(for_cpu(load_checkpoint(path).build())(x), model(x))


def test_half_precision_storage_is_read_as_float32(model, tmp_path):
    full, half = tmp_path / "full.pth", tmp_path / "half.pth"
    save_checkpoint(full, content(model))
    save_checkpoint(half, content(model), half=True)
    assert half.stat().st_size < 0.55 * full.stat().st_size
    weights = load_checkpoint(half).model
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
    assert load_checkpoint(path).epoch == 3 and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("file write failed")])
def test_a_full_disk_keeps_the_older_checkpoint(model, tmp_path, monkeypatch, error):
    path = tmp_path / "weights.pth"
    save_checkpoint(path, content(model, epoch=3))

    def fail(*_):
        raise error

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(UserError, match="weights.pth cannot be written .*: check the folder and the free space"):
        save_checkpoint(path, content(model, epoch=4))
    assert load_checkpoint(path).epoch == 3 and list(tmp_path.iterdir()) == [path]


def test_bare_community_state_dict_needs_names_of_its_classes(model, tmp_path):
    path = tmp_path / "community.pth"
    torch.save(to_community(model.state_dict()), path)
    with pytest.raises(UserError, match="bare state dict and does not name its classes: give name_classes"):
        load_checkpoint(path, backbone="mobilenet")
    with pytest.raises(UserError, match="trained with backbone mobilenet and xception was asked for"):
        load_checkpoint(path, name_classes=NAMES, backbone="xception")
    checkpoint = load_checkpoint(path, name_classes=NAMES)
    assert (checkpoint.model_name, checkpoint.backbone) == ("deeplabv3_plus", "mobilenet")
    assert checkpoint.downsample_factor == 16 and checkpoint.colors[1] == [128, 0, 0]
    x = torch.rand(1, 3, 64, 48)
    with torch.inference_mode():
        assert torch.equal(for_cpu(checkpoint.build())(x), model(x))


def test_arguments_that_contradict_the_checkpoint(model, tmp_path):
    path = tmp_path / "weights.pth"
    save_checkpoint(path, content(model))
    with pytest.raises(UserError, match="trained with backbone mobilenet and xception was asked for"):
        load_checkpoint(path, backbone="xception")
    with pytest.raises(UserError, match="trained with model_name deeplabv3_plus and unet was asked for"):
        load_checkpoint(path, model_name="unet")
    with pytest.raises(UserError, match="trained with name_classes"):
        load_checkpoint(path, name_classes=["a", "b"])
    changed = load_checkpoint(path, input_shape=(96, 96), downsample_factor=8)
    assert changed.input_shape == [96, 96] and changed.downsample_factor == 8


def test_files_that_are_no_checkpoint(tmp_path):
    path = tmp_path / "weights.pth"
    with pytest.raises(UserError, match="does not exist"):
        load_checkpoint(path)
    for rubbish in (b"", b"not a checkpoint"):
        path.write_bytes(rubbish)
        with pytest.raises(UserError, match="weights.pth cannot be read as a checkpoint"):
            load_checkpoint(path)
    torch.save({"a": torch.ones(3), 0.5: 1}, path)
    with pytest.raises(UserError, match="holds no weights of these networks"):
        load_checkpoint(path)
    torch.save({"a": torch.ones(3)}, path)
    with pytest.raises(UserError, match="holds no weights of these networks"):
        load_checkpoint(path)


def test_truncated_checkpoint(model, tmp_path):
    path = tmp_path / "weights.pth"
    save_checkpoint(path, content(model))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        load_checkpoint(path)


def test_mismatching_layers_are_named_or_reinitialised(model):
    other = new_deeplab(5)
    fresh = other.state_dict()["cls_conv.weight"].clone()
    sentence = r"do not fit 2 of \d+ .*cls_conv.weight, cls_conv.bias.*reinit_mismatched = True"
    with pytest.raises(UserError, match=sentence):
        load_weights(other, model.state_dict(), reinit_mismatched=False)
    assert load_weights(other, model.state_dict(), reinit_mismatched=True) == ["cls_conv.weight", "cls_conv.bias"]
    assert torch.equal(other.state_dict()["cls_conv.weight"], fresh)
    assert torch.equal(other.state_dict()["cat_conv.0.weight"], model.state_dict()["cat_conv.0.weight"])


def test_backbone_file(model, tmp_path):
    path = tmp_path / "backbone.pth"
    other = new_deeplab(3)
    torch.save({**model.backbone.state_dict(), "classifier.1.weight": torch.ones(1)}, path)
    load_backbone(other.backbone, path)
    assert all(torch.equal(a, b) for a, b in zip(other.backbone.parameters(), model.backbone.parameters()))
    torch.save([torch.ones(1)], path)
    with pytest.raises(UserError, match="backbone_path .* holds no state dict"):
        load_backbone(other.backbone, path)
    torch.save({"features.0.0.weight": torch.ones(1)}, path)
    with pytest.raises(UserError, match="backbone_path .* does not fit the backbone"):
        load_backbone(other.backbone, path)


def test_files_from_before_the_options_had_a_key_of_their_own(model, tmp_path):
    path = tmp_path / "old.pth"
    torch.save({
        "model": model.state_dict(), "name_classes": NAMES, "colors": [[0, 0, 0], [128, 0, 0], [0, 128, 0]],
        "model_name": "deeplabv3_plus", "backbone": "mobilenet", "downsample_factor": 16, "input_shape": [64, 48],
        "decoder": False, "exact_upsampling": True, "refine_objects": True, "settings": {}, "epoch": 3,
        "best_miou": 0.5,
    }, path)
    checkpoint = load_checkpoint(path)
    assert checkpoint.options == {"decoder": False, "exact_upsampling": True} and checkpoint.min_confidence == 0
    network = checkpoint.build()
    assert network.exact_upsampling and not network.decoder


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"model_name": "u_net_of_mine"}, "model_name is u_net_of_mine: it has to be one of deeplabv3_plus"),
    ({"backbone": "resnet"}, "backbone is resnet: it has to be one of mobilenet, xception"),
    ({"options": {"decoder": True, "wings": True}}, "deeplabv3_plus has no option wings"),
])
def test_networks_that_there_are_none_of(model, tmp_path, changes, sentence):
    path = tmp_path / "weights.pth"
    save_checkpoint(path, content(model, **changes))
    with pytest.raises(UserError, match=sentence):
        load_checkpoint(path).build()


def test_a_backbone_file_older_than_the_counting_of_batches(model, tmp_path):
    weights = {name: value + 1 for name, value in model.backbone.state_dict().items()}
    torch.save({name: value for name, value in weights.items() if not name.endswith("tracked")}, tmp_path / "old.pth")
    other = new_deeplab(5)
    load_backbone(other.backbone, tmp_path / "old.pth")
    loaded = other.backbone.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in loaded.items() if not name.endswith("tracked"))


def test_the_description_is_plain(model):
    description = json.loads(json.dumps(content(model, options={"decoder": True}).description()))
    assert description == {
        "name_classes": NAMES, "colors": [[0, 0, 0], [200, 0, 0], [0, 0, 250]], "model_name": "deeplabv3_plus",
        "backbone": "mobilenet", "downsample_factor": 16, "input_shape": [64, 48], "options": {"decoder": True},
        "min_confidence": 0.0, "calibration": [],
    }


class Evil:
    """Would write a file, were it unpickled."""

    def __reduce__(self):
        return os.mkdir, ("evil",)


@pytest.mark.parametrize("content", ["whole model", "NumPy number", "code"])
def test_no_code_is_run_and_the_mend_is_said(model, tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    torch.save({"whole model": model, "NumPy number": {"model": model.state_dict(), "miou": np.float64(0.5)},
                "code": {"model": Evil()}}[content], "weights.pth")
    with pytest.raises(UserError, match="holds Python objects .* torch.save.model.state_dict.., \"weights.pth\"."):
        load_checkpoint("weights.pth")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"name_classes": "Label"}, "its name_classes 'Label' has to be a list of 2 to 255 names"),
    ({"name_classes": [1, 2, 3]}, "its name_classes"),
    ({"colors": [[0, 0, 300]] * 3}, "its colors"),
    ({"input_shape": [64, "48"]}, "its input_shape .64, '48'. has to be height and width"),
    ({"input_shape": [64, 10**9]}, "its input_shape"),
    ({"downsample_factor": None}, "its downsample_factor None has to be a whole number"),
    ({"min_confidence": float("nan")}, "its min_confidence nan has to be a number from 0 to 1"),
    ({"calibration": [[1.0, 0.0]]}, "its calibration .* has to be a finite slope above 0"),
    ({"calibration": [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]}, "its calibration"),
    ({"calibration": [[1.0, 0.0], [2.0, float("inf")], [1.0, 0.0]]}, "its calibration"),
    ({"probe": torch.tensor([0.5, float("nan")])}, "its probe .* has to be a finite float32 tensor of one axis"),
    ({"probe": torch.zeros(2, 3)}, "its probe"),
    ({"probe": [0.5]}, "its probe"),
    ({"settings": []}, "its settings"),
    ({"epoch": -1}, "its epoch -1"),
    ({"options": {"decoder": "yes"}}, "its options"),
    ({"model": [1]}, "its model has to be a state dict"),
    ({"model": {"a": 1}}, "its model has to be a state dict"),
    ({"model": {"a": torch.tensor([1.0, float("nan")])}}, "weights that are not finite .a.: its training failed"),
])
def test_damaged_fields_are_named(model, tmp_path, changes, sentence):
    path = tmp_path / "weights.pth"
    torch.save({**vars(content(model)), **changes}, path)
    with pytest.raises(UserError, match=sentence):
        load_checkpoint(path)
