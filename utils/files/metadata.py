"""What an overlay keeps of its input file besides the pixels. One odd tag is dropped and said, never the sheet."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import get_sampling
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from utils.files.encode import encode_jpeg, png_chunk, png_chunks, tiff_file
from utils.files.jobs import warn_once
from utils.files.source import Source
from utils.files.tiff import PADDING, PaddedFile, Page
from utils.utils import printable

ORIENTATION, EXIF_IFD, GPS_IFD, INTEROP_IFD, ICC_PROFILE = 0x0112, 0x8769, 0x8825, 0xA005, 34675
TIFF_KEPT = (270, 271, 272, 282, 283, 296, 305, 306, 315, 33432)  # description, make, ..., resolution, ..., copyright
PNG_KEPT = (b"sRGB", b"gAMA", b"cHRM", b"cICP", b"pHYs")  # colour space and resolution
SAMPLE = np.zeros((8, 8, 3), np.uint8)  # written to see whether a tag can be


class Kept(NamedTuple):
    """What an overlay keeps of its input file: the format ("JPEG", "PNG" or "TIFF") and that format's options."""

    format: str
    options: dict[str, Any]


def orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8, of an opened image; 1 where there is none that makes sense."""
    page: Page | None = image.info.get("page")
    if page and page.is_whole_file:
        return 1
    value = page.value(ORIENTATION, 1) if page else read_exif(image).get(ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def read_exif(image: Image.Image) -> Image.Exif:
    """The EXIF block of a JPEG or PNG; an empty one when it is damaged: the pixels may still be whole."""
    try:
        exif = image.getexif()
        if block := image.info.get("exif"):
            elsewhere, exif = exif.get(ORIENTATION), Image.Exif()  # Pillow finds it in XMP, too
            exif.load(block + bytes(PADDING))  # a tag that points behind the end would end the directory
            if elsewhere and ORIENTATION not in exif:
                exif[ORIENTATION] = elsewhere
        exif.get(ORIENTATION)  # decodes it
        return exif
    except Exception:  # Pillow raises whatever the damage leads to
        return Image.Exif()


def keep(image: Image.Image, path: Source) -> Kept:
    """What `write_picture` takes over from the opened `image`; its EXIF then says that it is upright."""
    page: Page | None = image.info.get("page")
    icc_profile = page.tags.get(ICC_PROFILE) if page else image.info.get("icc_profile")
    if not isinstance(icc_profile, bytes) or icc_profile[16:20] != b"RGB ":
        icc_profile = None  # a profile for grey or CMYK says nothing of an RGB overlay
    if page:
        compressed = image.info.get("compression") not in (None, "raw")
        return Kept("TIFF", {"tags": _tiff_tags(page, icc_profile), "compressed": compressed})
    exif = _upright_exif(image, path)
    if image.format == "PNG":
        chunks = [png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc_profile))] if icc_profile else []
        chunks += [png_chunk(kind, data) for kind, data in png_chunks(path) if kind in PNG_KEPT]
        chunks += [png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))] if exif else []
        return Kept("PNG", {"chunks": b"".join(chunks)})
    options = {"qtables": image.quantization, "subsampling": get_sampling(image), "icc_profile": icc_profile,
               "exif": exif, "dpi": image.info.get("dpi")}
    options = {name: value for name, value in options.items() if value not in (None, b"")}
    return Kept("JPEG", _writable(path, options, options.get, lambda name, value: encode_jpeg(SAMPLE, {name: value})))


def _tiff_tags(page: Page, icc_profile: bytes | None) -> dict[int, Any]:
    """The descriptive tags of a page, and the EXIF and GPS ones as a dictionary each."""
    kept = _writable(page.path, [tag for tag in TIFF_KEPT if tag in page.tags], page.tags.get, _write_tag)
    for group in (EXIF_IFD, GPS_IFD):
        tags = ImageFileDirectory_v2(page.header, group=group)
        if offset := page.value(group, 0):
            with PaddedFile(page.path) as file:
                file.seek(offset)
                tags.load(file)
        names = [tag for tag in tags if tag != INTEROP_IFD]
        kept[group] = _writable(page.path, names, tags.get, partial(_write_tag, group=group))
    kept[ICC_PROFILE] = icc_profile
    return {tag: value for tag, value in kept.items() if value}


def _upright_exif(image: Image.Image, path: Source) -> bytes:
    """The EXIF block of a JPEG or PNG, byte for byte if its picture is upright: rewriting loses the thumbnail."""
    exif = read_exif(image)
    if orientation(image) == 1:
        return image.info.get("exif", b"") if exif else b""
    exif[ORIENTATION] = 1
    try:
        return exif.tobytes()
    except Exception:  # Pillow raises whatever an odd tag leads to: without that tag, then
        groups = (EXIF_IFD, GPS_IFD)
        kept = _writable(path, [tag for tag in exif if tag not in (*groups, INTEROP_IFD)], exif.get, _write_tag)
        for group in groups:
            tags = exif.get_ifd(group)
            names = [tag for tag in tags if tag != INTEROP_IFD]
            kept[group] = _writable(path, names, tags.get, partial(_write_tag, group=group))
        return b"Exif\0\0" + tiff_file({tag: value for tag, value in kept.items() if value})


def _write_tag(tag: int, value: Any, group: int | None = None) -> None:
    tiff_file({tag: value} if group is None else {group: {tag: value}})


def _writable(
    path: Source, names: Iterable[Any], read: Callable[[Any], Any], write: Callable[[Any, Any], object]
) -> dict[Any, Any]:
    """Name -> read(name) for those of `names` that can be read and written; the others are said."""
    kept, dropped = {}, []
    for name in names:
        try:
            kept[name] = read(name)
            write(name, kept[name])
        except Exception:  # Pillow raises whatever an odd tag leads to
            kept.pop(name, None)
            dropped.append(str(ExifTags.TAGS.get(name, name)))
    if dropped:
        warn_once(f"{printable(path)}: {', '.join(dropped)} cannot be kept: the overlay goes without.")
    return kept
