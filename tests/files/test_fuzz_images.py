"""Damaged images and masks, made at random: read, or refused with a sentence; no other error, no hang, no large memory.

FUZZ_LOOPS=20000 python -m pytest tests/files/test_fuzz_images.py makes so many files.
"""

import io
import os
import time
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from utils.files import images, limits
from utils.files.images import read_picture, write_picture
from utils.files.masks import read_mask
from utils.utils import UserError

LOOPS = int(os.environ.get("FUZZ_LOOPS", "450"))  # files, of all kinds together
SECONDS = 60  # no file may take longer: a hang, not slowness, on any machine
PIXELS = 4_000_000  # that an image may have here: the memory of larger ones would hide what a limit does not stop

KINDS = ("jpeg", "progressive", "png", "png16", "palette", "tiff", "tiff16", "lzw", "pages")


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def saved(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[271], exif[274], exif[282], exif[315] = "Maker", 6, 300.0, "S. Huang"
    Image.fromarray(pixels).save(buffer, exif=exif, **options)
    return buffer.getvalue()


def good(kind: str) -> bytes:
    """A small whole file of a kind."""
    pixels = noise(24, 20, 3)
    pixels[8:] //= 64
    if kind in ("png16", "tiff16"):
        return cv2.imencode(f".{kind[:-2]}", noise(24, 20, 3, dtype=np.uint16))[1].tobytes()
    if kind == "palette":
        image = Image.fromarray(pixels[..., 0] // 64)
        image.putpalette(list(range(12)))
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        return buffer.getvalue()
    return {
        "jpeg": lambda: saved(pixels, format="JPEG", dpi=(300, 300)),
        "progressive": lambda: saved(pixels, format="JPEG", progressive=True),
        "png": lambda: saved(pixels, format="PNG", dpi=(300, 300), icc_profile=b"x" * 200),
        "tiff": lambda: saved(pixels, format="TIFF"),
        "lzw": lambda: saved(pixels, format="TIFF", compression="tiff_lzw"),
        "pages": lambda: saved(pixels, format="TIFF", save_all=True, append_images=[Image.new("RGB", (40, 30))]),
    }[kind]()


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """`content` with bits turned, bytes set to extremes, numbers replaced, pieces cut out, doubled or moved."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(len(data) if rng.random() < 0.5 else min(len(data), 400)))  # headers, mostly
        length = int(rng.integers(1, 40))
        change = rng.integers(7)
        if change == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif change == 1:
            data[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
        elif change == 2:
            data[at:at + 4] = int(rng.integers(2 ** 32)).to_bytes(4, "little")
        elif change == 3:
            data[at:at + 2] = int(rng.choice([0, 1, 2, 5, 7, 12, 256, 0xFFFF])).to_bytes(2, "little")
        elif change == 4:
            del data[at:at + length]
        elif change == 5:
            data[at:at] = data[at:at + length]
        else:
            del data[max(at, 1):]
        if len(data) < 2:
            break
    return with_checksums(bytes(data)) if rng.random() < 0.8 else bytes(data)


def with_checksums(data: bytes) -> bytes:
    """A PNG whose checksums are right, as far as its chunks can be followed; other files as they are."""
    at = 8
    while data[:4] == b"\x89PNG" and at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at:at + 4], "big")
        if end + 4 > len(data):
            break
        data = data[:end] + zlib.crc32(data[at + 4:end]).to_bytes(4, "big") + data[end + 4:]
        at = end + 4
    return data


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused(tmp_path, monkeypatch, kind):
    for module in (images, limits):
        monkeypatch.setattr(module, "MAX_PIXELS", PIXELS)
    rng, whole = np.random.default_rng(KINDS.index(kind)), good(kind)
    source, target = tmp_path / "x", tmp_path / "y"
    counts = {"read": 0, "refused": 0}
    for number in range(LOOPS // len(KINDS)):
        content = damaged(whole, rng)
        source.write_bytes(content)
        begin = time.monotonic()
        try:
            pixels, kept = read_picture(source)
            assert pixels.dtype in (np.uint8, np.uint16) and pixels.shape[2] == 3 and pixels.size <= 3 * PIXELS
            write_picture(target, pixels, kept)
            counts["read"] += 1
        except UserError as error:
            assert str(source) in str(error), (number, str(error))  # what was read can be written
            counts["refused"] += 1
        except Exception as error:
            raise AssertionError(f"number {number}: {content.hex()}") from error
        assert time.monotonic() - begin < SECONDS, number
        try:
            read_mask(source)
        except UserError as error:
            assert str(source) in str(error)
    assert counts["refused"] > 0 and (counts["read"] > 0 or "png" in kind or kind == "palette"), counts  # checksums
