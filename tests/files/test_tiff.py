"""TIFF files of many kinds, written by tifffile or byte by byte, against the arrays that went into them."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from utils.files.encode import tiff_file
from utils.files.images import read_image, read_picture, write_picture
from utils.utils import UserError


def noise(*shape: int, dtype: str = "u1") -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def planes(pixels: np.ndarray) -> np.ndarray:
    return pixels.transpose(2, 0, 1).copy()


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("layout", [{"rowsperstrip": 7}, {"tile": (16, 16)}])
@pytest.mark.parametrize("coded", [{}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}])
def test_planes_and_pixels_side_by_side_are_the_same_picture(tmp_path, dtype, byte_order, channels, layout, coded):
    pixels = noise(37, 41, channels, dtype=dtype)
    options = {"photometric": "rgb", "byteorder": byte_order, **layout, **coded}
    if channels == 4:
        pixels[..., 3] = np.iinfo(dtype).max  # opaque
        options["extrasamples"] = ["unassalpha"]
    for name, array in (("contig", pixels), ("separate", planes(pixels))):
        tifffile.imwrite(tmp_path / "x.tif", array, planarconfig=name, **options)
        read, _ = read_picture(tmp_path / "x.tif")
        assert read.dtype == dtype
        np.testing.assert_array_equal(read, pixels[..., :3])


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits"])
def test_compressed_planes_of_sixteen_bits(tmp_path, compression):
    """Photoshop's "per channel" order: each plane here is a greyscale strip that Pillow compressed."""
    pixels, strips = noise(20, 30, 3, dtype="u2"), []
    for channel in range(3):
        Image.fromarray(pixels[..., channel]).save(tmp_path / "grey.tif", compression=compression)
        with Image.open(tmp_path / "grey.tif") as image:
            tags, data = dict(image.tag_v2), (tmp_path / "grey.tif").read_bytes()
        assert len(tags[273]) == 1
        strips.append(data[tags[273][0]:tags[273][0] + tags[279][0]])
    sizes = [len(strip) for strip in strips]
    offsets = (0, sizes[0], sizes[0] + sizes[1])
    head = tiff_file({256: 30, 257: 20, 258: (16,) * 3, 259: tags[259], 262: 2, 273: offsets, 277: 3, 278: 20,
                      279: tuple(sizes), 284: 2})
    (tmp_path / "x.tif").write_bytes(head + b"".join(strips))
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif")[0], pixels)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("separate", [False, True])
def test_cmyk(tmp_path, dtype, separate):
    """Red is what cyan and black leave of white: 255 * (1 - C) * (1 - K)."""
    inks = noise(20, 30, 4)
    stored = inks if dtype == "u1" else inks.astype("u2") * 257
    tifffile.imwrite(tmp_path / "x.tif", planes(stored) if separate else stored, photometric="separated",
                     planarconfig="separate" if separate else "contig")
    expected = (255.0 - inks[..., :3]) * (255 - inks[..., 3:]) / 255
    assert np.abs(read_image(tmp_path / "x.tif") - expected).max() <= 1


def test_large_offsets(tmp_path):
    pixels = noise(20, 30, 3)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", bigtiff=True)
    np.testing.assert_array_equal(read_image(tmp_path / "x.tif"), pixels)


def write_pages(path: Path, *pages: tuple[np.ndarray, int]) -> None:
    """Pages of pixels and NewSubfileType."""
    with tifffile.TiffWriter(path) as file:
        for pixels, kind in pages:
            file.write(pixels, photometric="rgb", subfiletype=kind)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("kind", [0, 1])
def test_a_small_copy_that_comes_first_is_not_the_sheet(tmp_path, capsys, dtype, kind):
    sheet = noise(40, 60, 3, dtype=dtype)
    write_pages(tmp_path / "x.tif", (sheet[::4, ::4], kind), (sheet, 0))
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif")[0], sheet)
    assert "x.tif has 2 pages: page 2, 60 x 40 pixels, is read" in capsys.readouterr().err


def test_marked_copies_are_passed_over_whatever_their_size(tmp_path):
    sheet = noise(40, 60, 3)
    write_pages(tmp_path / "x.tif", (sheet[:30], 1), (sheet, 0))
    assert read_image(tmp_path / "x.tif").shape == (40, 60, 3)


