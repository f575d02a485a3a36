"""Records of invented sheets, and pages made of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from utils.digitise.record import Code, Problem, Scale, SheetObject, SheetRecord
from utils.digitise.report.page import ReportSheet, Totals, write_report
from utils.objects.outline import Rectangle
from utils.objects.regions import Region
from utils.utils import NAME_CLASSES, default_colors


def record(
    name: str,
    objects: str = "",
    confidence: float = math.nan,
    codes: tuple[str, ...] = (),
    problems: tuple[str, ...] = (),
    px_per_cm: float | None = None,
) -> SheetRecord:
    """A sheet of 400 x 300 pixels.

    Args:
        name: of the file.
        objects: the numbers of their classes, such as "122" for a barcode and two labels.
        confidence: of the first object; the others have 1.
        codes: texts of barcodes.
        problems: their kinds; the sentences are "<kind> of <name>".
        px_per_cm: None: not measured.
    """
    regions = [
        Region(NAME_CLASSES[int(index)], int(index), 10, 20 * number, 40, 20, 800, (30.0, 20.0 * number + 10),
               Rectangle(20.0 * number + 10, 30.0, 20.0, 40.0, 0.0),
               ((20.0 * number, 10.0), (20.0 * number + 20, 10.5), (20.0 * number + 20, 50.0)), False,
               1.0 if number else confidence)
        for number, index in enumerate(objects)
    ]
    return SheetRecord(
        name, (400, 300), "JPEG", "0" * 64, tuple(map(SheetObject, regions)),
        tuple(Code(text, "Code 39", ((0.0, 0.0),) * 4, "object, 1x") for text in codes),
        px_per_cm and Scale(px_per_cm, 0.5, "cm", "ticks", (0.0, 0.0), (200.0, 0.0)),
        problems=tuple(Problem(kind, f"{kind} of {name}") for kind in problems),
    )


def counted(records: list[SheetRecord]) -> Totals:
    """The totals of these sheets."""
    totals = Totals(NAME_CLASSES)
    for item in records:
        totals.add(item)
    return totals


def report(path: Path, records: list[SheetRecord], totals: Totals | None = None, **options: Any) -> str:
    """The HTML of a report of these sheets, each with a picture. options: of `write_report`."""
    sheets = (ReportSheet(item, picture(path.parent / f"{number}.jpg")) for number, item in enumerate(records))
    write_report(
        path, sheets, totals or counted(records), title="Report", folder="sheets", name_classes=NAME_CLASSES,
        colors=default_colors(len(NAME_CLASSES)), **options,
    )
    return path.read_text(encoding="utf-8")


def picture(path: Path, height: int = 40, width: int = 30) -> Path:
    """Writes a JPEG of noise, so that two of them differ, and returns its path."""
    noise = np.random.default_rng(len(path.name)).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path
