"""PSPNet: parity with the community's code for both heads, pooling in grids, sizes, training."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import FIXTURES, needs_fixtures, randomise
from nets.community import community_model, from_community, to_community
from nets.cpu import for_cpu
from nets.mobilenetv2 import mobilenetv2
from nets.pspnet import BINS, GridAverage, PSPNet
from nets.resnet import resnet50s
from utils.network.onnx_export import export_onnx
from weights import assert_parity, drawn_state, eight, picture, with_weights

BACKBONES = {"mobilenet": mobilenetv2, "resnet50s": resnet50s}
# What this code gave for picture(97, 65) on the day that it had parity with all of the fixtures: logits, auxiliary.
LOGITS = {
    ("mobilenet", 8): (
        [-3.2878, 0.635652, -3.3288, -6.30048, -4.29083, 6.65978, 6.15796, -0.775735],
        [-9.93031, -5.10179, -15.167, -5.21447, 3.70249, 6.285, 3.83986, 4.87372],
    ),
    ("mobilenet", 16): (
        [-2.49782, -2.4479, -3.32685, -1.57186, -4.43156, 5.4573, 3.79593, -3.00749],
        [-5.44379, -6.07158, -8.55839, -3.52921, -1.29383, 5.62946, 4.11516, -1.10894],
    ),
    ("resnet50s", 8): (
        [3746.67, 1382.34, 21065.9, 7598.29, 2896.04, 1535.24, -2549.23, 1721.78],
        [187.426, 612.147, 1850.73, 2536.26, 2192.57, -5177.63, 280.866, 851.014],
    ),
    ("resnet50s", 16): (
        [4687.74, 2272.7, 20145.7, 4174.77, 3736.95, 3093.61, -1595.59, 2797.24],
        [353.265, 263.508, 1711.72, 2853.12, 2234.04, -4492.86, 417.542, 708.704],
    ),
}


def new_pspnet(backbone: str = "mobilenet", downsample_factor: int = 16, **options: bool) -> PSPNet:
    return for_cpu(PSPNet(5, BACKBONES[backbone](False, downsample_factor), **options))


@pytest.fixture(scope="module", params=BACKBONES)
def weights(request: pytest.FixtureRequest) -> tuple[str, dict[str, torch.Tensor]]:
    """The name of the backbone, and weights drawn from the community's names, which fit both downsample factors."""
    return request.param, drawn_state(lambda: new_pspnet(request.param, auxiliary=True))


@torch.no_grad()
@pytest.mark.parametrize("downsample_factor", [8, 16])
def test_logits_of_weights_drawn_from_their_names(weights, downsample_factor: int) -> None:
    backbone, community = weights
    model = with_weights(lambda: new_pspnet(backbone, downsample_factor, auxiliary=True), community)
    x = picture(97, 65).contiguous(memory_format=torch.channels_last)
    both = model.both_heads(x)
    for logits, expected in zip(both, LOGITS[backbone, downsample_factor], strict=True):
        assert_parity(eight(logits), torch.tensor(expected), largest=logits.abs().max().item())
    torch.testing.assert_close(model(x), both[0])  # in evaluation mode the auxiliary head is left out


@needs_fixtures
@torch.no_grad()
@pytest.mark.parametrize("downsample_factor", [8, 16])
def test_community_checkpoint_gives_its_logits(weights, downsample_factor: int) -> None:
    backbone, community = weights
    stem = f"community_layout_pspnet_{backbone.removesuffix('s')}_{downsample_factor}_5"
    keys = json.loads((FIXTURES / f"{stem}_keys.json").read_text(encoding="utf-8"))["keys"]
    assert {name: list(value.shape) for name, value in community.items()} == keys
    arrays = np.load(FIXTURES / f"{stem}.npz")
    model = with_weights(lambda: new_pspnet(backbone, downsample_factor, auxiliary=True), community)
    logits, auxiliary = model.both_heads(torch.from_numpy(arrays["input"]))
    assert_parity(logits, arrays["logits"])
    assert_parity(auxiliary, arrays["aux"])


def test_community_checkpoint_is_recognised_and_counted(weights) -> None:
    backbone, community = weights
    parallel = {f"module.{name}": value for name, value in community.items()}
    assert community_model(community) == community_model(parallel) == ("pspnet", backbone)
    with torch.device("meta"):
        models = [new_pspnet(backbone, auxiliary=auxiliary) for auxiliary in (False, True)]
    own = models[1].state_dict()
    assert from_community(parallel).keys() == own.keys() and to_community(own).keys() == community.keys()
    counts = [(len(model.state_dict()), sum(weight.numel() for weight in model.parameters())) for model in models]
    assert counts == {
        "mobilenet": [(338, 2_376_117), (346, 2_410_962)], "resnet50s": [(362, 46_708_165), (370, 49_069_258)],
    }[backbone]


@pytest.mark.parametrize("size", [(7, 5), (1, 1), (13, 4), (12, 18)])
@pytest.mark.parametrize("bins", BINS)
def test_averages_in_a_grid_are_pytorchs(bins: int, size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size, requires_grad=True)
    ours, theirs = GridAverage(bins)(x), nn.AdaptiveAvgPool2d(bins)(x)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(result.square().sum(), x)[0] for result in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_averages_in_a_grid_can_be_exported(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    assert export_onnx(GridAverage(3), tmp_path / "averages.onnx", 17, {}) < 1e-5  # the export compares two sizes


@torch.no_grad()
@pytest.mark.parametrize(("size", "downsample_factor"), [((33, 47), 8), ((1, 1), 8), ((1, 1), 16), ((100, 65), 16)])
def test_any_size_keeps_its_size(size: tuple[int, int], downsample_factor: int) -> None:
    logits = new_pspnet(downsample_factor=downsample_factor).eval()(torch.rand(1, 3, *size))
    assert logits.shape == (1, 5, *size) and logits.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("downsample_factor", [8, 16])
def test_exact_upsampling_is_that_of_sizes_with_one_pixel_more(downsample_factor: int) -> None:
    torch.manual_seed(0)
    exact = randomise(new_pspnet(downsample_factor=downsample_factor, exact_upsampling=True).double())
    plain = new_pspnet(downsample_factor=downsample_factor).double().eval()
    plain.load_state_dict(exact.state_dict())
    x = torch.rand(1, 3, 65, 97, dtype=torch.float64)
    torch.testing.assert_close(exact(x), plain(x))
    x = x[..., :-1, :-1]
    assert (exact(x) - plain(x)).abs().max() > 1e-6


@pytest.mark.parametrize("samples", [1, 2])
def test_in_training_both_heads_learn(samples: int) -> None:
    torch.manual_seed(0)
    model = new_pspnet(auxiliary=True).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        both = model(torch.rand(samples, 3, 48, 33))
    for logits in both:
        assert logits.shape == (samples, 5, 48, 33) and logits.dtype == torch.float32
    sum(F.cross_entropy(logits, torch.zeros(samples, 48, 33, dtype=torch.long)) for logits in both).backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    assert new_pspnet().train()(torch.rand(samples, 3, 33, 17)).shape == (samples, 5, 33, 17)
