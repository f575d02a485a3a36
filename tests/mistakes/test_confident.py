"""Confident learning on a case by hand, and against its authors' library where it is installed."""

import numpy as np
import pytest

from utils.mistakes.comparing.confident import judge, thresholds

# Taxa 0 and 1 have thresholds (0.8 + 0.7 + 0.3) / 3 = 0.6 and (0.45 + 0.2) / 2 = 0.325, taxon 2 has one sheet alone.
PROBABILITIES = np.array([
    [0.80, 0.10, 0.10], [0.70, 0.20, 0.10], [0.30, 0.50, 0.20],  # the third one is confidently 1
    [0.52, 0.45, 0.03], [0.50, 0.20, 0.30],                      # these are confidently 1, and confidently nothing
    [0.65, 0.30, 0.05],                                          # alone of its name, confidently 0
])
TAXA = np.array([0, 0, 0, 1, 1, 2])


def test_by_hand():
    assert thresholds(PROBABILITIES, TAXA).tolist() == pytest.approx([0.6, 0.325, np.inf])
    found = judge(PROBABILITIES, TAXA)
    assert found.wrong.tolist() == [False, False, True, False, False, False]
    assert found.suggested.tolist() == [1, 1, 1, 0, 0, 0]
    # Sheets of other names have 0 with (0.52 + 0.5 + 0.65) / 3, and 1 with (0.1 + 0.2 + 0.5 + 0.3) / 4.
    first, second = 1.67 / 3, 0.275
    expected = [first / (0.8 + first), first / (0.7 + first), first / (0.3 + first), second / (0.45 + second),
                second / (0.2 + second), np.nan]
    assert found.scores.tolist() == pytest.approx(expected, nan_ok=True)


def test_rare_taxa_neither_fail_nor_flood():
    rng = np.random.default_rng(0)
    taxa = np.concatenate([np.repeat([0, 1], 20), np.arange(2, 32)])  # 30 taxa of one sheet
    probabilities = rng.dirichlet(np.ones(32), 70)
    found = judge(probabilities, taxa)
    assert not found.wrong[40:].any() and np.isnan(found.scores[40:]).all()
    assert np.isin(found.suggested[found.wrong], [0, 1]).all()
    empty = judge(np.full((3, 3), 1 / 3), np.arange(3))
    assert not empty.wrong.any()


def test_as_cleanlab_judges():
    filters = pytest.importorskip("cleanlab.filter")
    count = pytest.importorskip("cleanlab.count")
    rng = np.random.default_rng(1)
    taxa = np.repeat(np.arange(4), 25)
    probabilities = rng.dirichlet(np.ones(4), 100) + 1.5 * np.eye(4)[np.where(rng.random(100) < 0.1, 0, taxa)]
    probabilities /= probabilities.sum(1, keepdims=True)
    np.testing.assert_allclose(thresholds(probabilities, taxa), count.get_confident_thresholds(taxa, probabilities))
    theirs = filters.find_label_issues(taxa, probabilities, filter_by="confident_learning", n_jobs=1)
    found = judge(probabilities, taxa)
    assert 3 < theirs.sum() < 50
    np.testing.assert_array_equal(found.wrong, theirs)
