"""COCO JSON files: polygons, run lengths and boxes. Coordinates are continuous, see utils.labels.polygons."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np

from utils.labels.marked import MAX_OBJECTS, LabelledObject, reading_labels, require_pixel_coordinates, require_size
from utils.labels.polygons import rectangle
from utils.utils import UserError

NEEDS = "it needs the lists images, annotations and categories, each entry with its id"
MAX_RUN_BITS = 35  # of one compressed run length; COCO's own decoder overflows beyond


class CocoLabels(NamedTuple):
    """One image of a COCO file: its annotations as they are in the file, each with the name of its category."""

    path: Path
    file_name: str
    size: tuple[int, int] | None  # height and width; None where the file does not say
    annotations: list[tuple[str, dict[str, Any]]]


class CocoFile(NamedTuple):
    """The images of a COCO file, and what in it belongs to none of them."""

    path: Path
    images: list[CocoLabels]
    faults: list[str]


def read_coco(path: Path) -> CocoFile:
    """The images of a COCO JSON file with their annotations. Raises UserError naming the file when it is not one.

    Ids may be numbers or texts: 1 and "1" are the same. An annotation of an image or category that is not there is a
    fault and costs itself alone.
    """
    with reading_labels(path, "COCO file", NEEDS):
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        categories = {_id(item["id"]): str(item["name"]) for item in data["categories"]}
        images = {_id(item["id"]): _image(path, item) for item in data["images"]}
        orphans: Counter[str] = Counter()
        for item in data["annotations"]:
            image, category = _id(item["image_id"]), _id(item["category_id"])
            if image not in images:
                orphans[f"belong to image {image}, which the file does not have"] += 1
            elif category not in categories:
                orphans[f"belong to category {category}, which the file does not have"] += 1
            else:
                images[image].annotations.append((categories[category], item))
    crowded = [image for image in images.values() if len(image.annotations) > MAX_OBJECTS]
    if crowded:
        raise UserError(f"{path}: {crowded[0].file_name} has more than {MAX_OBJECTS} annotations.")
    faults = [f"{count} annotations {why}, and are left out" for why, count in orphans.items()]
    return CocoFile(path, list(images.values()), faults)


def _id(value: Any) -> str:
    """An id as text. Raises ValueError for what can be none, such as a list."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"an id is {value!r:.40}")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _image(path: Path, item: dict[str, Any]) -> CocoLabels:
    sides = item.get("height"), item.get("width")
    size = None if None in sides else (int(sides[0]), int(sides[1]))
    return CocoLabels(path, str(item["file_name"]), size, [])


def coco_objects(labels: CocoLabels, size: tuple[int, int], crowds_are_objects: bool) -> list[LabelledObject]:
    """The objects of one image: polygons, run lengths (plain or compressed), or else its box.

    Args:
        labels: of the image.
        size: its height and width.
        crowds_are_objects: whether an annotation with iscrowd 1 is an object (some programs write that for every mask
            drawn with a brush), or else a region to be ignored.

    Raises:
        UserError: naming the annotation that is none of them, or the image when it has no size that can be.
    """
    where = f"{labels.path}: {labels.file_name}"
    require_size(where, size)
    objects = []
    for name, item in labels.annotations:
        try:
            polygons, runs = _shape(item, size)
        except Exception as error:  # the file comes from outside: any kind of value may stand anywhere in it
            raise UserError(
                f"{labels.path}: annotation {item.get('id')!r:.40} of {labels.file_name} is neither polygons nor run "
                f"lengths nor a box ({' '.join(str(error).split())[:200]})."
            ) from error
        objects.append(LabelledObject(name, polygons, runs, bool(item.get("iscrowd")) and not crowds_are_objects))
    require_pixel_coordinates(where, [polygon for each in objects for polygon in each.polygons], size)
    return objects


def _shape(item: dict[str, Any], size: tuple[int, int]) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Polygons, float64 (N, 2) each, or run lengths, int64 (K,), of one annotation. Raises anything for others."""
    segmentation = item.get("segmentation")
    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != list(size):
            raise ValueError(f"its size is {segmentation['size']} and the image's {list(size)}")
        counts = segmentation["counts"]
        runs = uncompress_runs(counts) if isinstance(counts, str) else np.array(counts, np.int64)
        whole = math.prod(size)
        if runs.ndim != 1 or (runs < 0).any() or (runs > whole).any():
            raise ValueError(f"its runs have to be numbers from 0 to {whole}")
        if runs.sum() != whole:
            raise ValueError(f"its runs cover {runs.sum()} of {whole} pixels")
        return [], runs
    polygons = [np.array(numbers, np.float64).reshape(-1, 2) for numbers in segmentation or () if len(numbers)]
    if not polygons:
        x, y, width, height = (float(number) for number in item["bbox"])
        polygons = [rectangle(x, y, x + width, y + height)]
    if not all(len(points) >= 3 and np.isfinite(points).all() for points in polygons):
        raise ValueError("a polygon needs 3 or more finite points")
    return polygons, None


def coco_stem(labels: CocoLabels) -> str:
    """The stem of an image's file name, which may be a Windows path or an address on the web."""
    name = labels.file_name
    if "://" in name:
        name = unquote(urlsplit(name).path)
    return PureWindowsPath(name).stem


def uncompress_runs(text: str) -> np.ndarray:
    """COCO's compressed run lengths as numbers, int64 (K,): 5 bits a character; from the fourth on, differences to
    the last but one.

    Source: rleFrString in https://github.com/cocodataset/cocoapi, common/maskApi.c. Raises IndexError when cut off,
    ValueError for other characters and numbers of more than MAX_RUN_BITS.
    """
    runs: list[int] = []
    place = 0
    while place < len(text):
        number, shift, more = 0, 0, True
        while more:
            bits = ord(text[place]) - 48
            if not 0 <= bits < 64 or shift > MAX_RUN_BITS:
                raise ValueError(f"character {place + 1} of its run lengths is none that can stand there")
            number |= (bits & 31) << shift
            shift += 5
            more = bool(bits & 32)
            place += 1
        if bits & 16:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
    return np.array(runs, np.int64)
