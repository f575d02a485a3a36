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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from utils.labels.polygons import Outline, fill_polygon, rectangle
from utils.objects.separation import between_objects
from utils.utils import IGNORE, UserError, atomic_path, find_images

WITHIN = 0.9  # share of its pixels from which an object lies in another one
WRITTEN_VERSION = "5.5.0"  # what the JSON files that we write say; versions 4 to 7 read it

# shape type -> fewest and most points that it is stored with
POINT_COUNTS: dict[str, tuple[int, float]] = {
    "polygon": (3, math.inf),
    "rectangle": (2, 2),  # opposite corners in any order
    "oriented_rectangle": (4, 4),  # corners, in order around it
    "circle": (2, 2),  # centre, and a point on the edge
    "line": (2, 2),
    "linestrip": (2, math.inf),
    "point": (1, 1),
    "points": (1, math.inf),
    "mask": (2, 2),  # first and last pixel of the box that the mask fills
}


@dataclass(frozen=True)
class Shape:
    """One shape: its points are float64 (N, 2); `patch`, of a mask only, is bool (height, width) of its box."""

    label: str
    kind: str
    points: np.ndarray
    group_id: int | None = None
    patch: np.ndarray | None = None


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


def find_image(annotation: Annotation) -> Path | None:
    """The image that was annotated: where imagePath says, else that name or the JSON's stem beside the JSON file.

    None when there is none of them. Raises UserError when several images have the stem.
    """
    folder = annotation.path.parent
    if annotation.image_path:
        for path in (folder / annotation.image_path, folder / PureWindowsPath(annotation.image_path).name):
            if path.is_file():
                return path
    same_stem = [path for path in find_images(folder) if path.stem == annotation.path.stem]
    if len(same_stem) > 1:
        raise UserError(
            f"{annotation.path} does not say which of {', '.join(path.name for path in same_stem)} it belongs to: "
            "move the others elsewhere."
        )
    return same_stem[0] if same_stem else None


def paint(
    shapes: Sequence[Shape],
    size: tuple[int, int],
    values: Mapping[str, int],
    line_width: int,
    point_size: int,
    seam: float = 0.0,
) -> tuple[np.ndarray, list[int]]:
    """The mask, uint8 (H, W), with later shapes on top of earlier ones, and the pixels that each shape covered.

    A pixel is in a shape when its centre is (see utils.labels.polygons). What has no area is drawn as labelme draws it:
    lines `line_width` pixels wide, points as discs of radius `point_size` (labelme: 10 and 5). Parts outside the
    image are cut off; a shape wholly outside covers 0 pixels. `values` has every label of `shapes`.

    seam: share of the height. Where two objects of one class touch, or almost do, a seam at least so wide is ignored,
    as at the borders of Pascal VOC's masks: else they would be one object to everybody who reads the mask. Shapes of
    one group are one object, and one that lies in another of its class is a part of it.
    """
    painted = np.zeros(size, np.uint16)  # numbers of shapes, from 1
    classes = np.array([0, *(values[shape.label] for shape in shapes)], np.uint8)
    covered, objects = [], np.arange(len(classes))
    groups: dict[tuple[str, int], int] = {}
    for number, shape in enumerate(shapes, 1):
        before = painted.copy() if seam else None
        covered.append(_fill(painted, shape, number, line_width, point_size))
        if shape.group_id is not None:
            objects[number] = groups.setdefault((shape.label, shape.group_id), number)
        elif seam and covered[-1]:
            below = np.bincount(before[painted == number])
            under = int(below.argmax())
            if classes[under] == classes[number] and below[under] >= WITHIN * below.sum():
                objects[number] = objects[under]
    mask = classes[painted]
    if seam:
        square = 2 * math.ceil(seam * size[0] / 2) + 1
        for value in np.unique(classes[(classes > 0) & (classes < IGNORE)]):
            own = mask == value
            mask[between_objects(np.where(own, objects[painted], 0), own, square)] = IGNORE
    return mask, covered


def _fill(painted: np.ndarray, shape: Shape, number: int, line_width: int, point_size: int) -> int:
    """Sets the pixels of a shape to `number` and returns how many these are."""
    points = shape.points
    if shape.kind == "rectangle":
        return fill_polygon(painted, rectangle(*points[0], *points[1]), number)
    if shape.kind == "circle":
        return _fill_disc(painted, points[0], math.dist(*points), number)
    if shape.kind in ("line", "linestrip"):
        return _draw_line(painted, points, line_width, number)
    if shape.kind in ("point", "points"):
        return sum(_fill_disc(painted, point, point_size, number) for point in points)
    if shape.kind == "mask":
        return _paste(painted, points[0], shape.patch, number)
    return fill_polygon(painted, points, number)


