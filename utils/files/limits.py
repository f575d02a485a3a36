"""What is refused before it is decoded: files that are no files, and pictures whose bytes cannot hold their pixels."""

from __future__ import annotations

import re
import stat
import struct
import zlib
from pathlib import Path

from PIL import Image, PngImagePlugin

from utils.files.encode import PNG_SIGNATURE, png_chunk, png_chunks
from utils.files.jobs import warn_once
from utils.files.source import Source, Upload, read_source, source_size
from utils.utils import UserError, printable

MAX_PIXELS: int = 700_000_000  # larger is refused; 16-bit RGB of this size still fits the 4 GB of a TIFF
MAX_METADATA: int = 64 * 2 ** 20  # bytes of a PNG's colour profile, or of one of its texts, after inflating
MAX_SCANS: int = 100  # of a JPEG; each goes over all pixels. Encoders make about 10
Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # for the whole process: Pillow's own 179 megapixels refuse ordinary sheets
PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = MAX_METADATA, 4 * MAX_METADATA

# Bytes of pixels that a byte of a file can hold at most, by the number of a TIFF's compression.
DEFLATE = 1032  # two bits for 258 bytes
EXPANSION = {1: 1, 5: 2560, 8: DEFLATE, 32946: DEFLATE, 32773: 64}  # none; LZW: 12 bits for up to 3840 bytes; PackBits
FAX = (2, 3, 4)  # a bit for a row
JPEG_PIXELS = 512  # a bit for a block of 8 x 8 pixels
JPEGS = (6, 7)
OTHER = 40_000  # Zstandard, the densest of the others: 4 bytes for 128 KB

START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd8]")  # with a length behind; 0: a byte of pixels, d0 to d7: restarts

PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type: grey, RGB, palette, grey and RGB with alpha
PNG_INFLATED = (b"zTXt", b"iTXt", b"iCCP")
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def require_file(path: Source) -> None:
    """Raises UserError when `path` is no file (opening a pipe would wait for ever), OSError when it is not there."""
    if isinstance(path, Upload):
        return
    path = Path(path)
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path} is a link to a file that is not there: mend the link, or put the file back.")
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise UserError(f"{path} cannot be opened: it is a folder, name a file.")
    if not stat.S_ISREG(mode):
        raise UserError(f"{path} cannot be opened: it is a pipe, a device or a socket, name a file.")


def require_size(pixels: int, limit: int) -> None:
    if pixels > limit:
        raise Image.DecompressionBombError


def require_bytes(image: Image.Image, path: Source) -> None:
    """Raises ValueError when the file that `image` was opened from cannot hold the pixels that its header claims."""
    size = source_size(path)
    pixels = image.width * image.height
    if image.format == "TIFF":
        compression = image.tag_v2.get(259, 1)
        bits = image.tag_v2.get(258, (1,))
        channels = image.tag_v2.get(277, 1)
        stored = pixels * max(bits) * channels // 8
        if compression in JPEGS:
            stored, expansion = pixels, JPEG_PIXELS
        else:
            expansion = image.width if compression in FAX else EXPANSION.get(compression, OTHER)
            if compression == 1 and image.mode == "YCbCr":
                expansion = 3  # colours of 2 x 2 pixels and more are stored once
    elif image.format == "PNG":
        stored, expansion = _png_bytes(path), DEFLATE
    else:
        stored, expansion = pixels, JPEG_PIXELS
    if stored > size * expansion:
        raise ValueError(f"its {size} bytes cannot hold {image.width} x {image.height} pixels")


def require_few_scans(path: Source) -> None:
    """Raises ValueError for a JPEG with more than MAX_SCANS scans."""
    data = read_source(path)
    if data.count(START_OF_SCAN) <= MAX_SCANS:  # nearly always; those within other segments are counted, too
        return
    scans, at = 0, 2
    while (found := MARKER.search(data, at)) and found[0] != END_OF_IMAGE:
        scans += found[0] == START_OF_SCAN
        if scans > MAX_SCANS:
            raise ValueError(f"it has more than {MAX_SCANS} scans")
        at = found.end() + int.from_bytes(data[found.end():found.end() + 2], "big")


def require_all_rows(path: Source) -> None:
    """Raises ValueError for a PNG whose pixels end early, which Pillow takes for black."""
    wanted, inflater = _png_bytes(path), zlib.decompressobj()
    for kind, data in png_chunks(path, pixels=True):
        while kind == b"IDAT" and data and wanted > 0:
            wanted -= len(inflater.decompress(data, 2 ** 20))
            data = inflater.unconsumed_tail
    if wanted > 0:
        raise ValueError("its pixels end early")


def without_large_texts(path: Source) -> bytes | None:
    """A PNG without the texts and profiles that are larger than MAX_METADATA when inflated, which a line names.

    None when it has none of them.
    """
    kept, dropped = [PNG_SIGNATURE], []
    for kind, data in png_chunks(path, pixels=True):
        large = kind in PNG_INFLATED and _inflates_to_more(data, MAX_METADATA)
        (dropped if large else kept).append(kind.decode() if large else png_chunk(kind, data))
    if not dropped:
        return None
    warn_once(f"{printable(path)}: {', '.join(dropped)} of more than {MAX_METADATA // 2 ** 20} MB is left out.")
    return b"".join(kept)


def _inflates_to_more(data: bytes, limit: int) -> bool:
    """Whether the deflated part of a text or profile chunk, which is behind names of any length, is larger."""
    start = max(data.find(b"\x78", data.find(b"\0")), 0)  # zlib's first byte
    if len(data) * DEFLATE <= limit:
        return False
    try:
        return len(zlib.decompressobj().decompress(data[start:], limit + 1)) > limit
    except zlib.error:
        return False  # Pillow leaves it out


def _png_bytes(path: Source) -> int:
    """Bytes of the rows of a PNG, each with its filter's number in front, as its header tells."""
    _, header = next(png_chunks(path))
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = ((len(range(left, width, across)), len(range(top, height, down))) for top, left, down, across in passes)
    return sum(rows * (1 + (columns * depth * PNG_CHANNELS[colour] + 7) // 8) for columns, rows in sizes if columns)
