"""COCO JSON files: polygons, run lengths and boxes. Coordinates are continuous, see utils.labels.polygons."""

from __future__ import annotations

import json
import math
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np

from utils.labels.marked import LabelledObject, require_size
from utils.labels.polygons import rectangle
from utils.utils import UserError


class CocoLabels(NamedTuple):
    """One image of a COCO file: its annotations as they are in the file, each with the name of its category."""

    path: Path
    file_name: str
    size: tuple[int, int]
    annotations: list[tuple[str, dict[str, Any]]]


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
    require_size(f"{labels.path}: {labels.file_name}", labels.size)
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
