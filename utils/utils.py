"""Basics that every part of the project uses: classes, colours, errors, files, seeds and devices."""

from __future__ import annotations

import atexit
import errno
import os
import platform
import random
import re
import stat
import tempfile
import time
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

NAME_CLASSES: tuple[str, ...] = ("_background_", "Barcode", "Label", "Color chart", "Scale")
GAP: int = 254  # in training masks: background between two objects of one class; see object_gap in train.py
IGNORE: int = 255  # in masks: pixels that change no loss and no metric
IMAGE_SUFFIXES: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".tif", ".tiff")  # in any letter case


DEBUG: str = "--debug=true"  # given to any script: the traceback of an error is printed, too
UNPRINTABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format, halves of surrogate pairs, line and paragraph breaks
ABANDONED: int = 3600  # seconds after which a temporary file is one that an interrupted run left behind
TEMPORARY = re.compile(r"\.tmp_(?:(\d+)_([0-9a-f]{8})_)?[a-z0-9_]{8}(?:\.\w+)?")  # process, computer, random part
_unfinished: set[Path] = set()  # temporary files of this process

Bytes = bytes | bytearray | memoryview


class UserError(Exception):
    """One sentence for the user that names the file or constant, the value found and what is allowed.

    Scripts print it without a traceback and end with `exit_status`; 2 means that a constant does not fit.
    """

    def __init__(self, message: str, exit_status: int = 1) -> None:
        super().__init__(printable(message, lines=True))
        self.exit_status = exit_status


def printable(text: object, lines: bool = False) -> str:
    """`text` with what would control a terminal, or cannot be printed, shown as an escape: \\x1b, \\udcff.

    lines: keep line breaks. Letters of all scripts stay as they are.
    """
    return "".join(
        letter if unicodedata.category(letter) not in UNPRINTABLE or lines and letter == "\n"
        else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in str(text)
    )


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

    Hidden files, whose names begin with a dot (such as macOS's `._K0001.jpg`), are left out. Links to nowhere, pipes
    and the like are listed: whoever reads them says what is wrong. Links to folders are not followed.

    Args:
        folder: the folder to list.
        suffixes: such as ".jpg"; letter case does not matter. () means all files.
        recursive: also list its subfolders.

    Raises:
        OSError: the folder or one of its subfolders cannot be read.
    """
    found, folders = [], [os.fspath(folder)]
    while folders:  # a list, not os.walk, which fails below a thousand folders in Python 3.11
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if not os.path.isdir(entry.path):
                    found.append(Path(entry.path))
                elif recursive and not entry.is_symlink():
                    folders.append(entry.path)
    return sorted(
        path for path in found
        if not path.name.startswith(".") and (not suffixes or path.suffix.lower() in suffixes)
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
    handle, name = tempfile.mkstemp(prefix=f".tmp_{os.getpid()}_{_computer()}_", suffix=path.suffix, dir=path.parent)
    temporary = Path(name)
    _unfinished.add(temporary)
    try:
        os.close(handle)
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes the file private; this is the mode that open() gives
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        _unfinished.discard(temporary)


def write_bytes(path: str | Path, parts: Iterable[Bytes]) -> None:
    """Writes a file of these parts, all of it or none: a full disk raises OSError, and an older `path` stays."""
    with atomic_path(path) as temporary:
        written = 0
        with open(temporary, "wb") as file:
            for part in parts:
                written += file.write(part)
        require_written(temporary, written)


def require_written(path: Path, size: int) -> None:
    """Raises OSError when the file does not have `size` bytes: some network drives say nothing when they are full."""
    if path.stat().st_size != size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def remove_abandoned(folder: str | Path, recursive: bool = False) -> None:
    """Removes the temporary files that runs which were killed left in `folder`, which need not exist.

    Those of a process of this computer that is gone, and those that nobody has written to for an hour.
    """
    for path in Path(folder).glob("**/.tmp_*" if recursive else ".tmp_*"):
        found = TEMPORARY.fullmatch(path.name)
        try:
            status = path.lstat()
            if found and stat.S_ISREG(status.st_mode) and (
                    time.time() - status.st_mtime > ABANDONED or found[2] == _computer() and _is_gone(int(found[1]))):
                path.unlink()
        except OSError:  # another run has removed it, or it is not ours to remove
            continue


def _is_gone(process: int) -> bool:
    """Whether no process has this number; False on Windows, where asking would end it."""
    if os.name == "nt":
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # another user's
        return False
    return False


def _computer() -> str:
    """8 letters for the name of this computer: folders may be shared with others."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


@atexit.register
def _remove_unfinished() -> None:
    """Removes what a second Ctrl-C left, which may have come before the first one's work was done."""
    for path in list(_unfinished):
        if path.name.startswith(f".tmp_{os.getpid()}_"):  # not those of the process that this one was forked from
            path.unlink(missing_ok=True)


def seed_everything(seed: int) -> None:
    """Seeds the random generators of Python, NumPy and PyTorch in this process."""
    import torch  # not above: it takes two seconds, and scripts without a network do without

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def pick_device(name: str) -> torch.device:
    """The device for "auto" (CUDA, else MPS, else CPU), "cuda", "cuda:1", "mps" or "cpu".

    Raises UserError when the name is unknown or this machine has no such device.
    """
    import torch  # see `seed_everything`

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
