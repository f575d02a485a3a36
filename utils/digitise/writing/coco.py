"""objects.json: the objects and specimens of all sheets as a COCO data set.

Coordinates are continuous, see utils.labels.polygons. Polygons have no holes, so that of a label covers the barcode on
it, too; `area` counts the pixels of the object alone. The polygon of a specimen is its box: some readers fail without
polygons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from utils.digitise.record import SheetRecord
from utils.labels.formats import coco_writing
from utils.objects.regions import Region


@contextmanager
def coco_file(path: Path, name_classes: Sequence[str]) -> Iterator[Callable[[SheetRecord], None]]:
    """Yields a function that adds one sheet with its objects to a COCO file; `path` appears at the end.

    The ids of categories are the class numbers; `object` is the number in objects.csv. A sheet's annotations are
    ordered from large to small, as many programs paint later ones on top. Raises UserError when the file cannot be
    written.
    """
    names = dict(enumerate(name_classes[1:], 1))
    with coco_writing.coco_file(path, names, "Objects on herbarium sheets, found by digitise.py") as add_image:

        def write(record: SheetRecord) -> None:
            regions = enumerate((item.region for item in record.all_objects), 1)
            ordered = sorted(regions, key=lambda pair: -pair[1].width * pair[1].height)
            annotations = ({"object": number, **_annotation(region)} for number, region in ordered)
            add_image(record.name, record.size, annotations)

        yield write


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
