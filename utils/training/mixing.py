"""Training on several data sets at once: how many samples of an epoch are of each, and which sheets these are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.config import Settings
from utils.files.voc import VocDataset


class Part(NamedTuple):
    """One of the data sets that are trained on: how many sheets it has and how many samples of an epoch are of it."""

    size: int
    samples: int


def mix(size: int, passes: int, others: Iterable[tuple[int, float]]) -> list[Part]:
    """Parts: a data set of `size` sheets, each `passes` times an epoch, and `others`, given as (size, share).

    The shares, above 0 and below 1 together, are of the whole epoch, which is longer for them: a sample each at least.
    """
    others = list(others)
    whole = size * passes / (1 - sum(share for _, share in others))
    return [Part(size, size * passes), *(Part(other, max(1, round(whole * share))) for other, share in others)]


def epoch_samples(parts: Sequence[Part], epoch: int, seed: int) -> np.ndarray:
    """The samples of `epoch`, int64 (sum of samples, 2), part by part: which pass over its part, number of the sheet.

    The sheets of all parts are numbered through. A part is gone through in random order, from epoch to epoch, and once
    more in another when all of it has been seen: a sheet comes once in a pass.
    """
    samples, begin = [], 0
    for index, (size, number) in enumerate(parts):
        first, last = epoch * number, (epoch + 1) * number
        passes = range(first // size, (last - 1) // size + 1)
        order = [np.random.default_rng((seed, index, each)).permutation(size) for each in passes]
        part = np.stack([np.repeat(passes, size), begin + np.concatenate(order)], axis=1)
        samples.append(part[first - passes[0] * size:last - passes[0] * size])
        begin += size
    return np.concatenate(samples)


def random_sheet(parts: Sequence[Part], rng: np.random.Generator) -> int:
    """The number of one sheet; each part is as likely as its share of the samples says."""
    samples = np.array([part.samples for part in parts])
    index = int(rng.choice(len(parts), p=samples / samples.sum()))
    return sum(part.size for part in parts[:index]) + int(rng.integers(parts[index].size))


def times_an_epoch(parts: Sequence[Part]) -> np.ndarray:
    """How often an epoch has each sheet, on average: float64 (sheets,)."""
    return np.concatenate([np.full(part.size, part.samples / part.size) for part in parts])


def training_files(s: Settings, data: VocDataset) -> tuple[list[tuple[Path, Path]], list[Part]]:
    """Image and mask of each sheet to train on: those of `data`, then of each data set in mixed_in; parts of an epoch.

    Raises UserError when one of them is not there or has no train.txt.
    """
    own, *others = (each.files("train") for each in (data, *(VocDataset(s.dataset_path, name) for name in s.mixed_in)))
    return sum(others, own), mix(len(own), s.passes, zip(map(len, others), s.mixed_in.values()))
