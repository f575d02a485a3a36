"""Images read from and written to files, with what an overlay keeps of its input.

Pillow reads 8-bit images: it reports truncated files and knows every colour kind. OpenCV decodes 16-bit images, of
which Pillow keeps only the upper byte. Files are opened in Python, never by OpenCV, so that any path works on Windows.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import get_sampling

from utils.files.encode import png_chunk, png_chunks, write_jpeg, write_png, write_tiff
from utils.utils import UserError, atomic_path

MAX_PIXELS: int = 700_000_000  # larger is refused; 16-bit RGB of this size still fits the 4 GB of a TIFF
warnings.filterwarnings("ignore", "Corrupt EXIF data", module="PIL")  # such files are read, and the damage not kept
Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # for the whole process: Pillow's own 179 megapixels refuse ordinary sheets

FORMATS = ("JPEG", "PNG", "TIFF")  # JPEG includes MPO, a phone's JPEG with a second picture behind the first
MODES_8BIT = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
MODES_16BIT = ("I", "I;16", "I;16B", "L", "LA", "RGB", "RGBA", "RGBX")  # what Pillow calls them
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
BLOCK_ROWS = 1024  # large images are worked on in bands of so many rows

ORIENTATION, EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x0112, 0x8769, 0x8825, 0xA005
TIFF_KEPT = (270, 271, 272, 282, 283, 296, 305, 306, 315, 33432)  # description, make, ..., resolution, ..., copyright
PNG_KEPT = (b"sRGB", b"gAMA", b"cHRM", b"cICP", b"pHYs")  # colour space and resolution


class Kept(NamedTuple):
    """What an overlay keeps of its input file: the format ("JPEG", "PNG" or "TIFF") and that format's options."""

    format: str
    options: dict[str, Any]


def read_image(path: str | Path) -> np.ndarray:
    """The upright RGB image in a JPEG, PNG or TIFF file, uint8 (H, W, 3); raises UserError like `read_picture`."""
    return to_uint8(read_picture(path)[0])


def read_picture(path: str | Path) -> tuple[np.ndarray, Kept]:
    """The upright RGB image in a file, uint8 or uint16 (H, W, 3), and what `write_picture` keeps of the file.

    Grey becomes RGB, transparent pixels are laid over white, CMYK is converted without its colour profile, EXIF
    orientation is applied. Images of up to 8 bits a channel are uint8, of 16 bits uint16 (16-bit CMYK: uint8). Of a
    file with several pages, the first. Raises UserError, naming the file, when it is missing, empty, truncated, larger
    than MAX_PIXELS, no JPEG, PNG or TIFF, or has pixels of another kind (floating point, 32 bits, Lab).
    """
    with opened(path) as image:
        # Pillow and OpenCV turn a TIFF upright themselves.
        orientation = 1 if image.format == "TIFF" else _exif(image).get(ORIENTATION, 1)
        kept = _kept(image, path)
        if bits_per_channel(image, path) == 16 and image.mode in MODES_16BIT:
            pixels = _decode_16bit(image, path)
        elif bits_per_channel(image, path) <= 16 and image.mode in MODES_8BIT:
            pixels = _decode_jpeg(path) if image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L") else None
            if pixels is None:
                pixels = pillow_to_rgb(image)
        else:
            raise UserError(
                f"{path} has pixels of the kind {image.mode} with {bits_per_channel(image, path)} bits: "
                "save it as RGB or greyscale with 8 or 16 bits."
            )
    return _upright(pixels, orientation), kept


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """A uint8 or uint16 image as uint8 (0..65535 becomes 0..255, rounded); uint8 comes back as it is."""
    return pixels if pixels.dtype == np.uint8 else cv2.convertScaleAbs(pixels, alpha=1 / 257)


