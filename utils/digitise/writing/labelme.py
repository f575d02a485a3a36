"""labelme/<sheet>.json, to correct what was found, and to_correct.txt, which sheets to begin with."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from utils.digitise.record import SheetObject, SheetRecord
from utils.files.tables import write_text
from utils.labels.formats.labelme import write_labelme
from utils.labels.polygons import Outline, area, outlines
from utils.objects.boxes import object_boxes
from utils.objects.regions import MIN_AREA, TOLERANCE, Region
from utils.utils import printable

INCOMPLETE = -1.0  # in place of the confidence, for sheets that lack an object


def labelme_name(sheet: str) -> str:
    """The path of a sheet's JSON file in the output folder."""
    return PurePosixPath("labelme", sheet).with_suffix(".json").as_posix()


def write_sheet(
    path: Path, mask: np.ndarray, objects: Sequence[SheetObject], specimens: Sequence[SheetObject],
    name_classes: Sequence[str], image: Path,
) -> None:
    """Writes the objects of one sheet as a labelme file.

    Args:
        path: the JSON file.
        mask, objects, specimens: as in `described_shapes`.
        name_classes: background first, specimens last.
        image: the original photograph, which is named in the file.

    Raises:
        UserError: no relative path leads from the file to the image.
    """
    shapes, descriptions = described_shapes(mask, objects, specimens)
    write_labelme(path, shapes, dict(enumerate(name_classes)), mask.shape, image, descriptions)


def described_shapes(
    mask: np.ndarray, objects: Sequence[SheetObject], specimens: Sequence[SheetObject]
) -> tuple[list[Outline], list[str]]:
    """The shapes of a sheet, what lies inside behind what is around it; the description of each is its confidence.

    Holes are shapes of the background, so that labelme_to_deeplab.py makes the same mask again. Specimens are
    rectangles and come first, so that nobody has to move one to get at an object.

    Args:
        mask: uint8 (H, W), where the objects were found.
        objects: of the mask.
        specimens: boxes.
    """
    shapes = [(hole, "") for hole in _holes(mask)]
    shapes += [_described(item.region, np.array(item.region.polygon)) for item in objects]
    shapes.sort(key=lambda shape: -area(shape[0].points))  # what lies inside comes later, on top
    boxes = [_described(item.region, np.array(item.region.polygon[::2])) for item in specimens]  # opposite corners
    return [outline for outline, _ in boxes + shapes], [description for _, description in boxes + shapes]


def _described(region: Region, points: np.ndarray) -> tuple[Outline, str]:
    description = "" if math.isnan(region.confidence) else f"confidence {region.confidence:.2f}"
    return Outline(region.index, points, region.area), description


def _holes(mask: np.ndarray) -> Iterator[Outline]:
    """Yields the outlines of the background within objects. Those as small as specks are left out."""
    least = MIN_AREA * mask.size
    for rows, columns in object_boxes(mask):
        filled = (mask[rows, columns] > 0).view(np.uint8)
        contours, parents = cv2.findContours(filled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        around = [contour for contour, (*_, parent) in zip(contours, parents[0])
                  if parent >= 0 and cv2.contourArea(contour) >= least]  # the pixels around each hole
        if around:  # a look at the components, which takes longer, is worth it
            x, y, width, height = cv2.boundingRect(np.concatenate(around))
            for outline in outlines(filled[y:y + height, x:x + width], TOLERANCE * max(mask.shape), math.ceil(least)):
                if outline.value == 0:
                    yield outline._replace(points=outline.points + (columns.start + x, rows.start + y))


@contextmanager
def correction_list(path: Path, required: Collection[str]) -> Iterator[Callable[[SheetRecord], None]]:
    """Yields a function that adds one sheet to a list of the labelme files, one a line; `path` appears at the end.

    First come the sheets without objects or without one of the classes in `required`, then those with the least
    confident objects. Raises UserError when the file cannot be written.
    """
    sheets: list[tuple[float, str]] = []

    def write(record: SheetRecord) -> None:
        complete = record.objects and {item.region.name for item in record.all_objects}.issuperset(required)
        sheets.append((lowest_confidence(record) if complete else INCOMPLETE, record.name))

    yield write
    write_text(path, "".join(f"{printable(labelme_name(name))}\n" for _, name in sorted(sheets)))


def lowest_confidence(record: SheetRecord) -> float:
    """That of the least confident object of the mask; infinite where none is known."""
    confidences = [item.region.confidence for item in record.objects]
    return min((value for value in confidences if not math.isnan(value)), default=math.inf)
