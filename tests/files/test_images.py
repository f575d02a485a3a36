"""Reading of images of every kind, and bad files, against arrays made here and against Pillow and OpenCV."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from pictures import chunk, encode_16bit, exif, noise, smooth, tiff
from utils.files import images as image_io
from utils.files.images import read_image, read_picture, write_picture
from utils.files.masks import read_mask
from utils.utils import UserError

NAMES = ["K.0001 23.JPG", "Ümlaut 标本.jpeg"]


@pytest.mark.parametrize("name", NAMES)
def test_jpeg_reads_as_pillow_does_whatever_its_name(tmp_path, name):
    Image.fromarray(smooth()).save(tmp_path / name, quality=90)
    image = read_image(tmp_path / name)
    assert image.shape == (40, 60, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.asarray(Image.open(tmp_path / name)))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_eight_bit_kinds(tmp_path, suffix):
    path, grey = tmp_path / f"x{suffix}", noise(5, 7)
    Image.fromarray(grey).save(path)
    np.testing.assert_array_equal(read_image(path), np.dstack([grey] * 3))
    bits = grey > 127
    Image.fromarray(bits).save(path)
    np.testing.assert_array_equal(read_image(path), np.dstack([bits * np.uint8(255)] * 3))
    palette = Image.fromarray(np.array([[0, 1], [1, 2]], np.uint8))
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    palette.save(path)
    assert read_image(path).tolist() == [[[10, 20, 30], [40, 50, 60]], [[40, 50, 60], [70, 80, 90]]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_transparent_pixels_lie_over_white(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.fromarray(np.array([[[200, 0, 100, 255], [200, 0, 100, 0], [200, 0, 100, 51]]], np.uint8)).save(path)
    assert read_image(path).tolist() == [[[200, 0, 100], [255, 255, 255], [244, 204, 224]]]  # 0.2 c + 0.8 * 255
    Image.fromarray(np.array([[[200, 255], [200, 0]]], np.uint8), "LA").save(path)
    assert read_image(path).tolist() == [[[200] * 3, [255] * 3]]


def test_palette_png_with_a_transparent_entry(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "x.png", transparency=1)
    assert read_image(tmp_path / "x.png").tolist() == [[[10, 20, 30], [255, 255, 255]]]


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk(tmp_path, suffix):
    """No ink is white, all black ink is black, half cyan takes half the red; Adobe's JPEGs are stored inverted."""
    inks = np.zeros((16, 48, 4), np.uint8)
    inks[:, 16:32, 3] = 255
    inks[:, 32:, 0] = 128
    Image.fromarray(inks, "CMYK").save(tmp_path / f"x{suffix}")
    image = read_image(tmp_path / f"x{suffix}").astype(int)
    for column, color in ((8, (255, 255, 255)), (24, (0, 0, 0)), (40, (127, 255, 255))):
        assert np.abs(image[8, column] - color).max() <= 2
    if suffix == ".jpg":
        assert b"Adobe" in (tmp_path / "x.jpg").read_bytes()[:200]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_kept_and_scaled(tmp_path, suffix, channels):
    pixels = noise(6, 5, channels, dtype=np.uint16)
    if channels == 4:
        pixels[..., 3] = 65535
    encode_16bit(tmp_path / f"x{suffix}", pixels[..., 0] if channels == 1 else pixels)
    expected = np.dstack([pixels[..., 0]] * 3) if channels == 1 else pixels[..., :3]
    np.testing.assert_array_equal(read_picture(tmp_path / f"x{suffix}")[0], expected)
    np.testing.assert_array_equal(read_image(tmp_path / f"x{suffix}"), np.rint(expected / 257).astype(np.uint8))


def test_sixteen_bit_transparency_in_bands(tmp_path, monkeypatch):
    monkeypatch.setattr(image_io, "BLOCK_ROWS", 2)
    pixels = noise(5, 4, 4, dtype=np.uint16)
    encode_16bit(tmp_path / "x.png", pixels)
    alpha = pixels[..., 3:] / 65535
    expected = np.rint(pixels[..., :3] * alpha + 65535 * (1 - alpha))
    np.testing.assert_allclose(read_picture(tmp_path / "x.png")[0], expected, atol=1)


def test_sixteen_bit_grey_with_white_as_zero(tmp_path):
    grey = noise(5, 7, dtype=np.uint16)
    tiff(tmp_path / "x.tif", grey, {262: 0})
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif")[0][..., 0], 65535 - grey)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_orientation_is_applied(tmp_path, suffix, orientation):
    stored = Image.fromarray(smooth(24, 40))
    path = tmp_path / f"x{suffix}"
    stored.save(path, exif=exif(orientation), **({"quality": 95} if suffix == ".jpg" else {}))
    stored.getexif()[274] = orientation
    upright = np.asarray(ImageOps.exif_transpose(stored)).astype(int)
    assert np.abs(read_image(path) - upright).max() <= (12 if suffix == ".jpg" else 0)
    assert upright.shape[:2] == ((40, 24) if orientation > 4 else (24, 40))


