"""DeepLabv3+: the ASPP, the decoder, sizes."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.segmentation.deeplabv3 import ASPP as TorchvisionASPP

from helpers import copy_weights, new_deeplab, randomise
from nets.deeplabv3_plus import ASPP


def test_without_the_decoder_the_aspps_features_are_classified() -> None:
    torch.manual_seed(0)
    model = new_deeplab(5, decoder=False)
    x = torch.rand(2, 3, 64, 48)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()(x).sum().backward()
    parts = {name.split(".")[0] for name, weight in model.named_parameters() if weight.grad is not None}
    assert parts == {"backbone", "aspp", "cls_conv"}
    changed = {name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"backbone", "aspp"}  # BatchNorm statistics
    model.eval()
    features = model.aspp(model.backbone(x)[-1])
    expected = F.interpolate(model.cls_conv(features), (64, 48), mode="bilinear", align_corners=True)
    torch.testing.assert_close(model(x), expected)
    assert model.state_dict().keys() == new_deeplab(5).state_dict().keys()


@torch.no_grad()
@pytest.mark.parametrize("rate", [1, 2])
def test_aspp_equals_torchvisions(rate: int) -> None:
    ours = randomise(ASPP(32, out_channels=16, rate=rate))
    reference = TorchvisionASPP(32, [6 * rate, 12 * rate, 18 * rate], out_channels=16).eval()
    for module in ours.modules():
        if isinstance(module, nn.Conv2d):
            module.bias = None  # torchvision's have none
    copy_weights(ours, reference)
    x = torch.randn(2, 32, 21, 30)
    torch.testing.assert_close(ours(x), reference(x))


def test_dropout_rates_and_rates_of_aspp() -> None:
    model = new_deeplab(5, downsample_factor=8)
    assert [m.p for m in model.cat_conv if isinstance(m, nn.Dropout)] == [0.5, 0.1]
    branches = (model.aspp.branch2, model.aspp.branch3, model.aspp.branch4)
    assert [branch[0].dilation for branch in branches] == [(12, 12), (24, 24), (36, 36)]


@torch.no_grad()
@pytest.mark.parametrize("size", [(33, 47), (16, 16), (1, 1), (100, 65)])
@pytest.mark.parametrize("downsample_factor", [8, 16])
def test_any_size_keeps_its_size(size: tuple[int, int], downsample_factor: int) -> None:
    logits = new_deeplab(5, downsample_factor=downsample_factor).eval()(torch.rand(1, 3, *size))
    assert logits.shape == (1, 5, *size)
    assert logits.isfinite().all()
