"""Labelled objects, to make boxes of, from labelme files, masks and files with the boxes of specimens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils.detection.boxes import SPECIMEN
from utils.files.images import opened
from utils.files.masks import read_instances, read_mask, require_fitting_instances, require_known_values, value_counts
from utils.files.metadata import orientation
from utils.files.voc import instance_file
from utils.labels.formats.labelme import read_labelme
from utils.labels.marked import LabelledObject, reading_labels, require_pixel_coordinates
from utils.labels.polygons import rectangle
from utils.labels.shapes import Shape
from utils.labels.tally import Outcome
from utils.objects.regions import find_regions
from utils.utils import UserError


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of the upright image in a file, which is not decoded. Raises UserError like `read_image`."""
    with opened(path) as image:
        lies = orientation(image) in (5, 6, 7, 8)
        return (image.width, image.height) if lies else (image.height, image.width)


def labelme_objects(path: Path, size: tuple[int, int]) -> list[LabelledObject]:
    """The objects in a labelme file, with polygons in pixels. Shapes of one label and group are one object.

    size: height and width of the image. Raises UserError when the file is for another size or cannot be read.
    """
    annotation = read_labelme(path)
    if annotation.size and annotation.size != size:
        raise UserError(
            f"{path} is for an image of {annotation.size[1]} x {annotation.size[0]} pixels and the image has {size[1]} "
            f"x {size[0]}: label this image, or put the one there that was labelled."
        )
    objects: dict[object, LabelledObject] = {}
    for number, shape in enumerate(annotation.shapes):
        key = number if shape.group_id is None else (shape.label, shape.group_id)
        objects.setdefault(key, LabelledObject(shape.label, [])).polygons.append(_corners(shape))
    return list(objects.values())


def _corners(shape: Shape) -> np.ndarray:
    """Points, float64 (N, 2), with the same box as the shape."""
    if shape.kind == "circle":
        radius = np.linalg.norm(shape.points[1] - shape.points[0])
        return np.stack([shape.points[0] - radius, shape.points[0] + radius])
    if shape.kind == "mask":
        rows, columns = (np.flatnonzero(shape.patch.any(axis)) for axis in (1, 0))
        if len(rows):
            corner = np.round(shape.points[0])
            return np.array([corner + (columns[0], rows[0]), corner + (columns[-1] + 1, rows[-1] + 1)])
    return shape.points


def mask_objects(
    path: Path, name_classes: Sequence[str], size: tuple[int, int], smallest: float
) -> tuple[list[LabelledObject], list[Outcome]]:
    """The objects in a mask, with rectangles in pixels, and what became of those that are left out as specks.

    An object is an instance, if the sheet has an instance mask, or else an 8-connected component of a class.

    Args:
        path: the mask.
        name_classes: background first.
        size: height and width of the image.
        smallest: objects with fewer pixels are specks.

    Raises:
        UserError: the mask cannot be read, or does not fit the image, its classes or its instance mask.
    """
    mask, instances = read_mask(path), None
    require_known_values(path, value_counts(mask), len(name_classes))
    if mask.shape != size:
        raise UserError(
            f"{path} is {mask.shape[1]} x {mask.shape[0]} pixels and the image is {size[1]} x {size[0]}: make the mask "
            "from this image again."
        )
    if instance_file(path).exists():
        instances = read_instances(instance_file(path))
        require_fitting_instances(instance_file(path), instances, path, mask)
    objects, specks = [], []
    for region in find_regions(mask, name_classes, 0, instances=instances):
        corners = rectangle(region.left, region.top, region.left + region.width, region.top + region.height)
        if region.area < smallest:
            specks.append(Outcome(region.name, "ignored", f"smaller than {smallest:.0f} pixels"))
        else:
            objects.append(LabelledObject(region.name, [corners]))
    return objects, specks


def read_specimens(path: Path) -> dict[str, list[LabelledObject]]:
    """The specimens of each sheet, by the stem of its image, from a JSON file; rectangles in pixels.

    The file is {"<image>": {"specimens": [[x1, y1, x2, y2], ...]}, ...}. Other keys beside "specimens" do not count.
    Raises UserError when it is none.
    """
    found = {}
    with reading_labels(path, "file of specimens", 'it needs {"<image>": {"specimens": [[x1, y1, x2, y2], ...]}, ...}'):
        for name, sheet in json.loads(path.read_text(encoding="utf-8-sig")).items():
            boxes = np.array(sheet["specimens"], np.float64).reshape(-1, 4)
            if not np.isfinite(boxes).all():
                raise ValueError(f"a box of {name} is not finite")
            found[Path(name).stem] = [LabelledObject(SPECIMEN, [rectangle(*box)]) for box in boxes.tolist()]
    return found


def require_pixels(what: Path, objects: Sequence[LabelledObject], size: tuple[int, int]) -> None:
    """Raises UserError when the objects of an image of that size cannot be in pixels."""
    require_pixel_coordinates(str(what), [polygon for each in objects for polygon in each.polygons], size)