def write_labelme(
    path: Path, outlines: Sequence[Outline], names: Mapping[int, str], size: tuple[int, int], image: Path
) -> None:
    """Writes a labelme file with one polygon for each outline, for the image of that size (height, width).

    names: mask value -> label. imagePath is relative to the JSON file; the pixels are not embedded. Raises UserError
    when no relative path leads to the image.
    """
    try:
        image_path = os.path.relpath(image, path.parent)
    except ValueError as error:  # Windows: another drive
        raise UserError(f"{image} and {path} are on different drives: put both on one drive.") from error
    shapes = [
        {
            "label": names[outline.value],
            "points": outline.points.tolist(),
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
        for outline in outlines
    ]
    data = {
        "version": WRITTEN_VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": image_path.replace(os.sep, "/"),
        "imageData": None,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(data, ensure_ascii=False, indent=2), encoding="utf-8")


def _load(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:  # ValueError: bad JSON, bad UTF-8
        raise UserError(f"{path} cannot be read as JSON in UTF-8 ({error}): save it again in labelme.") from error
    if not isinstance(data, dict) or not isinstance(data.get("shapes"), list):
        raise UserError(f'{path} is not a labelme file: it has no list "shapes".')
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
    except (KeyError, TypeError, ValueError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2:
        raise UserError(f"{where} has points that are not pairs of numbers: draw it again in labelme.")
    fewest, most = POINT_COUNTS[kind]
    if not fewest <= len(points) <= most or not np.isfinite(points).all():
        wanted = str(fewest) if fewest == most else f"{fewest} or more"
        raise UserError(f"{where} has {len(points)} points and needs {wanted}, all finite: draw it again in labelme.")
    patch = _patch(where, points, data.get("mask")) if kind == "mask" else None
    group_id = data.get("group_id")
    return Shape(label, kind, points, group_id if isinstance(group_id, int) else None, patch)


def _patch(where: str, points: np.ndarray, data: Any) -> np.ndarray:
    """The pixels of a mask shape, bool (height, width), cut to the box, of which the last pixel is part."""
    try:
        with Image.open(BytesIO(base64.b64decode(data))) as image:
            patch = np.asarray(image.convert("L")) > 0
    except (OSError, ValueError, TypeError, SyntaxError) as error:  # what base64 and Pillow raise for damaged data
        raise UserError(f"{where} has a mask that is not a PNG in base64 ({error}): draw it again.") from error
    width, height = (np.round(points[1]) - np.round(points[0]) + 1).astype(int)
    if abs(patch.shape[0] - height) > 1 or abs(patch.shape[1] - width) > 1:  # 1: corners rounded apart
        raise UserError(
            f"{where} has a mask of {patch.shape[1]} x {patch.shape[0]} pixels in a box of {width} x {height}: "
            "draw it again in labelme."
        )
    return patch if (points % 1).any() else patch[:height, :width]


def _paste(mask: np.ndarray, corner: np.ndarray, patch: np.ndarray, value: int) -> int:
    """Pixels set, with the upper left of `patch` at the corner (x, y) and what is outside `mask` cut off."""
    x, y = np.round(corner).astype(int)
    patch = patch[max(-y, 0) : max(mask.shape[0] - y, 0), max(-x, 0) : max(mask.shape[1] - x, 0)]
    x, y = max(x, 0), max(y, 0)
    mask[y : y + patch.shape[0], x : x + patch.shape[1]][patch] = value
    return int(patch.sum())


def _fill_disc(mask: np.ndarray, centre: np.ndarray, radius: float, value: int) -> int:
    """Pixels set: those with their centre within `radius` of `centre` (x, y)."""
    x, y = centre
    rows = np.arange(max(math.floor(y - radius), 0), min(math.ceil(y + radius), mask.shape[0]))
    columns = np.arange(max(math.floor(x - radius), 0), min(math.ceil(x + radius), mask.shape[1]))
    inside = (columns + 0.5 - x) ** 2 + (rows[:, None] + 0.5 - y) ** 2 <= radius**2
    if not inside.size:
        return 0
    mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][inside] = value
    return int(inside.sum())


def _draw_line(mask: np.ndarray, points: np.ndarray, width: int, value: int) -> int:
    """Pixels set by a line through the points, drawn by Pillow with round joints as in labelme."""
    image = Image.new("1", mask.shape[::-1])
    ImageDraw.Draw(image).line([tuple(point) for point in points.tolist()], fill=1, width=width, joint="curve")
    drawn = np.asarray(image)
    mask[drawn] = value
    return int(drawn.sum())
