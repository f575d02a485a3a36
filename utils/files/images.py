"""Images read from and written to files, with what an overlay keeps of its input.

Pillow reads 8-bit images: it reports truncated files and knows every colour kind. OpenCV decodes 16-bit images, of
which Pillow keeps only the upper byte. Files are opened in Python, never by OpenCV, so that any path works on Windows.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from utils.files import tiff
from utils.files.encode import PNG_SIGNATURE, encode_jpeg, encode_png, encode_tiff, png_chunk, png_chunks
from utils.files.jobs import warn_once
from utils.files.limits import (
    MAX_PIXELS, require_all_rows, require_bytes, require_few_scans, require_file, require_size, without_large_texts,
)
from utils.files.metadata import Kept, keep, orientation
from utils.files.source import Source, Upload, open_source, read_source, source_size
from utils.utils import UserError, printable, write_bytes

warnings.filterwarnings("ignore", "Corrupt EXIF data", module="PIL")  # such files are read, and the damage not kept

FORMATS = ("JPEG", "PNG", "TIFF")  # JPEG includes MPO, a phone's JPEG with a second picture behind the first
JPEGS = ("JPEG", "MPO")
MODES_8BIT = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
MODES_16BIT = ("I", "I;16", "I;16B", "L", "LA", "RGB", "RGBA", "RGBX")  # what Pillow calls them
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
BLOCK_ROWS = 1024  # large images are worked on in bands of so many rows
MAX_8_BITS, MAX_12_BITS = 255, 4095
PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # the chunks that pixels are decoded from


class TooLarge(UserError):
    """A picture has more pixels than allowed, or than fit into memory."""


class NoPicture(UserError):
    """A file is no JPEG, PNG or TIFF."""


def read_image(path: Source) -> np.ndarray:
    """The upright RGB image in a JPEG, PNG or TIFF file, uint8 (H, W, 3); raises UserError like `read_picture`."""
    return to_uint8(read_picture(path)[0])


def read_picture(path: Source, max_pixels: int | None = None) -> tuple[np.ndarray, Kept]:
    """The upright RGB image in a file, uint8 or uint16 (H, W, 3), and what `write_picture` keeps of the file.

    Grey becomes RGB, transparent pixels are laid over white, CMYK is converted without its colour profile, EXIF
    orientation is applied. Images of up to 8 bits a channel are uint8, of 16 bits uint16 (16-bit CMYK: uint8); 12 bits
    in 16 are stretched to 16. Of a TIFF with several pages, the one that `find_page` finds. What is stretched, left out
    or not kept is said in a line. Raises UserError, naming the file, when it is missing, no file, empty, truncated,
    larger than its bytes can hold, or has pixels of another kind (signed, floating point, 32 bits, Lab). It is
    TooLarge for more than `max_pixels` (None: MAX_PIXELS), and NoPicture for what is no JPEG, PNG or TIFF.
    """
    with opened(path, max_pixels) as image:
        bits, page = bits_per_channel(image, path), image.info.get("page")
        if page and not page.is_unsigned:
            raise UserError(_other_kind(path, page.kind))
        if bits == 16 and image.mode in MODES_16BIT:
            pixels = _stretched(_decode_16bit(image, path), path)
        elif bits == 12 and image.mode == "I;16":
            pixels = _stretched(cv2.cvtColor(np.array(image), cv2.COLOR_GRAY2RGB), path)
        elif bits == 16 and image.mode == "CMYK":  # Pillow confuses planes of 16 bits
            inks = Image.fromarray(to_uint8(np.dstack(tiff.decode_planes(page))), "CMYK") if page.is_planar else image
            pixels = pillow_to_rgb(inks)
        elif bits <= 8 and image.mode in MODES_8BIT:
            pixels = _decode_jpeg(path) if image.format in JPEGS and image.mode in ("RGB", "L") else None
            if pixels is None:
                pixels = pillow_to_rgb(image)
                require_whole(image, path)
        else:
            raise UserError(_other_kind(path, f"{image.mode} with {bits} bits"))
        return upright(pixels, orientation(image)), keep(image, path)


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


def upright(pixels: np.ndarray, turned: int) -> np.ndarray:
    """`pixels` turned and mirrored as EXIF orientation `turned`, 1 to 8, says, contiguous."""
    if turned in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if turned in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turned in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def write_picture(path: str | Path, pixels: np.ndarray, kept: Kept) -> None:
    """Writes uint8 or uint16 RGB `pixels` (H, W, 3) in the format of the file that `kept` was read from.

    Kept of that file: the bit depth (that of `pixels`), ICC profile (when it is one for RGB) and resolution; EXIF with
    the orientation set to upright; a JPEG's quantisation tables and chroma subsampling; a PNG's gamma and colour
    space; a TIFF's descriptive tags, and compression, always lossless, when the input had any. Not kept: XMP, IPTC,
    PNG text, and the EXIF thumbnail of a picture that was turned. Raises UserError when the file cannot be written; an
    older `path` then stays.
    """
    encode = {"JPEG": encode_jpeg, "PNG": encode_png, "TIFF": encode_tiff}[kept.format]
    with writing(path):
        write_bytes(path, encode(pixels, kept.options))


@contextmanager
def opened(path: Source, max_pixels: int | None = None) -> Iterator[Image.Image]:
    """The image in a file, as it is stored, not yet decoded; of a TIFF, the page is in info["page"].

    Raises UserError like `reading`, and for no file and more pixels than `max_pixels` or than the file can hold.
    """
    max_pixels = max_pixels or MAX_PIXELS
    with reading(path, max_pixels):
        require_file(path)
        with open_source(path) as file:
            start = file.read(len(PNG_SIGNATURE))
        page = tiff.find_page(path) if start[:4] in tiff.HEADERS else None
        if page:
            require_size(page.area, max_pixels)
        content = tiff.alone(page) if page else without_large_texts(path) if start == PNG_SIGNATURE else None
        if content is None and isinstance(path, Upload):
            content = path.data
        try:
            image = Image.open(path if content is None else io.BytesIO(content), formats=FORMATS)
        except UnidentifiedImageError:
            if page:
                raise UserError(_other_kind(path, page.kind)) from None
            raise
        with image:
            require_size(image.width * image.height, max_pixels)
            require_bytes(image, path)
            if image.format in JPEGS:
                require_few_scans(path)
            if page:
                image.info["page"] = page
            yield image


@contextmanager
def reading(path: Source, max_pixels: int | None = None) -> Iterator[None]:
    """Turns whatever goes wrong with a file that is read into one sentence that names it."""
    name = printable(path)
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{name} is not there: check the name and the folder.") from None
    except PermissionError as error:
        raise UserError(f"{name} cannot be opened ({error.strerror}): check what it is and its permissions.") from error
    except Image.DecompressionBombError:
        limit = (max_pixels or MAX_PIXELS) / 1e6
        raise TooLarge(f"{name} has more than {limit:g} megapixels: cut or scale it down.") from None
    except UnidentifiedImageError:
        if source_size(path) == 0:
            raise NoPicture(f"{name} is empty (0 bytes): copy it again from its source.") from None
        raise NoPicture(f"{name} is no readable JPEG, PNG or TIFF image: convert it, or copy it again.") from None
    except MemoryError:
        raise TooLarge(f"{name} does not fit into memory: close other programs or scale it down.") from None
    except Exception as error:  # decoders raise whatever the damage leads to
        raise UserError(f"{name} cannot be read ({error}): it is damaged or cut short; copy it again.") from error


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turns whatever goes wrong with a file that is written into one sentence that names it."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # encoders raise whatever they stumble over
        raise UserError(
            f"{printable(path)} cannot be written ({error}): check the folder and the free space.") from error


def bits_per_channel(image: Image.Image, path: Source) -> int:
    """Bits a channel in the file; Pillow's mode does not tell them."""
    if image.format == "TIFF":
        return max(image.info["page"].values(tiff.BITS) or (1,))
    if image.format == "PNG":
        with open_source(path) as file:
            return file.read(25)[24]
    return 8


