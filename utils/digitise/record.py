"""The one record of a sheet that tables, report, API and page are made from.

Lengths are in pixels of the upright photograph, x to the right and y down, from the upper left corner of the upper left
pixel. Everything in a record is a plain Python value, so it can be written as JSON and sent between processes.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

from utils.objects.outline import Rectangle
from utils.objects.regions import Region

Point = tuple[float, float]


@dataclass(frozen=True)
class Code:
    """A barcode that was read."""

    text: str
    symbology: str                          # as zxing-cpp calls it: "Code 39", "Data Matrix"
    corners: tuple[Point, Point, Point, Point]  # as the code is read: top left, top right, bottom right, bottom left
    read_by: str                            # the try that read it, in words: "object, 2x, sharpened", "whole sheet, 1x"
    object: int | None = None               # index in SheetRecord.objects of the object that it lies on


@dataclass(frozen=True)
class SheetObject:
    """An object that a network found, or that a decoded barcode showed."""

    region: Region
    codes: tuple[int, ...] = ()             # indices in SheetRecord.codes
    crop: str = ""                          # path of its crop in the output folder; "": not cut out
    turn: int = 0                           # quarter turns clockwise, 0 to 3, that make its text or bars upright
    likeness: float | None = None           # of a barcode that was not read to a code; see `code_likeness`


@dataclass(frozen=True)
class Scale:
    """The resolution, measured on a ruler."""

    px_per_cm: float
    uncertainty_percent: float              # two standard deviations
    unit: str                               # of the ruler: "cm", "mm" or "inch"
    kind: str                               # what was counted: "ticks" or "blocks"
    start: Point                            # the stretch that was measured
    end: Point
    object: int | None = None               # index in SheetRecord.objects of the ruler


@dataclass(frozen=True)
class ChartColours:
    """The colours of a colour chart."""

    object: int                             # index in SheetRecord.objects
    patches: tuple[tuple[float, float, float], ...]  # CIELAB (D50) of each colour patch, the lightest first
    clipped_light: float                    # share of the chart's pixels with a channel at 254 or 255
    clipped_dark: float                     # share with all channels at most 2
    cast: tuple[float, float] | None        # mean a*, b* of the grey patches; None: there are too few


@dataclass(frozen=True)
class Photograph:
    """What the pixels say of the photograph as a whole."""

    sharpness: float                        # 0 to 1, pixel by pixel, where there is most detail; 0: there is none
    dark: float                             # share of pixels with all channels at most 5
    light: float                            # share of pixels with all channels at least 250
    brightness: float                       # median lightness of the sheet's paper, CIELAB L*
    entropy: float                          # mean entropy of the classes, in units of its maximum, 0 to 1
    paper: float                            # share of the photograph that looks like the sheet's paper
    objects: float                          # share of the photograph that objects cover
    turned: int = 0                         # degrees clockwise, 0, 90, 180 or 270, by which the sheet lies turned


@dataclass(frozen=True)
class Problem:
    """Something that a person should look at."""

    kind: str                               # one word or a few with underscores: "no_barcode", "barcode_unread"
    text: str                               # one sentence for the technician


@dataclass(frozen=True)
class SheetRecord:
    """All that is known of one sheet."""

    name: str                               # path within the input folder, with forward slashes
    size: tuple[int, int]                   # height, width
    format: str                             # "JPEG", "PNG" or "TIFF"
    sha256: str                             # of the file
    objects: tuple[SheetObject, ...] = ()   # those of the mask
    codes: tuple[Code, ...] = ()
    scale: Scale | None = None
    charts: tuple[ChartColours, ...] = ()
    photograph: Photograph | None = None
    specimens: tuple[SheetObject, ...] | None = None  # boxes that a detector found; None: they were not looked for
    files: tuple[str, ...] = ()             # the sheet's own files, as paths in the output folder
    key: str = ""                           # of the file, the settings and the weights: an equal key needs no new work
    problems: tuple[Problem, ...] = field(default=())  # of the sheet alone; those of the batch are found at the end

    @property
    def all_objects(self) -> tuple[SheetObject, ...]:
        """Objects, then specimens. Tables and other files number them in this order, from 1."""
        return self.objects + (self.specimens or ())


def to_json(record: SheetRecord) -> str:
    """The record as one line of JSON; NaN becomes null."""
    return json.dumps(plain(record), ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """`value` of dataclasses and named tuples as dictionaries, lists and numbers."""
    if dataclasses.is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def from_json(text: str) -> SheetRecord:
    """The record that `to_json` wrote. Raises ValueError, KeyError or TypeError for any other text."""
    data = json.loads(text)
    return SheetRecord(**{
        **data,
        "size": tuple(data["size"]), "files": tuple(data["files"]),
        "objects": _objects(data["objects"]),
        "specimens": None if data["specimens"] is None else _objects(data["specimens"]),
        "codes": tuple(Code(**{**item, "corners": _points(item["corners"])}) for item in data["codes"]),
        "scale": data["scale"] and Scale(**{
            **data["scale"], "start": tuple(data["scale"]["start"]), "end": tuple(data["scale"]["end"])}),
        "charts": tuple(
            ChartColours(**{**item, "patches": _points(item["patches"]), "cast": item["cast"] and tuple(item["cast"])})
            for item in data["charts"]),
        "photograph": data["photograph"] and Photograph(**data["photograph"]),
        "problems": tuple(Problem(**item) for item in data["problems"]),
    })


def _objects(data: list[dict[str, Any]]) -> tuple[SheetObject, ...]:
    return tuple(SheetObject(**{**item, "region": _region(item["region"]), "codes": tuple(item["codes"])})
                 for item in data)


def _region(data: dict[str, Any]) -> Region:
    return Region(**{
        **data, "centroid": tuple(data["centroid"]), "rectangle": Rectangle(**data["rectangle"]),
        "polygon": _points(data["polygon"]),
        "confidence": math.nan if data["confidence"] is None else data["confidence"],
    })


def _points(data: list[list[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, data))
