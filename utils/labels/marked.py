"""Labelled objects, whatever format they were read from, and the masks that are painted of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pycocotools import mask as mask_utils

from utils.files.images import MAX_PIXELS
from utils.labels.names import LEFT_OUT
from utils.labels.polygons import area, fill_polygon
from utils.labels.tally import Outcome
from utils.utils import IGNORE, UserError

MAX_OBJECTS = 65_000    # of one image: what a mask of numbers holds
MAX_COORDINATE = 1e7    # pixels; beyond, arithmetic with polygons overflows
OUTSIDE = 1.0           # pixels that an object may reach beyond the image without being called cut: rounded numbers do
PERCENT_SIDE = 400      # an image with smaller sides may well have all its objects within 100 x 100 pixels


class LabelledObject(NamedTuple):
    """One object: its name and either polygons, float64 (N, 2) each, or COCO's run lengths, int64 (K,)."""

    name: str
    polygons: list[np.ndarray]
    runs: np.ndarray | None = None  # down the columns, not-object and object by turns
    crowd: bool = False  # a region with objects that have not been told apart, to be ignored

    def size(self) -> float:
        """Square pixels."""
        return float(self.runs[1::2].sum()) if self.runs is not None else sum(map(area, self.polygons))


def paint_objects(
    objects: Sequence[LabelledObject], size: tuple[int, int], values: Mapping[str, int]
) -> tuple[np.ndarray, list[Outcome]]:
    """The mask, uint8 (H, W), with the larger objects below the smaller, and what became of each object.

    Small objects lie on top so that a barcode on a label is kept: these formats say nothing of which object lies on
    top. Crowds become IGNORE, below everything. `values` has the name of every object; those of LEFT_OUT are ignored.
    Raises ValueError when run lengths do not fit the size.
    """
    left_out = [Outcome(item.name, "ignored") for item in objects if values[item.name] == LEFT_OUT]
    objects = [item for item in objects if values[item.name] != LEFT_OUT]
    numbers = np.zeros(size, np.uint16)
    order = sorted(range(len(objects)), key=lambda index: (not objects[index].crowd, -objects[index].size()))
    classes, covered = np.zeros(len(objects) + 1, np.uint8), np.zeros(len(objects) + 1, np.int64)
    for number, index in enumerate(order, 1):
        item = objects[index]
        classes[number] = IGNORE if item.crowd else values[item.name]
        covered[number] = sum(fill_polygon(numbers, polygon, number) for polygon in item.polygons)
        if item.runs is not None:
            numbers[decode_runs(item.runs, size)] = number
            covered[number] = item.runs[1::2].sum()
    seen = np.bincount(numbers.ravel(), minlength=len(classes))
    outcomes = [
        outcome(item.name, item.polygons, size, bool(covered[number]), bool(seen[number]), classes[number] == IGNORE)
        for number, item in ((number, objects[index]) for number, index in enumerate(order, 1))
    ]
    return classes[numbers], outcomes + left_out


def outcome(
    name: str, polygons: Sequence[np.ndarray], size: tuple[int, int], covered: bool, seen: bool, ignored: bool
) -> Outcome:
    """What became of one object.

    Args:
        name: its class.
        polygons: its outlines, float64 (N, 2) each.
        size: height and width of the image.
        covered: whether it has a pixel.
        seen: whether one of its pixels is not below other objects.
        ignored: whether its pixels are IGNORE.
    """
    corners = np.concatenate(polygons) if polygons else np.zeros((1, 2))
    low, high = corners.min(0), corners.max(0)
    if not covered:
        outside = (high <= 0).any() or (low >= size[::-1]).any()
        return Outcome(name, "without a pixel", "outside the image" if outside else "too thin or too small")
    if not seen:
        return Outcome(name, "without a pixel", "below other objects")
    if ignored:
        return Outcome(name, "ignored")
    if (low < -OUTSIDE).any() or (high > np.add(size[::-1], OUTSIDE)).any():
        return Outcome(name, "cut at the border", "it reaches beyond the image")
    return Outcome(name, "written")


def require_pixel_coordinates(what: str, polygons: Sequence[np.ndarray], size: tuple[int, int]) -> None:
    """Raises UserError when the objects of an image cannot be in pixels: numbers out of range, shares or percent.

    polygons: of all objects of the image, float64 (N, 2) each; size: its height and width.
    """
    if len(polygons) > MAX_OBJECTS:
        raise UserError(f"{what} has {len(polygons)} objects: up to {MAX_OBJECTS} are allowed.")
    if not polygons:
        return
    corners = np.concatenate(polygons)
    if not (np.abs(corners) <= MAX_COORDINATE).all():
        raise UserError(f"{what} has coordinates that are not finite or above {MAX_COORDINATE:.0f}: label it again.")
    height, width = size
    if corners.min() >= 0 and corners.max() <= 1 and min(size) > 1:
        looks = "shares of the image, from 0 to 1"
    elif (
        len(polygons) > 1 and min(size) >= PERCENT_SIDE and corners.min() >= 0 and corners.max() <= 100
        and np.ptp(corners, axis=0).max() > 50
    ):
        looks = "percent of the image"
    else:
        return
    raise UserError(
        f"{what} has all its objects within {corners.max():g} pixels of the corner of an image of {width} x {height}: "
        f"the coordinates look like {looks}, and pixels are due. Export them in pixels."
    )


def require_size(what: str, size: tuple[int, int]) -> None:
    """Raises UserError for a size (height, width) that no image has."""
    if min(size) < 1 or math.prod(size) > MAX_PIXELS:
        raise UserError(f"{what} has the size {size[1]} x {size[0]}: put it right in the label file.")


def decode_runs(runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The object that COCO's run lengths describe, bool (H, W). They have to be checked: they cover `size` exactly."""
    return mask_utils.decode(mask_utils.frPyObjects({"counts": runs.tolist(), "size": list(size)}, *size)).view(bool)


@contextmanager
def reading_labels(path: Path, kind: str, needs: str) -> Iterator[None]:
    """Turns whatever a parser raises for a broken file into one sentence: "<path> is not a <kind> (...): <needs>."

    Label files come from outside, and parsers raise what they like: too deep nesting, odd encodings, huge numbers.
    """
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path} is not there: check the name and the folder.") from None
    except Exception as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path} is not a {kind} ({text}): {needs}.") from error
