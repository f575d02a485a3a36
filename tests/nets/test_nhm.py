"""The Natural History Museum's network: parity with the museum's program, its loss, sizes, training."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers import FIXTURES, needs_fixtures, randomise, state
from nets.blocks import fold_batchnorm
from nets.community import community_model, from_community, to_community
from nets.cpu import AtrousDepthwise, for_cpu
from nets.discriminative import discriminative_loss
from nets.losses import cross_entropy
from nets.nhm import NHM
from nets.resnet import resnet18
from utils.utils import IGNORE
from weights import assert_parity, drawn_state, eight, picture, with_weights

# What this code gave for picture(64, 96) on the day that it had parity with the fixture.
VALUES = {
    "z1": [1.68437, 1.07066, 1.05108, 0.0, 0.349249, 0.978562, 0.831693, 0.490717],
    "classes": [4.95787, 6.06531, -8.53445, -1.87187, -8.66032, 19.4404, -4.11945, -11.6119],
    "instances": [-1.85198, 3.90922, 4.74058, 2.11857, -6.75053, 0.135938, 0.308504, 0.226269],
    "z1_reconstructed": [0.189072, 0.622662, 1.09413, -0.0833685, 4.36496, 7.77018, 7.60296, -0.123643],
    "x_reconstructed": [0.858001, 14.0771, 3.09496, 0.352339, 0.352339, -0.174288, -0.174288, 2.3017],
}


def new_nhm(**options: bool) -> NHM:
    return NHM(5, resnet18(), **options)


@pytest.fixture(scope="module")
def drawn() -> tuple[dict[str, Tensor], NHM]:
    """Weights drawn from the museum's names, and the network that has them."""
    museum = drawn_state(new_nhm)
    return museum, for_cpu(with_weights(new_nhm, museum))


@pytest.fixture
def model() -> NHM:
    """A network in training that no other test has changed."""
    torch.manual_seed(0)
    return for_cpu(new_nhm()).train()


@torch.no_grad()
def results(model: NHM, x: Tensor) -> dict[str, Tensor]:
    """What the fixture holds, by its names; the reconstructions are without noise."""
    logits, embeddings = model.embed(x)
    z1 = model.backbone.first(x)
    restored, restored_x = model.reconstruct(x, z1, model.backbone.second(z1))
    return dict(zip(VALUES, (z1, logits, embeddings, restored, restored_x), strict=True))


def class_loss(logits: Tensor, masks: Tensor) -> Tensor:
    return cross_entropy(logits, masks, ignore_index=IGNORE)


def two_labels(height: int = 48, width: int = 32) -> tuple[Tensor, Tensor, Tensor]:
    """Two images (2, 3, H, W), their masks and instances (2, H, W): two white labels of class 2 on grey paper."""
    instances = torch.zeros(2, height, width, dtype=torch.uint8)
    instances[:, 4:14, 4:28], instances[:, 30:44, 4:28] = 1, 2
    images = torch.where(instances.unsqueeze(1) > 0, 0.95, 0.5).expand(-1, 3, -1, -1)
    return images, (instances > 0).byte() * 2, instances


def test_values_of_weights_drawn_from_their_names(drawn) -> None:
    _, model = drawn
    assert sum(isinstance(module, AtrousDepthwise) for module in model.modules()) == 3
    x = picture(64, 96).contiguous(memory_format=torch.channels_last)
    found = results(model, x)
    for name, values in VALUES.items():
        assert_parity(eight(found[name]), torch.tensor(values), largest=found[name].abs().max().item())
    with torch.no_grad():
        assert torch.equal(model(x), found["classes"])


@needs_fixtures
def test_the_museums_weights_give_its_numbers(drawn) -> None:
    museum, model = drawn
    keys = json.loads((FIXTURES / "nhm_5_keys.json").read_text(encoding="utf-8"))["keys"]
    assert {name: list(value.shape) for name, value in museum.items()} == keys
    arrays = np.load(FIXTURES / "nhm_5.npz")
    for name, result in results(model, torch.from_numpy(arrays["input"])).items():
        assert_parity(result, arrays[name])


def test_the_museums_weights_are_recognised_and_counted(drawn) -> None:
    museum, model = drawn
    parallel = {f"module.{name}": value for name, value in museum.items()}
    assert community_model(museum) == community_model(parallel) == ("nhm", "resnet18")
    own = model.state_dict()
    assert community_model(own) is None and from_community(own).keys() == own.keys()
    assert from_community(parallel).keys() == own.keys() and list(to_community(own)) == list(museum)
    assert museum["embedding.conv1.weight"] is from_community(museum)["context.join.weight"]
    assert (len(museum), sum(weight.numel() for weight in model.parameters())) == (102, 916_257)


