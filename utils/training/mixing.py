"""Training on several data sets at once: how many samples each gives to an epoch, and which sheets they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.config import Settings
from utils.files.voc import VocDataset
from utils.utils import UserError, find_images


class Part(NamedTuple):
    """One data set to train on: how many sheets it has, and how many samples it gives to an epoch."""

    size: int
    samples: int


def mix(size: int, passes: int, others: Iterable[tuple[int, float]]) -> list[Part]:
    """The parts of an epoch: the main data set, then the others.

    size: sheets of the main data set.
    passes: how often each of them appears in an epoch.
    others: (sheets, share of the whole epoch) of each other data set. The shares are above 0, and below 1 together.
        They make the epoch longer. Each data set gives at least one sample.
    """
    others = list(others)
    whole = size * passes / (1 - sum(share for _, share in others))
    return [Part(size, size * passes), *(Part(other, max(1, round(whole * share))) for other, share in others)]


def epoch_samples(parts: Sequence[Part], epoch: int, seed: int) -> np.ndarray:
    """The samples of `epoch`, int64 (samples, 2), part by part: number of the pass, number of the sheet.

    Sheets are numbered across all parts. A pass goes through all sheets of a part once, in random order, and may take
    several epochs. The next pass has another order.
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
    """The number of a random sheet. The probability of each part is its share of the samples."""
    samples = np.array([part.samples for part in parts])
    index = int(rng.choice(len(parts), p=samples / samples.sum()))
    return sum(part.size for part in parts[:index]) + int(rng.integers(parts[index].size))


def times_an_epoch(parts: Sequence[Part]) -> np.ndarray:
    """How often each sheet appears in an epoch, on average: float64 (sheets,)."""
    return np.concatenate([np.full(part.size, part.samples / part.size) for part in parts])


def training_files(s: Settings, data: VocDataset) -> tuple[list[tuple[Path, Path]], list[Part]]:
    """Image and mask of each training sheet, and the parts of an epoch: first `data`, then the data sets of mixed_in.

    Raises UserError when a data set is missing or has no train.txt.
    """
    own, *others = (each.files("train") for each in (data, *(VocDataset(s.dataset_path, name) for name in s.mixed_in)))
    return sum(others, own), mix(len(own), s.passes, zip(map(len, others), s.mixed_in.values()))


def unlabelled_files(folder: str) -> list[tuple[Path, None]]:
    """The images in a folder, as sheets without masks; none for "".

    folder: the constant `unlabelled`. Raises UserError when it is not there or holds no image.
    """
    found = find_images(folder) if folder else []
    if folder and not found:
        raise UserError(f'unlabelled is {folder}, which holds no image: name a folder of photographs of sheets, or "".')
    return [(path, None) for path in found]
