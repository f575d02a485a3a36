"""Records of a small sheet, with nothing wrong unless it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from helpers import ROOT
from utils import config
from utils.detection.boxes import SPECIMEN
from utils.digitise.record import ChartColours, Code, Photograph, Problem, Scale, SheetObject, SheetRecord
from utils.objects.outline import Rectangle
from utils.objects.regions import Region
from utils.utils import NAME_CLASSES

Box = tuple[int, int, int, int]  # left, top, width, height

SIZE = (300, 100)  # height, width
BOXES: dict[str, Box] = {
    "Barcode": (10, 12, 20, 12), "Label": (20, 220, 40, 60), "Color chart": (60, 10, 30, 20), "Scale": (10, 50, 5, 100),
}
CODE = Code("K0001", "Code 39", ((10.0, 12.0), (30.0, 12.0), (30.0, 24.0), (10.0, 24.0)), "object, 1x", 0)


def record(name: str = "K0001.jpg", size: tuple[int, int] = SIZE, sha256: str = "", **boxes: Box) -> SheetRecord:
    """A sheet with one object of each class, in BOXES or the `boxes` given by class, and a barcode that was read."""
    objects = tuple(item(kind, box, size) for kind, box in (BOXES | boxes).items())
    return SheetRecord(name, size, "JPEG", sha256, objects, (CODE,))


def item(name: str, box: Box, size: tuple[int, int] = SIZE, confidence: float = 0.95) -> SheetObject:
    left, top, width, height = box
    right, bottom = left + width, top + height
    border = left == 0 or top == 0 or right == size[1] or bottom == size[0]
    return SheetObject(Region(
        name, NAME_CLASSES.index(name), top, left, height, width, height * width, (top + height / 2, left + width / 2),
        Rectangle(left + width / 2, top + height / 2, width, height, 0.0),
        ((left, top), (right, top), (right, bottom), (left, bottom)), border, confidence,
    ), codes=(0,) if name == "Barcode" else ())


def specimen(box: Box, size: tuple[int, int] = SIZE, score: float = 0.75) -> SheetObject:
    """A specimen, as the first class behind those of the masks."""
    found = item("Scale", box, size, score)
    return replace(found, region=found.region._replace(name=SPECIMEN, index=len(NAME_CLASSES)))


def ruler(px_per_cm: float) -> Scale:
    """What was measured on the fourth object of `record`, its ruler."""
    return Scale(px_per_cm, 0.2, "cm", "ticks", (12.0, 50.0), (12.0, 150.0), 3)


def chart(
    patches: Sequence[tuple[float, float, float]] = (), light: float = 0.0, dark: float = 0.0,
    cast: tuple[float, float] | None = (0.0, 0.0),
) -> ChartColours:
    """What was measured on the third object of `record`, its color chart."""
    return ChartColours(2, tuple(patches), light, dark, cast)


def photograph(**changes: float) -> Photograph:
    """A sharp and well exposed one of a sheet."""
    return Photograph(**{
        "sharpness": 0.7, "dark": 0.0, "light": 0.0, "brightness": 90.0, "entropy": 0.02, "paper": 0.6, "objects": 0.1,
        **changes})


def limits(**changes: object) -> config.Settings:
    """The constants of digitise.py without a detector, which say what is still right."""
    return config.read(ROOT / "digitise.py", **{"required_classes": NAME_CLASSES[1:], **changes})


def kinds(problems: Sequence[Problem]) -> list[str]:
    return [problem.kind for problem in problems]
