"""MobileNetV2: parity with torchvision, mixed precision, pretrained weights."""

from collections.abc import Callable
from urllib.error import URLError

import pytest
import torch
import torchvision

from helpers import copy_weights, new_deeplab, randomise
from nets.mobilenetv2 import LEVELS, PRECISE, PRECISE_IN_TRAINING, mobilenetv2


@torch.no_grad()
@pytest.mark.parametrize("downsample_factor", [8, 16])
def test_mobilenet_is_torchvisions_sampled_more_densely(downsample_factor: int) -> None:
    # Dilation in place of a stride computes the same features at more places: every 2nd (4th) one is torchvision's.
    reference = randomise(torchvision.models.mobilenet_v2(weights=None)).features[:-1]
    encoder = mobilenetv2(downsample_factor=downsample_factor).eval()
    copy_weights(reference, encoder.features)
    x = torch.rand(2, 3, 96, 160)
    features = encoder(x)
    assert features[1].shape == (2, 24, 24, 40)
    assert features[-1].shape == (2, 320, 96 // downsample_factor, 160 // downsample_factor)
    for feature, level, stride in zip(features, LEVELS, (2, 4, 8, 16, 32), strict=True):
        step = max(1, stride // downsample_factor)
        torch.testing.assert_close(feature[:, :, ::step, ::step], reference[:level + 1](x))


@torch.inference_mode()
@pytest.mark.parametrize("training", [False, True])
def test_first_layers_keep_their_digits_in_mixed_precision(training: bool) -> None:
    model, x = mobilenetv2().train(training), torch.rand(2, 3, 32, 32)
    expected = model.features[:PRECISE_IN_TRAINING if training else PRECISE](x)
    seen = []
    model.features[PRECISE_IN_TRAINING if training else PRECISE].register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = model(x)
    torch.testing.assert_close(seen[0], expected)
    assert features[1].dtype == torch.float32 and features[-1].dtype == torch.bfloat16


def stand_in(monkeypatch: pytest.MonkeyPatch, download: Callable[..., object]) -> None:
    """Puts `download` in the place of PyTorch's downloader of weights."""
    monkeypatch.setattr(torchvision.models.MobileNet_V2_Weights, "get_state_dict", download)


@torch.no_grad()
def test_pretrained_weights_take_unnormalised_input(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = randomise(torchvision.models.mobilenet_v2(weights=None))
    stand_in(monkeypatch, lambda *args, **kwargs: reference.state_dict())
    encoder = mobilenetv2(pretrained=True).eval()
    x = torch.rand(1, 3, 64, 64)
    normalised = torchvision.transforms.functional.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    expected, output = reference.features[0](normalised), encoder.features[0](x)
    # the first row and column see the zero padding, which stands for another colour (see fold_normalisation)
    torch.testing.assert_close(output[..., 1:, 1:], expected[..., 1:, 1:], atol=1e-5, rtol=1e-5)
    assert (output - expected).abs()[..., 0, :].max() > 0.01
    for ours, theirs in zip(encoder.features[1:].state_dict().values(), reference.features[1:-1].state_dict().values()):
        assert torch.equal(ours, theirs)


@torch.no_grad()
def test_folding_holds_for_batch_statistics_too(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = torchvision.models.mobilenet_v2(weights=None).train()
    stand_in(monkeypatch, lambda *args, **kwargs: reference.state_dict())
    first = mobilenetv2(pretrained=True).train().features[0]
    for conv in (first[0], reference.features[0][0]):
        conv.padding = (0, 0)  # no border, so that it cannot blur the statistics
    x = torch.rand(2, 3, 33, 33)
    normalised = torchvision.transforms.functional.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(first(x), reference.features[0](normalised), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "error", [URLError("no route to host"), TimeoutError("timed out"), RuntimeError("invalid hash value")]
)
def test_pretrained_without_a_network_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def download(*args: object, **kwargs: object) -> None:
        raise error

    stand_in(monkeypatch, download)
    sentence = r"pretrained is True and https://.*mobilenet_v2-.*\.pth could not be fetched"
    with pytest.raises(ConnectionError, match=sentence):
        new_deeplab(5, pretrained=True)
