"""Encoders: pictures as pieces of bytes, with what `utils/files/metadata.py` kept of the input file put back."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from utils.files.source import Source, open_source, source_size
from utils.utils import Bytes

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_pillow(image: Image.Image, **options: Any) -> list[Bytes]:
    """The file that Pillow makes of `image`: in memory, as Pillow does not notice a disk that fills up."""
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return [buffer.getbuffer()]


def encode_jpeg(pixels: np.ndarray, options: Mapping[str, Any]) -> list[Bytes]:
    return encode_pillow(Image.fromarray(pixels), format="JPEG", **options)


def encode_png(pixels: np.ndarray, options: Mapping[str, Any]) -> list[Bytes]:
    """OpenCV's encoder, for 8 and 16 bits alike, with the kept chunks put in behind the header."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 4])
    header_end = len(PNG_SIGNATURE) + 25  # IHDR: length 4, kind 4, data 13, checksum 4
    return [encoded[:header_end].data, options["chunks"], encoded[header_end:].data]


def png_chunks(path: Source, pixels: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """(kind, data) of each chunk of a PNG, of those before its pixels alone unless `pixels`."""
    end = source_size(path)
    with open_source(path) as file:
        file.seek(len(PNG_SIGNATURE))
        while len(head := file.read(8)) == 8 and (pixels or head[4:] != b"IDAT"):
            data = file.read(min(int.from_bytes(head[:4], "big"), end))
            file.seek(4, io.SEEK_CUR)  # the checksum
            yield head[4:], data


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode_tiff(pixels: np.ndarray, options: Mapping[str, Any]) -> list[Bytes]:
    """A TIFF 6.0 file, for 8 and 16 bits alike (Pillow writes no 16-bit RGB, OpenCV no tags), deflate or plain."""
    height, width, _ = pixels.shape
    rows = max(1, 2 ** 20 // (width * 3 * pixels.itemsize))  # strips of about 1 MB
    strips = []
    for top in range(0, height, rows):
        strip = pixels[top:top + rows]
        if options["compressed"]:
            strip = strip.copy()
            strip[:, 1:] -= pixels[top:top + rows, :-1]  # predictor 2: differences along the row, modulo the type
        data = strip.astype(strip.dtype.newbyteorder("<")).tobytes()
        strips.append(zlib.compress(data, 4) if options["compressed"] else data)
    sizes = [len(strip) for strip in strips]
    tags = {
        **options["tags"], 256: width, 257: height, 258: (8 * pixels.itemsize,) * 3,
        259: 8 if options["compressed"] else 1, 262: 2, 277: 3,  # deflate, RGB, channels
        273: tuple(accumulate([0, *sizes[:-1]])), 278: rows, 279: tuple(sizes),
    }
    return [tiff_file(tags | ({317: 2} if options["compressed"] else {})), *strips]


def tiff_file(tags: Mapping[int, Any], byte_order: bytes = b"II") -> bytes:
    """The header and directory of a TIFF file; offsets of strips in tag 273 count from behind it."""
    directory = ImageFileDirectory_v2(prefix=byte_order)
    for tag, value in tags.items():
        directory[tag] = value
    buffer = io.BytesIO()
    directory.save(buffer)
    return buffer.getvalue()
