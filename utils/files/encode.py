"""Encoders for overlays, which put back what `utils/files/images.py` kept of the input file."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def write_jpeg(file: BinaryIO, pixels: np.ndarray, options: dict[str, Any]) -> None:
    Image.fromarray(pixels).save(file, format="JPEG", **options)


def write_png(file: BinaryIO, pixels: np.ndarray, options: dict[str, Any]) -> None:
    """OpenCV's encoder, for 8 and 16 bits alike, with the kept chunks put in behind the header."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 4])
    header_end = len(PNG_SIGNATURE) + 25  # IHDR: length 4, kind 4, data 13, checksum 4
    file.write(encoded[:header_end])
    file.write(options["chunks"])
    file.write(encoded[header_end:])


def png_chunks(path: str | Path) -> Iterator[tuple[bytes, bytes]]:
    """(kind, data) of each chunk of a PNG before its pixels."""
    with open(path, "rb") as file:
        file.seek(len(PNG_SIGNATURE))
        while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
            data = file.read(int.from_bytes(head[:4], "big"))
            file.seek(4, io.SEEK_CUR)  # the checksum
            yield head[4:], data


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_tiff(file: BinaryIO, pixels: np.ndarray, options: dict[str, Any]) -> None:
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
    directory = ImageFileDirectory_v2()  # its save() moves the strip offsets behind itself
    for tag, value in options["tags"].items():
        directory[tag] = value
    directory[256], directory[257], directory[258] = width, height, (8 * pixels.itemsize,) * 3
    directory[259], directory[262], directory[277] = 8 if options["compressed"] else 1, 2, 3  # deflate, RGB, channels
    directory[273] = tuple(int(offset) for offset in np.cumsum([0] + sizes[:-1]))
    directory[278], directory[279] = rows, tuple(sizes)
    if options["compressed"]:
        directory[317] = 2
    directory.save(file)
    for strip in strips:
        file.write(strip)
