"""Basics that every part of the project uses: classes, colours, errors, files, seeds and devices."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import torch

NAME_CLASSES: tuple[str, ...] = ("_background_", "Barcode", "Label", "Color chart", "Scale")
GAP: int = 254  # in training masks: background between two objects of one class; see object_gap in train.py
IGNORE: int = 255  # in masks: pixels that change no loss and no metric
IMAGE_SUFFIXES: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".tif", ".tiff")  # in any letter case


class UserError(Exception):
    """One sentence for the user that names the file or constant, the value found and what is allowed.

    Scripts print it without a traceback and end with `exit_status`; 2 means that a constant does not fit.
    """

    def __init__(self, message: str, exit_status: int = 1) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def voc_palette() -> np.ndarray:
    """The PASCAL VOC colour map, uint8 (256, 3) RGB: row k is the colour of class k.

    Rows 1 to 4 are dark red, green, dark yellow and blue; row 255 (IGNORE) is (224, 224, 192).
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return palette


def default_colors(num_classes: int) -> list[tuple[int, int, int]]:
    """One (R, G, B) of the VOC palette for each class, background first."""
    return [tuple(int(value) for value in row) for row in voc_palette()[:num_classes]]


def find_images(folder: str | Path, recursive: bool = False) -> list[Path]:
    """The image files in `folder`, sorted by path. Their suffixes are those of `IMAGE_SUFFIXES`, in any letter case.

    Raises UserError when `folder` is not a folder, and OSError like `list_files`.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder} is not a folder: create it or name the folder that holds the images.")
    return list_files(folder, IMAGE_SUFFIXES, recursive)


def list_files(folder: str | Path, suffixes: Sequence[str], recursive: bool) -> list[Path]:
    """The files in `folder` with one of the suffixes, sorted by path.

    Hidden files, whose names begin with a dot (such as macOS's `._K0001.jpg`), are left out.

    Args:
        folder: the folder to list.
        suffixes: such as ".jpg"; letter case does not matter. () means all files.
        recursive: also list its subfolders.

    Raises:
        OSError: the folder or one of its subfolders cannot be read.
    """
    def fail(error: OSError) -> None:
        raise error

    walk = os.walk(folder, onerror=fail)
    found = [Path(root, name) for root, _, names in (walk if recursive else islice(walk, 1)) for name in names]
    return sorted(
        path for path in found
        if not path.name.startswith(".") and (not suffixes or path.suffix.lower() in suffixes) and path.is_file()
    )


def require_distinct(outputs: Sequence[tuple[Path, Path]]) -> None:
    """Raises UserError when two inputs in the (input, output) pairs have the same output.

    Letter case does not count, because the file systems of Windows and macOS ignore it.
    """
    seen: dict[str, Path] = {}
    for source, output in outputs:
        first = seen.setdefault(str(output).casefold(), source)
        if first != source:
            raise UserError(
                f"{first} and {source} would both be written to {output}: rename one of them or move it elsewhere."
            )


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, with the same suffix, and renames it to `path` when the block succeeds.

    If the block raises an error, the temporary file is removed and an existing `path` does not change. Missing parent
    folders are created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".tmp_", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes the file private; this is the mode that open() gives
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def seed_everything(seed: int) -> None:
    """Seeds the random generators of Python, NumPy and PyTorch in this process."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def pick_device(name: str) -> torch.device:
    """The device for "auto" (CUDA, else MPS, else CPU), "cuda", "cuda:1", "mps" or "cpu".

    Raises UserError when the name is unknown or this machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f'device is "{name}": use "auto", "cuda", "cuda:1", "mps" or "cpu".', 2) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(
            'device is "cuda" and PyTorch finds no CUDA GPU: install a CUDA build of torch and a current driver, '
            'or set device to "cpu" or "auto".', 2
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise UserError(f'device is "{name}" and only {count} CUDA GPUs are there: use a number below {count}.', 2)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError('device is "mps" and PyTorch finds no Apple GPU: set device to "cpu" or "auto".', 2)
    return device
