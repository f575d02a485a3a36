"""The parts that networks share: BatchNorm of a single value, folding, upsampling to the size of the image."""

import numpy as np
import pytest
import torch
from torch import nn

from helpers import BACKBONE_OF, COMPILES, new_deeplab, new_model, randomise, state
from nets.blocks import SingleValueBatchNorm2d, fold_batchnorm, upsample


@torch.no_grad()
@pytest.mark.parametrize(
    ("model_name", "backbone"), [*BACKBONE_OF.items(), ("deeplabv3_plus", "xception"), ("unet", "resnet50")])
def test_folded_batch_norms_change_nothing(model_name: str, backbone: str) -> None:
    torch.manual_seed(0)
    model = randomise(new_model(model_name, backbone=backbone).double())
    x = torch.rand(1, 3, 33, 47, dtype=torch.float64)
    before, norms = model(x), sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert fold_batchnorm(model) is model
    tolerance = {"rtol": 1e-9, "atol": 1e-9 * before.abs().max().item()}
    torch.testing.assert_close(model(x), before, **tolerance)
    with torch.enable_grad():  # some layers take another way there
        torch.testing.assert_close(model(x), before, **tolerance)
    left = sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    if backbone == "mobilenet":
        assert left == (1 if model_name == "deeplabv3_plus" else 0)  # the one behind the ASPP's pooling
    assert left < norms


@torch.no_grad()
@pytest.mark.parametrize("downsample_factor", [8, 16])
@pytest.mark.parametrize("decoder", [True, False])
def test_exact_upsampling_is_that_of_sizes_with_one_pixel_more(decoder: bool, downsample_factor: int) -> None:
    torch.manual_seed(0)
    options = {"downsample_factor": downsample_factor, "decoder": decoder}
    exact = randomise(new_deeplab(5, exact_upsampling=True, **options).double())
    plain = new_deeplab(5, **options).double().eval()
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
