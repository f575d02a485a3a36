"""What makes a network fast on a CPU gives the same numbers: dilation, bands of rows, Dropout."""

from collections import Counter

import pytest
import torch
from torch import nn

from helpers import BACKBONE_OF, randomise
from nets import cpu, winograd
from nets.cpu import AtrousDepthwise, BandedResidual, CheapDropout, PointwiseConv2d, for_cpu
from nets.mobilenetv2 import mobilenetv2
from nets.models import build_model
from nets.winograd import WinogradConv2d
from weights import assert_parity


def test_what_is_made_for_a_cpu_has_the_same_parameters_and_is_done_once() -> None:
    plain = build_model("deeplabv3_plus", 5, "mobilenet", 8)
    names = {name: value.clone() for name, value in plain.state_dict().items()}
    kinds = [type(module) for module in plain.modules()]
    assert for_cpu(plain) is plain
    assert all(torch.equal(value, names[name]) for name, value in plain.state_dict().items())
    changed = Counter(type(module) for module, kind in zip(plain.modules(), kinds) if type(module) is not kind)
    assert changed == {
        WinogradConv2d: 2, CheapDropout: 2, BandedResidual: 4, AtrousDepthwise: 10, PointwiseConv2d: 38}
    now = [type(module) for module in plain.modules()]
    assert [type(module) for module in for_cpu(plain).modules()] == now


@torch.no_grad()
@pytest.mark.parametrize(("model_name", "faster"), [
    ("deeplabv3_plus", [WinogradConv2d, CheapDropout, BandedResidual]), ("unet", [WinogradConv2d, BandedResidual]),
    ("pspnet", [BandedResidual]), ("nhm", [WinogradConv2d, AtrousDepthwise]),
])
def test_what_is_made_for_a_cpu_changes_no_logits(model_name: str, faster: list[type], monkeypatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(cpu, "BAND", 100_000)
    monkeypatch.setattr(winograd, "FEWEST", 0)
    model = randomise(build_model(model_name, 5, BACKBONE_OF[model_name]))
    x = torch.rand(1, 3, 75, 49).contiguous(memory_format=torch.channels_last)
    expected = model(x)
    kinds = {type(module) for module in for_cpu(model).modules()}
    assert kinds.issuperset(faster)
    assert_parity(model(x), expected)


@pytest.mark.parametrize("bias", [True, False])
def test_a_pointwise_convolution_is_the_plain_one(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    conv, x = for_cpu(nn.Conv2d(5, 7, 1, bias=bias)), torch.rand(2, 5, 9, 11)
    expected = torch.einsum("nchw,oc->nohw", x, conv.weight[:, :, 0, 0]) + (conv.bias[:, None, None] if bias else 0)
    calls, forward = [], nn.Conv2d.forward
    monkeypatch.setattr(nn.Conv2d, "forward", lambda *args: calls.append(args) or forward(*args))
    for learns, times in ((False, 0), (True, 1)):
        with torch.set_grad_enabled(learns):
            torch.testing.assert_close(conv(x), expected)
        assert len(calls) == times


@pytest.mark.parametrize("dilation", [2, 4])
@pytest.mark.parametrize("size", [(8, 12), (7, 9), (5, 8), (1, 3)])
def test_atrous_depthwise_is_the_plain_dilated_convolution(dilation: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    conv = for_cpu(nn.Conv2d(6, 6, 3, padding=dilation, dilation=dilation, groups=6, bias=False))
    plain = nn.Conv2d(6, 6, 3, padding=dilation, dilation=dilation, groups=6, bias=False)
    assert type(conv) is AtrousDepthwise
    conv.bias = plain.bias = nn.Parameter(torch.randn(6))  # as after folding a BatchNorm in
    plain.load_state_dict(conv.state_dict())
    x = torch.randn(2, 6, *size, requires_grad=True)
    weights = torch.randn(2, 6, *size)
    ours, theirs = conv(x), plain(x)
    torch.testing.assert_close(ours, theirs)
    for parameter, reference in ((conv.weight, plain.weight), (x, x)):
        (gradient,) = torch.autograd.grad((ours * weights).sum(), parameter, retain_graph=True)
        (expected,) = torch.autograd.grad((theirs * weights).sum(), reference, retain_graph=True)
        torch.testing.assert_close(gradient, expected)
    with torch.no_grad():
        torch.testing.assert_close(conv(x), theirs.detach())


@pytest.mark.parametrize("height", [31, 192, 193, 400])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_block_in_bands_is_the_whole(height: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    block = randomise(for_cpu(mobilenetv2()).features[number])
    channels, hidden = block.conv[0][0].in_channels, block.conv[-2].in_channels
    monkeypatch.setattr(cpu, "BAND", 4 * hidden * 40 * 50)  # 50 rows of what is inside
    x = torch.rand(1, channels, height, 40)
    assert type(block) is BandedResidual
    expected = block(x)  # with gradients: in one piece
    calls = []
    block.conv.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        result = block(x)
    stride = 2 if number == 2 else 1
    assert len(calls) == (1 if height <= 50 else -(-(-(-height // stride)) // (50 // stride)))
    torch.testing.assert_close(result, expected)


@torch.inference_mode()
def test_bands_of_several_images_and_odd_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, banded = randomise(mobilenetv2(downsample_factor=8)), for_cpu(mobilenetv2(downsample_factor=8)).eval()
    banded.load_state_dict(plain.state_dict())
    monkeypatch.setattr(cpu, "BAND", 40_000)
    x = torch.rand(2, 3, 77, 51).contiguous(memory_format=torch.channels_last)
    for result, expected in zip(banded(x), plain(x), strict=True):
        torch.testing.assert_close(result, expected)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout_is_pytorchs(p: float, layout: torch.memory_format) -> None:
    """The same share kept, times the same factor, in forward and backward pass; whole channels are not favoured."""
    x = torch.rand(2, 30, 101, 103).add_(1).to(torch.bfloat16).contiguous(memory_format=layout).requires_grad_()
    ours, theirs = for_cpu(nn.Dropout(p)).train(), nn.Dropout(p).train()
    assert type(ours) is CheapDropout
    torch.manual_seed(7)
    y = ours(x)
    y.sum().backward()
    assert y.dtype == x.dtype and y.stride() == x.stride()
    with torch.no_grad():
        torch.testing.assert_close(y[y != 0], (x * theirs(x).div(x).amax())[y != 0])
        torch.testing.assert_close(x.grad, torch.where(y != 0, 1 / (1 - p), 0).to(x.dtype))
        for pixels in ((0, 2, 3), (0, 1, 3), (0, 1, 2)):  # a share in each channel, row and column
            share, expected = (each.ne(0).float().mean(pixels) for each in (y, theirs(x)))
            torch.testing.assert_close(share, expected, atol=0.04, rtol=0)
        assert y.ne(0).float().mean() == pytest.approx(1 - p, abs=0.002)
        assert torch.equal(ours.eval()(x), x)
        torch.manual_seed(7)
        assert torch.equal(ours.train()(x), y)
        assert torch.equal(ours(x), y) == (p == 0)
