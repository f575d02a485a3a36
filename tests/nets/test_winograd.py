"""Winograd's convolution against PyTorch's own."""

import copy

import pytest
import torch
from torch import nn

from helpers import new_deeplab
from nets import winograd
from nets.blocks import fold_batchnorm
from nets.winograd import WinogradConv2d
from utils.network.precision import Precision

CHANNELS_LAST = {"memory_format": torch.channels_last}


def relative_error(result, expected):
    return (result - expected).abs().max() / expected.abs().max()


@pytest.fixture(autouse=True)
def small_images(monkeypatch):
    """It is used for images of any size, unlike at work."""
    monkeypatch.setattr(winograd, "FEWEST", 0)


@pytest.fixture
def no_convolution_of_pytorch(monkeypatch):
    """PyTorch's own is seen to be asked for, by this error."""
    def refuse(conv, x):
        raise AssertionError("PyTorch's convolution")

    monkeypatch.setattr(nn.Conv2d, "forward", refuse)


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 7), (16, 16), (17, 30), (40, 3), (9, 500)])
@pytest.mark.parametrize("batch", [1, 3])
def test_it_and_its_gradients_are_pytorchs(size, batch, no_convolution_of_pytorch):
    torch.manual_seed(0)
    conv = WinogradConv2d(5, 7, 3, padding=1)
    x, gradient = torch.randn(batch, 5, *size), torch.randn(batch, 7, *size)
    inputs, exact = x.clone(**CHANNELS_LAST).requires_grad_(), x.double().requires_grad_()
    weight, bias = (each.detach().double().requires_grad_() for each in (conv.weight, conv.bias))
    result = conv(inputs)
    expected = torch.nn.functional.conv2d(exact, weight, bias, padding=1)
    assert result.shape == expected.shape and result.is_contiguous(**CHANNELS_LAST)
    torch.testing.assert_close(result.double(), expected, rtol=0, atol=3e-5)
    result.backward(gradient.contiguous(**CHANNELS_LAST))
    expected.backward(gradient.double())
    for own, other in ((inputs, exact), (conv.weight, weight), (conv.bias, bias)):
        assert own.grad.shape == other.grad.shape and relative_error(own.grad, other.grad) < 2e-5


def test_gradients_that_nobody_asks_for_are_not_computed():
    conv = WinogradConv2d(3, 4, 3, padding=1).requires_grad_(False)
    x = torch.randn(1, 3, 8, 8).contiguous(**CHANNELS_LAST).requires_grad_()
    conv(x).sum().backward()
    assert x.grad is not None and conv.weight.grad is None
    conv.requires_grad_(True)
    conv(x.detach()).sum().backward()
    assert conv.weight.grad is not None and conv.bias.grad is not None


@pytest.mark.parametrize("x", [
    torch.rand(2, 5, 8, 8), torch.rand(2, 5, 8, 8).double().contiguous(**CHANNELS_LAST),
    torch.rand(2, 5, 8, 8).bfloat16().contiguous(**CHANNELS_LAST)], ids=["channels first", "float64", "bfloat16"])
def test_pytorch_does_what_else_there_is(x, no_convolution_of_pytorch):
    with pytest.raises(AssertionError, match="PyTorch's convolution"):
        WinogradConv2d(5, 7, 3, padding=1)(x)


@pytest.mark.parametrize(("batch", "height", "width", "used"), [
    (1, 28, 32, False), (1, 29, 32, True), (2, 16, 29, True), (2, 16, 28, False), (64, 1, 1, True)])
def test_pytorch_does_it_for_few_tiles(batch, height, width, used, monkeypatch):
    """64 tiles of 4 x 4 pixels, in all images of the batch, are the fewest."""
    monkeypatch.undo()
    calls, convolve = [], winograd._convolve
    monkeypatch.setattr(winograd, "_convolve", lambda *args: calls.append(args) or convolve(*args))
    WinogradConv2d(5, 7, 3, padding=1)(torch.rand(batch, 5, height, width).contiguous(**CHANNELS_LAST))
    assert len(calls) == used


