"""Sheets and masks in batches, for training and validation.

Images and masks stay uint8 from the file to the device, where `letterbox.network_input` normalises them.
"""

from __future__ import annotations

import math
import pickle
import signal
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from utils.memory import keep_freed_memory
from utils.network.distributed import Processes
from utils.network.letterbox import letterbox, letterbox_mask
from utils.objects.panoptic import classes_of, instances_of
from utils.objects.separation import separate_objects
from utils.training.augmentation import augment
from utils.training.cache import Request, read_sheet
from utils.training.mixing import Part, epoch_samples, random_sheet
from utils.training.paste import paste_objects

ONTO_GAP = 0.5  # probability that a view of a sheet with GAP pixels is placed so that it shows some


class Sheets(Dataset):
    """Sheets that give samples: what the loader needs to know of any data set.

    An index is (pass, number of the sheet). Random choices depend only on these two and the seed. So they differ from
    pass to pass and from sheet to sheet, and do not change with the number of workers or processes.

    Args:
        files: one entry for each sheet; unlabelled sheets come last.
        seed: for all random choices.
        augmented: whether the samples are for training.
        parts: the data sets that the labelled sheets come from, in order; see `utils/training/mixing.py`. (): only one.
        unlabelled: number of sheets without labels.
    """

    def __init__(
        self,
        files: Sequence[tuple[Path, Any]],
        seed: int,
        augmented: bool,
        parts: Sequence[Part] = (),
        unlabelled: int = 0,
    ) -> None:
        self.files = list(files)
        self.seed = seed
        self.augmented = augmented
        self.unlabelled = unlabelled
        self.labelled = len(self.files) - unlabelled
        self.parts = parts or [Part(self.labelled, self.labelled)]
        assert sum(part.size for part in self.parts) == self.labelled

    def __len__(self) -> int:
        """The number of labelled samples in an epoch."""
        return sum(part.samples for part in self.parts)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker process gets. It is compressed to fit into a pipe, or else workers would start one by one."""
        return {**self.__dict__, "files": zlib.compress(pickle.dumps(self.files))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, files=pickle.loads(zlib.decompress(state["files"])))


class SheetDataset(Sheets):
    """Image uint8 (h, w, 3) RGB, mask uint8 (h, w) and perhaps instances uint8 (h, w), all at `input_shape`.

    Args:
        files: image and mask file of each sheet. Behind the labelled sheets, there may be others, whose mask is None:
            it becomes all IGNORE. Nothing is pasted on them.
        input_shape: (height, width) of the samples.
        seed: see `Sheets`.
        augment_scale: smallest and largest size of a sheet relative to the input; samples are augmented. None: they
            are letterboxed, and all other arguments about augmentation have no effect.
        paste: share of the samples with objects of another sheet pasted on.
        cache_dir: see `utils/training/cache.py`; the samples are the same without it.
        object_gap: pixels of background between two objects of one class; see `utils/objects/separation.py`.
        degraded: share of the samples that become worse photographs; see `augment`.
        turned: share of the samples that are turned by a multiple of 90 degrees; see `augment`.
        parts: see `Sheets`.
        panoptic: samples have instances, numbered from 1 on each sheet, for training alone; 0 is none. Images and masks
            are the same without them.
    """

    def __init__(
        self,
        files: Sequence[tuple[Path, Path | None]],
        input_shape: tuple[int, int],
        seed: int,
        augment_scale: tuple[float, float] | None = None,
        paste: float = 0.0,
        cache_dir: str = "",
        object_gap: int = 0,
        degraded: float = 0.0,
        turned: float = 0.0,
        parts: Sequence[Part] = (),
        panoptic: bool = False,
    ) -> None:
        unlabelled = sum(mask is None for _, mask in files)
        super().__init__(files, seed, augment_scale is not None, parts, unlabelled)
        assert all(mask is not None for _, mask in files[:self.labelled]), "unlabelled sheets come last"
        assert augment_scale is not None or not (panoptic or self.unlabelled)
        self.panoptic = panoptic
        self.input_shape = input_shape
        self.augment_scale = augment_scale
        self.paste = paste
        self.object_gap = object_gap
        self.degraded = degraded
        self.turned = turned
        self.box = sheet_box(input_shape, augment_scale)
        self.cache_dir = cache_dir

    def __getitem__(self, index: tuple[int, int]) -> tuple[torch.Tensor, ...]:
        """Image, mask and, if `panoptic`, instances of one sample."""
        passed, number = index
        image, mask = self._read_sheet(number)
        if self.augment_scale:
            rng = np.random.default_rng((self.seed, passed, number))
            if rng.random() < self.paste and number < self.labelled:
                other = self._read_sheet(random_sheet(self.parts, rng))
                image, mask = paste_objects(image, mask, *other, rng, self.object_gap)
            onto_gap = ONTO_GAP if self.object_gap else 0.0
            image, mask = augment(
                image, mask, self.input_shape, self.augment_scale, rng,
                onto_gap=onto_gap, degraded=self.degraded, turned=self.turned,
            )
        else:
            image, mask = letterbox(image, self.input_shape)[0], letterbox_mask(mask, self.input_shape)
        arrays = (image, classes_of(mask), instances_of(mask)) if self.panoptic else (image, mask)
        return tuple(map(torch.from_numpy, arrays))

    def _read_sheet(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Image and mask of one sheet, scaled down to fit the box; with GAP pixels if the samples need them."""
        sheet = read_sheet(Request(*self.files[number], self.box, self.panoptic), self.cache_dir)
        if self.augment_scale and self.object_gap:
            return sheet.image, separate_objects(sheet.mask, self.object_gap)
        return sheet.image, sheet.mask


