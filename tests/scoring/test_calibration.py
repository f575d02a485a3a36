"""Confidence that means the share of objects that are right."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from utils.objects.confidence import calibrated
from utils.scoring.calibration import (
    Judged, confidence_limit, confidences, fit_calibration, held_out_confidences, judge_objects, logistic, quality,
    reliability,
)
from utils.utils import IGNORE, UserError


def drawn(count: int, lines: dict[int, tuple[float, float]], seed: int = 0, groups: int = 5) -> list[Judged]:
    """Objects of each class that are right as often as its line says."""
    rng = np.random.default_rng(seed)
    return [
        Judged(f"H{number % groups}", index, probability, bool(rng.random() < calibrated(probability, 0, [line])))
        for index, line in lines.items() for number, probability in enumerate(rng.uniform(0.5, 0.99, count).tolist())
    ]


def test_right_and_false_objects_of_a_sheet() -> None:
    """Of class 1: one right, one false, one mostly on ignored pixels, one speck. Of class 2: half of a true one."""
    truth, prediction = np.zeros((2, 100, 100), np.uint8)
    truth[10:30, 10:30] = prediction[12:30, 10:30] = 1
    prediction[50:60, 10:20] = prediction[80:90, 80:90] = prediction[5, 90] = 1
    truth[78:88, 78:92] = IGNORE
    truth[10:30, 60:80], prediction[10:20, 60:80] = 2, 2
    probability = np.full((50, 50), 0.5, np.float32)
    probability[5:15, 5:15], probability[25:30, 5:10], probability[5:10, 30:40] = 0.9, 0.7, 0.8
    found = judge_objects(truth, prediction, probability, 3, "K")
    assert [(item.index, round(item.probability, 3), item.right) for item in found] == [
        (1, 0.9, True), (1, 0.7, False), (2, 0.8, False)]
    assert {item.group for item in found} == {"K"}


def test_the_regression_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    features = np.column_stack([rng.normal(size=80), np.ones(80)])
    right = rng.random(80) < 1 / (1 + np.exp(-2 * features[:, 0] - 0.5))
    for strength in (0.1, 3.0):
        expected = LogisticRegression(C=1 / strength, fit_intercept=False, tol=1e-10).fit(features, right).coef_[0]
        np.testing.assert_allclose(logistic(features, right, np.zeros(2), strength), expected, atol=1e-5)
    np.testing.assert_allclose(logistic(features[:0], right[:0], np.array([3.0, 2.0]), 1.0), (3, 2))
    steep = logistic(np.array([[-1.0, 1], [1, 1]] * 20), np.array([False, True] * 20), np.array([50.0, -40]), 1.0)
    assert np.isfinite(steep).all(), "separable, and from far away"


def test_lines_of_classes_are_found() -> None:
    lines = {1: (3.0, -4.0), 2: (1.0, -2.0)}
    background, *found = fit_calibration(drawn(10_000, lines), 3)
    assert background == [1, 0]
    for (slope, shift), line in zip(found, lines.values()):
        for probability in (0.6, 0.8, 0.95):
            assert calibrated(probability, 0, [(slope, shift)]) == pytest.approx(
                calibrated(probability, 0, [line]), abs=0.03)


def test_a_class_with_few_objects_has_the_line_of_all() -> None:
    objects = drawn(400, {1: (3.0, -4.0)})
    _, first, absent = fit_calibration(objects, 3)
    assert absent == pytest.approx(first, rel=0.02)
    odd = [Judged("H1", 2, 0.6, True), Judged("H1", 2, 0.95, False)] * 40  # surer ones are false
    _, _, replaced = fit_calibration(objects + odd, 3)
    assert replaced[0] > 0


def test_what_cannot_be_calibrated_is_said() -> None:
    with pytest.raises(UserError, match="No object was found"):
        fit_calibration([], 3)
    with pytest.raises(UserError, match="not more often right"):
        fit_calibration(drawn(300, {1: (-3.0, 4.0)}), 2)
    with pytest.raises(UserError, match="one institution .H0.: at least two"):
        held_out_confidences(drawn(9, {1: (3.0, -4.0)}, groups=1), 2)


def test_objects_are_judged_without_their_own_institution() -> None:
    objects = drawn(60, {1: (3.0, -4.0)}, groups=3)
    confidence = held_out_confidences(objects, 2)
    without = fit_calibration([item for item in objects if item.group != "H1"], 2)
    for item, value in zip(objects, confidence):
        assert item.group != "H1" or value == pytest.approx(calibrated(item.probability, 1, without))
    assert not np.allclose(confidence, confidences(objects, fit_calibration(objects, 2)))


def test_bins_and_quality() -> None:
    confidence = np.array([0.05, 0.8, 0.8, 0.85, 1.0])
    right = np.array([False, True, False, True, True])
    low, middle, high = reliability(confidence, right)
    assert (low.low, low.high, low.count, low.right) == (0, 0.1, 1, 0) and low.confidence == pytest.approx(0.05)
    assert (middle.count, middle.right) == (3, pytest.approx(2 / 3)) and high.count == 1 and high.right == 1
    found = quality(confidence, right)
    assert found.log_loss == pytest.approx(sk.log_loss(right, confidence), abs=1e-6)
    assert found.brier == pytest.approx(sk.brier_score_loss(right, confidence))
    assert found.error == pytest.approx((0.05 + 3 * abs(2.45 / 3 - 2 / 3)) / 5)


def test_the_limit_is_where_keeping_costs_as_much_as_leaving_out() -> None:
    for price in (0.25, 1.0, 4.0):
        limit = confidence_limit(price)
        assert (1 - limit) * price == pytest.approx(limit)
    assert confidence_limit(0) == 0
    for price in (-1.0, float("inf"), float("nan")):
        with pytest.raises(UserError, match="false_price is"):
            confidence_limit(price)
