"""U-Net and VGG16: parity with the community's code, encoders, sizes, training."""

import json
from collections.abc import Callable
from functools import partial
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from helpers import FIXTURES, needs_fixtures, state
from nets import winograd
from nets.community import community_model, from_community, to_community
from nets.cpu import for_cpu
from nets.mobilenetv2 import mobilenetv2
from nets.resnet import resnet50
from nets.unet import UNet
from nets.vgg import vgg
from nets.winograd import WinogradConv2d
from weights import assert_parity, drawn_state, eight, picture, with_weights

ENCODERS = {
    "vgg": vgg,
    "resnet50": partial(resnet50, downsample_factor=32),
    "mobilenet": partial(mobilenetv2, downsample_factor=32),  # the community's code has none
}
# What this code gave for picture(96, 64) on the day that it had parity with all of the fixtures.
LOGITS = {
    "vgg": [-0.110519, -0.652164, -0.134231, 0.926183, 0.403317, -1.37359, 1.87155, -0.0173049],
    "resnet50": [142.015, 228.282, 236.787, -67.9482, -226.952, -250.156, -267.227, -63.0644],
}


def new_unet(backbone: str) -> UNet:
    return UNet(5, ENCODERS[backbone]())


@pytest.fixture(scope="module", params=["vgg", "resnet50"])
def drawn(request: pytest.FixtureRequest) -> tuple[str, dict[str, torch.Tensor], UNet]:
    """The name of the encoder, weights drawn from the community's names, and the network."""
    community = drawn_state(lambda: new_unet(request.param))
    return request.param, community, with_weights(lambda: new_unet(request.param), community)


@torch.no_grad()
def test_logits_of_weights_drawn_from_their_names(drawn) -> None:
    backbone, _, model = drawn
    logits = model(picture(96, 64))
    assert_parity(eight(logits), torch.tensor(LOGITS[backbone]), largest=logits.abs().max().item())


@needs_fixtures
@torch.no_grad()
def test_community_checkpoint_gives_its_logits(drawn) -> None:
    backbone, community, model = drawn
    keys = json.loads((FIXTURES / f"community_layout_unet_{backbone}_5_keys.json").read_text(encoding="utf-8"))["keys"]
    assert {name: list(value.shape) for name, value in community.items()} == keys
    arrays = np.load(FIXTURES / f"community_layout_unet_{backbone}_5.npz")
    assert_parity(model(torch.from_numpy(arrays["input"])), arrays["logits"])


def test_community_checkpoint_is_recognised_and_counted(drawn) -> None:
    backbone, community, model = drawn
    parallel = {f"module.{name}": value for name, value in community.items()}
    assert community_model(community) == community_model(parallel) == ("unet", backbone)
    assert community_model(model.state_dict()) is None
    assert from_community(parallel).keys() == model.state_dict().keys() == from_community(model.state_dict()).keys()
    assert list(to_community(model.state_dict())) == list(community)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert (len(community), count) == {"vgg": (44, 24_891_397), "resnet50": (340, 43_933_061)}[backbone]


@torch.no_grad()
def test_an_odd_size_keeps_its_size(drawn) -> None:
    logits = drawn[2](torch.rand(1, 3, 33, 47))
    assert logits.shape == (1, 5, 33, 47) and logits.isfinite().all()


def test_mobilenet_as_encoder_learns_and_can_be_frozen() -> None:
    torch.manual_seed(0)
    model = new_unet("mobilenet").train()
    blocks = (model.up_concat4, model.up_concat3, model.up_concat2, model.up_concat1)
    assert [block.conv1.in_channels for block in blocks] == [96 + 320, 32 + 512, 24 + 256, 16 + 128]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(torch.rand(2, 3, 40, 17))
    assert logits.shape == (2, 5, 40, 17) and logits.dtype == torch.float32
    F.cross_entropy(logits, torch.zeros(2, 40, 17, dtype=torch.long)).backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    with torch.no_grad():
        for size in ((1, 1), (100, 65)):
            assert model.eval()(torch.rand(1, 3, *size)).shape == (1, 5, *size)
    model.train().freeze_backbone(True)
    before = state(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    optimizer.zero_grad()
    model(torch.rand(2, 3, 32, 32)).square().mean().backward()
    optimizer.step()
    same = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    assert same == {name for name in before if name.startswith("backbone.")}


@torch.no_grad()
@pytest.mark.parametrize("size", [(75, 49), (64, 96), (1, 3)])
def test_vgg_is_configuration_d_of_the_paper(size: tuple[int, int]) -> None:
    encoder = vgg().eval()
    convolutions = iter([layer for layer in encoder.features if isinstance(layer, nn.Conv2d)])
    x = image = torch.rand(1, 3, *size)
    features = encoder(image)
    assert len(features) == len(encoder.strides) == len(encoder.channels) == 5
    for number, (feature, count) in enumerate(zip(features, (2, 2, 3, 3, 3))):
        if number:
            x = F.max_pool2d(x, 2, ceil_mode=True)
        for _ in range(count):
            layer = next(convolutions)
            x = F.relu(F.conv2d(x, layer.weight, layer.bias, padding=1))
        torch.testing.assert_close(feature, x)
        stride = encoder.strides[number]
        assert x.shape == (1, encoder.channels[number], -(-size[0] // stride), -(-size[1] // stride))
    assert next(convolutions, None) is None


def test_vgg_has_the_same_gradients_when_made_for_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "FEWEST", 0)
    gradients = []
    layers = vgg().features[:9]
    x = torch.rand(2, 3, 24, 20).contiguous(memory_format=torch.channels_last)
    for _ in range(2):
        gradients.append(torch.autograd.grad(layers(x).square().sum(), list(layers.parameters())))
        for_cpu(layers)
    assert isinstance(layers[7], WinogradConv2d)
    for plain, fast in zip(*gradients):
        assert_parity(fast, plain)


def test_vgg_has_no_smaller_stride() -> None:
    with pytest.raises(ValueError, match='downsample_factor is 8 and backbone is "vgg"'):
        vgg(downsample_factor=8)


def stand_in(monkeypatch: pytest.MonkeyPatch, download: Callable[..., object]) -> None:
    """Puts `download` in the place of PyTorch's downloader of weights."""
    monkeypatch.setattr(torchvision.models.VGG16_Weights, "get_state_dict", download)


@torch.no_grad()
def test_pretrained_vgg_takes_unnormalised_input(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = make_layers(cfgs["D"])
    nn.init.normal_(reference[0].bias)
    weights = {f"features.{name}": value for name, value in reference.state_dict().items()}
    stand_in(monkeypatch, lambda *args, **kwargs: {**weights, "classifier.0.weight": torch.ones(1)})
    encoder = vgg(pretrained=True).eval()
    x = torch.rand(1, 3, 24, 24)
    normalised = torchvision.transforms.functional.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    # the border sees the zero padding, which stands for another colour (see fold_normalisation)
    ours, theirs = encoder.features[0](x)[..., 1:-1, 1:-1], reference[0](normalised)[..., 1:-1, 1:-1]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    for name, value in encoder.features[1:].state_dict().items():
        assert torch.equal(value, reference[1:].state_dict()[name])


def test_pretrained_vgg_without_a_network_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    stand_in(monkeypatch, download)
    with pytest.raises(ConnectionError, match=r"pretrained is True and https://.*vgg16-.*\.pth could not be fetched"):
        vgg(pretrained=True)
