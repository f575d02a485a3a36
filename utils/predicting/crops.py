"""Cuts each object of a sheet out into its own file."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils.files.images import Kept, write_picture
from utils.objects.regions import Region
from utils.predicting.plan import SheetFiles

CROP_MARGIN = 0.004  # extra border of a crop, as a share of the sheet's diagonal, because outlines are not exact


def write_crops(
    sheet: SheetFiles, pixels: np.ndarray, kept: Kept, regions: Sequence[Region], name_classes: Sequence[str]
) -> list[Path]:
    """The crop files of a sheet, one upright rectangle for each of `regions`, after writing them.

    They are <class number>_<class>/<sheet>_<n> in the folder of crops, in the format of the sheet. n counts the objects
    of a class from top to bottom. The folder's name has no spaces. Files of an earlier run with a higher n are removed.

    Args:
        sheet: where the results go.
        pixels: the photograph, uint8 or uint16 (H, W, 3) RGB.
        kept: format and metadata of its file, for the crops.
        regions: the objects to cut out.
        name_classes: names for the folders, background first.

    Raises:
        UserError: a crop cannot be written.
    """
    height, width = pixels.shape[:2]
    margin = round(CROP_MARGIN * math.hypot(height, width))
    options = {key: value for key, value in kept.options.items() if key != "exif"}  # its thumbnail shows the sheet
    counts, written = dict.fromkeys(range(1, len(name_classes)), 0), []

    def path(index: int, number: int) -> Path:
        folder = re.sub(r'[<>:"/\\|?*\s\x00-\x1f]', "_", f"{index}_{name_classes[index]}")
        return sheet.crops / folder / sheet.name.with_name(f"{sheet.name.stem}_{number}{sheet.name.suffix}")

    for region in regions:
        counts[region.index] += 1
        rows = slice(max(0, region.top - margin), min(height, region.top + region.height + margin))
        columns = slice(max(0, region.left - margin), min(width, region.left + region.width + margin))
        written.append(path(region.index, counts[region.index]))
        write_picture(written[-1], np.ascontiguousarray(pixels[rows, columns]), kept._replace(options=options))
    for index, number in counts.items():
        while (left_over := path(index, number + 1)).exists():
            left_over.unlink()
            number += 1
    return written
