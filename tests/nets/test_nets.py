"""Networks: shapes, parity with torchvision and the community's checkpoints, freezing, pretrained weights."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from helpers import COMPILES, FIXTURES, needs_fixtures, new_deeplab, randomise
from torch import nn
from torchvision.models.segmentation.deeplabv3 import ASPP as TorchvisionASPP

from nets.community import from_community, is_community, to_community
from nets import cpu
from nets.blocks import SingleValueBatchNorm2d, fold_batchnorm, upsample
from nets.cpu import AtrousDepthwise, BandedResidual, CheapDropout, for_cpu
from nets.deeplabv3_plus import ASPP, DeepLab
from nets.mobilenetv2 import LEVELS, PRECISE, PRECISE_IN_TRAINING, mobilenetv2
from nets.models import BACKBONES, build_model
from nets.winograd import WinogradConv2d
from nets.xception import Block, SeparableConv2d, xception

def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Gives `target` the tensors of `source` in their order, whatever their names."""
    values = list(source.state_dict().values())
    target.load_state_dict(dict(zip(target.state_dict(), values, strict=True)))


def test_what_is_made_for_a_cpu_has_the_same_parameters_and_is_done_once() -> None:
    plain = build_model("deeplabv3_plus", 5, "mobilenet", 8)
    names = {name: value.clone() for name, value in plain.state_dict().items()}
    kinds = [type(module) for module in plain.modules()]
    assert for_cpu(plain) is plain
    assert all(torch.equal(value, names[name]) for name, value in plain.state_dict().items())
    changed = Counter(type(module) for module, kind in zip(plain.modules(), kinds) if type(module) is not kind)
    assert changed == {WinogradConv2d: 2, CheapDropout: 2, BandedResidual: 4, AtrousDepthwise: 10}
    now = [type(module) for module in plain.modules()]
    assert [type(module) for module in for_cpu(plain).modules()] == now


@torch.no_grad()
@pytest.mark.parametrize("backbone", ["mobilenet", "xception"])
def test_folded_batch_norms_change_nothing(backbone: str) -> None:
    torch.manual_seed(0)
    model = randomise(new_deeplab(5, backbone).double())
    x = torch.rand(1, 3, 64, 48, dtype=torch.float64)
    before, norms = model(x), sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert fold_batchnorm(model) is model
    torch.testing.assert_close(model(x), before, rtol=1e-9, atol=1e-9)
    with torch.enable_grad():  # some layers take another way there
        torch.testing.assert_close(model(x), before, rtol=1e-9, atol=1e-9)
    left = sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert left < norms if backbone == "xception" else left == 1  # the one behind the ASPP's pooling


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


# --- the encoders ---------------------------------------------------------------------------------------------------

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


