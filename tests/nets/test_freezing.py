"""Freezing the backbone or the BatchNorms, and batches of one sample."""

import pytest
import torch
from torch import nn

from helpers import new_deeplab, randomise, state
from nets.deeplabv3_plus import DeepLab


def train_steps(model: DeepLab, steps: int = 2) -> None:
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.rand(2, 3, 32, 32)).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("backbone", ["mobilenet", "xception"])
def test_frozen_backbone_stays_bit_for_bit(backbone: str) -> None:
    model = new_deeplab(3, backbone)
    model.freeze_backbone(True)
    backbone_before, aspp_before = state(model.backbone), state(model.aspp)
    train_steps(model)
    assert all(torch.equal(value, backbone_before[key]) for key, value in model.backbone.state_dict().items())
    assert not any(torch.equal(value, aspp_before[key]) for key, value in model.aspp.state_dict().items())


def test_frozen_backbone_stays_in_evaluation_mode_and_keeps_no_graph() -> None:
    model = new_deeplab(3).eval()
    model.freeze_backbone(True)
    model.train()
    assert model.training and model.aspp.training
    assert not any(module.training for module in model.backbone.modules())
    assert not any(feature.requires_grad for feature in model.backbone(torch.rand(2, 3, 32, 32)))


def test_unfrozen_backbone_learns_again() -> None:
    model = new_deeplab(3)
    model.freeze_backbone(True)
    assert not any(module.training for module in model.backbone.modules())
    model.freeze_backbone(False)
    assert all(module.training for module in model.backbone.modules())
    before = state(model.backbone)
    train_steps(model)
    assert not any(torch.equal(value, before[key]) for key, value in model.backbone.state_dict().items())


def test_unfreezing_leaves_evaluation_mode_on() -> None:
    model = new_deeplab(3)
    model.freeze_backbone(True)
    model.eval()
    model.freeze_backbone(False)
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("backbone", ["mobilenet", "xception"])
def test_frozen_batchnorm_keeps_its_statistics_and_learns_scale_and_shift(backbone: str) -> None:
    model = new_deeplab(3, backbone)
    model.freeze_batchnorm(True)
    before = state(model)
    train_steps(model)
    statistics = {key for key in before if "running_" in key or "num_batches" in key}
    assert statistics == {key for key, value in model.state_dict().items() if torch.equal(value, before[key])}


def test_frozen_batchnorm_treats_each_sample_alone() -> None:
    model, images = new_deeplab(3), torch.rand(3, 3, 48, 64)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.train()
    model(images)  # statistics other than 0 and 1
    assert not torch.allclose(model(images)[:1], model(images[:1]), atol=1e-3)
    model.freeze_batchnorm(True)
    torch.testing.assert_close(model(images)[:1], model(images[:1]), atol=1e-4, rtol=1e-4)
    model.freeze_batchnorm(False)
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("backbone", ["mobilenet", "xception"])
def test_a_batch_of_one_sample_trains(backbone: str) -> None:
    model = new_deeplab(3, backbone).train()
    model(torch.rand(1, 3, 48, 48)).mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@torch.no_grad()
def test_sync_batch_norm_conversion_keeps_model_and_freezing() -> None:
    model = randomise(new_deeplab(3))
    x = torch.rand(1, 3, 32, 32)
    before = model(x)
    model.freeze_backbone(True)
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert isinstance(model.aspp.branch5_bn, nn.SyncBatchNorm)
    torch.testing.assert_close(model.eval()(x), before)
    model.train()
    assert model.aspp.training and not model.backbone.training
