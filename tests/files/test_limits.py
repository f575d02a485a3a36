"""What is refused before it is decoded: by how long it takes, what it needs and what is said."""

import io
import os
import socket
import struct
import threading
import time
import tracemalloc
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utils.files import limits
from utils.files.encode import png_chunk, tiff_file
from utils.files.images import read_image, read_picture
from utils.files.masks import read_mask
from utils.utils import UserError

SIDE = 26_000  # 676 megapixels, which is allowed
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(width: int, height: int, depth: int, colour: int, data: bytes, more: bytes = b"", interlaced: int = 0) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    return SIGNATURE + header + more + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def tiff(compression: int, bits: tuple[int, ...], photometric: int = 2) -> bytes:
    return tiff_file({256: SIDE, 257: SIDE, 258: bits, 259: compression, 262: photometric, 273: 0, 277: len(bits),
                      278: SIDE, 279: 1000}) + bytes(1000)


def jpeg(progressive: bool = False) -> bytes:
    """A small JPEG whose header claims much more."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, format="JPEG", progressive=progressive)
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[at + 5:at + 9] = struct.pack(">HH", SIDE, SIDE)
    return bytes(data)


PALETTE = png_chunk(b"PLTE", bytes(range(6)))
CLAIMS = {
    "rgb.png": png(SIDE, SIDE, 8, 2, zlib.compress(bytes(100))),
    "rgb16.png": png(SIDE, SIDE, 16, 2, zlib.compress(bytes(100))),
    "palette.png": png(SIDE, SIDE, 8, 3, zlib.compress(bytes(100)), PALETTE),
    "bits.png": png(SIDE, SIDE, 1, 0, zlib.compress(bytes(100))),
    "interlaced.png": png(SIDE, SIDE, 8, 3, zlib.compress(bytes(100)), PALETTE, 1),
    "plain.tif": tiff(1, (8, 8, 8)), "lzw.tif": tiff(5, (8, 8, 8)), "lzw16.tif": tiff(5, (16, 16, 16)),
    "deflate.tif": tiff(8, (8, 8, 8)), "packbits.tif": tiff(32773, (8,), 1), "fax.tif": tiff(4, (1,), 0),
    "jpeg.tif": tiff(7, (8, 8, 8), 6), "zstd.tif": tiff(50000, (8, 8, 8)),
    "baseline.jpg": jpeg(), "progressive.jpg": jpeg(progressive=True),
}


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("read", [read_picture, read_mask])
def test_more_pixels_than_the_bytes_can_hold(tmp_path, name, read):
    (tmp_path / name).write_bytes(CLAIMS[name])
    tracemalloc.start()
    begin = time.monotonic()
    with pytest.raises(UserError) as error:
        read(tmp_path / name)
    seconds, (_, peak) = time.monotonic() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert f"{name} cannot be read (its {len(CLAIMS[name])} bytes cannot hold 26000 x 26000 pixels)" in str(error.value)
    assert seconds < 2 and peak < 50_000_000


@pytest.mark.parametrize("suffix, mode, options", [
    (".png", "1", {"compress_level": 9}), (".png", "P", {"compress_level": 9}), (".png", "RGB", {"compress_level": 9}),
    (".tif", "RGB", {"compression": "tiff_lzw"}), (".tif", "RGB", {"compression": "tiff_adobe_deflate"}),
    (".tif", "1", {"compression": "group4"}), (".tif", "L", {"compression": "packbits"}),
    (".tif", "RGB", {"compression": "jpeg"}), (".tif", "RGB", {"compression": "zstd"}),
    (".tif", "RGB", {"compression": "lzma"}),
    (".jpg", "L", {"quality": 1, "optimize": True}), (".jpg", "L", {"quality": 1, "progressive": True}),
    (".jpg", "RGB", {"quality": 1, "progressive": True}),
])
def test_blank_sheets_are_read(tmp_path, suffix, mode, options):
    """Nothing can be compressed further: honest files are below each bound."""
    path = tmp_path / f"x{suffix}"
    Image.new(mode, (2000, 1500)).save(path, **options)
    assert read_image(path).shape == (1500, 2000, 3)


def test_pages_that_share_one_large_tag(tmp_path):
    """All of them together would need 1000 times the memory of the file."""
    large, count = 5_000_000, 1000
    data = bytearray(b"II*\0" + struct.pack("<L", 8 + large) + bytes(large))
    for number in range(count):
        entries = ((256, 3, 1, 4), (257, 3, 1, 4), (37724, 7, large, 8))
        following = len(data) + 2 + 12 * len(entries) + 4 if number < count - 1 else 0
        data += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHLL", *entry) for entry in entries)
        data += struct.pack("<L", following)
    (tmp_path / "x.tif").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(UserError, match="x.tif cannot be read .its directories overlap"):
        read_image(tmp_path / "x.tif")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * large


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize("read", [read_image, read_mask])
def test_pngs_whose_pixels_end_early(tmp_path, read, interlaced):
    """The stream is whole, with checksum and all, and has rows for half of the picture."""
    data = png(40, 30, 8, 3, zlib.compress(b"\0" * 41 * 15), PALETTE, interlaced)
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(UserError, match="x.png cannot be read .(its pixels end early|image file is truncated)"):
        read(tmp_path / "x.png")


def scans(number: int) -> bytes:
    """A progressive JPEG with its last scan repeated."""
    buffer = io.BytesIO()
    Image.fromarray(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)).save(buffer, format="JPEG", progressive=True)
    data = buffer.getvalue()
    return data[:-2] + data[data.rindex(b"\xff\xda"):-2] * number + b"\xff\xd9"


def test_jpegs_with_thousands_of_scans(tmp_path):
    (tmp_path / "x.jpg").write_bytes(scans(3000))
    with pytest.raises(UserError, match="x.jpg cannot be read .it has more than 100 scans"):
        read_image(tmp_path / "x.jpg")
    (tmp_path / "x.jpg").write_bytes(scans(0))
    assert read_image(tmp_path / "x.jpg").shape == (64, 64, 3)


def test_what_looks_like_a_scan_in_the_description_does_not_count(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, format="JPEG", comment=b"\xff\xda" * 500)
    (tmp_path / "x.jpg").write_bytes(buffer.getvalue())
    assert read_image(tmp_path / "x.jpg").shape == (64, 64, 3)


@cache
def text(size: int) -> bytes:
    return png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size), 1))


@cache
def profile(size: int) -> bytes:
    return png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(bytes(16) + b"RGB " + bytes(size - 20), 1))


@pytest.mark.parametrize("depth", [8, 16])
def test_large_texts_and_profiles_are_no_reason_to_refuse_a_png(tmp_path, capsys, depth):
    pixels = np.arange(12 * depth // 8, dtype=np.uint8)
    data = zlib.compress(b"\0" + pixels.tobytes())
    (tmp_path / "large.png").write_bytes(png(4, 1, depth, 2, data, profile(5_000_000) + text(20_000_000)))
    read, kept = read_picture(tmp_path / "large.png")
    np.testing.assert_array_equal(read.reshape(-1), pixels if depth == 8 else pixels.view(">u2"))
    assert b"iCCP" in kept.options["chunks"]
    assert capsys.readouterr().err == ""
    (tmp_path / "huge.png").write_bytes(png(4, 1, depth, 2, data, profile(70_000_000) + text(70_000_000)))
    np.testing.assert_array_equal(read_picture(tmp_path / "huge.png")[0], read)
    assert "huge.png: iCCP, zTXt of more than 64 MB is left out" in capsys.readouterr().err


def no_files(folder: Path) -> dict[str, Path]:
    paths = {name: folder / f"{name}.jpg" for name in ("pipe", "socket", "folder", "link", "circle")}
    os.mkfifo(paths["pipe"])
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(paths["socket"]))
    paths["folder"].mkdir()
    paths["link"].symlink_to("nowhere.jpg")
    paths["circle"].symlink_to("circle.jpg")
    return paths | {"device": Path("/dev/zero")}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
@pytest.mark.parametrize("read", [read_picture, read_mask])
@pytest.mark.parametrize("kind, words", [
    ("pipe", "it is a pipe, a device or a socket"), ("socket", "it is a pipe, a device or a socket"),
    ("device", "it is a pipe, a device or a socket"), ("folder", "it is a folder"),
    ("link", "is a link to a file that is not there"), ("circle", "is a link to a file that is not there"),
])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, monkeypatch, read, kind, words):
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    path = no_files(Path("."))[kind]
    found: list[str] = []

    def attempt() -> None:
        try:
            read(path)
        except UserError as error:
            found.append(str(error))
    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(10)
    assert found and words in found[0] and str(path) in found[0]


def test_the_limits_hold_for_pillow_too():
    assert Image.MAX_IMAGE_PIXELS == limits.MAX_PIXELS == 700_000_000
