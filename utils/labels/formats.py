"""Label files of other programs as objects, and objects as masks: PASCAL VOC XML, YOLO TXT, COCO JSON, colour PNG.

Coordinates are continuous, see utils.labels.polygons.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np

from utils.files.images import MAX_PIXELS
from utils.labels.polygons import Outline, area, fill_polygon, rectangle
from utils.utils import IGNORE, UserError


class LabelledObject(NamedTuple):
    """One object: its name and either polygons, float64 (N, 2) each, or COCO's run lengths, int64 (K,)."""

    name: str
    polygons: list[np.ndarray]
    runs: np.ndarray | None = None  # down the columns, not-object and object by turns
    crowd: bool = False  # a region with objects that have not been told apart

    def size(self) -> float:
        """Square pixels."""
        return float(self.runs[1::2].sum()) if self.runs is not None else sum(map(area, self.polygons))


class VocLabels(NamedTuple):
    """One VOC file: the size (height, width) of its image and its objects."""

    path: Path
    size: tuple[int, int]
    objects: list[LabelledObject]


class CocoLabels(NamedTuple):
    """One image of a COCO file: its annotations as they are in the file, each with the name of its category."""

    path: Path
    file_name: str
    size: tuple[int, int]
    annotations: list[tuple[str, dict[str, Any]]]


def paint_objects(objects: Sequence[LabelledObject], size: tuple[int, int], values: Mapping[str, int]) -> np.ndarray:
    """The mask, uint8 (H, W), with the larger objects below the smaller: a barcode on a label is kept.

    These formats say nothing of which object lies on top. Crowds become IGNORE, below everything. `values` has the
    name of every object. Raises ValueError when run lengths do not fit the size.
    """
    mask = np.zeros(size, np.uint8)
    for item in sorted(objects, key=lambda item: (not item.crowd, -item.size())):
        value = IGNORE if item.crowd else values[item.name]
        for polygon in item.polygons:
            fill_polygon(mask, polygon, value)
        if item.runs is not None:
            mask[decode_runs(item.runs, size)] = value
    return mask


