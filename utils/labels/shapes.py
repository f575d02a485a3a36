"""labelme's shapes, and the masks that are painted of them.

Points are x, y in the upright image, with (0, 0) the upper left corner of the upper left pixel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from utils.labels.marked import outcome
from utils.labels.polygons import fill_polygon, rectangle
from utils.labels.tally import Outcome
from utils.objects.separation import between_objects
from utils.utils import IGNORE

WITHIN = 0.9  # share of its pixels from which an object lies in another one


@dataclass(frozen=True)
class Shape:
    """One shape: its points are float64 (N, 2); `patch`, of a mask only, is bool (height, width) of its box."""

    label: str
    kind: str
    points: np.ndarray
    group_id: int | None = None
    patch: np.ndarray | None = None


class Painted(NamedTuple):
    """What `paint` makes of shapes.

    Attributes:
        mask: the class of each pixel, uint8 (H, W).
        covered: the pixels that each shape covered.
        seen: those of them that are not below later shapes.
        instances: the number of each pixel's object, uint16 (H, W). Objects with pixels in the mask are numbered from 1
            in the order of their first shapes; 0 is background and what is ignored.
    """

    mask: np.ndarray
    covered: list[int]
    seen: list[int]
    instances: np.ndarray


def paint(
    shapes: Sequence[Shape],
    size: tuple[int, int],
    values: Mapping[str, int],
    line_width: int,
    point_size: int,
    seam: float = 0.0,
) -> Painted:
    """The mask of some shapes, at most MAX_OBJECTS, with later ones on top, and the object of each pixel.

    A pixel is in a shape when its centre is (see utils.labels.polygons). What has no area is drawn as labelme draws it:
    lines `line_width` pixels wide, points as discs of radius `point_size` (labelme: 10 and 5). Parts outside the
    image are cut off; a shape wholly outside covers 0 pixels. `values` has every label of `shapes`.

    seam: share of the height. Where two objects of one class touch, or almost do, a seam at least so wide is ignored,
    as at the borders of Pascal VOC's masks: else they would be one object to everybody who reads the mask alone. Shapes
    of one group are one object, and one that lies in another of its class is a part of it.
    """
    painted = np.zeros(size, np.uint16)  # numbers of shapes, from 1
    classes = np.array([0, *(values[shape.label] for shape in shapes)], np.uint8)
    covered, objects = [], np.arange(len(classes))
    groups: dict[tuple[str, int], int] = {}
    before = np.empty_like(painted)
    for number, shape in enumerate(shapes, 1):
        np.copyto(before, painted)
        covered.append(_fill(painted, shape, number, line_width, point_size))
        if shape.group_id is not None:
            objects[number] = groups.setdefault((shape.label, shape.group_id), number)
        elif covered[-1]:
            below = np.bincount(before[painted == number])
            under = int(below.argmax())
            if classes[under] == classes[number] and below[under] >= WITHIN * below.sum():
                objects[number] = objects[under]
    mask = classes[painted]
    instances = np.where((classes > 0) & (classes < IGNORE), objects, 0).astype(np.uint16)[painted]
    if seam:
        square = 2 * math.ceil(seam * size[0] / 2) + 1
        for value in np.unique(classes[(classes > 0) & (classes < IGNORE)]):
            own = mask == value
            mask[between_objects(np.where(own, instances, 0), own, square)] = IGNORE
        instances[mask == IGNORE] = 0
    visible = np.bincount(instances.ravel(), minlength=len(classes)) > 0
    visible[0] = False
    instances = np.where(visible, visible.cumsum(), 0).astype(np.uint16)[instances]
    return Painted(mask, covered, np.bincount(painted.ravel(), minlength=len(classes))[1:].tolist(), instances)


def _fill(painted: np.ndarray, shape: Shape, number: int, line_width: int, point_size: int) -> int:
    """Sets the pixels of a shape to `number` and returns how many these are."""
    points = shape.points
    if shape.kind == "rectangle" and len(points) == 2:
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


def shape_outcomes(
    shapes: Sequence[Shape],
    size: tuple[int, int],
    values: Mapping[str, int],
    covered: Sequence[int],
    seen: Sequence[int],
) -> list[Outcome]:
    """What became of each object. Shapes of one label and group are one object, and the best of theirs counts.

    Args:
        shapes: of one image.
        size: its height and width.
        values: label -> mask value.
        covered, seen: pixels of each shape, as `paint` gives them.
    """
    objects: dict[object, Outcome] = {}
    ranks = ("without a pixel", "ignored", "cut at the border", "written")
    for number, (shape, pixels, visible) in enumerate(zip(shapes, covered, seen), 1):
        found = outcome(shape.label, [shape.points], size, pixels > 0, visible > 0, values[shape.label] == IGNORE)
        if found.column == "without a pixel":
            found = found._replace(why=f"shape {number}, {shape.kind}: {found.why}")
        key = number if shape.group_id is None else (shape.label, shape.group_id)
        first = objects.setdefault(key, found)
        if ranks.index(found.column) > ranks.index(first.column):
            objects[key] = found
    return list(objects.values())