def sheet_box(shape: tuple[int, int], augment_scale: tuple[float, float] | None) -> tuple[int, int]:
    """The size (height, width) that sheets must fit after they are read; larger ones are scaled down.

    It is the largest size that augmentation needs for an input of `shape`, or `shape` itself without augmentation. If
    the jitter of the aspect makes one side even longer, that side is scaled up a little.
    """
    return shape if augment_scale is None else tuple(math.ceil(augment_scale[1] * side) for side in shape)


class EpochSampler(Sampler[tuple[int, int]]):
    """The indices (pass, number) of one epoch for one process. Set `.epoch` before each epoch.

    With unlabelled sheets, each batch is preceded by one of as many unlabelled sheets as a full batch has. They take
    turns: each comes once before any comes again, over the epochs. An epoch gets as many unlabelled samples as labelled
    ones; if its batches hold more, the first are repeated.

    Args:
        parts: the data sets and their samples per epoch.
        shuffle: True, for training: random order, and the first samples are repeated until every process has the same
            number. False, for validation: in order, each sheet exactly once.
        seed: of the random order.
        rank: number of this process.
        world_size: number of processes.
        unlabelled: number of unlabelled sheets, which are numbered after the others; for training.
        batch_size: samples in a batch of this process.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        shuffle: bool,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        unlabelled: int = 0,
        batch_size: int = 1,
    ) -> None:
        self.parts, self.shuffle, self.seed = parts, shuffle, seed
        self.unlabelled, self.batch_size = unlabelled, batch_size
        self.length = sum(part.samples for part in parts)
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def __len__(self) -> int:
        own = len(range(self.rank, self._padded_length(), self.world_size))
        return own + (math.ceil(own / self.batch_size) * self.batch_size if self.unlabelled else 0)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        if not self.shuffle:
            return iter([(self.epoch, number) for number in range(self.length)][self.rank::self.world_size])
        others = [Part(self.unlabelled, self.length)] if self.unlabelled else []
        order = epoch_samples([*self.parts, *others], self.epoch, self.seed)
        order, others = order[:self.length], order[self.length:]
        np.random.default_rng((self.seed, self.epoch)).shuffle(order)
        samples = self._own(order, self._padded_length())
        others = self._own(others, (len(self) - len(samples)) * self.world_size)
        batches = range(0, len(samples), self.batch_size)
        return chain.from_iterable(
            part[start:start + self.batch_size] for start in batches for part in (others, samples))

    def _padded_length(self) -> int:
        """The number of labelled samples over all processes, repeated ones included."""
        return math.ceil(self.length / self.world_size) * self.world_size if self.shuffle else self.length

    def _own(self, samples: np.ndarray, length: int) -> list[tuple[int, int]]:
        """This process's share of `samples`, int64 (n, 2), after they are repeated or cut to a length."""
        return list(map(tuple, np.resize(samples, (length, 2))[self.rank::self.world_size].tolist()))


def make_loader(
    dataset: Sheets,
    batch_size: int,
    num_workers: int,
    procs: Processes,
    collate: Callable[[list[Any]], Any] | None = None,
) -> DataLoader:
    """Batches of the samples of `dataset`. The last batch may be smaller.

    If there are unlabelled sheets, a batch of them comes before each batch of labelled ones.

    Args:
        dataset: shuffled if it is augmented.
        batch_size: sheets per batch over all processes.
        num_workers: processes that load sheets; 0: this one.
        procs: the processes of the run.
        collate: makes a batch of a list of samples. None: it stacks them.
    """
    own = batch_size // procs.world_size
    return DataLoader(
        dataset,
        batch_size=own,
        sampler=EpochSampler(
            dataset.parts, dataset.augmented, dataset.seed, procs.rank, procs.world_size,
            unlabelled=dataset.unlabelled, batch_size=own,
        ),
        collate_fn=collate,
        num_workers=num_workers,
        multiprocessing_context="spawn" if num_workers else None,  # a fork would keep all memory of this one
        pin_memory=procs.device.type == "cuda",
        persistent_workers=num_workers > 0,
        worker_init_fn=_start_worker,
        generator=torch.Generator(),  # else starting workers would use PyTorch's own, and change dropout
    )


def _start_worker(worker: int) -> None:
    """Prepares a worker process; `worker` is its number."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops the main process, which stops its workers
    keep_freed_memory()
    cv2.setNumThreads(0)  # the workers share the cores already