def pillow_to_rgb(image: Image.Image) -> np.ndarray:
    """The RGB pixels of a Pillow image of one of MODES_8BIT as stored, uint8 (H, W, 3); transparent over white."""
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        colour = image.convert("RGBA")
        image = Image.new("RGB", colour.size, "white")
        image.paste(colour, mask=colour.getchannel("A"))
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def write_picture(path: str | Path, pixels: np.ndarray, kept: Kept) -> None:
    """Writes uint8 or uint16 RGB `pixels` (H, W, 3) in the format of the file that `kept` was read from.

    Kept of that file: the bit depth (that of `pixels`), ICC profile (when it is one for RGB) and resolution; EXIF with
    the orientation set to upright; a JPEG's quantisation tables and chroma subsampling; a PNG's gamma and colour
    space; a TIFF's descriptive tags, and compression, always lossless, when the input had any. Not kept: XMP, IPTC,
    PNG text, and the EXIF thumbnail of a picture that was turned. Raises UserError when the file cannot be written; an
    older `path` then stays.
    """
    write = {"JPEG": write_jpeg, "PNG": write_png, "TIFF": write_tiff}[kept.format]
    with writing(path), atomic_path(path) as temporary, open(temporary, "wb") as file:
        write(file, pixels, kept.options)


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """The image in a file, not yet decoded. Raises UserError like `reading`, and for more pixels than MAX_PIXELS."""
    with reading(path), Image.open(path, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        yield image


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turns what Pillow raises for bad files into one sentence."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path} is not there: check the name and the folder.") from None
    except (PermissionError, IsADirectoryError) as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}): check what it is and its permissions.") from error
    except Image.DecompressionBombError:
        raise UserError(f"{path} has more than {MAX_PIXELS // 1_000_000} megapixels: cut or scale it down.") from None
    except UnidentifiedImageError:
        if Path(path).stat().st_size == 0:
            raise UserError(f"{path} is empty (0 bytes): copy it again from its source.") from None
        raise UserError(f"{path} is no readable JPEG, PNG or TIFF image: convert it, or copy it again.") from None
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error,
            zlib.error, cv2.error) as error:
        raise UserError(f"{path} cannot be read ({error}): it is damaged or cut short; copy it again.") from error
    except MemoryError:
        raise UserError(f"{path} does not fit into memory: close other programs or scale it down.") from None


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turns what can go wrong with a file to be written into one sentence."""
    try:
        yield
    except (OSError, ValueError, struct.error, cv2.error) as error:
        raise UserError(f"{path} cannot be written ({error}): check the folder and the free space.") from error


def bits_per_channel(image: Image.Image, path: str | Path) -> int:
    """Bits a channel in the file; Pillow's mode does not tell them."""
    if image.format == "TIFF":
        return max(image.tag_v2.get(258, (1,)))
    if image.format == "PNG":
        with open(path, "rb") as file:
            return file.read(25)[24]
    return 8


def _exif(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except SyntaxError:  # a damaged EXIF block is no reason to refuse a picture whose pixels are whole
        return Image.Exif()


def _decode_jpeg(path: str | Path) -> np.ndarray | None:
    """uint8 (H, W, 3) RGB as stored in a grey or YCbCr JPEG: Pillow's pixels in half of its time.

    None when anything in the file is damaged: Pillow tells what, or reads it all the same.
    """
    try:
        return simplejpeg.decode_jpeg(Path(path).read_bytes(), "RGB")
    except ValueError:
        return None


def _decode_16bit(image: Image.Image, path: str | Path) -> np.ndarray:
    """uint16 (H, W, 3) RGB as stored (a TIFF: upright) of a file that Pillow opened as `image`."""
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("the 16-bit pixels cannot be decoded")
    if pixels.ndim == 2:
        if image.format == "TIFF" and image.tag_v2.get(262) == 0:  # white is zero
            pixels = np.invert(pixels)
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if pixels.shape[2] == 4 and (image.mode in ALPHA_MODES or "transparency" in image.info):
        for top in range(0, len(pixels), BLOCK_ROWS):
            colour, alpha = np.split(pixels[top:top + BLOCK_ROWS].astype(np.uint32), [3], axis=2)
            over_white = (colour * alpha + 65535 * (65535 - alpha) + 32767) // 65535  # below 2 ** 32
            pixels[top:top + BLOCK_ROWS, :, :3] = over_white
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """`pixels` turned and mirrored as EXIF orientation 1 to 8 says, contiguous."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _kept(image: Image.Image, path: str | Path) -> Kept:
    """What `write_picture` takes over from the opened, not yet decoded `image`."""
    icc_profile = image.info.get("icc_profile")
    if icc_profile and icc_profile[16:20] != b"RGB ":
        icc_profile = None  # a profile for grey or CMYK says nothing of an RGB overlay
    exif = _exif(image)
    if image.format == "TIFF":
        tags = {tag: exif[tag] for tag in TIFF_KEPT if tag in exif}
        for tag in (EXIF_IFD, GPS_IFD):
            tags[tag] = {key: value for key, value in exif.get_ifd(tag).items() if key != INTEROP_IFD}
        tags[34675] = icc_profile
        return Kept("TIFF", {"tags": {tag: value for tag, value in tags.items() if value},
                             "compressed": image.info.get("compression") not in (None, "raw")})
    exif_bytes = image.info.get("exif", b"") if exif else b""
    if exif.get(ORIENTATION, 1) != 1:  # else byte for byte: rewriting loses the thumbnail
        exif[ORIENTATION] = 1
        exif_bytes = exif.tobytes()
    if image.format == "PNG":
        chunks = [png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc_profile))] if icc_profile else []
        chunks += [png_chunk(kind, data) for kind, data in png_chunks(path) if kind in PNG_KEPT]
        chunks += [png_chunk(b"eXIf", exif_bytes.removeprefix(b"Exif\0\0"))] if exif_bytes else []
        return Kept("PNG", {"chunks": b"".join(chunks)})
    options = {"qtables": image.quantization, "subsampling": get_sampling(image), "icc_profile": icc_profile,
               "exif": exif_bytes, "dpi": image.info.get("dpi")}
    return Kept("JPEG", {name: value for name, value in options.items() if value not in (None, b"")})
