"""Training on several data sets at once: how many samples of an epoch are of each, and which sheets these are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class Part(NamedTuple):
    """One of the data sets that are trained on: how many sheets it has and how many samples of an epoch are of it."""

    size: int
    draws: int


def mix(size: int, passes: int, others: Iterable[tuple[int, float]]) -> list[Part]:
    """Parts: a data set of `size` sheets, each `passes` times an epoch, and `others`, given as (size, share).

    The shares, above 0 and below 1 together, are of the whole epoch, which is longer for them: a sample each at least.
    """
    others = list(others)
    whole = size * passes / (1 - sum(share for _, share in others))
    return [Part(size, size * passes), *(Part(other, max(1, round(whole * share))) for other, share in others)]


def draw(parts: Sequence[Part], epoch: int, seed: int) -> np.ndarray:
    """The samples of `epoch`, int64 (sum of draws, 2), part by part: which pass over its part, number of the sheet.

    The sheets of all parts are numbered through. A part is gone through in random order, from epoch to epoch, and once
    more in another when all of it has been seen: a sheet comes once in a pass.
    """
    samples, begin = [], 0
    for index, (size, draws) in enumerate(parts):
        first, last = epoch * draws, (epoch + 1) * draws
        passes = range(first // size, (last - 1) // size + 1)
        order = [np.random.default_rng((seed, index, each)).permutation(size) for each in passes]
        part = np.stack([np.repeat(passes, size), begin + np.concatenate(order)], axis=1)
        samples.append(part[first - passes[0] * size:last - passes[0] * size])
        begin += size
    return np.concatenate(samples)


def draw_one(parts: Sequence[Part], rng: np.random.Generator) -> int:
    """The number of one sheet; each part is as likely as its draws say."""
    draws = np.array([part.draws for part in parts])
    index = int(rng.choice(len(parts), p=draws / draws.sum()))
    return sum(part.size for part in parts[:index]) + int(rng.integers(parts[index].size))


def times_an_epoch(parts: Sequence[Part]) -> np.ndarray:
    """How often an epoch has each sheet, on average: float64 (sheets,)."""
    return np.concatenate([np.full(part.size, part.draws / part.size) for part in parts])
