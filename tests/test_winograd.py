"""Winograd's convolution against PyTorch's own."""

import copy

import pytest
import torch
from torch import nn

from nets.deeplabv3_plus import DeepLab, fold_batchnorm
from nets.winograd import WinogradConv2d, use_winograd


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 7), (16, 16), (17, 30), (40, 3)])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
@torch.inference_mode()
def test_it_is_pytorchs_convolution(size, batch, bias):
    torch.manual_seed(0)
    conv = nn.Conv2d(5, 7, 3, padding=1, bias=bias)
    x = torch.randn(batch, 5, *size)
    expected = copy.deepcopy(conv).double()(x.double()).float()
    for memory_format in (torch.contiguous_format, torch.channels_last):
        result = WinogradConv2d(conv)(x.contiguous(memory_format=memory_format))
        assert result.shape == expected.shape and result.dtype == torch.float32
        torch.testing.assert_close(result, expected, rtol=0, atol=3e-5)


def test_a_traced_network_takes_other_sizes_too():
    torch.manual_seed(0)
    conv = nn.Conv2d(5, 7, 3, padding=1).requires_grad_(False)
    traced = torch.jit.trace(WinogradConv2d(conv), torch.randn(1, 5, 16, 16))
    x = torch.randn(2, 5, 40, 24)
    torch.testing.assert_close(traced(x), conv(x))


def test_only_wide_plain_3x3_convolutions_are_replaced():
    others = [nn.Conv2d(128, 128, 3, padding=1, stride=2), nn.Conv2d(128, 128, 3, padding=2, dilation=2),
              nn.Conv2d(128, 128, 3), nn.Conv2d(128, 128, 3, padding=1, groups=2), nn.Conv2d(128, 128, 1),
              nn.Conv2d(64, 128, 3, padding=1), nn.Conv2d(128, 128, 3, padding=1, padding_mode="reflect"), nn.ReLU()]
    model = use_winograd(nn.Sequential(nn.Conv2d(128, 128, 3, padding=1), *others))
    assert isinstance(model[0], WinogradConv2d) and list(model[1:]) == others


@torch.inference_mode()
def test_the_network_computes_the_same_with_it():
    torch.manual_seed(0)
    model = fold_batchnorm(DeepLab(5, exact_upsampling=True))
    x = torch.rand(2, 3, 96, 80)
    expected = model(x)
    assert sum(isinstance(module, WinogradConv2d) for module in use_winograd(model).modules()) == 2
    torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-4 * expected.abs().max().item())
