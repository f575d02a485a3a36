"""PASCAL VOC XML files: boxes, and the polygons of RectLabel. Coordinates are continuous, see utils.labels.polygons."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from utils.labels.marked import LabelledObject, reading_labels, require_pixel_coordinates, require_size
from utils.labels.polygons import rectangle

NEEDS = "it needs size/height, size/width and, for each object, name and bndbox with xmin, ymin, xmax, ymax"


class VocLabels(NamedTuple):
    """One VOC file: the size (height, width) of its image, its objects, and what had to be mended or is missing."""

    path: Path
    size: tuple[int, int]
    objects: list[LabelledObject]
    notes: list[str]
    faults: list[str]


def read_voc(path: Path, origin: int) -> VocLabels:
    """The objects of a PASCAL VOC XML file. Raises UserError naming the file when it is not one.

    origin: the number of the first pixel, 1 in PASCAL VOC (its boxes hold both corner pixels), 0 in files of programs
    that count from 0. A polygon is taken in place of the box beside it.
    """
    objects, notes, stored = [], [], []  # stored: corners as they stand in the file, where shares can be told
    with reading_labels(path, "VOC file", NEEDS):
        root = ElementTree.parse(path).getroot()
        size = tuple(int(float(root.findtext(f"size/{side}"))) for side in ("height", "width"))
        for number, item in enumerate(root.iter("object"), 1):
            name = item.findtext("name").strip()
            polygon, box = item.find("polygon"), item.find("bndbox")
            if polygon is not None:
                points = _polygon(polygon)
                stored.append(points)
                if box is not None:
                    notes.append(f"object {number} ({name}) has a polygon and a box: the polygon is taken")
            else:
                x0, y0, x1, y1 = (float(box.findtext(side)) for side in ("xmin", "ymin", "xmax", "ymax"))
                if x1 < x0 or y1 < y0:
                    notes.append(f"object {number} ({name}) has its corners in reverse order: they are exchanged")
                (x0, x1), (y0, y1) = sorted((x0, x1)), sorted((y0, y1))
                points = rectangle(x0 - origin, y0 - origin, x1 - origin + 1, y1 - origin + 1)
                stored.append(rectangle(x0, y0, x1, y1))
            objects.append(LabelledObject(name, [points]))
    require_size(str(path), size)
    require_pixel_coordinates(str(path), stored, size)
    faults = [] if objects else ["it has no objects, so its mask is all background"]
    return VocLabels(path, size, objects, notes, faults)


def _polygon(item: ElementTree.Element) -> np.ndarray:
    """The points (N, 2) of RectLabel's <polygon><x1>..</x1><y1>..</y1><x2>..."""
    values = {child.tag: float(child.text) for child in item}
    count = len(values) // 2
    points = np.array([(values[f"x{number}"], values[f"y{number}"]) for number in range(1, count + 1)])
    if count < 3:
        raise ValueError(f"a polygon has {count} points")
    return points
