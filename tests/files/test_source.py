"""A picture in memory is read exactly as the same file on disk is."""

import io

import numpy as np
import pytest
from PIL import Image

from utils.files.images import NoPicture, TooLarge, read_picture
from utils.files.source import Upload, open_source, read_source, source_size
from utils.utils import UserError

NOISE = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a sheet"
    return exif


RGB, GREY = Image.fromarray(NOISE), Image.fromarray(NOISE[..., 0])
SIXTEEN = Image.fromarray(NOISE[..., 0].astype(np.uint16) * 256)
FILES = {
    "JPEG": saved(RGB, "JPEG", exif=turned(), dpi=(300, 300)), "CMYK": saved(RGB.convert("CMYK"), "JPEG"),
    "PNG": saved(RGB.convert("RGBA"), "PNG", dpi=(300, 300)), "16-bit PNG": saved(SIXTEEN, "PNG"),
    "text PNG": saved(GREY, "PNG", exif=turned()),
    "TIFF": saved(RGB, "TIFF", description="a sheet"), "LZW TIFF": saved(RGB, "TIFF", compression="tiff_lzw"),
    "16-bit TIFF": saved(SIXTEEN, "TIFF", compression="tiff_adobe_deflate"),
    "pages": saved(RGB.resize((3, 4)), "TIFF", save_all=True, append_images=[RGB]),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_same_pixels_and_metadata(tmp_path, kind):
    (tmp_path / "K1.x").write_bytes(FILES[kind])
    of_file, kept = read_picture(tmp_path / "K1.x")
    of_memory, kept_in_memory = read_picture(Upload("K1.x", FILES[kind]))
    assert of_memory.dtype == of_file.dtype and np.array_equal(of_memory, of_file)
    assert {(40, 30, 3), (30, 40, 3)} >= {of_file.shape}
    assert kept_in_memory.format == kept.format and repr(kept_in_memory.options) == repr(kept.options)


@pytest.mark.parametrize("content", [b"", b"nonsense", FILES["JPEG"][:500], FILES["TIFF"][:100], FILES["PNG"][:90]])
def test_the_same_errors(tmp_path, content):
    (tmp_path / "K1.x").write_bytes(content)
    with pytest.raises(UserError) as of_file:
        read_picture(tmp_path / "K1.x")
    with pytest.raises(UserError) as of_memory:
        read_picture(Upload("K1.x", content))
    assert str(of_memory.value) == str(of_file.value).replace(str(tmp_path / "K1.x"), "K1.x")
    assert type(of_memory.value) is type(of_file.value)
    assert isinstance(of_memory.value, NoPicture) == (content in (b"", b"nonsense"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_a_limit_of_pixels_for_one_picture(kind):
    upload = Upload("K1.x", FILES[kind])
    assert read_picture(upload, 1200)[0].size == 3600
    with pytest.raises(TooLarge, match=r"K1.x has more than 0.001199 megapixels"):
        read_picture(upload, 1199)


def test_files_and_uploads_are_opened_alike(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    for source in (tmp_path / "a", str(tmp_path / "a"), Upload("a", b"abc")):
        with open_source(source) as file:
            assert file.read() == b"abc"
        assert read_source(source) == b"abc" and source_size(source) == 3
    assert str(Upload("a", b"abc")) == "a" and "abc" not in repr(Upload("a", b"abc"))
