"""One odd tag is dropped and said; the sheet is read, written and turned upright all the same."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from utils.files.encode import png_chunk, tiff_file
from utils.files.images import read_picture, write_picture
from utils.files.masks import write_mask
from utils.training.cache import Request, read_sheet

ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 2, 3, 4, 5, 7
Entry = tuple[int, int, int, bytes]  # tag, type, count, value or offset


def directory(*entries: Entry, base: int = 8, next_page: int = 0) -> bytes:
    """A TIFF directory (little endian) at `base`; values of more than 4 bytes lie behind it."""
    behind = base + 2 + 12 * len(entries) + 4
    head, data = struct.pack("<H", len(entries)), b""
    for tag, kind, count, value in entries:
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<L", behind + len(data))
        data += value if len(value) > 4 else b""
        head += struct.pack("<HHL", tag, kind, count) + place
    return head + struct.pack("<L", next_page) + data


def exif(*entries: Entry) -> bytes:
    return b"Exif\0\0II*\0\x08\0\0\0" + directory(*sorted(entries))


HALF = struct.pack("<LL", 1, 2)
TURNED = (274, SHORT, 1, struct.pack("<H", 6))
ARTIST = (315, ASCII, 9, b"S. Huang\0")
ODD = {
    "text as a rational": (271, RATIONAL, 1, HALF),
    "resolution as bytes": (282, UNDEFINED, 8, b"whatever"),
    "date as a long": (306, LONG, 1, struct.pack("<L", 7)),
    "directory of EXIF as a rational": (0x8769, RATIONAL, 1, HALF),
    "directory of EXIF behind the end": (0x8769, LONG, 1, struct.pack("<L", 10 ** 6)),
    "directory of GPS in itself": (0x8825, LONG, 1, struct.pack("<L", 8)),
    "value behind the end": (305, ASCII, 400, struct.pack("<L", 40_000)),
    "type that does not exist": (270, 99, 1, b"abcd"),
}
PIXELS = np.arange(24 * 40 * 3, dtype=np.uint8).reshape(24, 40, 3) // 4


def file_with(suffix: str, *entries: Entry) -> bytes:
    """A small sheet with these tags."""
    if suffix == ".tif":
        entries = sorted([
            (256, SHORT, 1, struct.pack("<H", 40)), (257, SHORT, 1, struct.pack("<H", 24)),
            (258, SHORT, 3, struct.pack("<HHH", 8, 8, 8)), (259, SHORT, 1, b"\1\0"), (262, SHORT, 1, b"\2\0"),
            (273, LONG, 1, struct.pack("<L", 8)), (277, SHORT, 1, b"\3\0"), (278, SHORT, 1, struct.pack("<H", 24)),
            (279, LONG, 1, struct.pack("<L", PIXELS.nbytes)), *entries,
        ])
        start = 8 + PIXELS.nbytes
        return b"II*\0" + struct.pack("<L", start) + PIXELS.tobytes() + directory(*entries, base=start)
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, format={".jpg": "JPEG", ".png": "PNG"}[suffix], exif=exif(*entries))
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("turned", [False, True])
def test_an_odd_tag_does_not_end_the_sheet(tmp_path, suffix, kind, turned):
    entries = [ODD[kind], ARTIST, *([TURNED] if turned else [])]
    (tmp_path / f"in{suffix}").write_bytes(file_with(suffix, *entries))
    pixels, kept = read_picture(tmp_path / f"in{suffix}")
    expected = np.rot90(PIXELS, -1) if turned else PIXELS
    assert pixels.shape == expected.shape
    if suffix != ".jpg":
        np.testing.assert_array_equal(pixels, expected)
    write_picture(tmp_path / f"out{suffix}", pixels, kept)
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert image.size == pixels.shape[1::-1]
        if turned or suffix == ".tif":
            assert image.getexif()[315] == "S. Huang"  # what is not odd is kept
            assert image.getexif().get(274, 1) == 1


@pytest.mark.parametrize("suffix, kind, name", [
    (".jpg", "text as a rational", "Make"), (".tif", "resolution as bytes", "XResolution"),
    (".tif", "text as a rational", "Make"),
])
def test_what_is_dropped_is_said(tmp_path, capsys, suffix, kind, name):
    (tmp_path / f"x{suffix}").write_bytes(file_with(suffix, ODD[kind], TURNED))
    read_picture(tmp_path / f"x{suffix}")
    assert f"x{suffix}: {name} cannot be kept" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ODD)
def test_training_reads_such_sheets(tmp_path, kind):
    (tmp_path / "x.jpg").write_bytes(file_with(".jpg", ODD[kind], TURNED))
    write_mask(tmp_path / "x.png", np.zeros((40, 24), np.uint8))
    assert read_sheet(Request(tmp_path / "x.jpg", tmp_path / "x.png", (64, 64))).image.shape == (40, 24, 3)


@pytest.mark.parametrize("length", [10, 30, 60])
@pytest.mark.filterwarnings("ignore")
def test_a_cut_directory(tmp_path, length):
    block = exif(TURNED, ARTIST, ODD["text as a rational"])[:length]
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, format="JPEG", exif=block)
    (tmp_path / "x.jpg").write_bytes(buffer.getvalue())
    pixels, kept = read_picture(tmp_path / "x.jpg")
    write_picture(tmp_path / "out.jpg", pixels, kept)
    assert {24, 40} == set(read_picture(tmp_path / "out.jpg")[0].shape[:2])


def test_exif_that_is_too_large_for_a_jpeg(tmp_path, capsys):
    """Several segments are read as one, which is then too large to be written."""
    block = exif(ARTIST, (37500, UNDEFINED, 60_000, b"x" * 60_000))
    data = file_with(".jpg", ARTIST)
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    (tmp_path / "x.jpg").write_bytes(data[:2] + segment + segment + data[2:])
    pixels, kept = read_picture(tmp_path / "x.jpg")
    write_picture(tmp_path / "out.jpg", pixels, kept)
    assert read_picture(tmp_path / "out.jpg")[0].shape == (24, 40, 3)


def test_both_directories_of_a_tiff_are_kept(tmp_path):
    """EXIF and GPS, read by Pillow."""
    tags = {256: 40, 257: 24, 258: (8, 8, 8), 259: 1, 262: 2, 273: 0, 277: 3, 278: 24, 279: PIXELS.nbytes, 315: "me",
            0x8769: {0x9003: "2021:05:06 07:08:09"}, 0x8825: {1: "N", 2: (51.0, 28.0, 38.0)}}
    (tmp_path / "x.tif").write_bytes(tiff_file(tags) + PIXELS.tobytes())
    write_picture(tmp_path / "out.tif", *read_picture(tmp_path / "x.tif"))
    with Image.open(tmp_path / "out.tif") as image:
        found = image.getexif()
        assert found[315] == "me" and found.get_ifd(0x8769)[0x9003] == "2021:05:06 07:08:09"
        assert found.get_ifd(0x8825)[1] == "N" and found.get_ifd(0x8825)[2] == (51.0, 28.0, 38.0)


def test_a_resolution_that_is_no_number(tmp_path):
    data = file_with(".png", ARTIST)
    phys = png_chunk(b"pHYs", struct.pack(">LLB", 2 ** 32 - 1, 0, 1))
    (tmp_path / "x.png").write_bytes(data[:33] + phys + data[33:])
    write_picture(tmp_path / "out.png", *read_picture(tmp_path / "x.png"))
    np.testing.assert_array_equal(read_picture(tmp_path / "out.png")[0], PIXELS)
