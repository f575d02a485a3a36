"""Sheets and masks in batches, for training and validation.

Images and masks stay uint8 from the file to the device, where `letterbox.network_input` normalises them.
"""

from __future__ import annotations

import math
import pickle
import signal
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from utils.memory import keep_freed_memory
from utils.network.distributed import Processes
from utils.network.letterbox import letterbox, letterbox_mask
from utils.objects.separation import separate_objects
from utils.training.augmentation import augment
from utils.training.cache import read_sheet
from utils.training.mixing import Part, epoch_samples, random_sheet
from utils.training.paste import paste_objects

ONTO_GAP = 0.5  # probability that a view of a sheet with GAP pixels is placed so that it shows some


class SheetDataset(Dataset):
    """Pairs of image uint8 (h, w, 3) RGB and mask uint8 (h, w), both at `input_shape`.

    An index is (pass, number of the sheet). Random choices depend only on these two and the seed. So they differ from
    pass to pass and from sheet to sheet, and do not change with the number of workers or processes.

    Args:
        files: image and mask file of each sheet.
        input_shape: (height, width) of the samples.
        seed: for all random choices.
        augment_scale: smallest and largest size of a sheet relative to the input; samples are augmented. None: they
            are letterboxed, and all other arguments about augmentation have no effect.
        paste: share of the samples with objects of another sheet pasted on.
        cache_dir: see `utils/training/cache.py`; the samples are the same without it.
        object_gap: pixels of background between two objects of one class; see `utils/objects/separation.py`.
        degraded: share of the samples that become worse photographs; see `augment`.
        turned: share of the samples that are turned by a multiple of 90 degrees; see `augment`.
        parts: the data sets that `files` come from, in order; see `utils/training/mixing.py`. (): only one.
    """

    def __init__(
        self,
        files: Sequence[tuple[Path, Path]],
        input_shape: tuple[int, int],
        seed: int,
        augment_scale: tuple[float, float] | None = None,
        paste: float = 0.0,
        cache_dir: str = "",
        object_gap: int = 0,
        degraded: float = 0.0,
        turned: float = 0.0,
        parts: Sequence[Part] = (),
    ) -> None:
        self.files = list(files)
        self.parts = parts or [Part(len(files), len(files))]
        self.input_shape = input_shape
        self.augment_scale = augment_scale
        self.paste = paste
        self.object_gap = object_gap
        self.degraded = degraded
        self.turned = turned
        self.box = sheet_box(input_shape, augment_scale)
        self.cache_dir = cache_dir
        self.seed = seed

    def __len__(self) -> int:
        """The number of samples in an epoch."""
        return sum(part.samples for part in self.parts)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker process gets. It is compressed to fit into a pipe, or else workers would start one by one."""
        return {**self.__dict__, "files": zlib.compress(pickle.dumps(self.files))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, files=pickle.loads(zlib.decompress(state["files"])))

    def __getitem__(self, index: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Image and mask of one sample."""
        passed, number = index
        image, mask = self._read_sheet(number)
        if self.augment_scale:
            rng = np.random.default_rng((self.seed, passed, number))
            if rng.random() < self.paste:
                other = self._read_sheet(random_sheet(self.parts, rng))
                image, mask = paste_objects(image, mask, *other, rng, self.object_gap)
            onto_gap = ONTO_GAP if self.object_gap else 0.0
            image, mask = augment(
                image, mask, self.input_shape, self.augment_scale, rng,
                onto_gap=onto_gap, degraded=self.degraded, turned=self.turned,
            )
        else:
            image, mask = letterbox(image, self.input_shape)[0], letterbox_mask(mask, self.input_shape)
        return torch.from_numpy(image), torch.from_numpy(mask)

    def _read_sheet(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Image and mask of one sheet, scaled down to fit the box; with GAP pixels if the samples need them."""
        sheet = read_sheet(*self.files[number], self.box, self.cache_dir)
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

    Args:
        parts: the data sets and their samples per epoch.
        shuffle: True, for training: random order, and the first samples are repeated until every process has the same
            number. False, for validation: in order, each sheet exactly once.
        seed: of the random order.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(self, parts: Sequence[Part], shuffle: bool, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.parts, self.shuffle, self.seed = parts, shuffle, seed
        self.length = sum(part.samples for part in parts)
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def __len__(self) -> int:
        return len(range(self.rank, self._padded_length(), self.world_size))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        if self.shuffle:
            order = epoch_samples(self.parts, self.epoch, self.seed)
            np.random.default_rng((self.seed, self.epoch)).shuffle(order)
            samples = [tuple(sample) for sample in np.resize(order, (self._padded_length(), 2)).tolist()]
        else:
            samples = [(self.epoch, number) for number in range(self.length)]
        return iter(samples[self.rank::self.world_size])

    def _padded_length(self) -> int:
        """The number of samples over all processes, repeated ones included."""
        return math.ceil(self.length / self.world_size) * self.world_size if self.shuffle else self.length


def make_loader(dataset: SheetDataset, batch_size: int, num_workers: int, procs: Processes) -> DataLoader:
    """Batches of images uint8 (n, h, w, 3) and masks uint8 (n, h, w). The last batch may be smaller.

    Args:
        dataset: shuffled if it is augmented.
        batch_size: sheets per batch over all processes.
        num_workers: processes that load sheets; 0: this one.
        procs: the processes of the run.
    """
    shuffle = dataset.augment_scale is not None
    return DataLoader(
        dataset,
        batch_size=batch_size // procs.world_size,
        sampler=EpochSampler(dataset.parts, shuffle, dataset.seed, procs.rank, procs.world_size),
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
