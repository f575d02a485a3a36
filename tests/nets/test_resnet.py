"""ResNet-50 and ResNet-18: parity with torchvision, sizes, pretrained weights."""

from collections.abc import Callable
from urllib.error import URLError

import pytest
import torch
import torchvision
from torch import nn

from helpers import randomise
from nets.resnet import resnet18, resnet50, resnet50s


@pytest.fixture(scope="module")
def reference() -> nn.Module:
    """torchvision's ResNet-50 with the pooling of the community's U-Net."""
    model = randomise(torchvision.models.resnet50(weights=None))
    model.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    return model


@pytest.fixture(scope="module")
def reference18() -> nn.Module:
    """torchvision's ResNet-18."""
    return randomise(torchvision.models.resnet18(weights=None))


@torch.no_grad()
@pytest.mark.parametrize("downsample_factor", [8, 16, 32])
def test_resnet_is_torchvisions_sampled_more_densely(reference: nn.Module, downsample_factor: int) -> None:
    # Dilation in place of a stride computes the same features at more places: every 2nd (4th) one is torchvision's.
    with torch.device("meta"):
        encoder = resnet50(downsample_factor=downsample_factor).eval()
    encoder.load_state_dict(
        {name: value for name, value in reference.state_dict().items() if not name.startswith("fc.")}, assign=True)
    x = image = torch.rand(1, 3, 96, 64)
    x = reference.relu(reference.bn1(reference.conv1(x)))
    expected = [x]
    x = reference.maxpool(x)
    for layer in (reference.layer1, reference.layer2, reference.layer3, reference.layer4):
        x = layer(x)
        expected.append(x)
    for feature, theirs, stride in zip(encoder(image), expected, (2, 4, 8, 16, 32), strict=True):
        step = max(1, stride // downsample_factor)
        torch.testing.assert_close(feature[:, :, ::step, ::step], theirs, rtol=1e-4, atol=1e-4 * theirs.max().item())


@torch.no_grad()
def test_resnet18_is_the_first_half_of_torchvisions(reference18: nn.Module) -> None:
    with torch.device("meta"):
        encoder = resnet18(downsample_factor=8).eval()
    weights = reference18.state_dict()
    encoder.load_state_dict({name: weights[name] for name in encoder.state_dict()}, assign=True)
    assert (encoder.channels, encoder.strides) == ((64, 128), (4, 8))
    for height, width in ((64, 96), (75, 49), (1, 3)):
        image = torch.rand(2, 3, height, width)
        first = reference18.maxpool(reference18.relu(reference18.bn1(reference18.conv1(image))))
        expected = (first, reference18.layer2(reference18.layer1(first)))
        for feature, theirs, stride in zip(encoder(image), expected, encoder.strides, strict=True):
            torch.testing.assert_close(feature, theirs)
            assert feature.shape[2:] == (-(-height // stride), -(-width // stride))


@torch.no_grad()
@pytest.mark.parametrize("downsample_factor", [8, 16])
@pytest.mark.parametrize("make", [resnet50, resnet50s])
def test_features_are_those_of_the_table(make: Callable[..., nn.Module], downsample_factor: int) -> None:
    with torch.device("meta"):  # shapes only
        encoder = make(downsample_factor=downsample_factor).eval()
        for height, width in ((75, 49), (64, 96), (1, 3)):
            features = encoder(torch.rand(2, 3, height, width))
            assert len(features) == len(encoder.strides) == len(encoder.channels) == 5
            for feature, channels, stride in zip(features, encoder.channels, encoder.strides):
                assert feature.shape == (2, channels, -(-height // stride), -(-width // stride))
    assert encoder.strides[-1] == downsample_factor


@torch.no_grad()
@pytest.mark.parametrize(("make", "name"), [(resnet50, "reference"), (resnet18, "reference18")])
def test_pretrained_weights_take_unnormalised_input(
    make: Callable[..., nn.Module], name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = request.getfixturevalue(name)
    stand_in(monkeypatch, lambda *args, **kwargs: reference.state_dict())
    encoder = make(pretrained=True).eval()
    x = torch.rand(1, 3, 64, 64)
    normalised = torchvision.transforms.functional.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    expected = reference.bn1(reference.conv1(normalised))
    # the border sees the zero padding, which stands for another colour (see fold_normalisation)
    ours = encoder.bn1(encoder.conv1(x))
    torch.testing.assert_close(ours[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-5, rtol=1e-5)
    weights = reference.state_dict()
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, weights[name])}
    assert changed == {"conv1.weight", "bn1.running_mean"}


def stand_in(monkeypatch: pytest.MonkeyPatch, download: Callable[..., object]) -> None:
    """Puts `download` in the place of PyTorch's downloader of weights."""
    for weights in (torchvision.models.ResNet50_Weights, torchvision.models.ResNet18_Weights):
        monkeypatch.setattr(weights, "get_state_dict", download)


def test_pretrained_without_a_network_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    stand_in(monkeypatch, download)
    with torch.device("meta"):
        for make, number in ((resnet50, 50), (resnet18, 18)):
            with pytest.raises(ConnectionError, match=rf"pretrained is True and https://.*resnet{number}-.*\.pth"):
                make(pretrained=True)
        with pytest.raises(ValueError, match='pretrained is True and backbone is "resnet50s".*backbone = "resnet50"'):
            resnet50s(pretrained=True)
