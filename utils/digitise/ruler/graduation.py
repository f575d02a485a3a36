"""Finds rows of evenly spaced marks, called combs here, in a straightened strip of a photograph.

The strip is cut into narrow bands along its length, because ticks of different length, blocks, numbers and text lie
beside each other. The marks of a band are the light lines, the dark lines or the edges in its profile; edges show
alternating blocks at the true distance, where lightness repeats every second block only. A comb is kept when so many
marks at so even a distance would hardly lie there by chance (an a-contrario test, Desolneux et al. 2000).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

BAND = 8  # rows of a band, 1.6 mm of a usual ruler; bands overlap by half
LEVELS = (0.15, 0.35, 0.65)  # marks are taken from this share of the strongest: long ticks alone, then shorter ones too
FAINTEST = 2.5  # grey levels by which a mark stands out; lower values find paler rulers, and more noise
SHORTEST = 3.2  # pixels from mark to mark; anything closer is a row of pixels
MARKS = 4  # in the smallest comb
RUNS = 4  # longest rows of equal gaps that are followed in a band
NEAR = (0.15, 0.5, 0.03)  # a mark belongs to a comb within this share of a step, and these pixels plus share of a step
HOLE = 3  # steps; a longer stretch without a mark ends a comb
DIVIDED = 9  # marks of a comb that may be the divisions of one centimetre
WEIGHT = 1.0  # of the weakest comb


class Comb(NamedTuple):
    """A row of evenly spaced marks. Lengths are in pixels of the strip."""

    band: int
    y: float  # the band's middle
    start: float  # x of its first mark
    end: float  # x of its last mark
    steps: int  # from the first mark to the last
    marks: int  # that were found, at most steps + 1
    scatter: float  # standard deviation of the marks from even spacing
    bend: float  # by which share the last step is longer than the first: perspective, or a bent ruler
    weight: float  # decimal logarithm of how improbable it is by chance
    lines: bool  # False: its marks are edges of blocks

    @property
    def step(self) -> float:
        """The mean distance from mark to mark."""
        return (self.end - self.start) / self.steps

    @property
    def error(self) -> float:
        """Standard deviation of `step`, as a share of it, from the scatter of the marks."""
        return self.scatter * math.sqrt(12 / self.marks) / (self.end - self.start)


class Curve(NamedTuple):
    """Where the marks of a comb lie: value + slope d + square d^2 at d steps from the middle."""

    middle: float  # steps
    value: float  # pixels
    slope: float
    square: float

    def at(self, steps: np.ndarray, low: int, high: int) -> np.ndarray:
        """The places of these steps: along the curve from step `low` to `high`, and straight on outside."""
        inside = np.minimum(np.maximum(steps, low), high)
        away = inside - self.middle
        along = self.value + away * (self.slope + away * self.square)
        return along + (steps - inside) * (self.slope + 2 * away * self.square)


def find_combs(strip: np.ndarray) -> list[Comb]:
    """The combs along the width of a grey strip, uint8 (H, W); one that is tall is found in many bands."""
    combs: list[Comb] = []
    if min(strip.shape) < BAND:
        return combs
    for lines, profiles in _profiles(strip):
        for band, profile in enumerate(profiles):
            x, strength = _marks(profile)
            if len(x) < MARKS:
                continue
            place = -max(3, len(x) // 10)  # of the strongest tenth, so that one spot does not hide the ticks
            strongest, taken = np.partition(strength, place)[place], 0
            for level in LEVELS:
                chosen = x[strength > level * strongest]
                if MARKS <= len(chosen) != taken:
                    taken = len(chosen)
                    found = _combs(chosen)
                    found += _combs(_thinned(chosen, found))
                    combs += [comb._replace(band=band, y=(band + 1) * BAND / 2, lines=lines) for comb in found]
    return combs


def _profiles(strip: np.ndarray) -> Iterator[tuple[bool, np.ndarray]]:
    """How much light lines, dark lines and edges stand out along each band, float32 (bands, W); and if these are lines.

    Band b spans the rows 4 b to 4 b + 7.
    """
    mean = cv2.blur(strip.astype(np.float32), (1, BAND), borderType=cv2.BORDER_REPLICATE)[BAND // 2::BAND // 2]
    fine = cv2.GaussianBlur(mean, (0, 1), sigmaX=0.9, sigmaY=1e-3)
    line = fine - cv2.GaussianBlur(mean, (0, 1), sigmaX=3.0, sigmaY=1e-3)
    yield True, line
    yield True, -line
    yield False, np.abs(2 * np.gradient(fine, axis=1))


def _marks(profile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The local maxima of a profile: x to a fraction of a pixel, and their strength."""
    before, here, after = profile[:-2], profile[1:-1], profile[2:]
    index = np.flatnonzero((here > before) & (here >= after) & (here > FAINTEST))
    before, here, after = before[index], here[index], after[index]
    return index + 1.5 + 0.5 * (before - after) / (before - 2 * here + after), here


