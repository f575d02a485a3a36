"""The pages of a TIFF file, and one page of it as a plain TIFF in memory.

Libraries read the first page, 16-bit pages with a plane a channel wrongly, and stumble over tags that say nothing of
the pixels. A page that holds only what the pixels need is read right by all of them.
"""

from __future__ import annotations

import io
from itertools import accumulate
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from utils.files.encode import tiff_file
from utils.files.jobs import warn_once
from utils.files.source import Source, open_source, source_size
from utils.utils import printable

HEADERS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # little and big endian; with +: BigTIFF
PADDING = 2 ** 16  # bytes that the tags of a file may miss
MAX_PAGES = 1000  # pages behind these are not looked at
SMALL_COPY = 4  # a first page of less than a quarter of the largest one's pixels is taken for a small copy of it

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, CHANNELS, PLANES = 254, 256, 257, 258, 259, 262, 277, 284
EXTRA_CHANNELS, SAMPLE_FORMAT, OFFSETS, SIZES, TILE_OFFSETS, TILE_SIZES = 338, 339, 273, 279, 324, 325
# What else tells how pixels are stored: fill order, strips, fax options, predictor, palette, tiles, inks, JPEG, YCbCr.
STORAGE = (WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, 266, CHANNELS, 278, PLANES, 292, 293, 317, 320, 322, 323, 332,
           EXTRA_CHANNELS, SAMPLE_FORMAT, 347, 529, 530, 531, 532)
WHITE_IS_ZERO, BLACK_IS_ZERO, SEPARATE = 0, 1, 2
NUMBERS = {1: "", 2: "signed ", 3: "floating-point ", 4: "", 5: "complex ", 6: "complex "}  # by sample format
OLD_JPEG = 6  # its tables lie anywhere in the file


class PaddedFile(io.BufferedReader):
    """A file that goes on with zeros: a tag that points behind its end then does not end its directory."""

    def __init__(self, path: Source) -> None:
        super().__init__(open_source(path))
        self.count = 0  # bytes that were read
        self.padded = 0  # zeros that were made up

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        self.padded += max(size - len(data), 0)
        return data.ljust(size, b"\0") if self.padded <= PADDING else data


class Page(NamedTuple):
    """A page of the file at `path`: its number from 1, its directory, and the header that says the byte order."""

    path: Source
    number: int
    tags: ImageFileDirectory_v2
    header: bytes

    def values(self, tag: int) -> tuple[int, ...]:
        """The whole numbers of a tag; () when it is not there or holds something else."""
        value = self.tags.get(tag, ())
        value = value if isinstance(value, tuple) else (value,)
        return value if all(isinstance(one, int) for one in value) else ()

    def value(self, tag: int, default: int) -> int:
        return (*self.values(tag), default)[0]

    @property
    def area(self) -> int:
        return self.value(WIDTH, 0) * self.value(HEIGHT, 0)

    @property
    def kind(self) -> str:
        """What a pixel is, in words."""
        number = NUMBERS.get(self.value(SAMPLE_FORMAT, 1), "strange ")
        channels = self.value(CHANNELS, 1)
        return f"{channels} channel{'s' * (channels != 1)} with {max(self.values(BITS) or (1,))} {number}bits"

    @property
    def is_unsigned(self) -> bool:
        return all(NUMBERS.get(sample) == "" for sample in self.values(SAMPLE_FORMAT))

    @property
    def is_whole_file(self) -> bool:
        """Whether the page cannot be taken out of its file; Pillow then turns it upright."""
        return self.value(COMPRESSION, 1) == OLD_JPEG

    @property
    def is_planar(self) -> bool:
        return self.value(PLANES, 1) == SEPARATE and self.value(CHANNELS, 1) > 1


def find_page(path: Source) -> Page:
    """The page of a TIFF file that shows the sheet; a line says so when there are several.

    The first that is not marked as a reduced copy or a mask, or the largest if that first one is much smaller.
    """
    pages = _pages(path)
    full = [page for page in pages if not page.value(SUBFILE, 0) & 0b101] or pages
    largest = max(full, key=lambda page: page.area)
    page = largest if full[0].area * SMALL_COPY <= largest.area else full[0]
    if len(pages) > 1:
        warn_once(f"{printable(path)} has {len(pages)} pages: page {page.number}, {page.value(WIDTH, 0)} x "
                  f"{page.value(HEIGHT, 0)} pixels, is read, the others are not.")
    return page


