"""Keeps sheets, scaled down for training, in a folder, so that later epochs and runs read them fast.

An entry is one file, `<key>.sheet`, with three arrays in NumPy's .npy format, one after the other. The key depends on
the requested size, on the kind of mask, and on the path, size and time of change of the image, the mask and the
instance mask. So an entry that no longer fits is not found. Entries, or the whole folder, can be deleted at any time:
sheets without an entry are read from their files.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import cv2
import numpy as np

from utils.files.images import opened, pillow_to_rgb, read_image, upright
from utils.files.jobs import warn
from utils.files.masks import read_instances, read_mask, require_fitting_instances, value_counts
from utils.files.metadata import orientation
from utils.files.voc import instance_file
from utils.network.letterbox import place, resize, resize_mask
from utils.objects.panoptic import number_components, panoptic_mask
from utils.utils import ABANDONED, IGNORE, UserError, atomic_path

VERSION = 1  # raise it when the content of entries changes
SUFFIX = ".sheet"

class Request(NamedTuple):
    """A sheet to read.

    image: its file.
    mask: the file of its mask. None: the sheet is not labelled, and its mask is all IGNORE.
    box: the size (height, width) that the sheet must fit.
    panoptic: give a panoptic mask; see `utils/objects/panoptic.py`. The instances are those of the sheet's instance
        mask. If it has none, each 8-connected component of a class, at the size of the result, is an instance.
    """

    image: Path
    mask: Path | None
    box: tuple[int, int]
    panoptic: bool = False


class Sheet(NamedTuple):
    """Image uint8 (h, w, 3) RGB, mask (h, w), and pixels of each value in the mask's file, int64 (256,).

    The mask is uint8, or panoptic and uint16. Without a mask's file, there are no pixels.
    """

    image: np.ndarray
    mask: np.ndarray
    pixels: np.ndarray


def read_sheet(request: Request, cache_dir: str | Path = "") -> Sheet:
    """The sheet, scaled down to fit the box, aspect kept. A smaller sheet keeps its size.

    It comes from the cache if it is there, else from the files. The result is the same.

    request: the sheet.
    cache_dir: the folder of the cache. "": none.

    Raises UserError when a file cannot be read, or the files do not fit each other.
    """
    entry = find_entry(cache_dir, request)
    return (entry and _load_entry(entry)) or _read_files(request)


def find_entry(cache_dir: str | Path, request: Request) -> Path | None:
    """The path of a sheet's cache entry, whether it exists or not; None without a cache or without the sheet's files.

    cache_dir: the folder of the cache. "": none.
    request: the sheet.
    """
    if not cache_dir:
        return None
    paths = [path for path in (request.image, request.mask) if path]
    if request.panoptic and request.mask and instance_file(request.mask).exists():
        paths.append(instance_file(request.mask))
    try:
        files = [(str(path.absolute()), stat.st_size, stat.st_mtime_ns)
                 for path, stat in ((path, path.stat()) for path in paths)]
    except OSError:
        return None
    key = (VERSION, files, request.box, *(["panoptic"] if request.panoptic else []))
    return Path(cache_dir) / f"{blake2b(repr(key).encode(), digest_size=16).hexdigest()}{SUFFIX}"


class SheetCache:
    """Fills a folder with sheets for `read_sheet`.

    Entries of other runs stay as long as there is room. Those unused for longest are deleted first. Several threads and
    processes may fill one folder at the same time.

    cache_dir: the folder; "" keeps no sheets.
    gigabytes: its largest size, in 10^9 bytes.
    processes: how many processes of this run share it.
    """

    def __init__(self, cache_dir: str | Path, gigabytes: float, processes: int = 1) -> None:
        self.cache_dir = cache_dir
        self.limit = gigabytes * 1e9
        self.processes = processes
        self.room = 0.0  # bytes that this process may still add
        self.lock = Lock()

    def make_room(self, requests: Iterable[Request]) -> None:
        """Finds which of this run's sheets are cached, and deletes other entries when room is needed.

        requests: all sheets of this run.
        Raises UserError when the folder cannot be created.
        """
        if not self.cache_dir:
            return
        folder = Path(self.cache_dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f'cache_dir is {folder}, which cannot be made ({error}): choose another, or "".') from error
        # The sheets of this run, and the most bytes that each still needs.
        own = {find_entry(folder, request): (4 + request.panoptic) * math.prod(request.box) for request in requests}
        self.room = self.limit
        others = []
        for path, size, used in _list_entries(folder):
            if path in own:
                own[path] = 0
                path.touch()
                self.room -= size
            else:
                others.append((used, size, path))
        spare = self.room - sum(own.values())
        for used, size, path in sorted(others, reverse=True):
            temporary = path.name.startswith(".tmp_")  # a process is writing it, or was killed
            if time.time() - used > ABANDONED if temporary else size > spare:
                path.unlink(missing_ok=True)
            else:
                spare -= size
                self.room -= size
        self.room /= self.processes

    def add(self, request: Request) -> Sheet:
        """The sheet as `read_sheet` returns it, after caching it if there is room. Raises like `read_sheet`."""
        entry = find_entry(self.cache_dir, request)
        sheet = entry and _load_entry(entry)
        if sheet:
            return sheet
        sheet = _read_files(request)
        size = sum(array.nbytes for array in sheet)
        with self.lock:
            fits = entry is not None and size <= self.room
            self.room -= size if fits else 0
        if fits:
            try:
                _save_entry(entry, sheet)
            except OSError as error:
                self.room = 0
                warn(f"{self.cache_dir} takes no more sheets ({error}): the others are read from their files.")
        return sheet


def _list_entries(folder: Path) -> list[tuple[Path, int, float]]:
    """The path, size in bytes and time of last use of each entry and temporary file."""
    found = []
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            stat = path.stat()
        except FileNotFoundError:  # another process has just removed it
            continue
        found.append((path, stat.st_size, stat.st_mtime))
    return found


def _load_entry(entry: Path) -> Sheet | None:
    """The sheet in an entry; None if the entry is missing, or incomplete after a power cut."""
    try:
        with open(entry, "rb") as file:
            return Sheet(*(np.load(file) for _ in Sheet._fields))
    except (OSError, EOFError, ValueError):
        return None


def _save_entry(entry: Path, sheet: Sheet) -> None:
    """Writes a sheet to an entry."""
    with atomic_path(entry) as temporary, open(temporary, "wb") as file:
        for array in sheet:
            np.save(file, array)


def _read_files(request: Request) -> Sheet:
    """The sheet as `read_sheet` returns it, from its files."""
    image, size = _read_image(request.image, request.box)
    if request.mask is None:
        kind = np.uint16 if request.panoptic else np.uint8
        return Sheet(image, np.full(image.shape[:2], IGNORE, kind), np.zeros(256, np.int64))
    full = read_mask(request.mask)
    if size != full.shape:
        raise UserError(
            f"{request.mask} is {full.shape[1]} x {full.shape[0]} pixels and {request.image.name} is {size[1]} x "
            f"{size[0]}: make the mask from this image again."
        )
    mask = resize_mask(full, image.shape[:2])
    if request.panoptic:
        path = instance_file(request.mask)
        if path.exists():
            instances = read_instances(path)
            require_fitting_instances(path, instances, request.mask, full)
            mask = panoptic_mask(mask, resize_mask(instances, mask.shape))
        else:
            mask = panoptic_mask(mask, number_components(mask))
    return Sheet(image, mask, value_counts(full))


def _read_image(path: Path, box: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """The image scaled down to fit `box`, and its full size (height, width). Raises UserError like `read_image`.

    If the box allows it, libjpeg decodes at 1/2, 1/4 or 1/8 of the size: a fifth of the time for a large sheet.
    """
    try:
        with opened(path) as image:
            if image.format == "JPEG" and image.mode in ("RGB", "L"):
                turned = orientation(image)
                lies = turned in (5, 6, 7, 8)
                size = (image.width, image.height) if lies else (image.height, image.width)
                wanted = _fit_size(size, box)
                image.draft(image.mode, wanted if lies else wanted[::-1])
                return _shrink(upright(pillow_to_rgb(image), turned), wanted), size
    except UserError:
        pass  # `read_image` below reads it, or says what is wrong
    pixels = read_image(path)
    return _shrink(pixels, _fit_size(pixels.shape[:2], box)), pixels.shape[:2]


def _fit_size(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """`size` (height, width) scaled down to fit `box`, aspect kept. A smaller size does not change."""
    return size if size[0] <= box[0] and size[1] <= box[1] else tuple(place(size, box)[2:])


def _shrink(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`pixels` uint8 (H, W, 3) at a smaller `size` (height, width).

    If it is smaller than half, `resize` averages over areas. Otherwise bilinear scaling, with two pixels along each
    axis, is enough. It is faster, and as close to the average over areas of the full-size image.
    """
    if pixels.shape[0] < 2 * size[0] and pixels.shape[1] < 2 * size[1]:
        return cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_LINEAR)
    return resize(pixels, size)
