"""Scores of detection, by hand and against COCO's own program."""

import contextlib
import io
import math

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from utils.detection.average_precision import CONFIDENCES, detection_matrix, detection_scores

PLACES = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]], np.float32)


def found(place: int, score: float, number: int = 0, right: float = 0) -> list[float]:
    """A predicted box of class `number` at a place, moved to the right."""
    return [*(PLACES[place] + [right, 0, right, 0]), score, number]


def true(place: int, number: int = 0) -> list[float]:
    return [number, *PLACES[place]]


def test_one_class_by_hand() -> None:
    # Right, wrong, right: the precision is 1 up to a recall of 1/2, then 2/3.
    predictions = [np.array([found(0, 0.875), found(2, 0.75), found(1, 0.5)])]
    scores = detection_scores(predictions, [np.array([true(0), true(1)])], 1)
    assert scores.average_precisions[0] == pytest.approx(np.full(10, (51 + 50 * 2 / 3) / 101))
    assert scores.map50 == scores.map50_95 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert scores.precision_curves[0] == pytest.approx([1] * 51 + [2 / 3] * 50)
    # F1: 2 * 1 / (1 + 2) with the first box, 2 * 1 / (2 + 2) with two, 2 * 2 / (3 + 2) with all three.
    levels = [(0.9, 0), (0.875, 2 / 3), (0.8, 2 / 3), (0.75, 1 / 2), (0.6, 1 / 2), (0.5, 4 / 5), (0, 4 / 5)]
    assert np.interp([level for level, _ in levels], CONFIDENCES, scores.f1_curves[0]) == pytest.approx(
        [f1 for _, f1 in levels])
    assert (scores.confidence, scores.precision[0], scores.recall[0]) == (0.5, pytest.approx(2 / 3), 1.0)


def test_a_poor_overlap_counts_for_low_ious_and_only_once() -> None:
    # 10 x 10 moved by 1.75: IoU 8.25 / 11.75 = 0.702, found up to 0.70. The second box has nothing left to find.
    predictions = [torch.tensor([found(0, 0.75, right=1.75), found(0, 0.5)])]
    scores = detection_scores(predictions, [torch.tensor([true(0)])], 1)
    assert scores.average_precisions[0] == pytest.approx([1] * 5 + [0.5] * 5)
    assert scores.map50 == 1 and scores.map50_95 == pytest.approx(0.75)


def test_classes_without_truth_or_predictions() -> None:
    nothing = np.zeros((0, 6))
    scores = detection_scores([np.array([found(0, 0.5), found(1, 0.9, 2)]), nothing],
                              [np.array([true(0)]), np.array([true(0, 1)])], 3)
    assert scores.truths.tolist() == [1, 1, 0]
    assert scores.average_precisions[:2, 0].tolist() == [1, 0] and np.isnan(scores.average_precisions[2]).all()
    assert scores.map50 == 0.5 and scores.confidence == 0.5
    assert scores.recall[:2].tolist() == [1, 0] and np.isnan(scores.precision[1:]).all()
    empty = detection_scores([nothing], [np.zeros((0, 5))], 2)
    assert math.isnan(empty.map50) and math.isnan(empty.map50_95) and np.isnan(empty.precision).all()


def random_images(count: int = 12, num_classes: int = 3) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Predictions and truths of several images: equal scores and places, images without boxes, an absent class."""
    rng, predictions, truths = np.random.default_rng(0), [], []
    for number in range(count):
        corners = rng.integers(0, 60, (rng.integers(0, 9) if number else 0, 2))
        sides = rng.integers(10, 40, corners.shape)
        boxes = np.c_[rng.integers(0, num_classes, len(corners)), corners, corners + sides]
        boxes = np.r_[boxes, boxes[:1]]  # one place twice
        near = boxes[rng.integers(0, len(boxes), 15)] if len(boxes) else np.zeros((0, 5), int)
        near[:, 1:] += rng.integers(-4, 5, (len(near), 4))
        scores = rng.integers(1, 9, len(near)) / 8
        classes = np.where(rng.random(len(near)) < 0.8, near[:, 0], rng.integers(0, num_classes + 1, len(near)))
        predictions.append(np.c_[near[:, 1:], scores, classes].astype(np.float32))
        truths.append(boxes.astype(np.float32))
    # The first box lies between two true ones; the second fits only the last of them.
    predictions.append(np.array([[2, 0, 12, 10, 1, 0], [5, 0, 15, 10, 0.9, 0]], np.float32))
    truths.append(np.array([[0, 0, 0, 10, 10], [0, 4, 0, 14, 10]], np.float32))
    return predictions, truths


def coco_precision(predictions: list[np.ndarray], truths: list[np.ndarray], num_classes: int) -> np.ndarray:
    """The precisions of COCO's program, float64 (10, 101, classes); -1 for a class without boxes in the truth."""
    def entry(image: int, number: float, edges: np.ndarray) -> dict:
        x1, y1, x2, y2 = edges.tolist()
        return {"image_id": image, "category_id": int(number), "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1), "iscrowd": 0}

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": number} for number in range(len(truths))],
            "categories": [{"id": number} for number in range(num_classes)],
            "annotations": [{**entry(image, box[0], box[1:]), "id": 100 * image + number + 1}
                            for image, boxes in enumerate(truths) for number, box in enumerate(boxes)],
        }
        truth.createIndex()
        result = truth.loadRes([{**entry(image, box[5], box[:4]), "score": float(box[4])}
                                for image, boxes in enumerate(predictions) for box in boxes])
        evaluation = COCOeval(truth, result, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][:, :, :, 0, -1]


def test_average_precision_is_that_of_cocos_program() -> None:
    predictions, truths = random_images()
    expected = coco_precision(predictions, truths, 4)
    scores = detection_scores(predictions, truths, 4)
    assert (expected[..., 3] == -1).all() and np.isnan(scores.average_precisions[3]).all()
    assert scores.average_precisions[:3] == pytest.approx(expected[..., :3].mean(axis=1).T)
    assert scores.precision_curves[:3] == pytest.approx(expected[0, :, :3].T)
    assert 0.1 < scores.map50_95 < scores.map50 - 0.1 < 0.9


def test_confusion_matrix_by_hand() -> None:
    predictions = [
        np.array([found(0, 0.9), found(1, 0.8, 1), found(3, 0.7), found(2, 0.2)]),  # right, confused, nothing, too low
        np.array([found(0, 0.9, 1, right=1), found(0, 0.5, 0)]),  # the better overlap wins, not the higher score
        np.array([found(0, 0.5, 0, right=4)]),  # IoU 6 / 14 = 0.43
    ]
    truths = [np.array([true(0), true(1), true(2, 1)]), np.array([true(0)]), np.array([true(0)])]
    assert detection_matrix(predictions, truths, 2).tolist() == [[2, 1, 1], [0, 0, 1], [2, 1, 0]]
