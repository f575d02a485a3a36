"""One picture with the labels and barcodes of a sheet, for transcription and OCR programs, and a map to the sheet."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from utils.files.images import Kept, to_uint8, write_picture, writing
from utils.files.tables import write_text
from utils.predicting.crops import Cut, as_jpeg

BORDER = 24              # pixels of white around each object, so that programs keep the texts of two objects apart
MAX_PIXELS = 25_000_000  # a larger collage is scaled down: OCR programs and services take no pictures of any size
WIDTHS = 24              # how many widths are tried


class Entry(NamedTuple):
    """An object of the collage."""

    cut: Cut
    number: int  # among the objects of its class
    crop: str  # path of its crop in the output folder; "": there is none


def write_collage(path: Path, name: Path, size: tuple[int, int], entries: Sequence[Entry], kept: Kept) -> list[Path]:
    """The files of the collage, `path` and the JSON map beside it, after writing them.

    Without entries there are none, and those of an earlier run are removed. The map is described in docs/formats.md.

    Args:
        path: the picture, a .jpg.
        name: the sheet's path within the input folder.
        size: height and width of the sheet.
        entries: the objects to place.
        kept: format and metadata of the sheet's file.

    Raises:
        UserError: a file cannot be written.
    """
    map_path = path.with_suffix(".json")
    if not entries:
        for left_over in (path, map_path):
            with writing(left_over):
                left_over.unlink(missing_ok=True)
        return []
    pixels, collage_map = make_collage(entries)
    write_picture(path, pixels, as_jpeg(kept))
    head = {"sheet": name.as_posix(), "sheet_height": size[0], "sheet_width": size[1], "collage": path.name}
    write_text(map_path, json.dumps({**head, **collage_map}, ensure_ascii=False) + "\n")
    return [path, map_path]


def make_collage(entries: Sequence[Entry]) -> tuple[np.ndarray, dict[str, Any]]:
    """The collage, uint8 (H, W, 3), and what its map says of it. `entries` may not be empty."""
    places, (height, width) = arrange([entry.cut.pixels.shape[:2] for entry in entries])
    pixels = np.full((height, width, 3), 255, np.uint8)
    for entry, (left, top) in zip(entries, places):
        rows, columns = entry.cut.pixels.shape[:2]
        pixels[top:top + rows, left:left + columns] = to_uint8(entry.cut.pixels)
    scale = min(1.0, math.sqrt(MAX_PIXELS / (height * width)))
    if scale < 1:
        pixels = cv2.resize(pixels, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_AREA)
    x_scale, y_scale = pixels.shape[1] / width, pixels.shape[0] / height
    objects = []
    for entry, (left, top) in zip(entries, places):
        rows, columns = entry.cut.pixels.shape[:2]
        to_cut = [[1 / x_scale, 0, -left], [0, 1 / y_scale, -top], [0, 0, 1]]
        box = [left * x_scale, top * y_scale, columns * x_scale, rows * y_scale]
        objects.append({
            "class": entry.cut.name, "number": entry.number, "crop": entry.crop,
            "box": [round(value, 3) for value in box],
            "to_sheet": (entry.cut.to_sheet @ to_cut).round(9).tolist(),
        })
    return pixels, {"height": pixels.shape[0], "width": pixels.shape[1], "scale": round(scale, 6), "objects": objects}


def to_sheet(collage_map: Mapping[str, Any], x: float, y: float) -> tuple[float, float] | None:
    """Where the point (x, y) of a collage lies on the sheet; None between the objects.

    collage_map: as in the JSON file.
    """
    for item in collage_map["objects"]:
        left, top, width, height = item["box"]
        if left <= x < left + width and top <= y < top + height:
            (a, b, c), (d, e, f) = item["to_sheet"]
            return a * x + b * y + c, d * x + e * y + f
    return None


def arrange(sizes: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """The left and top of each rectangle (height, width) on the collage, and the collage's height and width.

    The rectangles stand on shelves, the highest ones first. Of several widths, the one that gives the least area is
    taken, as long as the collage is not much longer than wide, or the reverse.
    """
    widest = max(width for _, width in sizes) + 2 * BORDER
    total = sum(width + BORDER for _, width in sizes) + BORDER
    tries = [_shelves(sizes, round(width)) for width in np.geomspace(widest, max(widest, total), WIDTHS)]
    return min(tries, key=lambda found: _cost(*found[1]))


def _cost(height: int, width: int) -> float:
    """The area, and more for a collage of which one side is more than twice as long as the other."""
    return height * width * max(1.0, max(height, width) / min(height, width) / 2)


def _shelves(sizes: Sequence[tuple[int, int]], width: int) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """As `arrange`, each rectangle on the first shelf of at most `width` that has room."""
    places = [(0, 0)] * len(sizes)
    shelves: list[list[int]] = []  # top and next free left
    bottom = BORDER
    for index in sorted(range(len(sizes)), key=lambda index: -sizes[index][0]):
        needed = sizes[index][1] + BORDER
        shelf = next((shelf for shelf in shelves if shelf[1] + needed <= width), None)
        if shelf is None:
            shelf = [bottom, BORDER]
            shelves.append(shelf)
            bottom += sizes[index][0] + BORDER
        places[index] = (shelf[1], shelf[0])
        shelf[1] += needed
    return places, (bottom, max(free for _, free in shelves))