def alone(page: Page, plane: int | None = None) -> bytes:
    """A TIFF file of this page alone, or of one channel of a page with a plane a channel as greyscale.

    Raises ValueError for pages that cannot be had alone.
    """
    if page.is_whole_file and page.number > 1:
        raise ValueError("its first page is not the sheet, and its JPEG is of an old kind: save the sheet alone")
    with open_source(page.path) as file:
        if page.is_whole_file:
            return file.read()
        tiled = bool(page.values(TILE_OFFSETS))
        parts = _parts(file, page, tiled)
    tags = {tag: page.tags[tag] for tag in STORAGE if tag in page.tags}
    if plane is not None:
        count = len(parts) // page.value(CHANNELS, 1)
        parts = parts[plane * count:(plane + 1) * count]
        tags = {tag: value for tag, value in tags.items() if tag not in (PLANES, EXTRA_CHANNELS, SAMPLE_FORMAT)}
        tags |= {BITS: page.value(BITS, 1), CHANNELS: 1, PHOTOMETRIC: BLACK_IS_ZERO}
    offsets = [0, *accumulate(len(part) for part in parts[:-1])]
    tags[TILE_SIZES if tiled else SIZES] = tuple(len(part) for part in parts)
    tags[TILE_OFFSETS if tiled else OFFSETS] = tuple(offsets)  # saving moves those of strips behind the directory
    if tiled:
        start = len(tiff_file(tags, page.header[:2]))
        tags[TILE_OFFSETS] = tuple(offset + start for offset in offsets)
    return b"".join([tiff_file(tags, page.header[:2]), *parts])


def decode_16bit(page: Page, file: bytes) -> np.ndarray:
    """uint16 (H, W) or (H, W, C) as stored in a page with 16 bits a channel; colours blue first, OpenCV's order.

    file: what `alone` gave for the page.
    """
    if page.is_planar:
        planes = decode_planes(page)
        return np.dstack([planes[channel] for channel in (2, 1, 0, *range(3, len(planes)))])
    pixels = _decode(file)
    return np.invert(pixels) if page.value(PHOTOMETRIC, BLACK_IS_ZERO) == WHITE_IS_ZERO else pixels


def decode_planes(page: Page) -> list[np.ndarray]:
    """uint16 (H, W) of each channel of a page with a plane a channel and 16 bits."""
    return [_decode(alone(page, plane)) for plane in range(page.value(CHANNELS, 1))]


def _decode(file: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("the 16-bit pixels cannot be decoded")
    return pixels


def _pages(path: Source) -> list[Page]:
    """The pages of a file, from the first. Raises ValueError when there is none."""
    pages, seen, size = [], {0}, source_size(path)
    with PaddedFile(path) as file:
        header = file.read(16)
        header = header if header[:4] in HEADERS[2:] else header[:8]
        offset = ImageFileDirectory_v2(header).next
        while offset not in seen and offset < size and len(pages) < MAX_PAGES:
            seen.add(offset)
            file.seek(offset)
            tags = ImageFileDirectory_v2(header)
            tags.load(file)
            if file.count > 2 * size:
                raise ValueError("its directories overlap")
            if WIDTH in tags and HEIGHT in tags:
                pages.append(Page(path, len(pages) + 1, tags, header))
            offset = tags.next
    if not pages:
        raise ValueError("it holds no page")
    return pages


def _parts(file: BinaryIO, page: Page, tiled: bool) -> list[bytes]:
    """The stored strips or tiles of a page, in their order; what lies behind the end of the file is missing."""
    end = file.seek(0, io.SEEK_END)
    offsets, sizes = page.values(TILE_OFFSETS if tiled else OFFSETS), page.values(TILE_SIZES if tiled else SIZES)
    if len(sizes) != len(offsets):  # some programs leave them out: each ends where the next begins
        sizes = tuple(following - offset for offset, following in zip(offsets, (*offsets[1:], end)))
    sizes = [max(0, min(size, end - offset)) for offset, size in zip(offsets, sizes)]
    if sum(sizes) > end:
        raise ValueError("its strips overlap")
    parts = []
    for offset, size in zip(offsets, sizes):
        file.seek(offset)
        parts.append(file.read(size))
    return parts
