"""Xception: shapes, denser sampling, its separable convolutions and shortcuts."""

import torch
import torch.nn.functional as F
from torch import nn

from helpers import randomise
from nets.xception import Block, SeparableConv2d, xception


@torch.no_grad()
def test_xception_shapes_and_denser_sampling() -> None:
    # in double precision: 60 layers with random weights blow up what the order of float32 sums changes
    coarse, fine = xception(downsample_factor=16).double().train(), xception(downsample_factor=8).double().eval()
    x = torch.rand(1, 3, 64, 96, dtype=torch.float64)
    for module in coarse.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    coarse(x)  # BatchNorm takes over the statistics of x, so that every block contributes
    coarse.eval()
    fine.load_state_dict(coarse.state_dict())
    (*early, high_level), (*early_8, high_level_8) = coarse(x), fine(x)
    assert early[1].shape == (1, 256, 16, 24)
    assert high_level.shape == (1, 2048, 4, 6)
    assert high_level_8.shape == (1, 2048, 8, 12)
    torch.testing.assert_close(early_8, early)
    torch.testing.assert_close(high_level_8[:, :, ::2, ::2], high_level)


@torch.no_grad()
def test_separable_convolution_in_both_orders() -> None:
    x = torch.randn(1, 4, 9, 9)
    for activate_first in (True, False):
        layer = randomise(SeparableConv2d(4, 6, dilation=2, activate_first=activate_first))
        entering = F.relu(x) if activate_first else x
        depthwise = F.conv2d(entering, layer.depthwise.weight, padding=2, dilation=2, groups=4)
        hidden = layer.bn1(depthwise) if activate_first else F.relu(layer.bn1(depthwise))
        expected = layer.bn2(F.conv2d(hidden, layer.pointwise.weight))
        torch.testing.assert_close(layer(x), expected if activate_first else F.relu(expected))


@torch.no_grad()
def test_xception_block_shortcuts() -> None:
    x = torch.randn(1, 4, 9, 9)
    identity, projection = randomise(Block(4, 4)), randomise(Block(4, 8, stride=2))
    for block in (identity, projection):  # silence the main path: what is left is the shortcut
        block.sepconv3.bn2.weight.zero_()
        block.sepconv3.bn2.bias.zero_()
    torch.testing.assert_close(identity(x)[0], F.relu(x))
    torch.testing.assert_close(projection(x)[0], projection.skipbn(F.conv2d(x, projection.skip.weight, stride=2)))
