"""Masks: 8-bit palette PNG, instance masks: 16-bit grey PNG, and what is none."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from utils.files import masks
from utils.files.encode import png_chunk
from utils.files.masks import (
    read_instances, read_mask, require_fitting_instances, write_instances, write_mask,
)
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


def test_an_instance_mask_is_a_16_bit_grey_png(tmp_path):
    instances, path = np.array([[0, 1, 300], [65535, 258, 2]], np.uint16), tmp_path / "I" / "K.0001 23 标本.png"
    write_instances(path, instances)
    assert path.read_bytes()[24:26] == b"\x10\x00"  # bit depth 16, colour type grey
    with Image.open(path) as image:
        assert image.mode == "I;16" and np.array_equal(np.array(image), instances)
    assert np.array_equal(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED), instances)
    found = read_instances(path)
    assert found.dtype == np.uint16 and np.array_equal(found, instances)
    Image.fromarray(np.array([[0, 200]], np.uint8)).save(path)
    assert read_instances(path).tolist() == [[0, 200]]


@pytest.mark.parametrize(("kind", "words"), [
    ("P", "is a PNG of the kind P with 1 bits"), ("RGB", "kind RGB with 8 bits"), ("1", "kind 1 with 1 bits"),
    ("jpeg", "is a JPEG of the kind L with 8 bits"), ("cut", "x.png cannot be read"), ("empty", "x.png is empty"),
    ("text", "x.png is no readable"), ("none", "x.png is not there"),
])
def test_what_is_no_instance_mask_is_named(tmp_path, kind, words):
    path = tmp_path / "x.png"
    if kind in ("P", "RGB", "1"):
        Image.new(kind, (40, 40)).save(path)
    elif kind == "jpeg":
        Image.new("L", (40, 40)).save(path, format="JPEG")
    elif kind == "cut":
        write_instances(path, np.random.default_rng(0).integers(0, 65536, (40, 40), np.uint16))
        path.write_bytes(path.read_bytes()[:900])
    elif kind != "none":
        path.write_bytes(b"" if kind == "empty" else b"text")
    with pytest.raises(UserError, match=words):
        read_instances(path)


def test_instances_have_to_fit_the_mask(tmp_path):
    image, mask = tmp_path / "i.png", np.array([[0, 1, 2, 255, 254]], np.uint8)
    require_fitting_instances(image, np.array([[9, 1, 1, 0, 0]], np.uint16), tmp_path / "m.png", mask)
    with pytest.raises(UserError, match=r"i.png has no number for 2 pixels .* in .*m.png: make both again"):
        require_fitting_instances(image, np.zeros((1, 5), np.uint16), tmp_path / "m.png", mask)
    with pytest.raises(UserError, match=r"i.png is 1 x 5 pixels and .*m.png is 5 x 1: make both again"):
        require_fitting_instances(image, np.zeros((5, 1), np.uint16), tmp_path / "m.png", mask)