@torch.no_grad()
@pytest.mark.parametrize("downsample_factor", [8, 16])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_keeps_the_contract_of_the_table(backbone: str, downsample_factor: int) -> None:
    encoder = BACKBONES[backbone](False, downsample_factor).eval()
    features = encoder(torch.rand(2, 3, 75, 49))
    assert len(features) == len(encoder.strides) == len(encoder.channels)
    for feature, channels, stride in zip(features, encoder.channels, encoder.strides):
        assert feature.shape == (2, channels, -(-75 // stride), -(-49 // stride))
    assert encoder.strides == tuple(sorted(encoder.strides)) and encoder.strides[-1] == downsample_factor


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


# --- the head -------------------------------------------------------------------------------------------------------

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


@torch.no_grad()
@pytest.mark.parametrize("downsample_factor", [8, 16])
@pytest.mark.parametrize("decoder", [True, False])
def test_exact_upsampling_is_that_of_sizes_with_one_pixel_more(decoder: bool, downsample_factor: int) -> None:
    torch.manual_seed(0)
    exact = randomise(new_deeplab(5, downsample_factor=downsample_factor, decoder=decoder, exact_upsampling=True).double())
    plain = new_deeplab(5, downsample_factor=downsample_factor, decoder=decoder).double().eval()
    plain.load_state_dict(exact.state_dict())
    x = torch.rand(1, 3, 65, 97, dtype=torch.float64)
    torch.testing.assert_close(exact(x), plain(x))
    x = x[..., :-1, :-1]
    assert (exact(x) - plain(x)).abs().max() > 1e-6


@pytest.mark.parametrize(("size", "stride"), [((33, 17), 4), ((32, 20), 4), ((50, 30), 16), ((9, 2), 8)])
def test_exact_upsampling_puts_each_value_on_its_pixel(size: tuple[int, int], stride: int) -> None:
    small = np.random.default_rng(0).normal(size=[-(-side // stride) for side in size])
    rows = np.array([np.interp(np.arange(size[1]) / stride, np.arange(len(row)), row) for row in small])
    expected = np.array([np.interp(np.arange(size[0]) / stride, np.arange(len(rows)), row) for row in rows.T]).T
    result = upsample(torch.from_numpy(small)[None, None], torch.empty(1, 1, *size), stride, exact=True)
    np.testing.assert_allclose(result[0, 0], expected, atol=1e-12)


@COMPILES
def test_exact_upsampling_can_be_compiled_for_training() -> None:
    """In channels-last memory, as training has it: compiled, the gradient of F.pad's "replicate" fails there."""
    gradients = []
    for function in (upsample, torch.compile(upsample)):
        torch.manual_seed(0)
        x = torch.randn(2, 8, 5, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
        function(x.relu(), torch.empty(2, 1, 20, 16), 4, exact=True).square().sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients)


@torch.no_grad()
def test_output_is_upsampled_with_aligned_corners() -> None:
    model = randomise(new_deeplab(5))
    small = []
    model.cls_conv.register_forward_hook(lambda module, inputs, output: small.append(output))
    logits = model(torch.rand(1, 3, 50, 70))
    assert small[0].shape == (1, 5, 13, 18)  # a quarter, rounded up
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        torch.testing.assert_close(logits[..., row, column], small[0][..., row, column])


def test_onnx_export_takes_any_batch_and_size(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    model = randomise(new_deeplab(5))
    axes = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(
        model, (torch.rand(2, 3, 64, 96),), tmp_path / "model.onnx", dynamo=False, input_names=["image"],
        output_names=["logits"], dynamic_axes={"image": axes, "logits": axes},
    )
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 33, 47), (3, 3, 64, 48)):
        x = torch.rand(shape)
        with torch.no_grad():
            expected = model(x).numpy()
        np.testing.assert_allclose(session.run(None, {"image": x.numpy()})[0], expected, atol=1e-4)


# --- freezing and BatchNorm ------------------------------------------------------------------------------------------

def train_steps(model: DeepLab, steps: int = 2) -> None:
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.rand(2, 3, 32, 32)).square().mean().backward()
        optimizer.step()


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in module.state_dict().items()}


@pytest.mark.parametrize("backbone", ["mobilenet", "xception"])
def test_frozen_backbone_stays_bit_for_bit(backbone: str) -> None:
    model = new_deeplab(3, backbone)
    model.freeze_backbone(True)
    backbone_before, aspp_before = state(model.backbone), state(model.aspp)
    train_steps(model)
    assert all(torch.equal(value, backbone_before[key]) for key, value in model.backbone.state_dict().items())
    assert not any(torch.equal(value, aspp_before[key]) for key, value in model.aspp.state_dict().items())


def test_frozen_backbone_stays_in_evaluation_mode_and_keeps_no_graph() -> None:
    model = new_deeplab(3).eval()
    model.freeze_backbone(True)
    model.train()
    assert model.training and model.aspp.training
    assert not any(module.training for module in model.backbone.modules())
    assert not any(feature.requires_grad for feature in model.backbone(torch.rand(2, 3, 32, 32)))


def test_unfrozen_backbone_learns_again() -> None:
    model = new_deeplab(3)
    model.freeze_backbone(True)
    assert not any(module.training for module in model.backbone.modules())
    model.freeze_backbone(False)
    assert all(module.training for module in model.backbone.modules())
    before = state(model.backbone)
    train_steps(model)
    assert not any(torch.equal(value, before[key]) for key, value in model.backbone.state_dict().items())


def test_unfreezing_leaves_evaluation_mode_on() -> None:
    model = new_deeplab(3)
    model.freeze_backbone(True)
    model.eval()
    model.freeze_backbone(False)
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("backbone", ["mobilenet", "xception"])
def test_frozen_batchnorm_keeps_its_statistics_and_learns_scale_and_shift(backbone: str) -> None:
    model = new_deeplab(3, backbone)
    model.freeze_batchnorm(True)
    before = state(model)
    train_steps(model)
    statistics = {key for key in before if "running_" in key or "num_batches" in key}
    assert statistics == {key for key, value in model.state_dict().items() if torch.equal(value, before[key])}


def test_frozen_batchnorm_treats_each_sample_alone() -> None:
    model, images = new_deeplab(3), torch.rand(3, 3, 48, 64)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.train()
    model(images)  # statistics other than 0 and 1
    assert not torch.allclose(model(images)[:1], model(images[:1]), atol=1e-3)
    model.freeze_batchnorm(True)
    torch.testing.assert_close(model(images)[:1], model(images[:1]), atol=1e-4, rtol=1e-4)
    model.freeze_batchnorm(False)
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("backbone", ["mobilenet", "xception"])
def test_a_batch_of_one_sample_trains(backbone: str) -> None:
    model = new_deeplab(3, backbone).train()
    model(torch.rand(1, 3, 48, 48)).mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_batch_norm_of_a_single_value_uses_running_statistics() -> None:
    norm = SingleValueBatchNorm2d(2, eps=0.0)
    norm.load_state_dict({
        "weight": torch.tensor([1.0, 2.0]), "bias": torch.tensor([0.0, 1.0]),
        "running_mean": torch.tensor([3.0, 4.0]), "running_var": torch.tensor([4.0, 9.0]),
        "num_batches_tracked": torch.tensor(7),
    })
    before = state(norm)
    output = norm.train()(torch.tensor([5.0, 1.0]).view(1, 2, 1, 1))
    assert output.flatten().tolist() == [1.0, -1.0]  # (5 - 3) / 2 and 2 (1 - 4) / 3 + 1
    assert all(torch.equal(value, before[key]) for key, value in norm.state_dict().items())


@pytest.mark.parametrize("shape", [(2, 4, 1, 1), (1, 4, 1, 2), (3, 4, 5, 6)])
def test_batch_norm_of_more_values_is_pytorchs(shape: tuple[int, ...]) -> None:
    ours, reference = SingleValueBatchNorm2d(4), nn.BatchNorm2d(4)
    x = torch.randn(shape)
    for mode in (True, False):
        assert torch.equal(ours.train(mode)(x), reference.train(mode)(x))
    for key, value in reference.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value)


@torch.no_grad()
def test_sync_batch_norm_conversion_keeps_model_and_freezing() -> None:
    model = randomise(new_deeplab(3))
    x = torch.rand(1, 3, 32, 32)
    before = model(x)
    model.freeze_backbone(True)
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert isinstance(model.aspp.branch5_bn, nn.SyncBatchNorm)
    torch.testing.assert_close(model.eval()(x), before)
    model.train()
    assert model.aspp.training and not model.backbone.training


# --- pretrained weights ---------------------------------------------------------------------------------------------

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
    with pytest.raises(ConnectionError, match=r"pretrained is True and https://.*mobilenet_v2-.*\.pth could not be fetched"):
        new_deeplab(5, pretrained=True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"backbone": "xception", "pretrained": True}, 'pretrained is True and backbone is "xception"'),
        ({"backbone": "resnet"}, "backbone is resnet: it has to be one of mobilenet, xception"),
        ({"wings": True}, "deeplabv3_plus has no option wings"),
        ({"downsample_factor": 4}, "downsample_factor is 4: it has to be one of 8, 16"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        new_deeplab(5, **arguments)


# --- the community's checkpoints ------------------------------------------------------------------------------------

# community name, ours: what Sandler et al.'s blocks with (1 to 17) and without (block 1) expansion look like
NAMES = {
    "backbone.features.0.1.running_mean": "backbone.features.0.1.running_mean",
    "backbone.features.1.conv.0.weight": "backbone.features.1.conv.0.0.weight",
    "backbone.features.1.conv.1.bias": "backbone.features.1.conv.0.1.bias",
    "backbone.features.1.conv.3.weight": "backbone.features.1.conv.1.weight",
    "backbone.features.1.conv.4.running_var": "backbone.features.1.conv.2.running_var",
    "backbone.features.17.conv.0.weight": "backbone.features.17.conv.0.0.weight",
    "backbone.features.17.conv.1.weight": "backbone.features.17.conv.0.1.weight",
    "backbone.features.17.conv.3.weight": "backbone.features.17.conv.1.0.weight",
    "backbone.features.17.conv.4.running_var": "backbone.features.17.conv.1.1.running_var",
    "backbone.features.17.conv.6.weight": "backbone.features.17.conv.2.weight",
    "backbone.features.17.conv.7.num_batches_tracked": "backbone.features.17.conv.3.num_batches_tracked",
    "aspp.branch1.0.weight": "aspp.branch1.0.weight",
    "cls_conv.weight": "cls_conv.weight",
}


def test_names_of_the_community_layout() -> None:
    community = {name: torch.tensor(float(number)) for number, name in enumerate(NAMES)}
    ours = {name: torch.tensor(float(number)) for number, name in enumerate(NAMES.values())}
    parallel = {f"module.{name}": value for name, value in community.items()}
    assert from_community(community) == ours
    assert from_community(parallel) == ours
    assert from_community(ours) == ours
    assert to_community(ours) == community
    assert is_community(community) and is_community(parallel)
    assert not is_community(ours) and not is_community({}) and not is_community({"state_dict": community})


@needs_fixtures
@torch.no_grad()
@pytest.mark.parametrize("downsample_factor", [8, 16])
def test_community_checkpoint_gives_its_logits(downsample_factor: int) -> None:
    checkpoint = torch.load(FIXTURES / "community_layout_mobilenet_21.pth", map_location="cpu", weights_only=True)
    arrays = np.load(FIXTURES / "community_layout_mobilenet_21_io.npz")
    model = new_deeplab(21, "mobilenet", downsample_factor=downsample_factor).eval()
    model.load_state_dict(from_community(checkpoint))
    logits = model(torch.from_numpy(arrays["x"])).numpy()
    np.testing.assert_allclose(logits, arrays[f"logits_downsample_{downsample_factor}"], rtol=0, atol=1e-4)
    assert list(to_community(model.state_dict())) == list(checkpoint)


@needs_fixtures
def test_xception_has_the_communitys_keys_and_shapes() -> None:
    expected = json.loads((FIXTURES / "community_layout_xception_21_keys.json").read_text(encoding="utf-8"))
    model_state = new_deeplab(21, "xception").state_dict()
    assert {key: list(value.shape) for key, value in to_community(model_state).items()} == expected
    assert is_community(model_state) and from_community(model_state).keys() == model_state.keys()
