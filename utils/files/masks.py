"""Index masks, 8-bit palette PNGs of classes, and instance masks, 16-bit grey PNGs of the numbers of objects."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from utils.files.encode import encode_pillow, png_chunks
from utils.files.images import bits_per_channel, opened, require_whole, writing
from utils.utils import GAP, IGNORE, Bytes, UserError, voc_palette, write_bytes


def read_mask(path: str | Path) -> np.ndarray:
    """The class indices in a palette or 8-bit greyscale PNG, uint8 (H, W).

    Raises UserError with the mend for any other kind of file, and like `read_picture`.
    """
    with opened(path) as image:
        if image.format != "PNG":
            raise UserError(f"{path} is a {image.format} file: a mask has to be an 8-bit palette PNG.")
        if image.mode == "P" or (image.mode == "L" and bits_per_channel(image, path) == 8):
            mask = _decode_plain(path)
            if mask is None:
                mask = np.array(image)
                require_whole(image, path)
            return mask
        if image.mode in ("RGB", "RGBA") and bits_per_channel(image, path) == 8:
            raise UserError(f"{path} is a 24-bit colour image and no mask: convert it with convert_labelled.py.")
        raise UserError(
            f"{path} is a PNG of the kind {image.mode} with {bits_per_channel(image, path)} bits: a mask has to be an "
            "8-bit palette or 8-bit greyscale PNG whose pixel value is the class index."
        )


def _decode_plain(path: str | Path) -> np.ndarray | None:
    """The pixels, uint8 (H, W), of a PNG with 8 bits a pixel and rows without filters, as masks mostly are.

    This takes a third of the time that Pillow takes, with the look whether the pixels are whole. None for any other PNG
    and for a damaged one: Pillow reads it, or tells what is wrong.
    """
    (_, header), *chunks = png_chunks(path, pixels=True)
    width, height, bits, _, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if bits != 8 or interlaced:
        return None
    inflater, wanted = zlib.decompressobj(), height * (width + 1)  # the filter of each row, and its pixels
    try:
        data = inflater.decompress(b"".join(part for kind, part in chunks if kind == b"IDAT"), wanted)
        inflater.decompress(inflater.unconsumed_tail, 1)  # the checksum; more pixels than wanted are none of a mask
    except zlib.error:
        return None
    if len(data) != wanted or not inflater.eof:
        return None
    rows = np.frombuffer(data, np.uint8).reshape(height, width + 1)
    return None if rows[:, 0].any() else rows[:, 1:].copy()


def write_mask(path: str | Path, mask: np.ndarray, colors: Sequence[Sequence[int]] | None = None) -> None:
    """Writes `mask`, uint8 (H, W), as an 8-bit palette PNG whose pixel value is the class index.

    `colors`: (R, G, B) of the first classes; the VOC palette for the others, or all.
    """
    with writing(path):
        write_bytes(path, encode_mask(mask, colors))


def encode_mask(mask: np.ndarray, colors: Sequence[Sequence[int]] | None = None) -> list[Bytes]:
    """The file that `write_mask` writes, in pieces."""
    assert mask.dtype == np.uint8 and mask.ndim == 2, (mask.dtype, mask.shape)
    palette = voc_palette()
    if colors is not None:
        palette[:len(colors)] = colors
    image = Image.fromarray(mask)
    image.putpalette(palette.tobytes())
    # Run lengths alone: for such pictures smaller than the default strategy's file, in half of its time.
    return encode_pillow(image, format="PNG", compress_level=1, compress_type=zlib.Z_RLE)


def read_instances(path: str | Path) -> np.ndarray:
    """The number of the object of each pixel, uint16 (H, W), in a 16-bit or 8-bit greyscale PNG; 0 is none.

    Raises UserError for any other kind of file, and like `read_picture`.
    """
    with opened(path) as image:
        bits = bits_per_channel(image, path)
        if image.format != "PNG" or (image.mode, bits) not in (("I;16", 16), ("L", 8)):
            raise UserError(
                f"{path} is a {image.format} of the kind {image.mode} with {bits} bits: an instance mask has to be a "
                "16-bit greyscale PNG whose pixel value is the number of the object."
            )
        instances = np.array(image, np.uint16)
        require_whole(image, path)
        return instances


def write_instances(path: str | Path, instances: np.ndarray) -> None:
    """Writes the number of the object of each pixel, uint16 (H, W), as a 16-bit greyscale PNG."""
    assert instances.dtype == np.uint16 and instances.ndim == 2, (instances.dtype, instances.shape)
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    with writing(path):
        write_bytes(path, [cv2.imencode(".png", instances, options)[1].data])


def require_fitting_instances(path: Path, instances: np.ndarray, mask_path: Path, mask: np.ndarray) -> None:
    """Raises UserError when an instance mask has another size than the mask, or no number for a pixel of an object.

    Args:
        path: of the instance mask.
        instances: its numbers, (H, W).
        mask_path: of the mask.
        mask: its classes, uint8 (H, W).
    """
    mend = "make both again with labelme_to_deeplab.py --instances=true"
    if instances.shape != mask.shape:
        raise UserError(
            f"{path} is {instances.shape[1]} x {instances.shape[0]} pixels and {mask_path} is {mask.shape[1]} x "
            f"{mask.shape[0]}: {mend}."
        )
    missing = int(np.count_nonzero((mask > 0) & (mask < GAP) & (instances == 0)))
    if missing:
        raise UserError(
            f"{path} has no number for {missing} pixels that belong to objects in {mask_path}: {mend}, or delete it, "
            "so that every connected group of pixels of one class is an instance."
        )


def value_counts(mask: np.ndarray) -> np.ndarray:
    """How many pixels of `mask`, uint8 (H, W), have each value, int64 (256,)."""
    return np.array(Image.fromarray(mask).histogram(), np.int64)


def require_known_values(path: Path, counts: np.ndarray, num_classes: int) -> None:
    """Raises UserError when the mask at `path` has values that are neither a class nor IGNORE.

    counts: what `value_counts` gave for it.
    """
    unknown = [value for value in np.flatnonzero(counts).tolist() if num_classes <= value != IGNORE]
    if unknown:
        raise UserError(
            f"{path} has the values {', '.join(map(str, unknown[:8]))}{' ...' if len(unknown) > 8 else ''}: allowed "
            f"are 0 to {num_classes - 1} and {IGNORE}; check name_classes, or mend the mask with convert_labelled.py."
        )
