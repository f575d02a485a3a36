"""What a run starts from: fresh layers, ImageNet, a backbone, weights of other classes."""

import pytest
import torch
import torchvision

import train
from helpers import train_settings
from nets.mobilenetv2 import imagenet_features, mobilenetv2
from utils.network.checkpoint import load_checkpoint
from utils.network.distributed import Processes
from utils.training.start import start_model
from utils.utils import UserError


def test_a_frozen_backbone_does_not_move(folder):
    torch.manual_seed(1)
    backbone = mobilenetv2()
    torch.save(backbone.state_dict(), folder / "backbone.pth")
    train.main(train_settings(folder, backbone_path=str(folder / "backbone.pth"), unfreeze_epoch=1))
    weights = load_checkpoint(folder / "logs" / "last_epoch_weights.pth").model
    assert all(torch.equal(weights[f"backbone.{name}"], value) for name, value in backbone.state_dict().items())
    assert weights["aspp.branch1.1.num_batches_tracked"] == 2  # the rest did learn


def test_imagenet_weights_are_what_training_starts_from(folder, monkeypatch):
    download = torchvision.models.mobilenet_v2(weights=None).state_dict()
    monkeypatch.setattr(torchvision.models.MobileNet_V2_Weights, "get_state_dict", lambda *args, **options: download)
    train.main(train_settings(folder, pretrained=True, unfreeze_epoch=1))
    weights = load_checkpoint(folder / "logs" / "last_epoch_weights.pth").model
    expected = imagenet_features()
    assert len(expected) > 250
    assert all(torch.equal(weights[f"backbone.features.{name}"], value) for name, value in expected.items())  # frozen


@pytest.mark.parametrize(("init_type", "std"), [("normal", 0.02), ("kaiming", (2 / 256) ** 0.5)])
def test_layers_that_start_fresh_are_drawn_as_init_type_says(folder, init_type, std):
    settings = train_settings(folder, init_type=init_type)
    model = start_model(settings, None, Processes(0, 1, torch.device("cpu")))
    assert model.cls_conv.weight.std().item() == pytest.approx(std, rel=0.1)  # 5 x 256 numbers; PyTorch's own: 0.036
    assert not model.cls_conv.bias.any()


def test_start_weights_of_other_classes(folder, capsys):
    train.main(train_settings(folder, unfreeze_epoch=1))
    start = str(folder / "logs" / "last_epoch_weights.pth")
    more = ("_background_", "Barcode", "Label", "Color chart", "Scale", "Stamp")
    with pytest.raises(UserError, match="cls_conv.weight, cls_conv.bias.*reinit_mismatched = True"):
        train.main(train_settings(folder, unfreeze_epoch=1, model_path=start, name_classes=more))
    options = {"unfreeze_epoch": 1, "model_path": start, "name_classes": more, "reinit_mismatched": True}
    assert train.main(train_settings(folder, **options)) == 0
    assert "trained from scratch: cls_conv.weight, cls_conv.bias" in capsys.readouterr().out
