"""Sheets and masks for training and validation, with the dissertation's augmentations.

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
import simplejpeg
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from utils.memory import keep_freed_memory
from utils.network.distributed import Processes
from utils.network.letterbox import GREY, letterbox, letterbox_mask, resize, resize_mask
from utils.training.cache import read_sheet
from utils.training.mixing import Part, draw, draw_one
from utils.training.paste import paste_objects, separate_objects
from utils.utils import GAP, IGNORE

ASPECT_JITTER = 0.3
FLIP, BLUR, ROTATE, ONTO_GAP = 0.5, 0.25, 0.25, 0.5  # probabilities
DEGREES = 10.0
HUE, SATURATION, VALUE = 0.1, 0.7, 0.3  # largest relative change of each
EACH = 0.5  # probability of each thing that `degrade` does
EXPOSURE, CAST = 0.15, 0.06  # standard deviations of the logarithms of the gain of all channels, and of each
NOISE, QUALITY = 16.0, (15, 90)  # largest standard deviation, of 255; lowest and highest of a JPEG


class SheetDataset(Dataset):
    """Pairs of image uint8 (h, w, 3) RGB and mask uint8 (h, w), both at `input_shape`.

    files: image and mask file of each sheet. Augmented, with the sheet `augment_scale` times the input's size, when
    that is given; else letterboxed. paste: share of the augmented ones on which objects of another sheet are pasted
    first. object_gap: background that their masks keep between two objects of one class, see `utils/training/paste.py`.
    degraded, turned: shares of the augmented ones that become worse photographs and that are turned, see `augment`.
    cache_dir: see `utils/training/cache.py`; the samples are the same without it. parts: how many of `files` are of each of
    several data sets, and how many samples of an epoch; see `utils/training/mixing.py`.

    An index is (pass, number of the sheet): what is drawn at random depends on these two and the seed alone, so it
    differs between passes and sheets, and is the same with any number of workers or processes.
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
        """Samples of an epoch."""
        return sum(part.draws for part in self.parts)

    def __getstate__(self) -> dict[str, Any]:
        """What goes to a worker process, compressed to fit into a pipe: else each is started only once the last runs."""
        return {**self.__dict__, "files": zlib.compress(pickle.dumps(self.files))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, files=pickle.loads(zlib.decompress(state["files"])))

    def __getitem__(self, index: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        passed, number = index
        image, mask = self._read(number)
        if self.augment_scale:
            rng = np.random.default_rng((self.seed, passed, number))
            if rng.random() < self.paste:
                other = self._read(draw_one(self.parts, rng))
                image, mask = paste_objects(image, mask, *other, rng, self.object_gap)
            onto_gap = ONTO_GAP if self.object_gap else 0.0
            image, mask = augment(
                image, mask, self.input_shape, self.augment_scale, rng,
                onto_gap=onto_gap, degraded=self.degraded, turned=self.turned,
            )
        else:
            image, mask = letterbox(image, self.input_shape)[0], letterbox_mask(mask, self.input_shape)
        return torch.from_numpy(image), torch.from_numpy(mask)

    def _read(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        sheet = read_sheet(*self.files[number], self.box, self.cache_dir)
        if self.augment_scale and self.object_gap:
            return sheet.image, separate_objects(sheet.mask, self.object_gap)
        return sheet.image, sheet.mask


def sheet_box(shape: tuple[int, int], augment_scale: tuple[float, float] | None) -> tuple[int, int]:
    """The size (height, width) that sheets are scaled down to fit before anything else happens to them.

    The largest that the augmentation scales them to for an input of `shape`; without augmentation the input itself.
    (Where the jitter of the aspect makes one side longer still, that side is scaled up a little.)
    """
    return shape if augment_scale is None else tuple(math.ceil(augment_scale[1] * side) for side in shape)


class EpochSampler(Sampler[tuple[int, int]]):
    """Indices (pass, number) of one epoch for one of `world_size` processes; set `.epoch` before each epoch.

    Shuffled for training, where each of `parts` gives its draws, and the last ones are filled up from the first so that
    every process has as many. In order and each exactly once for validation.
    """

    def __init__(self, parts: Sequence[Part], shuffle: bool, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.parts, self.shuffle, self.seed = parts, shuffle, seed
        self.length = sum(part.draws for part in parts)
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def __len__(self) -> int:
        return len(range(self.rank, self._padded(), self.world_size))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        if self.shuffle:
            order = draw(self.parts, self.epoch, self.seed)
            np.random.default_rng((self.seed, self.epoch)).shuffle(order)
            samples = [tuple(sample) for sample in np.resize(order, (self._padded(), 2)).tolist()]
        else:
            samples = [(self.epoch, number) for number in range(self.length)]
        return iter(samples[self.rank::self.world_size])

    def _padded(self) -> int:
        return math.ceil(self.length / self.world_size) * self.world_size if self.shuffle else self.length


def make_loader(dataset: SheetDataset, batch_size: int, num_workers: int, procs: Processes) -> DataLoader:
    """Batches of images uint8 (n, h, w, 3) and masks uint8 (n, h, w); the last batch may be smaller.

    batch_size: sheets over all processes.
    """
    shuffle = dataset.augment_scale is not None
    return DataLoader(
        dataset,
        batch_size=batch_size // procs.world_size,
        sampler=EpochSampler(dataset.parts, shuffle, dataset.seed, procs.rank, procs.world_size),
        num_workers=num_workers,
        multiprocessing_context="spawn" if num_workers else None,  # copies of this process would keep all its memory
        pin_memory=procs.device.type == "cuda",
        persistent_workers=num_workers > 0,
        worker_init_fn=_start_worker,
        generator=torch.Generator(),  # else starting workers draws from PyTorch's own, and dropout differs after it
    )


def _start_worker(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the main process, and that its workers
    keep_freed_memory()
    cv2.setNumThreads(0)  # the workers share the cores already


def augment(
    image: np.ndarray,
    mask: np.ndarray,
    shape: tuple[int, int],
    scale: tuple[float, float],
    rng: np.random.Generator,
    onto_gap: float = 0.0,
    degraded: float = 0.0,
    turned: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """One random view of a sheet: image uint8 (h, w, 3) and mask uint8 (h, w) at `shape` (height, width).

    Resize to `scale` times the shape (0.25 to 2 in the dissertation) with the aspect jittered by 0.3, flip, place at a
    random offset on grey bars (or crop), blur, rotate, change hue, saturation and value. Whatever was no part of the
    sheet is grey in the image and IGNORE in the mask. onto_gap: probability that a view of a sheet with GAP shows some
    of it, which few would. degraded: probability of a worse photograph, see `degrade`. turned: probability of a turn by
    90, 180 or 270 degrees, one as likely as the other. Huang 2022, section on data augmentation; the mask's bars are
    IGNORE here and were background there. The last three are ours.
    """
    size = random_size(image.shape[:2], shape, scale, rng)
    image, mask = resize(image, size), resize_mask(mask, size)
    if degraded and rng.random() < degraded:
        image = degrade(image, rng)
    if turned and rng.random() < turned:
        quarters = int(rng.integers(1, 4))
        image, mask = np.rot90(image, quarters), np.rot90(mask, quarters)
    if rng.random() < FLIP:
        image, mask = image[:, ::-1], mask[:, ::-1]
    offsets = [(min(0, out - inner), max(0, out - inner)) for out, inner in zip(shape, mask.shape)]  # first and last
    if onto_gap and rng.random() < onto_gap and (mask == GAP).any():
        point = rng.choice(np.argwhere(mask == GAP))
        offsets = [(max(low, -at), min(high, out - 1 - at)) for (low, high), out, at in zip(offsets, shape, point)]
    offset = [int(rng.integers(low, high + 1)) for low, high in offsets]
    image, mask = shift(image, shape, offset, GREY), shift(mask, shape, offset, IGNORE)
    if rng.random() < BLUR:
        image = cv2.GaussianBlur(image, (5, 5), 0)
    if rng.random() < ROTATE:
        image, mask = rotate(image, mask, float(rng.uniform(-DEGREES, DEGREES)))
    return jitter_colour(image, rng.uniform(-1, 1, 3) * (HUE, SATURATION, VALUE) + 1), mask


def random_size(
    size: tuple[int, int], shape: tuple[int, int], scale: tuple[float, float], rng: np.random.Generator
) -> tuple[int, int]:
    """The size (height, width) that a sheet of `size` is resized to for an input of `shape`.

    Its longer side, by the jittered aspect, is a random number within `scale` times the input's side that way.
    """
    low, high = 1 - ASPECT_JITTER, 1 + ASPECT_JITTER
    aspect = size[1] / size[0] * rng.uniform(low, high) / rng.uniform(low, high)
    factor = rng.uniform(*scale)
    if aspect < 1:
        return max(1, round(factor * shape[0])), max(1, round(factor * shape[0] * aspect))
    return max(1, round(factor * shape[1] / aspect)), max(1, round(factor * shape[1]))


def shift(array: np.ndarray, shape: tuple[int, int], offset: Sequence[int], fill: int) -> np.ndarray:
    """`array` with its first pixel at `offset` (row, column; negative: cut off) of a new one of `shape`."""
    result = np.full((*shape, *array.shape[2:]), fill, np.uint8)
    top, left = (max(0, start) for start in offset)
    inner = array[max(0, -offset[0]):shape[0] - offset[0], max(0, -offset[1]):shape[1] - offset[1]]
    result[top:top + inner.shape[0], left:left + inner.shape[1]] = inner
    return result


def rotate(image: np.ndarray, mask: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Both turned anticlockwise about the centre; corners that come from outside are grey and IGNORE."""
    height, width = mask.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    image = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(GREY,) * 3)
    mask = cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=IGNORE)
    return image, mask


def jitter_colour(image: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """`image` uint8 (h, w, 3) RGB with hue, saturation and value multiplied by `gain` (3,); hue wraps around."""
    steps = np.arange(256)
    tables = (steps * gain[0] % 180, (steps * gain[1]).clip(0, 255), (steps * gain[2]).clip(0, 255))
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv = cv2.LUT(hsv, np.stack(tables, axis=-1).astype(np.uint8)[None])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def degrade(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A worse photograph of `image` uint8 (h, w, 3): under- or over-exposed, with a cast; noisy; a strong JPEG.

    Each of the three with probability EACH. What is over-exposed is white for good, as in a camera.
    """
    if rng.random() < EACH:
        gain = np.exp(rng.normal(0, EXPOSURE) + rng.normal(0, CAST, 3))
        image = cv2.LUT(image, (np.arange(256)[:, None] * gain).clip(0, 255).astype(np.uint8)[None])
    if rng.random() < EACH:
        noise = rng.standard_normal(image.shape, np.float32)
        image = cv2.addWeighted(image, 1, noise, rng.uniform(0, NOISE), 0, dtype=cv2.CV_8U)
    if rng.random() < EACH:
        quality = int(rng.integers(*QUALITY, endpoint=True))
        image = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(image, quality, colorsubsampling="420"))
    return image
