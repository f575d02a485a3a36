"""objects.json: the objects of all sheets as a COCO data set.

Format: https://cocodataset.org/#format-data. Coordinates are continuous, see utils.labels.polygons. Polygons have no
holes, so that of a label covers the barcode on it, too; `area` counts the pixels of the object alone.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TextIO

from utils.digitise.record import SheetRecord
from utils.objects.regions import Region
from utils.utils import UserError, atomic_path, require_written


@contextmanager
def coco_file(path: Path, name_classes: Sequence[str]) -> Iterator[Callable[[SheetRecord], None]]:
    """Yields a function that adds one sheet with its objects to a COCO file; `path` appears at the end.

    The ids of categories are the class numbers, those of images and annotations count from 1; `object` is the number
    in objects.csv. A sheet's annotations are ordered from large to small, as many programs paint later ones on top.
    They wait in a second file until all images are listed. Raises UserError when the file cannot be written.
    """
    try:
        with (
            atomic_path(path) as temporary,
            open(temporary, "w", encoding="utf-8") as file,
            TemporaryFile("w+", encoding="utf-8", dir=path.parent) as annotations,
        ):
            categories = [
                {"id": index, "name": name, "supercategory": ""} for index, name in enumerate(name_classes[1:], 1)]
            info = {"description": "Objects on herbarium sheets, found by digitise.py"}
            file.write(f'{{"info": {json.dumps(info)},\n"licenses": [],\n"categories": {json.dumps(categories)},\n'
                       '"images": [')
            yield _Writer(file, annotations).write
            annotations.seek(0)
            file.write('\n],\n"annotations": [')
            shutil.copyfileobj(annotations, file)
            file.write("\n]}\n")
            file.flush()
            require_written(temporary, file.tell())
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error}): check the folder and the free space.") from error


class _Writer:
    """Adds images to one file and their annotations to another, and counts both for their ids."""

    def __init__(self, images: TextIO, annotations: TextIO) -> None:
        self.files = images, annotations
        self.counts = [0, 0]

    def write(self, record: SheetRecord) -> None:
        height, width = record.size
        image = self._add(0, {"file_name": record.name, "width": width, "height": height})
        regions = enumerate((item.region for item in record.objects), 1)
        for number, region in sorted(regions, key=lambda pair: -pair[1].width * pair[1].height):
            self._add(1, {"image_id": image, "object": number, **_annotation(region)})

    def _add(self, which: int, entry: dict[str, Any]) -> int:
        """The id that the entry was given in one of the two lists."""
        self.counts[which] += 1
        comma = "," if self.counts[which] > 1 else ""
        self.files[which].write(f"{comma}\n{json.dumps({'id': self.counts[which], **entry}, allow_nan=False)}")
        return self.counts[which]


def _annotation(region: Region) -> dict[str, Any]:
    score = {} if math.isnan(region.confidence) else {"score": round(region.confidence, 4)}
    return {
        "category_id": region.index,
        "bbox": [region.left, region.top, region.width, region.height],
        "area": region.area,
        "segmentation": [[round(value, 2) for point in region.polygon for value in point]],
        "iscrowd": 0,
        **score,
    }
