"""What a picture keeps when it is written again: depth, profile, EXIF, resolution, compression."""

import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from pictures import SRGB, chunk, directory, encode_16bit, exif, noise, smooth, tiff
from utils.files.encode import png_chunk, png_chunks
from utils.files.images import read_image, read_picture, to_uint8, write_picture


def test_jpeg_keeps_tables_profile_exif_and_resolution(tmp_path):
    source, target = tmp_path / "in.jpg", tmp_path / "out" / "in.jpg"
    options = {"quality": 83, "subsampling": "4:2:2", "icc_profile": SRGB, "dpi": (400, 400)}
    Image.fromarray(smooth()).save(source, exif=exif(6), **options)
    pixels, kept = read_picture(source)
    write_picture(target, pixels, kept)
    with Image.open(source) as before, Image.open(target) as after:
        assert after.format == "JPEG" and after.size == (40, 60)
        assert after.quantization == before.quantization
        assert [layer[1:3] for layer in after.layer] == [layer[1:3] for layer in before.layer]  # chroma sampling
        assert after.info["icc_profile"] == SRGB
        assert after.info["dpi"] == (400, 400)
        assert after.getexif()[274] == 1 and after.getexif()[315] == "S. Huang"
    assert np.abs(read_image(target).astype(int) - pixels).mean() < 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_png_and_tiff_keep_depth_profile_exif_and_resolution(tmp_path, suffix, dtype):
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    pixels = noise(30, 50, 3, dtype=dtype)
    taken = "2021:05:06 07:08:09"
    tags = {274: 6, 315: "S. Huang", 0x8769: {0x9003: taken}}
    if suffix == ".tif":
        tiff(source, pixels, tags | {34675: SRGB, 282: 300.0, 283: 300.0, 296: 2})
    else:
        exif_bytes = b"Exif\0\0" + directory(tags)
        Image.fromarray(to_uint8(pixels)).save(source, exif=exif_bytes, icc_profile=SRGB, dpi=(300, 300))
    if suffix == ".png" and dtype == np.uint16:  # the chunks of Pillow's file around OpenCV's pixels
        chunks = [png_chunk(*chunk) for chunk in list(png_chunks(source))[1:]]
        encode_16bit(source, pixels)
        encoded = source.read_bytes()
        source.write_bytes(encoded[:33] + b"".join(chunks) + encoded[33:])
    read, kept = read_picture(source)
    np.testing.assert_array_equal(read, np.rot90(pixels, -1))
    write_picture(target, read, kept)
    again = read_picture(target)[0]
    np.testing.assert_array_equal(again, read)
    assert again.dtype == dtype
    order = cv2.imdecode(np.fromfile(target, np.uint8), cv2.IMREAD_UNCHANGED)  # another library reads it alike
    np.testing.assert_array_equal(order[..., ::-1], read)
    with Image.open(target) as after:
        after.load()
        assert after.size == (30, 50) and after.info["icc_profile"] == SRGB
        assert tuple(round(value) for value in after.info["dpi"]) == (300, 300)
        assert after.getexif().get(274, 1) == 1 and after.getexif()[315] == "S. Huang"
        assert after.getexif().get_ifd(0x8769)[0x9003] == taken


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_stays_compressed(tmp_path, dtype):
    pixels = np.zeros((600, 400, 3), dtype)
    pixels[100:200, 50:90] = 77
    cv2_options = [cv2.IMWRITE_TIFF_COMPRESSION, 5]  # LZW
    (tmp_path / "in.tif").write_bytes(cv2.imencode(".tif", pixels, cv2_options)[1].tobytes())
    read, kept = read_picture(tmp_path / "in.tif")
    write_picture(tmp_path / "out.tif", read, kept)
    np.testing.assert_array_equal(read_picture(tmp_path / "out.tif")[0], pixels)
    assert (tmp_path / "out.tif").stat().st_size < pixels.nbytes / 20


def test_png_keeps_gamma_and_grey_becomes_rgb_without_the_grey_profile(tmp_path):
    Image.fromarray(noise(4, 5)).save(tmp_path / "in.png", icc_profile=b"x" * 16 + b"GRAY" + b"x" * 108)
    encoded = (tmp_path / "in.png").read_bytes()
    gamma = chunk(b"gAMA", struct.pack(">I", 45455))
    (tmp_path / "in.png").write_bytes(encoded[:33] + gamma + encoded[33:])
    write_picture(tmp_path / "out.png", *read_picture(tmp_path / "in.png"))
    with Image.open(tmp_path / "out.png") as after:
        after.load()
        assert after.mode == "RGB" and "icc_profile" not in after.info
        assert after.info["gamma"] == pytest.approx(0.45455)


def test_grey_and_cmyk_jpegs_are_written_as_rgb(tmp_path):
    for mode, quality in (("L", 70), ("CMYK", 60)):
        Image.fromarray(smooth()).convert(mode).save(tmp_path / "in.jpg", quality=quality)
        pixels, kept = read_picture(tmp_path / "in.jpg")
        write_picture(tmp_path / "out.jpg", pixels, kept)
        with Image.open(tmp_path / "in.jpg") as before, Image.open(tmp_path / "out.jpg") as after:
            assert after.mode == "RGB" and after.quantization[0] == before.quantization[0]
        assert np.abs(read_image(tmp_path / "out.jpg").astype(int) - pixels).mean() < 4


def test_exif_of_an_upright_jpeg_stays_byte_for_byte(tmp_path):
    block = b"Exif\0\0" + directory({274: 1, 315: "S. Huang", 37500: b"maker note"})
    Image.fromarray(smooth()).save(tmp_path / "in.jpg", exif=block)
    write_picture(tmp_path / "out.jpg", *read_picture(tmp_path / "in.jpg"))
    with Image.open(tmp_path / "out.jpg") as after:
        assert after.info["exif"] == block


def test_a_damaged_exif_block_does_not_stop_the_picture(tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "in.jpg", exif=b"Exif\0\0no TIFF header")
    pixels, kept = read_picture(tmp_path / "in.jpg")
    np.testing.assert_array_equal(pixels, np.asarray(Image.open(tmp_path / "in.jpg")))
    write_picture(tmp_path / "out.jpg", pixels, kept)
    with Image.open(tmp_path / "out.jpg") as after:
        assert after.size == (60, 40) and "exif" not in after.info
