"""Cuts the objects of a sheet out, upright, and writes each to its own file."""

from __future__ import annotations

import io
import math
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from PIL import Image

from utils.files.encode import encode_png, encode_tiff
from utils.files.images import Kept, to_uint8, write_picture, writing
from utils.files.metadata import SAMPLE
from utils.objects.outline import Rectangle
from utils.objects.regions import Region
from utils.utils import require_distinct

CROP_MARGIN = 0.004  # extra border of a crop, as a share of the sheet's diagonal, because outlines are not exact
MIN_ANGLE = 0.5      # degrees; on real sheets the angles of half of the objects are wrong by 0.2, of a tenth by 0.8
MIN_FILLED = 0.8     # share of its rectangle that an object fills; a more ragged one does not say how it lies
MAX_TURNED = 30_000  # pixels; OpenCV turns no pictures of 32,767 and more
MAX_NAME = 255       # bytes of a file name that every file system takes
MAX_CLASS = 40       # letters of the class in a file name
QUALITY = 95         # of a JPEG that is made from a PNG or TIFF, with full colour resolution


class Sheet(Protocol):
    """What this module needs to know of an input file."""

    source: Path
    name: Path  # path of the source within the input folder


class Cut(NamedTuple):
    """An object cut out of its sheet."""

    name: str  # its class
    pixels: np.ndarray  # uint8 or uint16 (h, w, 3); may be a view of the sheet
    to_sheet: np.ndarray  # float64 (2, 3): (x, y) on the sheet is to_sheet @ (x, y, 1) of the cut; from pixels' corners


def cut_out(pixels: np.ndarray, region: Region, margin: int | None = None, turn: int = 0) -> Cut:
    """An object with a border of `margin` pixels, turned so that its rectangle is upright.

    An object that lies straight keeps its pixels as they are, and the border ends where the sheet ends. Another is
    resampled; where its rectangle reaches over the edge of the sheet, the pixels of that edge are repeated.

    Args:
        pixels: the photograph, uint8 or uint16 (H, W, 3).
        region: the object.
        margin: None: CROP_MARGIN.
        turn: quarter turns clockwise to make afterwards, 0 to 3.
    """
    if margin is None:
        margin = round(CROP_MARGIN * math.hypot(*pixels.shape[:2]))
    part, matrix = (
        straightened(pixels, region.rectangle, margin) if is_turned(region) else _straight(pixels, region, margin))
    for _ in range(turn):
        matrix = matrix @ [[0, 1, 0], [-1, 0, part.shape[0]], [0, 0, 1]]
        part = np.rot90(part, -1)
    return Cut(region.name, part, matrix[:2])


def deskewed(pixels: np.ndarray, region: Region, margin: int) -> np.ndarray:
    """The pixels of `cut_out`, without a quarter turn."""
    return cut_out(pixels, region, margin).pixels


