"""Losses against numbers worked out by hand, torchvision, scikit-learn and plain NumPy."""

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torchvision.ops import sigmoid_focal_loss

from nets import losses
from utils.utils import GAP, IGNORE

cross_entropy, dice_loss, focal_loss, segmentation_loss = (
    partial(getattr(losses, name), ignore_index=IGNORE)
    for name in ("cross_entropy", "dice_loss", "focal_loss", "segmentation_loss")
)

Batch = tuple[torch.Tensor, torch.Tensor]
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 3.0])
SMOOTH = 1e-5


@pytest.fixture
def batch() -> Batch:
    """Random logits (2, 4, 5, 7) and mask (2, 5, 7) of four classes, about a third of it ignored."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, 4, 5, 7, generator=generator)
    mask = torch.randint(0, 4, (2, 5, 7), generator=generator)
    mask[torch.rand(2, 5, 7, generator=generator) < 0.3] = IGNORE
    assert 0 < (mask == IGNORE).sum() < mask.numel()
    return logits, mask.to(torch.uint8)


def by_numpy(
    logits: torch.Tensor, mask: torch.Tensor, weights: torch.Tensor | None, dice: bool, focal: bool
) -> float:
    """The loss by the formulae of the papers in float64, on the list of valid pixels only."""
    scores = logits.double().numpy().transpose(0, 2, 3, 1)[mask.numpy() != IGNORE]
    truth = mask.numpy()[mask.numpy() != IGNORE]
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    p_true = p[np.arange(len(truth)), truth]
    values = -np.log(p_true)
    if focal:
        values = 0.5 * (1 - p_true) ** 2 * values
    loss = np.average(values, weights=None if weights is None else weights.numpy()[truth])
    if dice:
        one_hot = np.eye(p.shape[1])[truth]
        tp = (p * one_hot).sum(0)
        fp, fn = p.sum(0) - tp, one_hot.sum(0) - tp
        loss += 1 - np.mean((2 * tp + SMOOTH) / (2 * tp + fp + fn + SMOOTH))
    return float(loss)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("focal", [False, True], ids=["CE", "FL"])
@pytest.mark.parametrize("dice", [False, True], ids=["alone", "+DL"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_all_combinations_equal_numpy(
    batch: Batch, weights: torch.Tensor | None, focal: bool, dice: bool, dtype: torch.dtype
) -> None:
    logits, mask = batch
    loss = segmentation_loss(logits, mask.to(dtype), weights, dice_loss=dice, focal_loss=focal)
    assert loss.shape == () and loss.dtype == torch.float32
    assert loss.item() == pytest.approx(by_numpy(logits, mask, weights, dice, focal), rel=1e-5)


@pytest.mark.parametrize("ignored", [0, 1, 6])
def test_numbers_by_hand(ignored: int) -> None:
    # One pixel of each of two classes, both predicted with p = 1/2; ignored pixels beside them, sure of themselves.
    logits = torch.zeros(1, 2, 1, 2 + ignored)
    logits[:, 0, :, 2:] = 30.0
    mask = torch.full((1, 1, 2 + ignored), IGNORE, dtype=torch.uint8)
    mask[0, 0, 0], mask[0, 0, 1] = 0, 1
    assert cross_entropy(logits, mask).item() == pytest.approx(math.log(2))
    assert focal_loss(logits, mask).item() == pytest.approx(0.5 * 0.25 * math.log(2))
    assert focal_loss(logits, mask, alpha=1.0, gamma=3.0).item() == pytest.approx(0.125 * math.log(2))
    # each class: tp = 0.5, fp = 0.5, fn = 0.5
    assert dice_loss(logits, mask).item() == pytest.approx(1 - (1 + SMOOTH) / (2 + SMOOTH))
    assert dice_loss(logits, mask, smooth=1.0).item() == pytest.approx(1 - 2 / 3)


def test_class_weights_by_hand() -> None:
    # p of the true class is 1/2 for class 0 (weight 1) and 1/4 for class 1 (weight 3).
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]).view(1, 2, 1, 2)
    mask = torch.tensor([[[0, 1]]])
    weights = torch.tensor([1.0, 3.0])
    assert cross_entropy(logits, mask, weights).item() == pytest.approx((math.log(2) + 3 * math.log(4)) / 4)
    focal = 0.5 * (0.25 * math.log(2) + 3 * 0.5625 * math.log(4)) / 4
    assert focal_loss(logits, mask, weights).item() == pytest.approx(focal)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_cross_entropy_is_pytorchs_and_its_gradient_too(batch: Batch, weights: torch.Tensor | None) -> None:
    logits, mask = batch
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss = cross_entropy(ours, mask, weights)
    reference = F.cross_entropy(theirs, mask.long(), weights, ignore_index=IGNORE)
    torch.testing.assert_close(loss, reference)
    loss.backward()
    reference.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(focal_loss(logits, mask, weights, alpha=1.0, gamma=0.0), loss)


def test_focal_loss_of_two_classes_is_torchvisions() -> None:
    # The softmax over (0, z) is the sigmoid of z.
    z = 3 * torch.randn(2, 6, 6, generator=torch.Generator().manual_seed(1))
    mask = (torch.rand(2, 6, 6, generator=torch.Generator().manual_seed(2)) < 0.5).long()
    ours, theirs = z.clone().requires_grad_(), z.clone().requires_grad_()
    loss = focal_loss(torch.stack((torch.zeros_like(z), ours), dim=1), mask)
    reference = sigmoid_focal_loss(theirs, mask.float(), alpha=0.5, gamma=2, reduction="mean")
    torch.testing.assert_close(loss, reference)
    loss.backward()
    reference.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_dice_of_hard_predictions_is_scikit_learns_f1(batch: Batch) -> None:
    logits, mask = batch
    predicted = logits.argmax(dim=1)
    hard = 100.0 * F.one_hot(predicted, 4).permute(0, 3, 1, 2)
    valid = mask != IGNORE
    score = f1_score(mask[valid].numpy(), predicted[valid].numpy(), average="macro")
    assert dice_loss(hard, mask).item() == pytest.approx(1 - score, abs=1e-5)


COMBINATIONS = [(dice, focal) for dice in (False, True) for focal in (False, True)]


@pytest.mark.parametrize(("dice", "focal"), COMBINATIONS)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_ignored_pixels_move_nothing(batch: Batch, dice: bool, focal: bool, weights: torch.Tensor | None) -> None:
    logits, mask = batch
    ignored = (mask == IGNORE).unsqueeze(1).expand_as(logits)
    changed = torch.where(ignored, 50 * torch.randn_like(logits), logits).requires_grad_()
    loss = segmentation_loss(changed, mask, weights, dice, focal)
    assert loss.item() == pytest.approx(segmentation_loss(logits, mask, weights, dice, focal).item(), rel=1e-6)
    loss.backward()
    assert (changed.grad[ignored] == 0).all()
    assert (changed.grad[~ignored] != 0).all()


@pytest.mark.parametrize(("dice", "focal"), COMBINATIONS)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_a_batch_without_valid_pixels_gives_zero(dice: bool, focal: bool, weights: torch.Tensor | None) -> None:
    logits = torch.randn(2, 4, 3, 3, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((2, 3, 3), IGNORE, dtype=torch.uint8), weights, dice, focal)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(("dice", "focal"), COMBINATIONS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_computed_in_float32(dice: bool, focal: bool, dtype: torch.dtype) -> None:
    # 70 x 1000 pixels: a sum of ones does not fit into float16; p = exp(-20) is not one of float16's normal numbers
    logits = torch.zeros(1, 2, 70, 1000, dtype=dtype)
    logits[:, 0] = 20.0
    mask = torch.ones(1, 70, 1000, dtype=torch.uint8)
    mask[:, :35] = 0
    logits.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = segmentation_loss(logits, mask, None, dice, focal)
    # half the pixels are right (loss about 0), half are wrong with p = exp(-20)
    expected = 0.5 * 20 * (0.5 if focal else 1.0)
    if dice:
        expected += 1 - (2 / 3 + 0) / 2  # class 0: 2 x 35 of 70 + 35 rows; class 1: nothing found
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert logits.grad.isfinite().all() and logits.grad.any()


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_background_between_objects_counts_as_often_as_it_weighs(batch: Batch, weights: torch.Tensor | None) -> None:
    logits, mask = batch
    gap = mask == 0
    assert gap.any()
    marked = mask.masked_fill(gap, GAP)
    pixels = F.cross_entropy(logits, mask.long(), weights, ignore_index=IGNORE, reduction="none")
    each = (torch.ones(4) if weights is None else weights)[mask.long().clamp(max=3)] * (mask != IGNORE)
    times = torch.where(gap, 10, 1)
    expected = (times * pixels).sum() / (times * each).sum()
    loss = segmentation_loss(logits, marked, weights, gap_index=GAP, gap_weight=10)
    torch.testing.assert_close(loss, expected)
    with_dice = segmentation_loss(logits, marked, weights, dice_loss=True, gap_index=GAP, gap_weight=10)
    torch.testing.assert_close(with_dice, expected + dice_loss(logits, mask))
    torch.testing.assert_close(segmentation_loss(logits, marked, weights, gap_index=GAP),
                               segmentation_loss(logits, mask, weights))


@pytest.mark.parametrize("shape", [(2, 5, 6), (1, 5, 7), (2, 5, 7, 4)])
def test_mask_of_another_size(batch: Batch, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"mask .* has to be \(N, H, W\) of logits \(2, 4, 5, 7\)"):
        segmentation_loss(batch[0], torch.zeros(shape, dtype=torch.uint8))


@pytest.mark.parametrize("numbers", [3, 5])
def test_wrong_number_of_class_weights(batch: Batch, numbers: int) -> None:
    with pytest.raises(ValueError, match=f"cls_weights has {numbers} numbers: give 4, one for each class"):
        segmentation_loss(*batch, torch.ones(numbers))
