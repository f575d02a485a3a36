"""Out-of-sample probabilities, against scikit-learn and against fits that really leave a sheet out."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors

from utils.mistakes.comparing import probabilities
from utils.mistakes.comparing.probabilities import by_neighbours, by_probe, nearest, out_of_sample


def batch(sheets: int, numbers: int) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 (N, D) of the length 1, and the taxa, int (N,), of four groups of unlike size."""
    rng = np.random.default_rng(sheets)
    taxa = rng.permutation(np.arange(sheets) ** 2 % 4 + (np.arange(sheets) % 5 == 0) * 1) % 4
    features = rng.normal(size=(4, numbers))[taxa] + rng.normal(size=(sheets, numbers)) * 1.5
    return (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32), taxa


def test_nearest_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(probabilities, "ROWS", 7)
    features, _ = batch(40, 6)
    distances, numbers = NearestNeighbors(n_neighbors=4, metric="cosine").fit(features).kneighbors()
    found, cosines = nearest(features, 4)
    np.testing.assert_array_equal(found, numbers)
    np.testing.assert_allclose(cosines, 1 - distances, atol=1e-5)
    assert nearest(features[:3], 5)[0].shape == (3, 2)


def test_votes_by_hand():
    # The nearest counts 1, one that is a scale farther 1/e; 5% of 1 + 1/e goes to the taxa's shares 1/2, 1/4 and 1/4.
    taxa = np.array([0, 1, 2, 0])
    numbers = np.array([[1, 3]] * 4)
    cosines = np.float32([[0.9, 0.9 - probabilities.NEIGHBOUR_SCALE]] * 4)
    votes, total = 1 / np.e, 1 + 1 / np.e
    expected = np.array([votes + 0.05 * total / 2, 1 + 0.05 * total / 4, 0.05 * total / 4]) / (1.05 * total)
    np.testing.assert_allclose(by_neighbours(numbers, cosines, taxa, 3)[0], expected, rtol=1e-5)


@pytest.mark.parametrize(("sheets", "numbers"), [(30, 50), (50, 8)])  # fewer sheets than numbers, and more
def test_the_probe_is_a_ridge_regression_that_never_saw_the_sheet(sheets: int, numbers: int):
    features, taxa = batch(sheets, numbers)
    found = by_probe(features, taxa, 4)
    assert found.sum(1) == pytest.approx(np.ones(sheets))
    for left_out in (0, 7, sheets - 1):
        others = np.arange(sheets) != left_out
        model = Ridge(probabilities.RIDGE).fit(features[others], np.eye(4)[taxa[others]])
        values = model.predict(features[[left_out]])[0] / probabilities.TEMPERATURE
        odds = np.exp(values - values.max())
        np.testing.assert_allclose(found[left_out], odds / odds.sum(), atol=1e-5)


def test_a_sheets_own_name_does_not_count():
    features, taxa = batch(30, 12)
    changed = taxa.copy()
    changed[5] = (taxa[5] + 1) % 4
    first, second = (out_of_sample(features, labels, 4, 5)[5] for labels in (taxa, changed))
    np.testing.assert_allclose(first, second, atol=0.01)  # only how frequent taxa are has changed a little


def test_groups_that_lie_apart_are_told_apart():
    taxa = np.repeat([0, 1, 2], 6)
    rng = np.random.default_rng(0)
    features = np.eye(5)[taxa] + rng.normal(size=(18, 5)) * 0.05
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    found = out_of_sample(features, taxa, 3, 4)
    assert (found.argmax(1) == taxa).all() and found[np.arange(18), taxa].min() > 0.8