def read_voc(path: Path, origin: int) -> VocLabels:
    """The boxes of a PASCAL VOC XML file. Raises UserError naming the file when it is not one.

    origin: the number of the first pixel, 1 in PASCAL VOC (its boxes hold both corner pixels), 0 in files of programs
    that count from 0.
    """
    try:
        root = ElementTree.parse(path).getroot()
        size = tuple(int(float(root.findtext(f"size/{side}"))) for side in ("height", "width"))
        objects = []
        for item in root.iter("object"):
            x0, y0, x1, y1 = (float(item.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax"))
            corners = rectangle(x0 - origin, y0 - origin, x1 - origin + 1, y1 - origin + 1)
            objects.append(LabelledObject(item.findtext("name").strip(), [corners]))
    except (OSError, ElementTree.ParseError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UserError(
            f"{path} is not a VOC file ({error}): it needs size/height, size/width and, for each object, name and "
            "bndbox with xmin, ymin, xmax, ymax."
        ) from error
    _check_size(str(path), size)
    if not all(np.isfinite(item.polygons[0]).all() for item in objects):
        raise UserError(f"{path} has a box that is not finite: label it again.")
    return VocLabels(path, size, objects)


def _check_size(what: str, size: tuple[int, int]) -> None:
    """Raises UserError for a size (height, width) that no image has."""
    if min(size) < 1 or math.prod(size) > MAX_PIXELS:
        raise UserError(f"{what} has the size {size[1]} x {size[0]}: put it right in the label file.")


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


def read_coco(path: Path) -> list[CocoLabels]:
    """The images of a COCO JSON file with their annotations. Raises UserError naming the file when it is not one."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        names = {item["id"]: str(item["name"]) for item in data["categories"]}
        annotations: dict[Any, list[tuple[str, dict[str, Any]]]] = {item["id"]: [] for item in data["images"]}
        for item in data["annotations"]:
            annotations[item["image_id"]].append((names[item["category_id"]], item))
        return [
            CocoLabels(path, str(item["file_name"]), (int(item["height"]), int(item["width"])), annotations[item["id"]])
            for item in data["images"]
        ]
    except KeyError as error:
        raise UserError(
            f"{path} is not a COCO file, or names an image or category that it does not have: {error}."
        ) from error
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{path} is not a COCO file in JSON ({error}).") from error


def coco_objects(labels: CocoLabels) -> list[LabelledObject]:
    """The objects of one image: polygons, run lengths (plain or compressed), or else its box.

    Raises UserError naming the annotation that is none of them, or the image when it has no size that can be.
    """
    _check_size(f"{labels.path}: {labels.file_name}", labels.size)
    objects = []
    for name, item in labels.annotations:
        segmentation = item.get("segmentation")
        try:
            polygons, runs = [], None
            if isinstance(segmentation, dict):
                if list(segmentation["size"]) != list(labels.size):
                    raise ValueError(f"its size is {segmentation['size']} and the image's {list(labels.size)}")
                counts = segmentation["counts"]
                runs = uncompress_runs(counts) if isinstance(counts, str) else np.array(counts, np.int64)
                if runs.sum() != math.prod(labels.size) or (runs < 0).any():
                    raise ValueError(f"its runs cover {runs.sum()} of {math.prod(labels.size)} pixels")
            elif segmentation:
                polygons = [np.array(numbers, np.float64).reshape(-1, 2) for numbers in segmentation]
            else:
                x, y, width, height = (float(number) for number in item["bbox"])
                polygons = [rectangle(x, y, x + width, y + height)]
            if not all(len(points) >= 3 and np.isfinite(points).all() for points in polygons):
                raise ValueError("a polygon needs 3 or more finite points")
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UserError(
                f"{labels.path}: annotation {item.get('id')} of {labels.file_name} is neither polygons nor run lengths "
                f"nor a box ({error})."
            ) from error
        objects.append(LabelledObject(name, polygons, runs, bool(item.get("iscrowd"))))
    return objects


def coco_stem(labels: CocoLabels) -> str:
    """The stem of the image's name, which may have folders with either slash."""
    return PureWindowsPath(labels.file_name).stem


def uncompress_runs(text: str) -> np.ndarray:
    """COCO's compressed run lengths as numbers, int64 (K,): 5 bits a character; from the fourth on, differences to
    the last but one.

    Source: rleFrString in https://github.com/cocodataset/cocoapi, common/maskApi.c. Raises IndexError when cut off.
    """
    runs: list[int] = []
    place = 0
    while place < len(text):
        number, shift, more = 0, 0, True
        while more:
            bits = ord(text[place]) - 48
            number |= (bits & 31) << shift
            shift += 5
            more = bool(bits & 32)
            place += 1
        if bits & 16:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
    return np.array(runs, np.int64)


def decode_runs(runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The object that COCO's run lengths describe, bool (H, W)."""
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size[::-1]).T


def nearest_classes(
    image: np.ndarray, colors: Mapping[tuple[int, int, int], int], tolerance: float
) -> tuple[np.ndarray, float]:
    """The mask, uint8 (H, W), of a colour label image uint8 (H, W, 3), and the share of pixels that fit no colour.

    Each pixel gets the value of its nearest colour, or IGNORE when that is farther than `tolerance` (Euclidean in
    RGB, 0 to 442); of two colours equally near, the first. colors: (R, G, B) -> mask value, one table for all files.
    """
    red, green, blue = (image[..., channel].astype(np.uint32) for channel in range(3))
    packed = red << 16 | green << 8 | blue
    value_of, fits = np.zeros(1 << 24, np.uint8), np.zeros(1 << 24, bool)  # by packed colour
    fits[packed] = True
    present = np.flatnonzero(fits)
    channels = np.stack([present >> 16, present >> 8 & 255, present & 255], axis=1)
    distance = np.stack([((channels - color) ** 2).sum(1) for color in colors], axis=1)
    near = distance.min(1) <= tolerance**2
    value_of[present] = np.where(near, np.array(list(colors.values()))[distance.argmin(1)], IGNORE)
    fits[present] = near
    return value_of[packed], 1 - float(fits[packed].mean())
