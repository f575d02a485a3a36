"""Mean shift on a grid against scikit-learn's, which looks for neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import MeanShift

from utils.objects import mean_shift as module
from utils.objects.mean_shift import CELLS, MAX_CELLS, RADIUS, SEED_POINTS, mean_shift


def blobs(centres: list[tuple[float, float]], spread: float, each: int = 60) -> np.ndarray:
    """Points around the centres, float32 (2, n)."""
    noise = np.random.default_rng(0).normal(scale=spread, size=(len(centres), each, 2))
    return (np.array(centres)[:, None] + noise).reshape(-1, 2).T.astype(np.float32)


def same_partition(first: np.ndarray, second: np.ndarray) -> bool:
    pairs = len(set(zip(first.tolist(), second.tolist())))
    return pairs == len(set(first.tolist())) == len(set(second.tolist()))


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.2])
def test_clusters_are_those_of_sklearn(spread):
    """With more spread, scikit-learn also finds modes of single points: it has no least number for a search."""
    points = blobs([(0, 0), (3, 0.2), (-40, 7), (3, -2.5), (1e3, -1e3)], spread)
    expected = MeanShift(bandwidth=RADIUS, bin_seeding=True).fit_predict(points.T)
    found = mean_shift(points)
    assert len(set(found)) == 5 and same_partition(found, expected)


def test_modes_closer_than_the_radius_are_one():
    """Two places: at 0.45 both lie in one disc; at 0.6 each search stays where it began."""
    one, two = (mean_shift(blobs([(0, 0), (distance, 0)], 0.0)) for distance in (0.45, 0.6))
    assert len(set(one)) == 1 and two.tolist() in ([0] * 60 + [1] * 60, [1] * 60 + [0] * 60)


def test_of_modes_that_are_closer_than_the_radius_the_first_is_kept():
    """The second is 10 cells from the first, the third 10.5, the fourth less than 10 from the third."""
    kept = module._apart(np.array([[2.0, 2.0], [8.0, 10.0], [2.0, 12.5], [2.5, 22.0], [-8.1, 2.0]]))
    assert sorted(kept.tolist()) == [[-8.1, 2.0], [2.0, 2.0], [2.0, 12.5]]


def test_searches_go_uphill_in_many_steps():
    """Ever more points along a line of four radii: the mode is at its end."""
    points = np.stack((np.repeat(0.1 * np.arange(1, 21), 10 * np.arange(1, 21)), np.zeros(2100)))
    assert set(mean_shift(points)) == set(MeanShift(bandwidth=RADIUS, bin_seeding=True).fit_predict(points.T)) == {0}


def test_a_point_belongs_to_the_nearest_mode():
    """Alone between two clusters, 0.9 from one and 1.1 from the other: too few points for a search of its own."""
    found = mean_shift(np.hstack((blobs([(0, 0), (2, 0)], 0.0), [[0.9], [0]])))
    assert found[-1] == found[0] != found[60]


def test_few_points_far_apart_are_no_cluster():
    few = np.zeros((2, SEED_POINTS), np.float32)
    assert (mean_shift(few) == 0).all() and (mean_shift(few[:, 1:]) == -1).all()
    assert mean_shift(np.arange(2000, dtype=np.float32).reshape(2, 1000)).tolist() == [-1] * 1000


def test_means_of_a_disc_by_hand():
    """Cells at row 100: 3 points in column 100, 1 in 108, 5 in 110, whose centre is 10.1 away: out of reach."""
    keys, counts = 100 * 1000 + np.array([100, 108, 110]), np.array([3, 1, 5])
    weighted = counts[:, None] * np.stack((np.ones(3), np.full(3, 100.5), [100.5, 108.5, 110.5]), axis=1)
    sums = np.vstack((np.zeros(3), weighted)).cumsum(0)
    positions = np.array([[100.5, 100.4], [105.5, 108.5], [50.5, 100.5]])
    means, points = module._disc_means(positions, keys, sums, 1000)
    # The second disc reaches 8.66 columns to both sides, 5 rows below; the third holds nothing.
    np.testing.assert_allclose(means, [[100.5, 102.5], [100.5, (301.5 + 108.5 + 552.5) / 9], [50.5, 100.5]])
    assert points.tolist() == [4, 9, 0]


def test_clusters_as_far_apart_as_can_be():
    """Float32 tells the cells apart up to the limit, and memory does not grow with the distance."""
    side = 0.99 * MAX_CELLS * RADIUS / CELLS
    found = mean_shift(blobs([(0, 0), (side, side), (side, 0), (side, side - 5)], 0.0))
    assert len(set(found)) == 4


def test_a_mode_beyond_the_reach_of_a_band_is_found():
    """The nearest mode is 50 radii away in rows; the points between are too few for a search."""
    points = np.hstack((blobs([(0, 0), (60, 0)], 0.0), [[25, 35], [0, 0]]))
    found = mean_shift(points)
    assert found[-2] == found[0] and found[-1] == found[60]
