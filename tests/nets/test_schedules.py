"""Weight initialisation, optimisers and learning-rate schedules against numbers worked out by hand."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from helpers import new_deeplab
from nets.deeplabv3_training import batch_size_lr, lr_at, make_optimizer, weights_init

# --- learning rate --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "epoch", "expected"),
    [
        # 10 epochs: warm-up over 1, cosine over 1 to 7, held for 3
        (10, 0, 0.1),
        (10, 1, 1.0),
        (10, 2, 0.01 + 0.495 * (1 + math.sqrt(3) / 2)),
        (10, 3, 0.01 + 0.495 * 1.5),
        (10, 4, 0.01 + 0.495),
        (10, 5, 0.01 + 0.495 * 0.5),
        (10, 7, 0.01),
        (10, 9, 0.01),
        # 100 epochs: warm-up over 3 (not 10), held for 15 (not 30)
        (100, 0, 0.1),
        (100, 1, 0.2),
        (100, 2, 0.5),
        (100, 3, 1.0),
        (100, 44, 0.505),
        (100, 85, 0.01),
        (100, 99, 0.01),
        # 20 epochs: warm-up over 2, held for 6
        (20, 1, 0.325),
        (20, 2, 1.0),
        (20, 8, 0.505),
        (20, 14, 0.01),
        # the shortest runs
        (3, 0, 0.1),
        (3, 1, 1.0),
        (3, 2, 0.01),
        (2, 1, 1.0),
        (1, 0, 0.1),
    ],
)
def test_cos_by_hand(total: int, epoch: int, expected: float) -> None:
    assert lr_at(epoch, total, 1.0, 0.01, "cos") == pytest.approx(expected)


def test_cos_starts_at_no_less_than_a_millionth() -> None:
    assert lr_at(0, 100, 5e-6, 5e-8, "cos") == pytest.approx(1e-6)


@pytest.mark.parametrize("total", [3, 4, 7, 15, 30, 100, 1000])
def test_cos_rises_falls_and_ends_at_min_lr(total: int) -> None:
    rates = [lr_at(epoch, total, 7e-3, 7e-5, "cos") for epoch in range(total)]
    top = rates.index(max(rates))
    assert top <= 3 and rates[top] > 0.9 * 7e-3
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == 7e-5 and min(rates) == 7e-5


@pytest.mark.parametrize(
    ("total", "epoch", "expected"),
    [
        (100, 0, 1.0),
        (100, 9, 1.0),
        (100, 10, 0.1),
        (100, 55, 1e-5),
        (100, 89, 1e-8),
        (100, 90, 1e-9),
        (100, 99, 1e-9),
        (25, 2, 1.0),  # a step is 2.5 epochs
        (25, 3, 0.1),
        (25, 5, 1e-2),
        (4, 0, 1.0),  # fewer epochs than steps: 1, 1e-3, 1e-6, 1e-9
        (4, 1, 1e-3),
        (4, 3, 1e-9),
        (1, 0, 1.0),
    ],
)
def test_step_by_hand(total: int, epoch: int, expected: float) -> None:
    assert lr_at(epoch, total, 1.0, 1e-9, "step") == pytest.approx(expected)


@pytest.mark.parametrize("total", [2, 7, 10, 33, 100])
def test_step_falls_to_min_lr(total: int) -> None:
    rates = [lr_at(epoch, total, 7e-3, 7e-5, "step") for epoch in range(total)]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == min(total, 10)
    assert rates[0] == 7e-3 and rates[-1] == pytest.approx(7e-5)


@pytest.mark.parametrize(
    ("batch_size", "init_lr", "optimizer_type", "model_name", "backbone", "expected"),
    [
        (16, 7e-3, "sgd", "deeplabv3_plus", "mobilenet", (7e-3, 7e-5)),
        (8, 7e-3, "sgd", "deeplabv3_plus", "mobilenet", (3.5e-3, 3.5e-5)),
        (8, 7e-3, "sgd", "deeplabv3_plus", "xception", (3.5e-3, 3.5e-5)),
        (1, 7e-3, "sgd", "deeplabv3_plus", "mobilenet", (5e-4, 5e-6)),  # 4.375e-4 is below the limit
        (256, 7e-3, "sgd", "deeplabv3_plus", "mobilenet", (1e-1, 1e-3)),  # 0.112 is above
        (14, 5e-4, "adam", "deeplabv3_plus", "mobilenet", (4.375e-4, 4.375e-6)),
        (8, 5e-4, "adam", "deeplabv3_plus", "mobilenet", (3e-4, 3e-6)),
        (64, 5e-4, "adam", "deeplabv3_plus", "mobilenet", (5e-4, 5e-6)),
        (4, 5e-4, "adam", "deeplabv3_plus", "xception", (1e-4, 1e-6)),
        (64, 5e-4, "adam", "deeplabv3_plus", "xception", (1e-4, 1e-6)),
        (4, 5e-4, "adam", "unet", "vgg", (1e-4, 1e-6)),
        (16, 5e-4, "adam", "unet", "mobilenet", (1e-4, 1e-6)),
        (8, 7e-3, "sgd", "unet", "vgg", (3.5e-3, 3.5e-5)),
        (8, 5e-4, "adam", "pspnet", "resnet50", (3e-4, 3e-6)),
        (4, 4e-3, "adam", "nhm", "resnet18", (1e-3, 1e-5)),
    ],
)
def test_batch_size_rule(
    batch_size: int, init_lr: float, optimizer_type: str, model_name: str, backbone: str, expected: tuple[float, float]
) -> None:
    rates = batch_size_lr(batch_size, init_lr, 0.01 * init_lr, optimizer_type, model_name, backbone)
    assert rates == pytest.approx(expected)


# --- optimisers -----------------------------------------------------------------------------------------------------


def descend(optimizer_type: str, gradients: list[float], **options: float) -> float:
    """Where a parameter that starts at 1 ends after these gradients, with lr 0.1."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    optimizer = make_optimizer(model, optimizer_type, lr=0.1, **options)
    for gradient in gradients:
        model.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
    return model.weight.item()


