"""What a run starts from: fresh layers, ImageNet, a backbone, weights of other classes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

import train
from helpers import train_settings
from nets.blocks import SegmentationNetwork
from nets.mobilenetv2 import mobilenetv2
from nets.models import BACKBONES, NETWORKS
from utils.files.masks import read_mask, write_mask
from utils.network.checkpoint import load_checkpoint
from utils.network.distributed import Processes
from utils.training.start import start_model
from utils.utils import UserError

pytestmark = pytest.mark.usefixtures("undrawn")
# torchvision's network and weights for a backbone, and the parts of its first layer
IMAGENET = {
    "mobilenet": (models.mobilenet_v2, models.MobileNet_V2_Weights, {
        "features.0.0.weight", "features.0.1.running_mean"}),
    "vgg": (models.vgg16, models.VGG16_Weights, {"features.0.weight", "features.0.bias"}),
    "resnet50": (models.resnet50, models.ResNet50_Weights, {"conv1.weight", "bn1.running_mean"}),
    "resnet18": (models.resnet18, models.ResNet18_Weights, {"conv1.weight", "bn1.running_mean"}),
}


def test_a_frozen_backbone_does_not_move(folder):
    torch.manual_seed(1)
    backbone = mobilenetv2()
    torch.save(backbone.state_dict(), folder / "backbone.pth")
    train.main(train_settings(folder, backbone_path=str(folder / "backbone.pth"), unfreeze_epoch=1))
    weights = load_checkpoint(folder / "logs" / "last_epoch_weights.pth").model
    assert all(torch.equal(weights[f"backbone.{name}"], value) for name, value in backbone.state_dict().items())
    assert weights["aspp.branch1.1.num_batches_tracked"] == 2  # the rest did learn


def start(folder: Path, backbone: str, **changes: Any) -> SegmentationNetwork:
    """The network with this backbone as a run of train.py starts with it."""
    model_name = next(name for name, network in NETWORKS.items() if backbone in network.backbones)
    settings = train_settings(folder, model_name=model_name, backbone=backbone, **changes)
    return start_model(settings, None, Processes(0, 1, torch.device("cpu")))


def filled(network: Callable[[], nn.Module], value: float) -> dict[str, torch.Tensor]:
    """The state dict of a network whose weights are all `value`."""
    with torch.device("meta"):
        shapes = network().state_dict()
    return {name: torch.full(weight.shape, value, dtype=weight.dtype) for name, weight in shapes.items()}


@pytest.mark.parametrize("backbone", IMAGENET)
def test_imagenet_weights_are_what_training_starts_from(folder, monkeypatch, backbone):
    make, weights, first_layer = IMAGENET[backbone]
    download = filled(lambda: make(weights=None), 0.25)
    monkeypatch.setattr(weights, "get_state_dict", lambda *args, **options: download)
    model = start(folder, backbone, pretrained=True)
    kept = {name for name, value in model.backbone.state_dict().items() if torch.equal(value, download[name])}
    assert model.backbone.state_dict().keys() - kept == first_layer  # changed to take images in [0, 1]
    others = [weight for name, weight in model.named_parameters() if not name.startswith("backbone.")]
    assert len(others) > 3 and any(weight.std() > 0 for weight in others)


@pytest.mark.parametrize("backbone", sorted(BACKBONES.keys() - IMAGENET.keys()))
def test_a_backbone_without_imagenet_weights_says_what_to_do(folder, backbone):
    with pytest.raises(UserError, match=f'pretrained is True and backbone is "{backbone}".*set pretrained = False'):
        start(folder, backbone, pretrained=True)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_file_of_weights_for_each_backbone(folder, backbone):
    weights = filled(lambda: BACKBONES[backbone](False, 16), 0.25)
    torch.save({**weights, "fc.weight": torch.ones(1)}, folder / "backbone.pth")
    model = start(folder, backbone, backbone_path=str(folder / "backbone.pth"))
    assert all(torch.equal(value, weights[name]) for name, value in model.backbone.state_dict().items())


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
    path = next((folder / "SegmentationClass").glob("*.png"))
    mask = read_mask(path)
    mask[-3:, -3:] = 5
    write_mask(path, mask)
    with pytest.raises(UserError, match="cls_conv.weight, cls_conv.bias.*reinit_mismatched = True"):
        train.main(train_settings(folder, unfreeze_epoch=1, model_path=start, name_classes=more))
    options = {"unfreeze_epoch": 1, "model_path": start, "name_classes": more, "reinit_mismatched": True}
    assert train.main(train_settings(folder, **options)) == 0
    assert "trained from scratch: cls_conv.weight, cls_conv.bias" in capsys.readouterr().out
