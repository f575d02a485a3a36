"""YOLO TXT files: boxes and polygons. Coordinates are continuous, see utils.labels.polygons."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from utils.labels.marked import MAX_OBJECTS, LabelledObject, reading_labels
from utils.labels.polygons import Outline, rectangle
from utils.utils import UserError

NO_LABELS = re.compile(r"classes\.txt|_darknet\.labels|(train|val|valid|test)\.txt|(readme|license)\b.*", re.IGNORECASE)
SHARES = (-1.0, 2.0)  # what lies beyond is no share of an image, but pixels or percent


def is_yolo_labels(path: Path) -> bool:
    """Whether a TXT file may hold labels: lists of classes or images and READMEs, which lie beside them, do not."""
    return not NO_LABELS.fullmatch(path.name)


def read_yolo(path: Path, size: tuple[int, int], names: Sequence[str]) -> list[LabelledObject]:
    """The objects of a YOLO TXT file for an image of that size (height, width).

    A line is `class x y width height` (a box, by its centre) or `class x1 y1 x2 y2 x3 y3 ...` (a polygon), as shares
    of the image's width and height; one number more is a detector's confidence and is left out. names: by class
    index. Raises UserError naming file and line.
    """
    with reading_labels(path, "YOLO file", "it cannot be read as text; save it in UTF-8"):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    if len(lines) > MAX_OBJECTS:
        raise UserError(f"{path} has {len(lines)} lines: up to {MAX_OBJECTS} objects are allowed.")
    objects = []
    for number, line in enumerate(lines, 1):
        if not line.split():
            continue
        where = f"{path}, line {number}"
        index, shares = _numbers(where, line)
        if not 0 <= index < len(names):
            raise UserError(f"{where} has class {index}: yolo_names names 0 to {len(names) - 1}.")
        if not np.isfinite(shares).all() or len(shares) < 4:
            raise UserError(f"{where} has {len(shares)} numbers: a box has 4, a polygon 6 or more, all finite.")
        _require_shares(where, shares)
        if len(shares) % 2 and not 0 <= shares[-1] <= 1:
            raise UserError(f"{where} ends with {shares[-1]:g}: one number more is a confidence, from 0 to 1.")
        points = shares[: len(shares) // 2 * 2].reshape(-1, 2) * size[::-1]
        if len(points) == 2:
            points = rectangle(*(points[0] - points[1] / 2), *(points[0] + points[1] / 2))
        objects.append(LabelledObject(names[index], [points]))
    return objects


def _numbers(where: str, line: str) -> tuple[int, np.ndarray]:
    """The class index and the other numbers, float64, of a line. Some programs write the index as 1.0."""
    words = line.split()
    try:
        index, shares = float(words[0]), np.array(words[1:], np.float64)
    except ValueError:
        raise UserError(f'{where} is "{line[:40]}": YOLO lines are a class index and numbers.') from None
    if not index.is_integer():
        raise UserError(f"{where} begins with {words[0][:20]}: YOLO lines begin with a class index, a whole number.")
    return int(index), shares


def _require_shares(where: str, shares: np.ndarray) -> None:
    """Raises UserError for numbers that are no shares of an image, and says what they look like."""
    low, high = SHARES
    bad = (shares < low) | (shares > high)
    if not bad.any():
        return
    if len(shares) % 2 and not bad[1:].any():
        looks = f"the first, {shares[0]:g}, looks like the number of an instance: leave it out"
    elif len(shares) % 2 and not bad[:-1].any():
        looks = f"the last, {shares[-1]:g}, looks like the number of an instance: leave it out"
    elif shares.max() <= 100:
        looks = f"they go up to {shares.max():g} and look like percent or pixels: divide them"
    else:
        looks = f"they go up to {shares.max():g} and look like pixels: divide them by the image's width and height"
    raise UserError(f"{where} has numbers that are no shares of the image, from 0 to 1: {looks}.")


def yolo_lines(outlines: Sequence[Outline], size: tuple[int, int], indices: Mapping[int, int], boxes: bool) -> str:
    """The text of a YOLO file for outlines in pixels, one line each.

    Args:
        outlines: of one mask.
        size: its height and width.
        indices: mask value -> YOLO class index; other values (background, IGNORE) are left out, for YOLO has neither.
        boxes: True for boxes, False for polygons.
    """
    lines = []
    for outline in outlines:
        if outline.value in indices:
            low, high = outline.points.min(0), outline.points.max(0)
            pixels = np.array([(low + high) / 2, high - low]) if boxes else outline.points
            shares = (pixels / size[::-1]).reshape(-1)
            lines.append(f"{indices[outline.value]} " + " ".join(f"{share:.7g}" for share in shares) + "\n")
    return "".join(lines)
