"""Reads the barcodes of a sheet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from zxingcpp import BarcodeFormat

from utils.digitise.reading.barcode_mask import correct_mask  # noqa: F401
from utils.digitise.reading.barcode_names import matches_name, text_of_name  # noqa: F401
from utils.digitise.reading.barcode_tries import (
    MATRIX,
    Reading,
    object_views,
    read,
    sheet_views,
    to_formats,
)
from utils.digitise.record import Code
from utils.objects.regions import Region

# Those that people put on herbarium sheets. UPC and EAN-8 are not among them, and are read where there is nothing.
SYMBOLOGIES: tuple[str, ...] = ("Code 39", "Code 128", "Codabar", "ITF", "EAN-13", "QR Code", "Data Matrix")
WEAK: tuple[str, ...] = ("Codabar", "ITF")  # ruler ticks look like them: read on barcode objects only
CROWDED = 0.4  # share of an object that its codes cover; below it there may be another one


def read_codes(
    pixels: np.ndarray,
    regions: Sequence[Region],
    barcode_class: int | None,
    symbologies: Sequence[str] = SYMBOLOGIES,
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

    The first try that reads one is the last but one, if there may be another code beside it, or else the last.

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
    """Adds the readings of codes that are not in `found` yet: of two texts at one place, the first one counts."""
    found += [reading for reading in readings if not any(_is_same(reading, other) for other in found)]


def _is_same(one: Reading, other: Reading) -> bool:
    """Whether two readings are of the same code: one text and near each other, or one on top of the other."""
    centres = one.corners.mean(axis=0), other.corners.mean(axis=0)
    longest = max(np.linalg.norm(reading.corners[side] - reading.corners[0]) for reading in (one, other)
                  for side in (1, 3))
    near = np.linalg.norm(centres[0] - centres[1]) < longest / 2
    return one.text == other.text and near or (
        _contains(one.corners, centres[1]) or _contains(other.corners, centres[0]))


def _contains(polygon: Sequence[Sequence[float]] | np.ndarray, point: np.ndarray) -> bool:
    """Whether the point, x and y, lies in the polygon, corners (N, 2)."""
    return cv2.pointPolygonTest(np.asarray(polygon, np.float32), point.tolist(), False) >= 0