def test_of_pages_alike_the_first_is_read_and_the_others_are_said_once(tmp_path, capsys):
    sheet = noise(40, 60, 3)
    write_pages(tmp_path / "x.tif", (sheet[:30], 0), (sheet, 0), (sheet, 0))
    for _ in range(2):
        np.testing.assert_array_equal(read_image(tmp_path / "x.tif"), sheet[:30])
    assert capsys.readouterr().err.count("x.tif has 3 pages: page 1, 60 x 30 pixels, is read") == 1


def test_a_circle_of_pages_ends(tmp_path, capsys):
    Image.fromarray(noise(4, 5, 3)).save(tmp_path / "x.tif", save_all=True, append_images=[Image.new("RGB", (5, 4))])
    data = bytearray((tmp_path / "x.tif").read_bytes())
    first = int.from_bytes(data[4:8], "little")
    at = first + 2 + 12 * int.from_bytes(data[first:first + 2], "little")
    data[at:at + 4] = data[4:8]  # the page behind the first is the first
    (tmp_path / "x.tif").write_bytes(data)
    np.testing.assert_array_equal(read_image(tmp_path / "x.tif"), noise(4, 5, 3))
    assert "pages" not in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_twelve_bits_in_sixteen_are_stretched(tmp_path, capsys, suffix):
    pixels = np.random.default_rng(0).integers(0, 4096, (20, 30, 3), dtype="u2")
    pixels[0, 0] = (0, 2048, 4095)
    path = tmp_path / f"x{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="rgb")
    else:
        path.write_bytes(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes())
    read, kept = read_picture(path)
    np.testing.assert_allclose(read, pixels * (65535 / 4095), atol=0.5)
    assert read[0, 0].tolist() == [0, 32776, 65535]
    assert f"x{suffix} holds 12 bits in 16 (no value is above 4095): stretched" in capsys.readouterr().err
    write_picture(path, read, kept)
    np.testing.assert_array_equal(read_picture(path)[0], read)  # and not again


def test_packed_twelve_bits(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4096, (20, 30))
    bits = (pixels[..., None] >> np.arange(11, -1, -1)) & 1
    data = np.packbits(bits.reshape(20, -1).astype(bool), axis=1).tobytes()
    tags = {256: 30, 257: 20, 258: 12, 259: 1, 262: 1, 273: 0, 277: 1, 278: 20, 279: len(data)}
    (tmp_path / "x.tif").write_bytes(tiff_file(tags) + data)
    np.testing.assert_allclose(read_picture(tmp_path / "x.tif")[0][..., 0], pixels * (65535 / 4095), atol=0.5)


@pytest.mark.parametrize("dtype, words", [
    ("i1", "8 signed bits"), ("i2", "16 signed bits"), ("u4", "32 bits"), ("i4", "32 signed bits"),
    ("f2", "16 floating-point bits"), ("f4", "32 floating-point bits"), ("f8", "64 floating-point bits"),
])
@pytest.mark.parametrize("shape, photometric", [((8, 9, 3), "rgb"), ((8, 9), "minisblack")])
def test_other_samples_are_refused(tmp_path, dtype, words, shape, photometric):
    tifffile.imwrite(tmp_path / "x.tif", np.ones(shape, dtype), photometric=photometric)
    with pytest.raises(UserError, match=f"x.tif has pixels of the kind .*{words}: save it as RGB or greyscale"):
        read_picture(tmp_path / "x.tif")


def test_five_channels_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", noise(8, 9, 5), photometric="minisblack", planarconfig="contig")
    with pytest.raises(UserError, match="5 channels with 8 bits"):
        read_picture(tmp_path / "x.tif")


def test_strips_without_sizes_and_strips_that_overlap(tmp_path):
    pixels = noise(20, 30, 3)
    tags = {256: 30, 257: 20, 258: (8,) * 3, 259: 1, 262: 2, 273: (0, 900), 277: 3, 278: 10}
    (tmp_path / "x.tif").write_bytes(tiff_file(tags) + pixels.tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "x.tif"), pixels)
    tags |= {257: 2000, 273: (0,) * 200, 279: (900,) * 200}
    (tmp_path / "x.tif").write_bytes(tiff_file(tags) + pixels.tobytes())
    with pytest.raises(UserError, match="x.tif cannot be read .its strips overlap"):
        read_image(tmp_path / "x.tif")


def test_a_directory_that_claims_a_million_million_tags(tmp_path):
    header = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 2**40)  # BigTIFF
    (tmp_path / "x.tif").write_bytes(header + bytes(40))
    with pytest.raises(UserError, match="x.tif cannot be read .it holds no page"):
        read_image(tmp_path / "x.tif")
