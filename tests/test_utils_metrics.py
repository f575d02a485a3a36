"""Confusion matrix and scores against scikit-learn's."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from utils.utils import IGNORE
from utils.utils_metrics import CHUNK, confusion_matrix, confusion_matrix_torch, markdown_table, scores


def random_masks(values: list[int], shape: tuple[int, ...] = (61, 47)) -> tuple[np.ndarray, np.ndarray]:
    """Truth with a tenth of it ignored, and a prediction that is right about half the time; both of `values`."""
    rng = np.random.default_rng(3)
    truth = rng.choice(values, shape).astype(np.uint8)
    prediction = np.where(rng.random(shape) < 0.5, truth, rng.choice(values, shape)).astype(np.uint8)
    truth[rng.random(shape) < 0.1] = IGNORE
    return truth, prediction


@pytest.mark.parametrize("values", [[0, 1, 2, 3, 4], [0, 2, 4], [3]])
def test_confusion_matrix_is_that_of_sklearn(values: list[int]) -> None:
    truth, prediction = random_masks(values)
    kept = truth != IGNORE
    expected = sk.confusion_matrix(truth[kept], prediction[kept], labels=range(5))
    matrix = confusion_matrix(truth, prediction, 5)
    np.testing.assert_array_equal(matrix, expected)
    assert matrix.dtype == np.int64


def test_confusion_matrix_of_masks_larger_than_a_chunk() -> None:
    truth, prediction = random_masks([0, 1, 2], (3, CHUNK // 2 + 11))
    kept = truth != IGNORE
    expected = sk.confusion_matrix(truth[kept], prediction[kept], labels=range(3))
    np.testing.assert_array_equal(confusion_matrix(truth, prediction, 3), expected)


def test_confusion_matrix_of_a_large_sheet_needs_little_memory() -> None:
    truth, prediction = np.zeros((5000, 6000), np.uint8), np.ones((5000, 6000), np.uint8)
    tracemalloc.start()
    try:
        matrix = confusion_matrix(truth, prediction, 2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(matrix, [[0, 30_000_000], [0, 0]])
    assert peak < 48 * 2**20  # an int64 copy of the sheet would be 229 MiB


def test_confusion_matrix_torch_is_that_of_sklearn() -> None:
    truth, prediction = random_masks([0, 1, 4], (2, 31, 29))
    kept = truth != IGNORE
    expected = sk.confusion_matrix(truth[kept], prediction[kept], labels=range(5))
    logits = torch.nn.functional.one_hot(torch.from_numpy(prediction).long(), 5).permute(0, 3, 1, 2).float()
    for output in (logits, logits.bfloat16(), torch.from_numpy(prediction)):
        for mask in (torch.from_numpy(truth), torch.from_numpy(truth).long()):
            matrix = confusion_matrix_torch(output, mask, 5)
            np.testing.assert_array_equal(matrix.numpy(), expected)


def test_prediction_on_ignored_pixels_is_not_looked_at() -> None:
    truth, prediction = np.uint8([[0, IGNORE]]), np.uint8([[0, 99]])
    np.testing.assert_array_equal(confusion_matrix(truth, prediction, 2), [[1, 0], [0, 0]])


@pytest.mark.parametrize("count", [
    confusion_matrix,
    lambda truth, prediction, n: confusion_matrix_torch(torch.from_numpy(prediction), torch.from_numpy(truth), n),
])
@pytest.mark.parametrize("truth, prediction, message", [
    ([[0, 7, 9]], [[0, 0, 0]], "the truth holds 7, 9: allowed are 0 to 1 and 255"),
    ([[0, 1, 1]], [[0, 0, 2]], "the prediction holds 2: allowed are 0 to 1"),
    ([[0, 1, 1]], [[0, 0, IGNORE]], "the prediction holds 255: allowed are 0 to 1"),
    ([[0, 1, 1]], [[0, 0]], r"the truth is \(1, 3\) and the prediction \(1, 2\): sizes have to be equal"),
])
def test_confusion_matrix_refuses(count, truth: list, prediction: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        count(np.uint8(truth), np.uint8(prediction), 2)


def test_confusion_matrix_refuses_other_types() -> None:
    with pytest.raises(ValueError, match="have to be uint8, not int64 and uint8"):
        confusion_matrix(np.zeros((2, 2), np.int64), np.zeros((2, 2), np.uint8), 2)


def test_scores_are_those_of_sklearn() -> None:
    """Of 7 classes: 5 is nowhere, 6 is only predicted, 3 is only in the truth."""
    truth, prediction = random_masks([0, 1, 2, 3, 4])
    prediction[prediction == 3] = 6
    kept = truth != IGNORE
    true, predicted = truth[kept], prediction[kept]
    present = [0, 1, 2, 3, 4, 6]
    result = scores(confusion_matrix(truth, prediction, 7))
    for values, mean, score in (
        (result.iou, result.miou, sk.jaccard_score),
        (result.recall, result.mrecall, sk.recall_score),
        (result.precision, result.mprecision, sk.precision_score),
    ):
        expected = score(true, predicted, labels=present, average=None, zero_division=0)
        np.testing.assert_allclose(values[present], expected)
        assert math.isnan(values[5])
        assert mean == pytest.approx(expected.mean())
    assert result.mpa == result.mrecall
    assert result.accuracy == pytest.approx(sk.accuracy_score(true, predicted))


def test_scores_of_nothing_are_nan() -> None:
    result = scores(np.zeros((3, 3), np.int64))
    assert all(math.isnan(value) for value in (result.miou, result.mpa, result.mprecision, result.accuracy))


def test_markdown_table() -> None:
    matrix = np.array([[90, 10, 0], [20, 80, 0], [0, 0, 0]])  # IoU 90/120 and 80/110
    assert markdown_table(scores(matrix), ["paper", "a|b", "gone"]) == (
        "| Class | IoU | PA (recall) | Precision |\n"
        "|:--|--:|--:|--:|\n"
        "| paper | 75.00% | 90.00% | 81.82% |\n"
        "| a\\|b | 72.73% | 80.00% | 88.89% |\n"
        "| gone | - | - | - |\n"
        "| **mean** | 73.86% | 85.00% | 85.35% |\n"
        "\n"
        "mIoU 73.86%, mPA 85.00%, mPrecision 85.35%, mRecall 85.00%, accuracy 85.00%\n"
    )
