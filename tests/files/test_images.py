"""Reading and writing of images and masks, against arrays made here and against Pillow and OpenCV."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from utils.files import images as image_io
from utils.files.encode import png_chunk, png_chunks
from utils.files.images import read_image, read_picture, to_uint8, write_picture
from utils.files.masks import read_mask, write_mask
from utils.utils import UserError

NAMES = ["K.0001 23.JPG", "Ümlaut 标本.jpeg"]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def smooth(height: int = 40, width: int = 60) -> np.ndarray:
    """A picture that JPEG keeps nearly as it is."""
    return cv2.resize(noise(3, 4, 3), (width, height), interpolation=cv2.INTER_CUBIC)


def encode_16bit(path: Path, pixels: np.ndarray) -> None:
    """RGB(A) or grey uint16 pixels written by OpenCV (which wants blue first)."""
    order = [2, 1, 0, 3][:pixels.shape[2]] if pixels.ndim == 3 else slice(None)
    path.write_bytes(cv2.imencode(path.suffix, pixels[..., order])[1].tobytes())


def chunk(kind: bytes, data: bytes) -> bytes:
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


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[274] = orientation
    tags[315] = "S. Huang"
    return tags


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