def _combs(x: np.ndarray) -> list[Comb]:
    """The combs among the marks at x, sorted, of one band."""
    found: list[Comb] = []
    for first, last in _runs(x):
        step = (x[last] - x[first]) / (last - first)
        if step < SHORTEST or any(
                abs(step / comb.step - 1) < 0.03 and comb.start - step <= x[first] and x[last] <= comb.end + step
                for comb in found):
            continue
        comb = _grown(x, first, last)
        if comb is not None:
            found.append(comb)
    return found


def _thinned(x: np.ndarray, combs: list[Comb]) -> np.ndarray:
    """The marks x without those inside the finest comb: often, only the first centimetre has millimetres."""
    finest = min((comb for comb in combs if comb.marks >= DIVIDED), key=lambda comb: comb.step, default=None)
    if finest is None:
        return x[:0]
    margin = finest.step / 2
    return x[(x < finest.start + margin) | (x > finest.end - margin)]


def _runs(x: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of the longest runs of at least MARKS marks with almost equal gaps, the longest first."""
    gaps = np.diff(x)
    equal = np.abs(np.diff(gaps)) < 0.6 + 0.05 * np.minimum(gaps[1:], gaps[:-1])
    changes = np.flatnonzero(np.diff(np.concatenate(([0], equal.view(np.int8), [0]))))
    firsts, lasts = changes[::2], changes[1::2] + 1
    order = np.argsort(firsts - lasts, kind="stable")[:RUNS]
    return [(int(firsts[i]), int(lasts[i])) for i in order if lasts[i] - firsts[i] + 1 >= MARKS]


def _grown(x: np.ndarray, first: int, last: int) -> Comb | None:
    """The comb that the run from mark `first` to mark `last` belongs to; marks may be missing, or stand between."""
    steps, marks = np.arange(last - first + 1), x[first:last + 1]
    if _comb(x, steps, marks, _line(steps, marks), 0.0) is None:  # most runs in text
        return None
    while True:
        curve = _fit(steps, marks)
        low, high = int(steps[0]), int(steps[-1])
        reach = max(2, (high - low) // 2)
        grid = np.arange(low - reach, high + reach + 1)
        expected = curve.at(grid, low, high)
        right = np.clip(np.searchsorted(x, expected), 1, len(x) - 1)
        nearest = np.where(x[right] - expected < expected - x[right - 1], right, right - 1)
        step = (expected[-1] - expected[0]) / (len(grid) - 1)
        near = np.flatnonzero(np.abs(x[nearest] - expected) < min(NEAR[0] * step, NEAR[1] + NEAR[2] * step))
        ends = np.flatnonzero(np.diff(near) > HOLE)
        if len(ends):
            near = max(np.split(near, ends + 1), key=len)
        if len(near) < MARKS:
            return None
        grew = len(near) > len(steps)
        steps, marks = grid[near], x[nearest[near]]
        if not grew:
            return _comb(x, steps, marks, _fit(steps, marks), WEIGHT)


def _comb(x: np.ndarray, steps: np.ndarray, marks: np.ndarray, curve: Curve, least: float) -> Comb | None:
    """The comb of some marks, or None when it may be chance.

    Args:
        x: all marks of the band.
        steps, marks: the comb's marks and the whole steps that they lie at.
        curve: through the marks.
        least: weight that it must have.
    """
    low, high = int(steps[0]), int(steps[-1])
    start, end = curve.at(np.array([low, high]), low, high).tolist()
    unknown = 3 if curve.square else 2
    free = len(marks) - unknown
    scatter = math.sqrt(float(np.square(marks - curve.at(steps, low, high)).sum()) / max(1, free))
    inside = int(np.searchsorted(x, end + 1) - np.searchsorted(x, start - 1))
    chance = min(0.9, 2 * max(0.3, 2.2 * scatter) * inside / (end - start))
    weight = _improbability(high - low + 1 - unknown, free, chance) - math.log10(len(x))
    if weight < least:
        return None
    bend = 2 * curve.square * (high - low) ** 2 / (end - start)
    return Comb(0, 0.0, start, end, high - low, len(marks), scatter, bend, weight, True)


def _line(steps: np.ndarray, marks: np.ndarray) -> Curve:
    """The straight line nearest to the marks."""
    middle = float(steps.mean())
    away = steps - middle
    return Curve(middle, float(marks.mean()), float(away @ marks / (away @ away)), 0.0)


def _fit(steps: np.ndarray, marks: np.ndarray) -> Curve:
    """The line or, from 10 marks on, the parabola nearest to the marks, by orthogonal polynomials."""
    line = _line(steps, marks)
    if len(steps) < 10:
        return line
    away = steps - line.middle
    square = away * away
    mean, lean = float(square.mean()), float(square @ away / square.sum())
    rest = square - lean * away - mean
    factor = float(rest @ marks / (rest @ rest))
    return Curve(line.middle, line.value - factor * mean, line.slope - factor * lean, factor)


def _improbability(places: int, hits: int, chance: float) -> float:
    """-log10 of an upper bound (Hoeffding) of the probability of at least `hits` of `places` by chance."""
    share = hits / places if places > 0 else 0.0
    if share <= chance:
        return 0.0
    rest = (1 - share) * math.log((1 - share) / (1 - chance)) if share < 1 else 0.0
    return places * (share * math.log(share / chance) + rest) / math.log(10)