@torch.no_grad()
@pytest.mark.parametrize("size", [(33, 47), (1, 1), (100, 65)])
def test_any_size_keeps_its_size(drawn, size: tuple[int, int]) -> None:
    logits, embeddings = drawn[1].embed(torch.rand(2, 3, *size))
    assert logits.shape == (2, 5, *size) and embeddings.shape == (2, 2, *size)
    assert logits.isfinite().all() and logits.dtype == embeddings.dtype == torch.float32


@torch.no_grad()
def test_folded_batch_norms_change_nothing() -> None:
    torch.manual_seed(0)
    model = randomise(new_nhm())
    x = torch.rand(1, 3, 64, 48)
    before = model.embed(x)
    fold_batchnorm(model)
    for result, expected in zip(model.embed(x), before):
        assert_parity(result, expected)
    assert isinstance(model.backbone.layer2[0].downsample[1], nn.Identity)


@pytest.mark.parametrize("original_instances", [False, True])
def test_the_loss_is_the_sum_of_its_parts(original_instances: bool) -> None:
    torch.manual_seed(0)
    model, (x, masks, instances) = new_nhm(original_instances=original_instances).train(), two_labels()
    assert model.needs_instances
    model.noise = 0
    output = model(x)
    with torch.no_grad():
        z1, found = model.backbone.first(x), results(model, x)
        torch.testing.assert_close((output.logits, output.embeddings), (found["classes"], found["instances"]))
        restored = (found["z1_reconstructed"] - z1).square().mean() + (found["x_reconstructed"] - x).square().mean()
        classes = F.cross_entropy(found["classes"], masks.long())
        apart = discriminative_loss(found["instances"], masks, instances, original_instances)
        loss = model.training_loss(output, masks, instances, class_loss)
    torch.testing.assert_close(loss, 20 * restored + 10 * classes + apart)
    assert apart > 1
    without = model.training_loss(output, masks, None, class_loss)
    torch.testing.assert_close(without, 20 * restored + 10 * classes)


@torch.no_grad()
def test_image_and_first_features_get_noise_in_training_alone(model: NHM) -> None:
    x, images, features, pooled = torch.rand(1, 3, 128, 128), [], [], []
    model.backbone.conv1.register_forward_pre_hook(lambda module, args: images.append(args[0]))
    model.backbone.bn1.register_forward_hook(lambda module, args, result: pooled.append(
        F.max_pool2d(result.clamp(min=0), 3, 2, 1)))
    model.backbone.layer1.register_forward_pre_hook(lambda module, args: features.append(args[0]))
    model(x)
    noisy, clean = images
    assert torch.equal(clean, x)
    for noise in (noisy - x, features[0] - pooled[0]):
        assert noise.std().item() == pytest.approx(0.1, rel=0.02) and noise.mean().abs() < 0.002
    model.eval()(x)
    assert len(images) == 3 and torch.equal(images[-1], x) and torch.equal(features[-1], pooled[-1])


@pytest.mark.parametrize("labelled", [False, True])
def test_every_weight_gets_a_gradient(model: NHM, labelled: bool) -> None:
    x, masks, instances = (part[:1, ..., :32, :] for part in two_labels())  # one image of 32 x 32
    if not labelled:
        masks, instances = torch.full_like(masks, IGNORE), torch.zeros_like(instances)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(x)
        loss = model.training_loss(output, masks, instances, class_loss)
    assert all(part.dtype == torch.float32 for part in (*output, loss))
    assert labelled or loss.item() == pytest.approx(20 * output.reconstruction.item())
    loss.backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    moved = {name for name, weight in model.named_parameters() if weight.grad.any()}
    by_labels = {name for name in moved if name.startswith(("context", "class_head", "embedding_head"))}
    assert len(moved - by_labels) == 38 and len(by_labels) == (22 if labelled else 0)


def test_a_few_steps_lower_the_loss_and_leave_a_frozen_backbone(model: NHM) -> None:
    x, masks, instances = two_labels()
    model.freeze_backbone(True)
    before = state(model)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    losses, apart = [], []
    for _ in range(8):
        optimizer.zero_grad()
        output = model(x)
        loss = model.training_loss(output, masks, instances, class_loss)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        apart.append(discriminative_loss(output.embeddings, masks, instances).item())
    assert losses[-1] < 0.8 * losses[0] and apart[-1] < 0.8 * apart[0], (losses, apart)
    same = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    assert same == {name for name in before if name.startswith("backbone.")}
