"""Anchors that fit the boxes of a data set."""

import numpy as np
import pytest

from nets.yolov5 import ANCHORS
from utils.detection import anchors as module
from utils.detection.anchors import best_possible_recall, choose_anchors, fit_anchors

USUAL = np.array(ANCHORS, np.float32)


def narrow_boxes(count: int = 240) -> np.ndarray:
    """Widths and heights of rulers, thirty times as long as wide, upright and lying, float32 (count, 2)."""
    rng = np.random.default_rng(0)
    width = rng.uniform(4, 20, count)
    sizes = np.stack((width, 30 * width * rng.uniform(0.9, 1.1, count)), axis=1)
    return np.where(np.arange(count)[:, None] % 2, sizes, sizes[:, ::-1]).astype(np.float32)


def test_best_possible_recall_by_hand() -> None:
    anchors = np.array([[10, 10], [100, 20]], np.float32)
    sizes = np.array([[10, 10], [39, 39], [41, 41], [400, 20], [26, 6], [2.4, 10]], np.float32)
    # 41 x 41 is more than 4 times 10 and more than 2 times 20; 400 is 4 times 100; 2.4 is less than a quarter of 10.
    assert [best_possible_recall(size[None], anchors) for size in sizes] == [1, 1, 1, 0, 1, 0]
    assert best_possible_recall(sizes, anchors) == pytest.approx(4 / 6)
    assert best_possible_recall(np.zeros((0, 2)), anchors) == 1


def test_anchors_that_fit_are_kept() -> None:
    sizes = np.tile(USUAL.reshape(-1, 2), (3, 1)) * 1.5
    anchors, before, after = choose_anchors(sizes, seed=0)
    assert before == after == 1 and (anchors == USUAL).all()


def test_fitted_anchors_reach_more_boxes_and_repeat_by_seed() -> None:
    sizes = narrow_boxes()
    anchors, before, after = choose_anchors(sizes, seed=0)
    assert before < 0.98 < after == best_possible_recall(sizes, anchors.reshape(-1, 2)) == 1
    areas = anchors.reshape(-1, 2).prod(axis=1)
    assert anchors.shape == (3, 3, 2) and anchors.dtype == np.float32 and (np.diff(areas) > 0).all()
    first, same, other = (fit_anchors(sizes, 9, seed, generations=50) for seed in (0, 0, 1))
    assert (first == same).all() and (first != other).any()


def test_clusters_that_lie_apart_are_found_and_changes_only_improve() -> None:
    centres = np.array([[20, 20], [20, 200], [300, 60]], np.float32)
    spread = np.random.default_rng(0).uniform(0.7, 1.3, (3, 40, 2))
    sizes = (centres[:, None] * spread).reshape(-1, 2).astype(np.float32)
    clustered, changed = (fit_anchors(sizes, 3, seed=0, generations=count) for count in (0, 200))
    assert clustered == pytest.approx(centres, rel=0.06) and changed == pytest.approx(centres, rel=0.15)

    def fit(anchors: np.ndarray) -> float:
        ratios = sizes[:, None] / anchors
        return float(np.minimum(ratios, 1 / ratios).min(2).max(1).mean())

    assert fit(changed) > fit(clustered)


def test_too_few_boxes_and_boxes_of_a_pixel_change_nothing() -> None:
    for sizes in (np.zeros((0, 2)), np.full((8, 2), 3.0), np.full((90, 2), 1.9)):
        assert (choose_anchors(sizes, seed=0)[0] == USUAL).all()


def test_fitted_anchors_that_reach_fewer_boxes_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fit_anchors", lambda *_: np.ones((9, 2), np.float32))
    anchors, before, after = choose_anchors(narrow_boxes(), seed=0)
    assert (anchors == USUAL).all() and before == after < 0.98