@pytest.mark.parametrize("orientation", [3, 6])
def test_orientation_of_sixteen_bit_tiffs(tmp_path, orientation):
    pixels = noise(4, 6, 3, dtype=np.uint16)
    tiff(tmp_path / "x.tif", pixels, {274: orientation})
    tiff(tmp_path / "grey.tif", pixels[..., 0], {274: orientation})
    expected = np.rot90(pixels, 2 if orientation == 3 else -1)  # 6: turn clockwise to see it upright
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif")[0], expected)
    np.testing.assert_array_equal(read_picture(tmp_path / "grey.tif")[0][..., 0], expected[..., 0])


def bad_files() -> dict[str, tuple[bytes, str]]:
    """Name -> (bytes, what the sentence says)."""
    files = {"empty.jpg": (b"", "is empty"), "text.png": (b"not an image at all", "is no readable JPEG, PNG or TIFF")}
    for suffix in (".jpg", ".png", ".tif"):
        buffer = io.BytesIO()
        Image.fromarray(noise(64, 64, 3)).save(buffer, format={"jpg": "JPEG", "tif": "TIFF"}.get(suffix[1:], "PNG"))
        files[f"cut{suffix}"] = buffer.getvalue()[:-2000], "cannot be read"
    for suffix in (".png", ".tif"):
        encoded = cv2.imencode(suffix, noise(64, 64, 3, dtype=np.uint16))[1].tobytes()
        files[f"cut16{suffix}"] = encoded[:-5000], "copy it again"
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    files["huge.png"] = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""), "more than 700 megapixels"
    return files


@pytest.mark.parametrize("name", list(bad_files()))
@pytest.mark.parametrize("read", [read_image, read_mask])
def test_bad_files_are_named(tmp_path, name, read):
    content, words = bad_files()[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as error:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
    if read is read_image:
        assert words in str(error.value)


def test_missing_file_limit_and_memory(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="nowhere.jpg is not there"):
        read_image(tmp_path / "nowhere.jpg")
    with pytest.raises(UserError, match="cannot be opened"):
        read_image(tmp_path)
    Image.fromarray(noise(10, 20)).save(tmp_path / "x.png")
    monkeypatch.setattr(image_io, "MAX_PIXELS", 199)
    for read in (read_image, read_mask):
        with pytest.raises(UserError, match="x.png has more than"):
            read(tmp_path / "x.png")
    monkeypatch.setattr(image_io, "MAX_PIXELS", 200)
    assert read_image(tmp_path / "x.png").shape == (10, 20, 3)

    def no_memory(image: Image.Image) -> None:
        raise MemoryError
    monkeypatch.setattr(image_io, "pillow_to_rgb", no_memory)
    with pytest.raises(UserError, match="x.png does not fit into memory"):
        read_image(tmp_path / "x.png")


def test_images_above_pillows_own_limit_are_opened(tmp_path):
    """180 megapixels: Pillow alone calls this a decompression bomb."""
    Image.new("1", (15_000, 12_000)).save(tmp_path / "large.png")
    with Image.open(tmp_path / "large.png") as image:
        assert image.size == (15_000, 12_000)


@pytest.mark.parametrize("kind", ["float", "lab", "int32"])
def test_other_kinds_of_pixels_are_refused(tmp_path, kind):
    image = {"float": Image.new("F", (4, 4)), "int32": Image.new("I", (4, 4)), "lab": Image.new("LAB", (4, 4))}[kind]
    image.save(tmp_path / "x.tif")
    with pytest.raises(UserError, match="x.tif has pixels of the kind .*save it as RGB or greyscale"):
        read_image(tmp_path / "x.tif")


def test_a_failed_write_keeps_the_older_file(tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "in.jpg")
    pixels, kept = read_picture(tmp_path / "in.jpg")
    (tmp_path / "out.jpg").write_bytes(b"older")
    options = kept.options | {"exif": b"Exif\0\0" + b"x" * 70_000}  # a JPEG segment holds 65533 bytes
    with pytest.raises(UserError, match="out.jpg cannot be written"):
        write_picture(tmp_path / "out.jpg", pixels, kept._replace(options=options))
    assert (tmp_path / "out.jpg").read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jpg", "out.jpg"]
