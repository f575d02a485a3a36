"""Masks: 8-bit palette PNG, and what is none."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from utils.files import masks
from utils.files.encode import png_chunk
from utils.files.masks import read_mask, write_mask
from utils.utils import UserError


def test_mask_is_an_eight_bit_palette_png(tmp_path):
    mask = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    path = tmp_path / "masks" / "K.0001 23 标本.png"
    write_mask(path, mask)
    assert path.read_bytes()[24:26] == b"\x08\x03"  # bit depth 8, colour type palette
    np.testing.assert_array_equal(read_mask(path), mask)
    with Image.open(path) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), mask)
        assert np.asarray(image.convert("RGB")).tolist() == [
            [[0, 0, 0], [128, 0, 0], [0, 128, 0]], [[128, 128, 0], [0, 0, 128], [224, 224, 192]]
        ]


def test_mask_with_its_own_colours(tmp_path):
    write_mask(tmp_path / "x.png", np.array([[0, 1, 2]], np.uint8), colors=[(0, 0, 0), (10, 20, 30)])
    with Image.open(tmp_path / "x.png") as image:
        assert np.asarray(image.convert("RGB")).tolist() == [[[0, 0, 0], [10, 20, 30], [0, 128, 0]]]


def test_masks_in_eight_bit_grey_and_small_palettes_are_read(tmp_path):
    mask = np.array([[0, 1], [2, 1]], np.uint8)
    Image.fromarray(mask).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "grey.png"), mask)
    small = Image.fromarray(mask)
    small.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])  # Pillow stores it with 2 bits a pixel
    small.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "palette.png"), mask)


ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


@pytest.mark.parametrize("kind", ["own", "grey", "filtered", "interlaced", "many chunks"])
def test_masks_are_what_pillow_reads(tmp_path, kind):
    mask = np.random.default_rng(1).integers(0, 5, (40, 33), np.uint8).cumsum(1, dtype=np.uint8)
    path = tmp_path / "x.png"
    if kind == "own":
        write_mask(path, mask)
    elif kind == "grey":
        Image.fromarray(mask).save(path)
    else:
        rows = {
            "filtered": [np.diff(mask, axis=0, prepend=np.uint8(0))],  # each row as differences to the one above
            "interlaced": [mask[top::down, left::across] for top, left, down, across in ADAM7],
            "many chunks": [mask],
        }[kind]
        start = b"\2" if kind == "filtered" else b"\0"
        data = zlib.compress(b"".join(start + row.tobytes() for part in rows for row in part))
        chunks = [png_chunk(b"IDAT", data[at:at + 50]) for at in range(0, len(data), 50)]
        header = struct.pack(">IIBBBBB", 33, 40, 8, 0, 0, 0, kind == "interlaced")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + b"".join(chunks) + png_chunk(b"IEND", b""))
    assert (masks._decode_plain(path) is None) == (kind not in ("own", "many chunks"))
    assert (masks._decode_plain(path) is None) == (kind not in ("own", "many chunks"))
    np.testing.assert_array_equal(read_mask(path), mask)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.array(image), mask)


@pytest.mark.parametrize("kind, words", [
    ("RGB", "24-bit colour image and no mask: convert it with convert_labelled.py"),
    ("RGBA", "convert it with convert_labelled.py"),
    ("LA", "kind LA with 8 bits"),
    ("1", "kind 1 with 1 bits"),
    ("I;16", "with 16 bits"),
])
def test_other_pngs_are_no_masks(tmp_path, kind, words):
    Image.new(kind, (4, 4)).save(tmp_path / "x.png")
    with pytest.raises(UserError, match=f"x.png is a .*{words}"):
        read_mask(tmp_path / "x.png")


def test_a_jpeg_is_no_mask(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "x.png", format="JPEG")
    with pytest.raises(UserError, match="x.png is a JPEG file: a mask has to be an 8-bit palette PNG"):
        read_mask(tmp_path / "x.png")
