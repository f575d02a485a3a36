"""Boxes from outputs, by hand, and the suppression of boxes of the same object, against a loop."""

import math

import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou

from nets.yolov5 import ANCHORS
from utils.detection.decoding import PREDICTION, VALIDATION, Suppression, decode, non_maximum_suppression


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_one_box_of_each_level_by_hand() -> None:
    outputs = [torch.zeros(2, 3, rows, 2 * rows, 6) for rows in (4, 2, 1)]
    outputs[0][1, 2, 3, 5] = torch.tensor([0.0, logit(0.75), 0.0, logit(0.25), logit(0.9), logit(0.2)])
    decoded = decode(outputs, torch.tensor(ANCHORS, dtype=torch.float32))
    assert decoded.shape == (2, 3 * (32 + 8 + 2), 6)
    # Cell 5, 3 of stride 8 and the anchor of 33 x 23: centre (2 * 0.5 - 0.5 + 5) * 8 = 44 and (1 + 3) * 8 = 32.
    x, y, width, height = 44, 32, 33, 0.25 * 23
    found = decoded[1, 2 * 32 + 3 * 8 + 5].tolist()
    assert found == pytest.approx([x - width / 2, y - height / 2, x + width / 2, y + height / 2, 0.9, 0.2], rel=1e-6)
    # The first image holds zeros: the anchors themselves, in the middle of their cells.
    middle, last = decoded[0, 3 * 32 + 8 + 4 + 1].tolist(), decoded[0, -1].tolist()  # row 1, column 1; row 0, column 1
    assert middle == [24 - 31, 24 - 22.5, 24 + 31, 24 + 22.5, 0.5, 0.5]
    assert last == [48 - 186.5, 16 - 163, 48 + 186.5, 16 + 163, 0.5, 0.5]


def test_the_centre_reaches_half_a_cell_outside_and_the_sides_four_anchors() -> None:
    outputs = [torch.full((1, 1, 1, 1, 6), 50.0), torch.full((1, 1, 1, 1, 6), -50.0), torch.zeros(1, 1, 1, 1, 6)]
    boxes = decode(outputs, torch.full((3, 1, 2), 10.0))[0, :, :4]
    assert boxes[0].tolist() == [12 - 20, 12 - 20, 12 + 20, 12 + 20]
    assert boxes[1].tolist() == pytest.approx([-8 - 0.005, -8 - 0.005, -8 + 0.005, -8 + 0.005], abs=1e-4)
    assert (boxes[1, 2:] > boxes[1, :2]).all()


def random_boxes(count: int = 60, num_classes: int = 3) -> Tensor:
    """Decoded boxes of two images that overlap and reach outside of them, float32 (2, count, 5 + num_classes)."""
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(2, count, 2, generator=generator) * 90 - 30
    sides = torch.rand(2, count, 2, generator=generator) * 40 + 20
    return torch.cat((corner, corner + sides, torch.rand(2, count, 1 + num_classes, generator=generator)), dim=2)


def by_a_loop(decoded: Tensor, settings: Suppression) -> Tensor:
    """What is left of the boxes of one image, one after the other."""
    boxes = []
    for *corners, objectness, first, second, third in decoded.tolist():
        scores = sorted(((objectness * p, k) for k, p in enumerate((first, second, third))), reverse=True)
        for score, k in scores if settings.multi_label else scores[:1]:
            if score > settings.score:
                boxes.append([*corners, score, k])
    kept = []
    for box in sorted(boxes, key=lambda box: -box[4])[:settings.candidates]:
        rivals = [other for other in kept if other[5] == box[5]]
        if not rivals or box_iou(torch.tensor([box[:4]]), torch.tensor(rivals)[:, :4]).max() <= settings.iou:
            kept.append(box)
    return torch.tensor(kept[:settings.most])


@pytest.mark.parametrize("settings", [
    PREDICTION, VALIDATION, VALIDATION._replace(most=7), VALIDATION._replace(candidates=20),
    PREDICTION._replace(iou=0.1),
])
def test_suppression_agrees_with_a_loop(settings: Suppression) -> None:
    decoded = random_boxes()
    results = non_maximum_suppression(decoded, settings)
    for boxes, result in zip(decoded, results, strict=True):
        expected = by_a_loop(boxes, settings)
        assert 5 < len(expected) < 180
        torch.testing.assert_close(result, expected)


def test_suppression_of_nothing_and_of_many() -> None:
    assert [boxes.shape for boxes in non_maximum_suppression(random_boxes() * 0)] == [(0, 6), (0, 6)]
    assert [boxes.shape for boxes in non_maximum_suppression(torch.zeros(2, 0, 8))] == [(0, 6), (0, 6)]
    # Negative coordinates: one class lies where the other would be after a move by the largest coordinate and 1.
    apart = torch.tensor([[[0, 0, 100, 100, 0.9, 0.9, 0], [-101, -101, -1, -1, 0.8, 0, 0.8]]])
    assert len(non_maximum_suppression(apart)[0]) == 2
    # More boxes than torchvision compares in one go. Each is alone with its class in its place.
    corner = torch.arange(3000.0)[:, None].expand(-1, 2) * 20 - 500
    many = torch.cat((corner, corner + 10, torch.full((3000, 3), 0.9)), dim=1)[None]
    assert len(non_maximum_suppression(many, VALIDATION._replace(most=9000))[0]) == 6000


def test_settings_are_those_of_the_published_program() -> None:
    assert (PREDICTION.score, PREDICTION.iou, PREDICTION.multi_label, PREDICTION.most) == (0.25, 0.45, False, 300)
    assert (VALIDATION.score, VALIDATION.iou, VALIDATION.multi_label, VALIDATION.most) == (0.001, 0.6, True, 300)