def straightened(pixels: np.ndarray, rectangle: Rectangle, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of a photograph within a rectangle and `margin` pixels around, upright, and `upright_frame`'s matrix.

    pixels: the photograph, uint8 or uint16 (H, W, 3).
    """
    size, matrix = upright_frame(rectangle, margin)
    corners = matrix[:2] @ [[0, size[0], size[0], 0], [0, 0, size[1], size[1]], [1, 1, 1, 1]]
    left, top = np.maximum(np.floor(corners.min(1)).astype(int) - 2, 0)  # two more pixels for the bicubic kernel
    right, bottom = np.ceil(corners.max(1)).astype(int) + 2
    from_centres = matrix[:2] @ [[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]] - [[0, 0, left + 0.5], [0, 0, top + 0.5]]
    part = cv2.warpAffine(
        pixels[top:bottom, left:right], from_centres, size,
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )
    return part, matrix


def upright_frame(rectangle: Rectangle, margin: int) -> tuple[tuple[int, int], np.ndarray]:
    """Width and height of what `straightened` returns, and the 3 x 3 matrix from it to the photograph."""
    x, y, *sides, angle = rectangle
    width, height = (math.ceil(side) + 2 * margin for side in sides)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return (width, height), np.array([
        [cos, -sin, x - (cos * width - sin * height) / 2],
        [sin, cos, y - (sin * width + cos * height) / 2],
        [0, 0, 1],
    ])


def is_turned(region: Region) -> bool:
    """Whether the object clearly lies at an angle, so that `cut_out` turns it."""
    rectangle = region.rectangle
    return (
        abs(rectangle.angle) >= MIN_ANGLE
        and region.area >= MIN_FILLED * rectangle.width * rectangle.height
        and max(rectangle.width, rectangle.height) < MAX_TURNED
    )


def write_crops(
    folder: Path, name: Path, cuts: Sequence[Cut], kept: Kept, name_classes: Sequence[str],
    write: Callable[[Path, np.ndarray, Kept], None] = write_picture,
) -> list[Path]:
    """The crop files of a sheet, one for each of `cuts`, after writing them.

    They are <sheet>_<class>_<n>.jpg. n counts the objects of a class in the order of `cuts`. The class has no spaces.
    Files of an earlier run with a higher n are removed.

    Args:
        folder: where the crops of all sheets go.
        name: the sheet's path within the input folder; its subfolder is kept.
        cuts: the objects.
        kept: format and metadata of the sheet's file.
        name_classes: background first.
        write: writes a file of its pixels, uint8 (h, w, 3), and of `kept`, which is for JPEGs.

    Raises:
        UserError: a crop cannot be written.
    """
    kept, paths = as_jpeg(kept), []
    for cut, number in zip(cuts, number_objects(cuts)):
        paths.append(crop_path(folder, name, cut.name, number))
        write(paths[-1], np.ascontiguousarray(to_uint8(cut.pixels)), kept)
    counts = Counter(_key(cut.name) for cut in cuts)
    for class_name in name_classes[1:]:
        number = counts[_key(class_name)] + 1
        while (left_over := crop_path(folder, name, class_name, number)).exists():
            with writing(left_over):
                left_over.unlink()
            number += 1
    return paths


def crop_path(folder: Path, sheet: Path, class_name: str, number: int) -> Path:
    """The crop file of one object. A sheet's name that makes it too long is cut, and its checksum appended."""
    stem, end = sheet.stem, f"_{_safe(class_name)}"
    room = MAX_NAME - len(os.fsencode(f"{end}_99999.jpg"))
    encoded = os.fsencode(stem)
    if len(encoded) > room:
        stem = f"{encoded[:room - 9].decode(errors='ignore')}~{zlib.crc32(encoded):08x}"
    return folder / sheet.parent / f"{stem}{end}_{number}.jpg"


def number_objects(cuts: Sequence[Cut]) -> list[int]:
    """The number of each object among those of its class, from 1."""
    counts: Counter[str] = Counter()
    numbers = []
    for cut in cuts:
        counts[_key(cut.name)] += 1
        numbers.append(counts[_key(cut.name)])
    return numbers


def require_distinct_crops(folder: Path, sheets: Sequence[Sheet], name_classes: Sequence[str]) -> None:
    """Raises UserError when crops of two sheets would have the same name.

    Sheet "a" with class "b_Label" and sheet "a_b" with class "Label" are such a case. Another is an input folder with a
    subfolder that has the name of the folder of crops: the picture that predict.py makes of each sheet lies beside it.
    """
    crops = [(sheet.source, crop_path(folder, sheet.name, name, 1)) for sheet in sheets for name in name_classes[1:]]
    first = {str(path).casefold() for _, path in crops}
    pictures = [(sheet.source, folder.parent / re.sub(r"_\d+(?=\.\w+$)", "_1", str(sheet.name))) for sheet in sheets]
    require_distinct(crops + [pair for pair in pictures if str(pair[1]).casefold() in first])


def as_jpeg(kept: Kept) -> Kept:
    """What a JPEG that shows a part of a sheet keeps of the sheet's file: ICC profile and resolution.

    And the quantisation tables and chroma subsampling, if the sheet is a JPEG, too. No EXIF: its thumbnail shows the
    whole sheet.
    """
    if kept.format == "JPEG":
        return Kept("JPEG", {key: value for key, value in kept.options.items() if key != "exif"})
    encode = encode_png if kept.format == "PNG" else encode_tiff
    with Image.open(io.BytesIO(b"".join(encode(SAMPLE, kept.options)))) as image:
        profile, dpi = image.info.get("icc_profile"), image.info.get("dpi", (0, 0))
    options = {"quality": QUALITY, "subsampling": 0}
    if profile:
        options["icc_profile"] = profile
    if all(1 <= value < 65535 for value in dpi):  # else it does not fit into a JPEG
        options["dpi"] = dpi
    return Kept("JPEG", options)


def _straight(pixels: np.ndarray, region: Region, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """The upright box of an object as a view of the sheet, and the 3 x 3 matrix from it to the sheet."""
    top, left = max(0, region.top - margin), max(0, region.left - margin)
    part = pixels[top:region.top + region.height + margin, left:region.left + region.width + margin]
    return part, np.array([[1.0, 0, left], [0, 1, top], [0, 0, 1]])


def _safe(name: str) -> str:
    """The name of a class as a part of a file name, without what some file system forbids."""
    return re.sub(r'[<>:"/\\|?*\s\x00-\x1f]', "_", name)[:MAX_CLASS]


def _key(name: str) -> str:
    """Equal for classes that are one in a file name, which are counted together."""
    return _safe(name).casefold()
