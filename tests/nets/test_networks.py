"""Every network: images of any size, and losses that teach every weight."""

from functools import partial

import pytest
import torch
from torch import Tensor

from helpers import class_logits, new_model, striped_batch
from nets.blocks import SegmentationNetwork
from nets.losses import segmentation_loss
from nets.models import NETWORKS
from nets.pspnet import AUXILIARY_WEIGHT
from utils.utils import IGNORE

every_network = pytest.mark.parametrize("model_name", NETWORKS)
PAIRS = [(name, backbone) for name, network in NETWORKS.items() for backbone in network.backbones]
LOSSES = [
    partial(segmentation_loss, focal_loss=focal_loss, dice_loss=dice_loss, ignore_index=IGNORE)
    for focal_loss in (False, True) for dice_loss in (False, True)
]


def gradients(loss: Tensor, model: SegmentationNetwork) -> tuple[Tensor, ...]:
    """The gradients of all weights; PyTorch raises RuntimeError when a weight gets none. The graph stays."""
    return torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)


@torch.no_grad()
@every_network
@pytest.mark.parametrize("size", [(75, 49), (33, 47)])
def test_any_size_keeps_its_size(model_name: str, size: tuple[int, int]) -> None:
    model, (images, _, _) = new_model(model_name), striped_batch(1, *size)
    for training in (True, False):
        logits = class_logits(model.train(training)(images))
        assert logits.shape == (1, 5, *size) and logits.dtype == torch.float32 and logits.isfinite().all()


@every_network
def test_every_loss_teaches_every_weight(model_name: str) -> None:
    torch.manual_seed(0)
    model, (images, masks, instances) = new_model(model_name).train(), striped_batch(2, 40, 33)
    output, values = model(images), set()
    for loss_fn in LOSSES:
        loss = model.training_loss(output, masks, instances, loss_fn)
        assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients(loss, model))
        values.add(loss.item())
    assert len(values) == 4
    # Sheets without labels: a weight without a gradient would stop a run of several processes.
    loss = model.training_loss(output, torch.full_like(masks, IGNORE), torch.zeros_like(masks), LOSSES[-1])
    assert loss.isfinite() and all(gradient.isfinite().all() for gradient in gradients(loss, model))


@pytest.mark.parametrize(("model_name", "backbone"), PAIRS)
def test_a_batch_of_one_sample_teaches_every_weight(model_name: str, backbone: str) -> None:
    torch.manual_seed(0)
    model, (images, masks, instances) = new_model(model_name, backbone=backbone).train(), striped_batch(1, 33, 47)
    loss = model.training_loss(model(images), masks, instances, LOSSES[-1])
    assert all(gradient.isfinite().all() for gradient in gradients(loss, model))


def test_the_auxiliary_head_of_pspnet_counts_with_its_weight_in_every_loss() -> None:
    model, (images, masks, _) = new_model("pspnet").train(), striped_batch()
    logits, auxiliary = output = model(images)
    for loss_fn in LOSSES:
        main, other = loss_fn(logits, masks), loss_fn(auxiliary, masks)
        torch.testing.assert_close(model.training_loss(output, masks, None, loss_fn), main + 0.4 * other)
        assert main > 0 and other > 0 and AUXILIARY_WEIGHT == 0.4