def require_whole(image: Image.Image, path: Source) -> None:
    """Raises ValueError when the pixels of a decoded PNG end early; looks closer only where the last row is zero."""
    if image.format == "PNG":
        last = image.crop((0, image.height - 1, image.width, image.height))
        if image.info.get("interlace") or last.getbbox(alpha_only=False) is None:
            require_all_rows(path)


def _other_kind(path: Source, kind: str) -> str:
    return f"{path} has pixels of the kind {kind}: save it as RGB or greyscale with 8 or 16 bits."


def _decode_jpeg(path: Source) -> np.ndarray | None:
    """uint8 (H, W, 3) RGB as stored in a grey or YCbCr JPEG: Pillow's pixels in half of its time.

    None when anything in the file is damaged: Pillow tells what, or reads it all the same.
    """
    try:
        return simplejpeg.decode_jpeg(read_source(path), "RGB")
    except ValueError:
        return None


def _decode_16bit(image: Image.Image, path: Source) -> np.ndarray:
    """uint16 (H, W, 3) RGB as stored in a file that Pillow opened as `image`."""
    if image.format == "TIFF":
        pixels = tiff.decode_16bit(image.info["page"], image.fp.getvalue())
    else:  # the PNG's texts and profiles may be larger than OpenCV allows
        chunks = [png_chunk(*chunk) for chunk in png_chunks(path, pixels=True) if chunk[0] in PNG_PIXELS]
        pixels = cv2.imdecode(np.frombuffer(PNG_SIGNATURE + b"".join(chunks), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("the 16-bit pixels cannot be decoded")
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if pixels.shape[2] == 4 and (image.mode in ALPHA_MODES or "transparency" in image.info):
        for top in range(0, len(pixels), BLOCK_ROWS):
            colour, alpha = np.split(pixels[top:top + BLOCK_ROWS].astype(np.uint32), [3], axis=2)
            over_white = (colour * alpha + 65535 * (65535 - alpha) + 32767) // 65535  # below 2 ** 32
            pixels[top:top + BLOCK_ROWS, :, :3] = over_white
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _stretched(pixels: np.ndarray, path: Source) -> np.ndarray:
    """uint16 `pixels` whose values all fit into 12 bits, as cameras and scanners leave them, stretched to 16."""
    largest = int(pixels.max())
    if not MAX_8_BITS < largest <= MAX_12_BITS:
        return pixels
    warn_once(f"{printable(path)} holds 12 bits in 16 (no value is above {largest}): stretched to 16 bits.")
    scaled = np.rint(np.arange(MAX_12_BITS + 1) * (65535 / MAX_12_BITS)).astype(np.uint16)
    return scaled[pixels]

