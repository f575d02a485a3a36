"""Pictures to read and write: noise, what JPEG keeps, and kinds of files that no library writes."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import ImageFileDirectory_v2

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    """Random numbers over the whole range of `dtype`, the same each time."""
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def smooth(height: int = 40, width: int = 60) -> np.ndarray:
    """A picture that JPEG keeps nearly as it is."""
    return cv2.resize(noise(3, 4, 3), (width, height), interpolation=cv2.INTER_CUBIC)


def encode_16bit(path: Path, pixels: np.ndarray) -> None:
    """RGB(A) or grey uint16 pixels written by OpenCV (which wants blue first)."""
    order = [2, 1, 0, 3][:pixels.shape[2]] if pixels.ndim == 3 else slice(None)
    path.write_bytes(cv2.imencode(path.suffix, pixels[..., order])[1].tobytes())


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def directory(tags: dict[int, object]) -> bytes:
    """A TIFF header and directory, made by Pillow."""
    entries = ImageFileDirectory_v2()
    for tag, value in tags.items():
        entries[tag] = value
    buffer = io.BytesIO()
    entries.save(buffer)
    return buffer.getvalue()


def tiff(path: Path, pixels: np.ndarray, tags: dict[int, object]) -> None:
    """A plain one-strip TIFF, for kinds that neither library writes."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    basic = {256: pixels.shape[1], 257: pixels.shape[0], 258: (8 * pixels.itemsize,) * channels, 259: 1,
             262: 2 if channels > 1 else 1, 273: 0, 277: channels, 278: pixels.shape[0], 279: pixels.nbytes}
    path.write_bytes(directory(basic | tags) + pixels.tobytes())


def exif(orientation: int) -> Image.Exif:
    """An orientation and a photographer."""
    tags = Image.Exif()
    tags[274] = orientation
    tags[315] = "S. Huang"
    return tags
