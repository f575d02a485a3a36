"""Reads the barcodes of a sheet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from zxingcpp import BarcodeFormat

from utils.digitise.barcodes.tries import MATRIX, Reading, object_views, read, sheet_views, to_formats
from utils.digitise.record import Code
from utils.objects.regions import Region

WEAK: tuple[str, ...] = ("Codabar", "ITF")  # simple bars without a check digit: read on barcode objects only
CROWDED = 0.4  # share of an object that its codes cover; below it there may be another one


def read_codes(
    pixels: np.ndarray,
    regions: Sequence[Region],
    barcode_class: int | None,
    symbologies: Sequence[str],
) -> list[Code]:
    """All barcodes of a sheet: first those on the objects of the class Barcode, then others.

    Every object is tried in several ways, from cheap to dear, until it is read; then the whole sheet is searched, so
    codes that the network did not see, or took for something else, are found, too.

    Args:
        pixels: the sheet, uint8 (H, W, 3) RGB.
        regions: its objects.
        barcode_class: the class of barcodes; None: there is none.
        symbologies: the kinds to look for; see FORMATS.

    Raises:
        UserError: a symbology is unknown.
    """
    formats = to_formats(symbologies)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    found: list[Reading] = []
    objects = [region for region in regions if region.index == barcode_class]
    for region in objects:
        _read_object(grey, region, formats, found)
    linear, matrix = (to_formats([name for name in symbologies if name not in WEAK and (name in MATRIX) == square])
                      for square in (False, True))
    smaller, larger = sheet_views(grey)
    _add_new(found, read(grey, smaller, linear + matrix))
    _add_new(found, read(grey, larger, linear))
    if not found and not objects:  # squares take four times as long as bars
        _add_new(found, read(grey, larger, matrix))
    return place_codes([
        Code(item.text, item.symbology, tuple(map(tuple, item.corners.tolist())), item.read_by) for item in found
    ], regions)


def place_codes(codes: Sequence[Code], regions: Sequence[Region]) -> list[Code]:
    """The codes, each with the number of the region that its centre lies on; of nested ones it is the smallest."""
    placed = []
    for code in codes:
        centre = np.mean(code.corners, axis=0)
        around = [number for number, region in enumerate(regions) if _contains(region.polygon, centre)]
        number = min(around, key=lambda number: regions[number].area, default=None)
        placed.append(dataclasses.replace(code, object=number))
    return placed


def _read_object(grey: np.ndarray, region: Region, formats: Sequence[BarcodeFormat], found: list[Reading]) -> None:
    """Adds the codes on an object to `found`.

    The first try that reads one is the last, or the last but one when there is room for another code beside it.

    Args:
        grey: the sheet, uint8 (H, W).
        region: the object.
        formats: see `to_formats`.
        found: what is known already.
    """
    done = False
    for view in object_views(grey, region.rectangle):
        _add_new(found, read(grey, view, formats))
        own = [reading for reading in found if _contains(region.polygon, reading.corners.mean(axis=0))]
        if done or sum(cv2.contourArea(reading.corners.astype(np.float32)) for reading in own) >= CROWDED * region.area:
            return
        done = bool(own)


def _add_new(found: list[Reading], readings: Sequence[Reading]) -> None:
    """Adds the readings of codes that are not in `found` yet. The first reading of a code counts."""
    found += [reading for reading in readings if not any(_is_same(reading, other) for other in found)]


def _is_same(one: Reading, other: Reading) -> bool:
    """Whether two readings are of one code: the middle of the one lies on the other."""
    return any(_contains(under.corners, over.corners.mean(axis=0)) for under, over in ((one, other), (other, one)))


def _contains(polygon: Sequence[Sequence[float]] | np.ndarray, point: np.ndarray) -> bool:
    """Whether the point, x and y, lies in the polygon, corners (N, 2)."""
    return cv2.pointPolygonTest(np.asarray(polygon, np.float32), point.tolist(), False) >= 0
