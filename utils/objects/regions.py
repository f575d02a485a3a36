"""Finds the objects in a mask, and counts the pixels of each class."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from utils.objects.boxes import object_boxes
from utils.objects.confidence import Calibration, calibrated
from utils.objects.outline import Rectangle, simplify, smallest_rectangle, trace

MIN_AREA = 0.0002  # share of the sheet; the smallest objects on real sheets, barcodes, have about 0.0016
TOLERANCE = 0.0002  # share of the longer side of the sheet that a region's polygon may leave its outline by
ROWS = 512  # rows processed at a time, to limit memory


class Region(NamedTuple):
    """An object: an instance, or an 8-connected component of a class. Lengths are in pixels of the upright sheet."""

    name: str
    index: int  # the class
    top: int
    left: int
    height: int
    width: int
    area: int
    centroid: tuple[float, float]  # row, column
    rectangle: Rectangle  # the one of the least area around it
    polygon: tuple[tuple[float, float], ...]  # outer outline of its largest piece, simplified: (x, y) on pixel edges
    touches_border: bool  # whether it reaches the edge of the sheet
    confidence: float = math.nan  # mean probability of its class over its pixels, calibrated, 0 to 1; NaN: unknown
    instance: int = 0  # its number in an instance mask; 0: none


def count_pixels(mask: np.ndarray, name_classes: Sequence[str]) -> dict[str, int]:
    """How many pixels of `mask`, uint8 (H, W), each class has; absent classes have 0."""
    counts = np.zeros(256, np.int64)
    for rows, columns in object_boxes(mask):
        for top in range(rows.start, rows.stop, ROWS):
            counts += np.bincount(mask[top:min(top + ROWS, rows.stop), columns].ravel(), minlength=256)
    counts[0] = mask.size - counts[1:].sum()
    return {name: int(count) for name, count in zip(name_classes, counts)}


def find_regions(
    mask: np.ndarray,
    name_classes: Sequence[str],
    min_area: float = MIN_AREA,
    probability: np.ndarray | None = None,
    instances: np.ndarray | None = None,
    calibration: Calibration = (),
) -> list[Region]:
    """The objects in a mask, sorted by class and then from top to bottom, without the background.

    Pixels of one class and one instance are one region, even if it has several pieces. Where there are no instances,
    pixels of one class that touch, even at a corner, are one region.

    Args:
        mask: uint8 (H, W).
        name_classes: background first.
        min_area: pieces smaller than this share of the sheet are specks and left out.
        probability: float (h, w), the probability of each pixel's class, over the whole sheet but usually at a smaller
            size; it makes the confidence of the regions.
        instances: uint16 (H, W), the number of the object that each pixel belongs to, 0 for none; None: all 0.
        calibration: what makes the confidence of that probability.
    """
    regions, pieces = [], {}
    for piece in _pieces(mask, name_classes, min_area, probability, instances):
        region = piece.region
        if region.instance:
            pieces.setdefault((region.index, region.instance), []).append(piece)
        else:
            regions.append(region)
    regions += map(_join, pieces.values())
    regions = [region._replace(confidence=float(calibrated(region.confidence, region.index, calibration)))
               for region in regions]
    return sorted(regions, key=lambda region: region[1:4])  # index, top, left


class _Piece(NamedTuple):
    """One 8-connected component of an object."""

    region: Region  # as if it were the whole object
    outline: np.ndarray  # float64 (N, 2) of x and y


def _pieces(
    mask: np.ndarray,
    name_classes: Sequence[str],
    min_area: float,
    probability: np.ndarray | None,
    instances: np.ndarray | None,
) -> Iterator[_Piece]:
    """Yields each component of each class and instance. Arguments: see `find_regions`."""
    for (y, x), index, instance, inside in _objects(mask, len(name_classes), instances):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
        for number, (left, top, width, height, area) in enumerate(stats[1:].tolist(), start=1):
            if area < min_area * mask.size:
                continue
            own = labels[top:top + height, left:left + width] == number
            piece = _piece(name_classes[index], index, (y + top, x + left), own, mask.shape)
            region = piece.region._replace(instance=instance)
            if probability is not None:
                region = region._replace(confidence=_mean_probability(region, own, mask.shape, probability))
            yield piece._replace(region=region)


def _objects(
    mask: np.ndarray, num_classes: int, instances: np.ndarray | None
) -> Iterator[tuple[tuple[int, int], int, int, np.ndarray]]:
    """Yields boxes with pixels of one class and instance: corner (row, column), class, instance, bool (height, width).

    Each component lies completely in one box. Arguments: see `find_regions`.
    """
    for rows, columns in object_boxes(mask):
        for index in range(1, num_classes):
            of_class = mask[rows, columns] == index
            numbers = [0] if instances is None else np.unique(instances[rows, columns][of_class]).tolist()
            for instance in numbers:
                inside = of_class & (instances[rows, columns] == instance) if len(numbers) > 1 else of_class
                for box in object_boxes(inside):
                    yield (rows.start + box[0].start, columns.start + box[1].start), index, instance, inside[box]


def _piece(name: str, index: int, corner: tuple[int, int], own: np.ndarray, size: tuple[int, int]) -> _Piece:
    """One component and its outline.

    Args:
        name, index: its class.
        corner: row and column of the upper left pixel of its box.
        own: its pixels, bool (height, width) of the box.
        size: height and width of the sheet.
    """
    (top, left), (height, width) = corner, own.shape
    outline = trace(own) + (left, top)
    corners = simplify(outline, TOLERANCE * max(size))
    moments = cv2.moments(own.view(np.uint8), binaryImage=True)
    area = round(moments["m00"])
    return _Piece(Region(
        name, index, top, left, height, width, area,
        (top + moments["m01"] / area, left + moments["m10"] / area),
        smallest_rectangle(outline), tuple(map(tuple, corners.tolist())),
        top == 0 or left == 0 or top + height == size[0] or left + width == size[1],
    ), outline)


def _join(pieces: Sequence[_Piece]) -> Region:
    """The region that all pieces of one object make together. Its polygon is that of the largest piece."""
    regions = [piece.region for piece in pieces]
    largest = max(regions, key=lambda region: region.area)
    if len(regions) == 1:
        return largest
    areas = [region.area for region in regions]
    top, left = min(region.top for region in regions), min(region.left for region in regions)
    row, column = np.average([region.centroid for region in regions], axis=0, weights=areas).tolist()
    return largest._replace(
        top=top, height=max(region.top + region.height for region in regions) - top,
        left=left, width=max(region.left + region.width for region in regions) - left,
        area=sum(areas), centroid=(row, column),
        rectangle=smallest_rectangle(np.concatenate([piece.outline for piece in pieces])),
        touches_border=any(region.touches_border for region in regions),
        confidence=float(np.average([region.confidence for region in regions], weights=areas)),
    )


def _mean_probability(
    region: Region, own: np.ndarray, size: tuple[int, int], probability: np.ndarray
) -> float:
    """The mean of `probability`, float (h, w), over the pixels of a region.

    Args:
        region: its box says where it lies.
        own: its pixels, bool (height, width) of the box.
        size: height and width of the sheet.
        probability: over the whole sheet, at any size.
    """
    box = np.s_[region.top:region.top + region.height, region.left:region.left + region.width]
    return float(probability_in(box, size, probability)[own].mean(dtype=np.float64))


def probability_in(box: tuple[slice, slice], size: tuple[int, int], probability: np.ndarray) -> np.ndarray:
    """That of the pixels in a box of the sheet, float (height, width). Arguments: see `_mean_probability`."""
    rows, columns = (np.arange(side.start, side.stop) * known // whole
                     for side, known, whole in zip(box, probability.shape, size))
    return probability[rows[:, None], columns]
