"""PASCAL VOC XML files: boxes. Coordinates are continuous, see utils.labels.polygons."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from utils.labels.marked import LabelledObject, require_size
from utils.labels.polygons import rectangle
from utils.utils import UserError


class VocLabels(NamedTuple):
    """One VOC file: the size (height, width) of its image and its objects."""

    path: Path
    size: tuple[int, int]
    objects: list[LabelledObject]


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
    require_size(str(path), size)
    if not all(np.isfinite(item.polygons[0]).all() for item in objects):
        raise UserError(f"{path} has a box that is not finite: label it again.")
    return VocLabels(path, size, objects)
