"""Images and boxes in batches, for training and validating a detector."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from os import cpu_count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from nets.yolov5 import STRIDES
from utils.dataloader import Sheets, sheet_box
from utils.detection.data.layouts import Labels, VocBoxes, YoloBoxes
from utils.detection.data.mosaic import Sample, view
from utils.labels.tally import Tally
from utils.network.letterbox import GREY, letterbox_tightly
from utils.training.cache import Request, read_sheet
from utils.training.mixing import Part, random_sheet
from utils.training.preflight import require_usable
from utils.utils import UserError


class Boxed(NamedTuple):
    """An image file, the boxes on it, float32 (n, 5) as shares of the image, and its size (height, width)."""

    image: Path
    boxes: np.ndarray
    size: tuple[int, int]


class BoxDataset(Sheets):
    """Image uint8 (h, w, 3) RGB, and boxes float32 (n, 5) in its pixels.

    Args:
        files: the sheets.
        input_shape: (height, width) of the samples.
        seed: see `Sheets`.
        scale: smallest and largest magnification; samples are random views, see `mosaic.view`. None: they are
            letterboxed as for prediction, so they are smaller than `input_shape` on one side.
        mosaic: share of the samples that show four sheets.
        degraded: share of the samples that become worse photographs.
        cache_dir: see `utils/training/cache.py`; the samples are the same without it.
        parts: see `Sheets`.
    """

    def __init__(
        self,
        files: Sequence[Boxed],
        input_shape: tuple[int, int],
        seed: int,
        scale: tuple[float, float] | None = None,
        mosaic: float = 0.0,
        degraded: float = 0.0,
        cache_dir: str = "",
        parts: Sequence[Part] = (),
    ) -> None:
        super().__init__(files, seed, scale is not None, parts)
        self.input_shape, self.scale, self.mosaic, self.degraded = input_shape, scale, mosaic, degraded
        self.box = sheet_box(input_shape, scale and (scale[0], max(scale[1], 1.0)))
        self.cache_dir = cache_dir

    def __getitem__(self, index: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Image and boxes of one sample."""
        passed, number = index
        if self.scale is None:
            image, boxes = self._read(number)
            image, (top, left, height, width) = letterbox_tightly(image, self.input_shape, STRIDES[-1])
            boxes = boxes * np.array([1, width, height, width, height], np.float32)
            boxes += np.array([0, left, top, left, top], np.float32)
        else:
            rng = np.random.default_rng((self.seed, passed, number))
            numbers = [number]
            if rng.random() < self.mosaic:
                numbers += [random_sheet(self.parts, rng) for _ in range(3)]
                rng.shuffle(numbers)
            image, boxes = view(list(map(self._read, numbers)), self.input_shape, self.scale, rng, self.degraded)
        return torch.from_numpy(image), torch.from_numpy(boxes)

    def _read(self, number: int) -> Sample:
        sheet = self.files[number]
        return read_sheet(Request(sheet.image, None, self.box), self.cache_dir).image, sheet.boxes


def collate(samples: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Images uint8 (N, h, w, 3), and targets float32 (m, 6): number of the image, from 0, class, x1, y1, x2, y2.

    Smaller images get grey bars on the right and at the bottom.
    """
    images, boxes = zip(*samples)
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    batch = torch.full((len(images), height, width, 3), GREY, dtype=torch.uint8)
    for target, image in zip(batch, images):
        target[:image.shape[0], :image.shape[1]] = image
    numbers = torch.repeat_interleave(torch.arange(len(boxes)), torch.tensor([len(each) for each in boxes]))
    return batch, torch.cat((numbers[:, None].float(), torch.cat(boxes)), dim=1)


def read_boxes(data: VocBoxes | YoloBoxes, split: str, announce: bool = True) -> list[Boxed]:
    """The sheets of a split with their boxes.

    announce: print a line for each sheet with an object that has no box, or one that is cut.
    Raises UserError, which lists the problems of all sheets.
    """
    files = list(dict.fromkeys(data.files(split)))
    with ThreadPoolExecutor(cpu_count()) as pool:
        results = list(pool.map(partial(_try_to_read, data), files))
    require_usable([str(result) for result in results if isinstance(result, UserError)], len(files))
    tally = Tally()
    for (_, labels), result in zip(files, results):
        if announce:
            tally.settle(labels, result.outcomes)
    return [Boxed(image, result.boxes, result.size) for (image, _), result in zip(files, results)]


def _try_to_read(data: VocBoxes | YoloBoxes, files: tuple[Path, Path]) -> Labels | UserError:
    """The boxes of a sheet, or what is wrong with it."""
    try:
        return data.read(*files)
    except UserError as error:
        return error


def absent_classes(sheets: Sequence[Boxed], name_classes: Sequence[str]) -> list[str]:
    """The classes that no sheet has a box of."""
    present = {int(index) for sheet in sheets for index in sheet.boxes[:, 0]}
    return [name for index, name in enumerate(name_classes) if index not in present]


def require_all_classes(train: Sequence[Boxed], val: Sequence[Boxed], name_classes: Sequence[str]) -> None:
    """Raises UserError when no training sheet has a box of some class, or no validation sheet has any box."""
    if absent := absent_classes(train, name_classes):
        raise UserError(
            f"No training sheet has a box of {', '.join(absent)}: label some, or take the names out of name_classes. "
            "Boxes of plants belong into specimens.json, see docs/formats.md."
        )
    if not any(len(sheet.boxes) for sheet in val):
        raise UserError(f"None of the {len(val)} validation sheets has a box: label them, or list others in val.txt.")


def box_sizes(files: Sequence[Boxed], shape: tuple[int, int]) -> np.ndarray:
    """Widths and heights, float32 (n, 2), that the boxes of all sheets have when these are letterboxed into `shape`."""
    scaled = [np.zeros((0, 2), np.float32)]
    for _, boxes, (height, width) in files:
        factor = min(shape[0] / height, shape[1] / width)
        scaled.append((boxes[:, 3:] - boxes[:, 1:3]) * np.array([width * factor, height * factor], np.float32))
    return np.concatenate(scaled)
