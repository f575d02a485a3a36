"""Freezing the backbone or the BatchNorms of every network."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import class_logits, new_deeplab, new_model, randomise, state, still, striped_batch
from nets.blocks import SegmentationNetwork
from nets.models import NETWORKS, build_model

every_network = pytest.mark.parametrize("model_name", NETWORKS)
PAIRS = [(name, backbone) for name, network in NETWORKS.items() for backbone in network.backbones]


def train_steps(model: SegmentationNetwork, steps: int = 2) -> None:
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        images, masks, instances = striped_batch(2, 33, 47)
        model.training_loss(model(images), masks, instances, loss_of).backward()
        optimizer.step()


def loss_of(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits, masks.long())


@every_network
def test_frozen_backbone_stays_bit_for_bit_and_then_learns_again(model_name: str) -> None:
    torch.manual_seed(0)
    model = new_model(model_name)
    model.freeze_backbone(True)
    before = state(model)
    train_steps(model)
    same = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    assert same == {name for name in before if name.startswith("backbone.")}
    model.freeze_backbone(False)
    train_steps(model, 1)
    assert not {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}


@pytest.mark.parametrize(("model_name", "backbone"), PAIRS)
def test_frozen_backbone_stays_in_evaluation_mode_and_needs_no_gradients(model_name: str, backbone: str) -> None:
    with torch.device("meta"):
        model = build_model(model_name, 3, backbone).eval()
        model.freeze_backbone(True)
        model.train()
        assert model.training and all(child.training for name, child in model.named_children() if name != "backbone")
        assert not any(module.training for module in model.backbone.modules())
        assert not any(weight.requires_grad for weight in model.backbone.parameters())
        model.freeze_backbone(False)
    assert all(module.training for module in model.modules())
    assert all(weight.requires_grad for weight in model.parameters())


def test_unfreezing_leaves_evaluation_mode_on() -> None:
    model = new_deeplab(3)
    model.freeze_backbone(True)
    model.eval()
    model.freeze_backbone(False)
    assert not any(module.training for module in model.modules())


@every_network
def test_frozen_batchnorm_keeps_its_statistics_and_learns_scale_and_shift(model_name: str) -> None:
    torch.manual_seed(0)
    model = new_model(model_name)
    model.freeze_batchnorm(True)
    before = state(model)
    train_steps(model)
    statistics = {name for name in before if "running_" in name or "num_batches" in name}
    assert statistics == {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}


@every_network
def test_frozen_batchnorm_treats_each_sample_alone(model_name: str) -> None:
    torch.manual_seed(0)
    model, (images, _, _) = still(new_model(model_name)).train(), striped_batch(3, 48, 64)

    def logits(images: torch.Tensor) -> torch.Tensor:
        return class_logits(model(images))

    logits(images)  # statistics other than 0 and 1
    assert not torch.allclose(logits(images)[:1], logits(images[:1]), atol=1e-3)
    model.freeze_batchnorm(True)
    torch.testing.assert_close(logits(images)[:1], logits(images[:1]), atol=1e-4, rtol=1e-4)
    model.freeze_batchnorm(False)
    assert all(module.training for module in model.modules())


@every_network
@torch.no_grad()
def test_sync_batch_norm_conversion_keeps_model_and_freezing(model_name: str) -> None:
    model = randomise(new_model(model_name))
    images, _, _ = striped_batch(1)
    before, norms = model(images), sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    model.freeze_backbone(True)
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert sum(isinstance(module, nn.SyncBatchNorm) for module in model.modules()) == norms > 0
    torch.testing.assert_close(model.eval()(images), before)
    model.train()
    assert model.training and not model.backbone.training