def test_sgd_is_nesterovs() -> None:
    # buffer 1, step 1 + 0.9; then buffer 0.9 - 1 = -0.1, step -1 + 0.9 x -0.1
    assert descend("sgd", [1.0], momentum=0.9) == pytest.approx(1 - 0.19)
    assert descend("sgd", [1.0, -1.0], momentum=0.9) == pytest.approx(1 - 0.19 + 0.109)
    assert descend("sgd", [1.0], momentum=0.9, weight_decay=0.1) == pytest.approx(1 - 0.1 * 1.9 * 1.1)
    assert descend("sgd", [1.0, 1.0], momentum=0.0) == pytest.approx(0.8)


def test_adam_takes_momentum_as_first_beta() -> None:
    # Step 2: first moment (0.9 x 0.1 + 0.1 x 2) / (1 - 0.9^2), second (0.999 x 0.001 + 0.001 x 4) / (1 - 0.999^2)
    assert descend("adam", [1.0], momentum=0.9) == pytest.approx(0.9)
    expected = 0.9 - 0.1 * (0.29 / 0.19) / math.sqrt(0.004999 / 0.001999)
    assert descend("adam", [1.0, 2.0], momentum=0.9) == pytest.approx(expected)
    assert descend("adam", [-0.05], momentum=0.9, weight_decay=0.1) == pytest.approx(0.9)  # -0.05 + 0.1 x 1 > 0


def test_frozen_parameters_are_in_the_optimiser_and_stay() -> None:
    model = new_deeplab(3)
    model.freeze_backbone(True)
    frozen, free = model.backbone.features[0][0].weight, model.cls_conv.weight
    before = frozen.clone(), free.clone()
    for optimizer_type in ("adam", "sgd"):
        optimizer = make_optimizer(model, optimizer_type, lr=0.1, weight_decay=0.1)
        assert len(optimizer.param_groups[0]["params"]) == len(list(model.parameters()))
        model(torch.rand(2, 3, 16, 16)).mean().backward()
        optimizer.step()
    assert torch.equal(frozen, before[0]) and not torch.equal(free, before[1])


# --- weight initialisation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("init_type", "std"),
    [
        ("normal", 0.02),
        ("xavier", 0.02 * math.sqrt(2 / (9 * 64 + 9 * 96))),
        ("kaiming", math.sqrt(2 / (9 * 64))),
        ("orthogonal", 0.02 / math.sqrt(9 * 64)),  # rows of 576 numbers and length 0.02
    ],
)
def test_weights_init_spread(init_type: str, std: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(64, 96, 3), nn.BatchNorm2d(4096))
    conv, norm = model
    nn.init.ones_(norm.bias)
    weights_init(model, init_type)
    assert conv.weight.mean().item() == pytest.approx(0, abs=3 * std / math.sqrt(conv.weight.numel()))
    assert conv.weight.std().item() == pytest.approx(std, rel=0.02)
    beyond_two_std = (conv.weight.abs() > 2 * std).float().mean().item()
    assert beyond_two_std == pytest.approx(0.0455, rel=0.1)  # of a normal distribution; none of a uniform one
    assert norm.weight.mean().item() == pytest.approx(1, abs=0.002)
    assert norm.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not conv.bias.any() and not norm.bias.any()


def test_orthogonal_rows() -> None:
    conv = nn.Conv2d(8, 16, 3, bias=False)
    weights_init(conv, "orthogonal", init_gain=3.0)
    rows = conv.weight.detach().flatten(1)
    torch.testing.assert_close(rows @ rows.T, 9 * torch.eye(16), atol=1e-4, rtol=0)


def test_weights_init_gain_and_whole_model() -> None:
    torch.manual_seed(0)
    model = new_deeplab(5)
    weights_init(model, "normal", init_gain=0.1)
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 10_000:
            assert module.weight.std().item() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: weights_init(nn.Conv2d(1, 1, 1), "uniform"), 'init_type is "uniform": it has to be one of normal'),
        (lambda: make_optimizer(nn.Linear(1, 1), "adamw", 0.1), 'optimizer_type is "adamw": it has to be "adam"'),
        (lambda: lr_at(0, 10, 1.0, 0.01, "poly"), 'lr_decay_type is "poly": it has to be "cos" or "step"'),
    ],
)
def test_unknown_names(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call()
