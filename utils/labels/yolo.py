"""YOLO TXT files: boxes and polygons. Coordinates are continuous, see utils.labels.polygons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from utils.labels.marked import LabelledObject
from utils.labels.polygons import Outline, rectangle
from utils.utils import UserError


def read_yolo(path: Path, size: tuple[int, int], names: Sequence[str]) -> list[LabelledObject]:
    """The objects of a YOLO TXT file for an image of that size (height, width).

    A line is `class x y width height` (a box, by its centre) or `class x1 y1 x2 y2 x3 y3 ...` (a polygon), as shares
    of the image's width and height; one number more is a detector's confidence and is left out. names: by class
    index. Raises UserError naming file and line.
    """
    objects = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as text ({error}).") from error
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        try:
            index, shares = int(words[0]), np.array(words[1:], np.float64)
        except ValueError:
            raise UserError(
                f'{path}, line {number} is "{line[:40]}": YOLO lines are a class index and numbers.'
            ) from None
        if not 0 <= index < len(names):
            raise UserError(f"{path}, line {number} has class {index}: yolo_names names 0 to {len(names) - 1}.")
        shares = shares[: len(shares) // 2 * 2]
        if len(shares) < 4 or not np.isfinite(shares).all():
            raise UserError(f"{path}, line {number} has {len(words) - 1} numbers: a box has 4, a polygon 6 or more.")
        points = shares.reshape(-1, 2) * size[::-1]
        if len(points) == 2:
            points = rectangle(*(points[0] - points[1] / 2), *(points[0] + points[1] / 2))
        objects.append(LabelledObject(names[index], [points]))
    return objects


def yolo_lines(outlines: Sequence[Outline], size: tuple[int, int], indices: Mapping[int, int], boxes: bool) -> str:
    """The text of a YOLO file for outlines in pixels, one line each, as boxes or polygons.

    indices: mask value -> YOLO class index; other values (background, IGNORE) are left out, for YOLO has neither.
    """
    lines = []
    for outline in outlines:
        if outline.value in indices:
            low, high = outline.points.min(0), outline.points.max(0)
            pixels = np.array([(low + high) / 2, high - low]) if boxes else outline.points
            shares = (pixels / size[::-1]).reshape(-1)
            lines.append(f"{indices[outline.value]} " + " ".join(f"{share:.7g}" for share in shares) + "\n")
    return "".join(lines)
