"""The loss of detection, worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from utils.detection.loss import DetectionLoss, detection_loss

SIZE = 32, 32  # grids of 4 x 4, 2 x 2 and 1 x 1 cells
ANCHORS = torch.tensor([[[16.0, 16.0]], [[999.0, 999.0]], [[999.0, 999.0]]])  # no box fits the coarser two levels
BOX = [1, 1, 6, 8, 22, 16]  # in the second image, of class 1; its centre is at 1.75 and 1.5 cells


def outputs(*values: float, images: int = 2) -> list[Tensor]:
    """What a network gives that gives `values` in each cell."""
    values = torch.tensor(values, dtype=torch.float32)
    return [values.expand(images, 1, 32 // stride, 32 // stride, -1).clone() for stride in (8, 16, 32)]


def loss(values: list[Tensor], *boxes: list[float]) -> DetectionLoss:
    return detection_loss(values, torch.tensor(boxes, dtype=torch.float32).view(-1, 6), ANCHORS, SIZE)


def log1pexp(x: float) -> float:
    return math.log(1 + math.exp(x))


def ciou(inner: float, distance: float, enclosing: float) -> float:
    """Of a box of 16 x 8 and one of 16 x 16: intersection, squares of the distance and the enclosing diagonal."""
    iou = inner / (16 * 8 + 16 * 16 - inner)
    v = 4 / math.pi ** 2 * (math.atan(2) - math.atan(1)) ** 2
    return iou - distance / enclosing - v / (1 - iou + v) * v


def test_every_term_of_one_box_in_two_cells() -> None:
    # The cell in row 1 and column 1 gives a box of 16 x 16 at (12, 12), its right neighbour one at (20, 12).
    found = [ciou(14 * 8, 2 ** 2, 18 ** 2 + 16 ** 2), ciou(10 * 8, 6 ** 2, 22 ** 2 + 16 ** 2)]
    result = loss(outputs(0, 0, 0, 0, -2, 1, 3), BOX)
    box = 0.05 * (2 - sum(found)) / 2
    objectness = (4.0 + 1.0 + 0.4) * log1pexp(-2) + 4.0 * 2 * sum(found) / 32  # 32 cells in the finest level
    objectness *= 32 * 32 / 640 ** 2
    classes = 0.5 * 2 / 80 * (log1pexp(1) + log1pexp(-3)) / 2
    assert result.box.item() == pytest.approx(box, rel=1e-5)
    assert result.objectness.item() == pytest.approx(objectness, rel=1e-5)
    assert result.classes.item() == pytest.approx(classes, rel=1e-5)
    assert result.total.item() == pytest.approx(2 * (box + objectness + classes), rel=1e-5)


def test_the_objectness_teaches_no_boxes() -> None:
    values = [output.requires_grad_() for output in outputs(0, 0, 0, 0, -2, 1, 3)]
    for gradient in torch.autograd.grad(loss(values, BOX).objectness, values):
        assert gradient[..., 4].all() and not gradient[..., [0, 1, 2, 3, 5, 6]].any()


def test_each_level_counts_with_its_weight() -> None:
    for level, weight in enumerate((4.0, 1.0, 0.4)):
        values = outputs(0, 0, 0, 0, -1e9, 0, 0)
        values[level][..., 4] = 0
        assert loss(values).objectness.item() == pytest.approx(weight * math.log(2) * 32 * 32 / 640 ** 2)


def test_without_boxes_only_the_objectness_is_left_and_every_output_has_a_gradient() -> None:
    values = [output.requires_grad_() for output in outputs(0, 0, 0, 0, -2, 1, 3)]
    result = loss(values)
    assert result.box == result.classes == 0
    assert result.total == 2 * result.objectness > 0
    assert all(gradient[..., 4].all() for gradient in torch.autograd.grad(result.total, values))


def test_a_single_class_has_no_class_loss() -> None:
    result = loss(outputs(0, 0, 0, 0, -2, 1), [1, 0, *BOX[2:]])
    assert result.classes == 0 < result.box


def test_the_objectness_to_learn_is_at_least_0_and_the_highest_of_several() -> None:
    far = outputs(0, 0, -4, -4, -2, 1, 3)  # boxes of less than a pixel: the distance outweighs the overlap
    assert loss(far, BOX).box > 0.05 and loss(far, BOX).objectness == loss(far).objectness
    values = outputs(0, 0, 0, 0, -2, 1, 3)
    poor = [1, 1, -12, 8, 40, 16]  # at the same place and longer
    best, worst, both = (loss(values, *boxes).objectness for boxes in ((BOX,), (poor,), (poor, BOX)))
    assert worst < best == both == loss(values, BOX, poor).objectness


def test_extreme_outputs_give_finite_gradients() -> None:
    for value in (-200.0, 200.0):
        values = [output.requires_grad_() for output in outputs(*[value] * 7)]
        result = loss(values, BOX)
        assert result.total.isfinite()
        assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(result.total, values))


def test_half_precision_is_computed_in_float32() -> None:
    values = outputs(0, 0, 0, 0, -2, 1, 3)
    result = loss([output.bfloat16() for output in values], BOX)
    assert result.total == loss(values, BOX).total and result.total.dtype == torch.float32