def test_pytorch_does_it_within_autocast(no_convolution_of_pytorch):
    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(AssertionError, match="PyTorch's convolution"):
        WinogradConv2d(5, 7, 3, padding=1)(torch.rand(2, 5, 8, 8).contiguous(**CHANNELS_LAST))


def test_a_traced_network_takes_other_sizes_too():
    torch.manual_seed(0)
    conv = WinogradConv2d(5, 7, 3, padding=1).requires_grad_(False)
    traced = torch.jit.trace(conv, torch.randn(1, 5, 16, 16).contiguous(**CHANNELS_LAST))
    x = torch.randn(2, 5, 40, 24)
    torch.testing.assert_close(traced(x), conv(x))


def test_pytorch_does_it_where_the_network_is_compiled(monkeypatch):
    torch.manual_seed(0)
    conv, x = WinogradConv2d(5, 7, 3, padding=1), torch.randn(2, 5, 16, 12).contiguous(**CHANNELS_LAST)
    conv(x).square().sum().backward()
    expected = conv.weight.grad.clone()
    conv.zero_grad()
    monkeypatch.setattr(winograd, "_convolve", None)
    torch.compile(conv, backend="aot_eager")(x).square().sum().backward()  # records both passes, writes no C++
    assert relative_error(conv.weight.grad, expected) < 1e-4


def test_the_network_computes_and_learns_the_same_with_it():
    torch.manual_seed(0)
    model = new_deeplab(5, exact_upsampling=True).train()
    model.freeze_batchnorm(True)  # in the deep layers of small images its statistics multiply every rounding error
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    plain = copy.deepcopy(model).double()
    assert sum(isinstance(module, WinogradConv2d) for module in model.modules()) == 2
    model.to(**CHANNELS_LAST)
    x = torch.rand(2, 3, 96, 80)
    for network, image in ((model, x.contiguous(**CHANNELS_LAST)), (plain, x.double())):
        logits = network(image)
        nn.functional.cross_entropy(logits, torch.arange(2 * 96 * 80).view(2, 96, 80) % 5).backward()
    with torch.inference_mode():
        assert relative_error(model(x.contiguous(**CHANNELS_LAST)), plain(x.double())) < 1e-4
    for (name, own), other in zip(model.named_parameters(), plain.parameters()):
        if other.grad.abs().max() > 1e-6:
            assert relative_error(own.grad, other.grad) < 1e-3, name


@pytest.mark.parametrize("size", [(64, 48), (50, 71)])
def test_training_and_prediction_use_it(size, monkeypatch):
    calls, convolve = [], winograd._convolve
    monkeypatch.setattr(winograd, "_convolve", lambda *args: calls.append(args) or convolve(*args))
    model, images = new_deeplab(5, exact_upsampling=True), torch.randint(256, (2, *size, 3), dtype=torch.uint8)
    precision = Precision("cpu", torch.float32)
    precision.forward(model.to(**CHANNELS_LAST).train(), images).sum().backward()
    assert len(calls) == 4  # of the decoder: two convolutions, and the gradients of what they take
    with torch.inference_mode():
        precision.forward(fold_batchnorm(model), images)
    assert len(calls) == 6


@torch.no_grad()
def test_kernels_that_are_kept_serve_images_of_any_size() -> None:
    conv = WinogradConv2d(8, 12, 3, padding=1)
    conv.keep_kernels()
    for size in ((5, 9), (40, 33)):
        x = torch.rand(1, 8, *size).contiguous(memory_format=torch.channels_last)
        expected = nn.functional.conv2d(x, conv.weight, conv.bias, padding=1)
        assert relative_error(conv(x), expected) < 1e-4 and not torch.equal(conv(x), expected)
