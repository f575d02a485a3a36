"""labelme's JSON files (versions 3 to 7), read and written without the program, which has no public Python API.

Format: https://github.com/wkentaro/labelme, labelme/_label_file.py. Points are x, y in the upright image, with (0, 0)
the upper left corner of the upper left pixel.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from utils.files.images import MAX_PIXELS
from utils.labels.marked import MAX_COORDINATE, MAX_OBJECTS, reading_labels
from utils.labels.polygons import Outline
from utils.labels.shapes import Shape
from utils.utils import IMAGE_SUFFIXES, UserError, atomic_path, find_images

WRITTEN_VERSION = "5.5.0"  # what the JSON files that we write say; versions 4 to 7 read it

# shape type -> fewest and most points that it is stored with
POINT_COUNTS: dict[str, tuple[int, float]] = {
    "polygon": (3, math.inf),
    "rectangle": (2, 4),  # opposite corners in any order, or (X-AnyLabeling) all four in order around it
    "oriented_rectangle": (4, 4),  # corners, in order around it
    "circle": (2, 2),  # centre, and a point on the edge
    "line": (2, 2),
    "linestrip": (2, math.inf),
    "point": (1, 1),
    "points": (1, math.inf),
    "mask": (2, 2),  # first and last pixel of the box that the mask fills
}


@dataclass(frozen=True)
class Annotation:
    """One labelme file without its pixels; `size` is (height, width), or None where the file does not say."""

    path: Path
    shapes: list[Shape]
    size: tuple[int, int] | None
    image_path: str  # as in the file, with forward slashes
    embedded: bool  # the file holds the image, too


def read_labelme(path: Path) -> Annotation:
    """The annotation in a labelme JSON file. Raises UserError naming the file when it is not one, or is broken."""
    data = _load(path)
    height, width = data.get("imageHeight"), data.get("imageWidth")
    try:
        size = (int(height), int(width)) if height and width else None
        image_path = PureWindowsPath(data.get("imagePath") or "").as_posix()
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path} has a bad imageHeight, imageWidth or imagePath ({error}): save it again.") from error
    return Annotation(
        path=path,
        shapes=[_shape(path, number, shape) for number, shape in enumerate(data["shapes"], 1)],
        size=size,
        image_path=image_path,
        embedded=bool(data.get("imageData")),
    )


def embedded_image(path: Path) -> bytes:
    """The image file that a labelme JSON file holds, upright. Raises UserError when it is not base64."""
    try:
        return base64.b64decode(_load(path)["imageData"], validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise UserError(f"{path}: imageData is not base64 ({error}): put the image beside the file.") from error


@contextmanager
def annotated_image(annotation: Annotation) -> Iterator[tuple[Path, str]]:
    """Yields the file of the image that was annotated, for as long as the block lasts, and a note or "".

    It is what `find_image` finds, else the image within the JSON file. Raises UserError when there is none.
    """
    path, note = find_image(annotation)
    if path:
        yield path, note
    elif annotation.embedded:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "imageData"
            path.write_bytes(embedded_image(annotation.path))
            try:
                yield path, note
            except UserError as error:  # names the file that the user has
                raise UserError(str(error).replace(str(path), f"imageData of {annotation.path}")) from error
    else:
        raise UserError(
            f'{annotation.path}: its image "{annotation.image_path}" is missing, and so is any with the '
            f"stem {annotation.path.stem}: put the image beside the JSON file."
        )


def find_image(annotation: Annotation) -> tuple[Path | None, str]:
    """The image that was annotated, and a note where another choice was at hand; None when there is no image.

    That is what imagePath names, there or beside the JSON file, or else the image beside it with its stem. Where both
    lie beside the JSON file, the stem counts: files are renamed in pairs while imagePath stays. Letter case does not
    count where nothing fits exactly.
    Raises UserError when several images have the stem.
    """
    folder, wanted = annotation.path.parent, PureWindowsPath(annotation.image_path)
    named = [path for path in (folder / annotation.image_path, folder / wanted.name)
             if annotation.image_path and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    images = find_images(folder)
    own = [path for path in images if path.stem == annotation.path.stem]
    if not own and not named:
        own = [path for path in images if path.stem.casefold() == annotation.path.stem.casefold()] or [
            path for path in images if path.name.casefold() == wanted.name.casefold()]
    if len(own) > 1 and not named:
        raise UserError(
            f"{annotation.path} does not say which of {', '.join(path.name for path in own)} it belongs to: "
            "move the others elsewhere."
        )
    if len(own) != 1:
        return (named[0] if named else None), ""
    if not named:
        other = annotation.image_path and own[0].name != wanted.name
        note = f'imagePath names "{annotation.image_path}", which is not there; {own[0].name} is taken'
        return own[0], note if other else ""
    if named[0].samefile(own[0]):
        return own[0], ""
    if named[0].parent.samefile(folder):
        return own[0], f"imagePath names {wanted.name}; {own[0].name} has the JSON file's name and is taken"
    return named[0], f"{own[0].name} has the JSON file's name; {annotation.image_path}, as imagePath says, is taken"


def write_labelme(
    path: Path, outlines: Sequence[Outline], names: Mapping[int, str], size: tuple[int, int], image: Path,
    descriptions: Sequence[str] = (),
) -> None:
    """Writes a labelme file with one shape for each outline: a polygon, or a rectangle for two opposite corners.

    Args:
        path: the JSON file. Its imagePath is relative to it; the pixels are not embedded.
        outlines: in the order of the shapes.
        names: mask value -> label.
        size: height and width of the image.
        image: its file.
        descriptions: one for each outline, which labelme shows beside the label; () leaves them empty.

    Raises:
        UserError: no relative path leads to the image.
    """
    try:
        image_path = os.path.relpath(image, path.parent)
    except ValueError as error:  # Windows: another drive
        raise UserError(f"{image} and {path} are on different drives: put both on one drive.") from error
    data = labelme_data(outlines, names, size, image_path.replace(os.sep, "/"), descriptions)
    with atomic_path(path) as temporary:
        # what is no UTF-8 in a file name becomes an escape that Python and JSON share, so it is read back as it was
        text = json.dumps(data, ensure_ascii=False, indent=2)
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def labelme_data(
    outlines: Sequence[Outline], names: Mapping[int, str], size: tuple[int, int], image_path: str,
    descriptions: Sequence[str] = (),
) -> dict[str, Any]:
    """The content of a labelme file. image_path: from the JSON file to the image; else as in `write_labelme`."""
    shapes = [
        {
            "label": names[outline.value],
            "points": outline.points.tolist(),
            "group_id": None,
            "description": description,
            "shape_type": "rectangle" if len(outline.points) == 2 else "polygon",
            "flags": {},
            "mask": None,
        }
        for outline, description in zip(outlines, descriptions or [""] * len(outlines), strict=True)
    ]
    return {
        "version": WRITTEN_VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }


def _load(path: Path) -> dict[str, Any]:
    with reading_labels(path, "labelme file", "it cannot be read as JSON in UTF-8; save it again in labelme"):
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(data, dict) or not isinstance(data.get("shapes"), list):
        raise UserError(f'{path} is not a labelme file: it has no list "shapes".')
    if len(data["shapes"]) > MAX_OBJECTS:
        raise UserError(f"{path} has {len(data['shapes'])} shapes: up to {MAX_OBJECTS} are allowed.")
    return data


def _shape(path: Path, number: int, data: Any) -> Shape:
    """One checked shape of a file; `number` counts from 1, as labelme's list does."""
    kind = data.get("shape_type") or "polygon" if isinstance(data, dict) else None  # version 3 names no type
    label = data.get("label") if isinstance(data, dict) else None
    where = f'{path}: shape {number} ("{label}", {kind})'
    if not isinstance(label, str) or not isinstance(kind, str) or kind not in POINT_COUNTS:
        raise UserError(f"{where} needs a label and one of the types {', '.join(POINT_COUNTS)}.")
    try:
        points = np.array(data["points"], np.float64)
    except (KeyError, TypeError, ValueError, OverflowError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2:
        raise UserError(f"{where} has points that are not pairs of numbers: draw it again in labelme.")
    fewest, most = POINT_COUNTS[kind]
    if not fewest <= len(points) <= most or not np.isfinite(points).all() or kind == "rectangle" and len(points) == 3:
        wanted = "2 or 4" if kind == "rectangle" else str(fewest) if fewest == most else f"{fewest} or more"
        raise UserError(f"{where} has {len(points)} points and needs {wanted}, all finite: draw it again in labelme.")
    if np.abs(points).max() > MAX_COORDINATE:
        raise UserError(f"{where} has coordinates above {MAX_COORDINATE:.0f}: draw it again in labelme.")
    patch = _patch(where, points, data.get("mask")) if kind == "mask" else None
    group_id = data.get("group_id")
    return Shape(label, kind, points, group_id if isinstance(group_id, int) else None, patch)


def _patch(where: str, points: np.ndarray, data: Any) -> np.ndarray:
    """The pixels of a mask shape, bool (height, width), cut to the box, of which the last pixel is part."""
    width, height = (np.round(points[1]) - np.round(points[0]) + 1).astype(int).tolist()
    try:
        with Image.open(BytesIO(base64.b64decode(data)), formats=("PNG",)) as image:
            size = image.size
            fits = max(abs(size[0] - width), abs(size[1] - height)) <= 1  # 1: corners rounded apart
            if fits and width * height <= MAX_PIXELS:  # else it is not decoded: it may be huge
                patch = np.asarray(image.convert("L")) > 0
    except (OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError) as error:  # damaged data
        raise UserError(f"{where} has a mask that is not a PNG in base64 ({error}): draw it again.") from error
    if not fits or width * height > MAX_PIXELS:
        raise UserError(
            f"{where} has a mask of {size[0]} x {size[1]} pixels in a box of {width} x {height}: draw it again in "
            "labelme."
        )
    return patch if (points % 1).any() else patch[:height, :width]
