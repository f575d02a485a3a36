"""What a request for a sheet gets, by media type: JSON, a mask, a picture, a labelme file or a package of all."""

from __future__ import annotations

import hashlib
import io
import json
import math
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from utils.config import Settings
from utils.digitise.checks import check_sheet
from utils.digitise.record import SheetObject, SheetRecord, plain
from utils.digitise.sheet import (
    CROPS, SPECIMENS, Analysed, Model, Models, analyse, find_objects, specimens_of, with_crops,
)
from utils.digitise.writing.labelme import described_shapes
from utils.digitise.writing.plant import paint_over
from utils.files.encode import encode_jpeg
from utils.files.images import read_picture, to_uint8
from utils.files.jobs import warn
from utils.files.masks import encode_mask
from utils.files.metadata import Kept
from utils.files.source import Upload
from utils.labels.formats.labelme import labelme_data
from utils.objects.drawing import draw_mask
from utils.predicting.crops import Cut, as_jpeg, crop_path, cut_out, number_objects
from utils.utils import UserError
from utils.web.pool import Busy

JSON, PNG, JPEG, ZIP = "application/json", "image/png", "image/jpeg", "application/zip"
LABELME = "application/vnd.labelme+json"
OUT_OF_MEMORY = 30  # seconds after which a client may ask again


@dataclass(frozen=True)
class Work:
    """One photograph and what is asked for it."""

    upload: Upload
    models: Models
    about: Mapping[str, str | None]  # of the networks, see `sheet_json`
    looked_for: Settings      # constants of digitise.py
    max_pixels: int
    max_side: int = 0         # pixels of the longer side of an overlay; 0: as the photograph

    @property
    def model(self) -> Model:
        return self.models.segmenter

    def answer(self, media_type: str) -> bytes:
        """The body of the answer of a type in ANSWERS.

        Raises UserError when the photograph cannot be used, and Busy when memory runs out while it is in work.
        """
        start = time.perf_counter()
        pixels, kept = read_picture(self.upload, self.max_pixels)
        try:
            return ANSWERS[media_type](self, to_uint8(pixels), kept, start)
        except (UserError, MemoryError) as error:  # UserError: that of the GPU
            warn(error)
            raise Busy("The server's memory ran out", OUT_OF_MEMORY) from error


def json_answer(work: Work, pixels: np.ndarray, kept: Kept, start: float) -> bytes:
    record, _ = _record(work, pixels, kept)
    return _encoded(sheet_json(record, work.about, time.perf_counter() - start))


def mask_answer(work: Work, pixels: np.ndarray, kept: Kept, start: float) -> bytes:
    return b"".join(encode_mask(find_objects(work.model, pixels, work.looked_for).mask, work.model.colors))


def overlay_answer(work: Work, pixels: np.ndarray, kept: Kept, start: float) -> bytes:
    mask = find_objects(work.model, pixels, work.looked_for).mask
    picture = draw_mask(pixels, mask, work.model.colors, mix_type=0, in_place=True)
    scale = work.max_side / max(picture.shape) if work.max_side else 1.0
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return b"".join(encode_jpeg(picture, as_jpeg(kept).options))


def labelme_answer(work: Work, pixels: np.ndarray, kept: Kept, start: float) -> bytes:
    found = find_objects(work.model, pixels, work.looked_for)
    specimens = specimens_of(work.models, pixels, work.looked_for)
    return _labelme(work, found.mask, [SheetObject(region) for region in found.regions], specimens)


def package_answer(work: Work, pixels: np.ndarray, kept: Kept, start: float) -> bytes:
    record, found = _record(work, pixels, kept)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:

        def add(folder: str, objects: Sequence[SheetObject], cuts: Sequence[Cut]) -> tuple[SheetObject, ...]:
            """The objects with the paths of their crops, which are put into the package."""
            paths = [crop_path(Path(folder), Path(record.name), cut.name, number).as_posix()
                     for cut, number in zip(cuts, number_objects(cuts))]
            for path, cut in zip(paths, cuts):
                package.writestr(path, b"".join(encode_jpeg(np.ascontiguousarray(cut.pixels), as_jpeg(kept).options)))
            return with_crops(objects, paths)

        package.writestr("mask.png", b"".join(encode_mask(found.mask, work.model.colors)))
        content = _labelme(work, found.mask, record.objects, record.specimens)
        package.writestr("labelme.json", content, zipfile.ZIP_DEFLATED)
        record = replace(record, objects=add(CROPS, record.objects, found.cuts))
        if record.specimens:
            painted = paint_over(pixels, found.mask, in_place=True)
            cuts = [cut_out(painted, item.region) for item in record.specimens]
            record = replace(record, specimens=add(SPECIMENS, record.specimens, cuts))
        content = sheet_json(record, work.about, time.perf_counter() - start)
        package.writestr("sheet.json", _encoded(content), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


ANSWERS: dict[str, Callable[[Work, np.ndarray, Kept, float], bytes]] = {  # the first is sent when any will do
    JSON: json_answer, PNG: mask_answer, JPEG: overlay_answer, LABELME: labelme_answer, ZIP: package_answer,
}


def sheet_json(record: SheetRecord, about: Mapping[str, str | None], seconds: float) -> dict[str, Any]:
    """The JSON of a sheet. Objects are numbered from 1.

    Args:
        record: all that is known of the sheet.
        about: of the networks: id, name and backbone of the one for objects, and detector, the id of that for specimens
            or None.
        seconds: how long the work took.
    """
    return {
        "name": record.name, "height": record.size[0], "width": record.size[1], "format": record.format,
        "sha256": record.sha256, "model": dict(about),
        "objects": [
            _object(number, item, in_mask=number <= len(record.objects))
            for number, item in enumerate(record.all_objects, start=1)],
        "barcodes": [{**plain(code), "object": _number(code.object)} for code in record.codes],
        "px_per_cm": record.scale and record.scale.px_per_cm,
        "scale": record.scale and {**plain(record.scale), "object": _number(record.scale.object)},
        "charts": [{**plain(chart), "object": _number(chart.object)} for chart in record.charts],
        "photograph": plain(record.photograph),
        "problems": plain(record.problems),
        "seconds": round(seconds, 3),
    }


def _record(work: Work, pixels: np.ndarray, kept: Kept) -> tuple[SheetRecord, Analysed]:
    """The sheet's record with its problems, and what was found on it."""
    found = analyse(work.models, pixels, as_jpeg(kept).options.get("icc_profile"), work.looked_for)
    record = replace(found.record, name=work.upload.name, format=kept.format,
                     sha256=hashlib.sha256(work.upload.data).hexdigest())
    return replace(record, problems=check_sheet(record, work.looked_for)), found


def _object(number: int, item: SheetObject, in_mask: bool) -> dict[str, Any]:
    region = item.region
    row, column = region.centroid
    crop = {"crop": item.crop} if item.crop else {}
    return {
        "number": number, "class": region.name, "class_index": region.index if in_mask else None,
        "confidence": None if math.isnan(region.confidence) else region.confidence,
        "box": {"left": region.left, "top": region.top, "width": region.width, "height": region.height},
        "area": region.area, "centroid": {"x": column, "y": row}, "rectangle": plain(region.rectangle),
        "polygon": plain(region.polygon), "touches_border": region.touches_border, "turn": item.turn,
        "barcodes": list(item.codes), **crop,
    }


def _labelme(
    work: Work, mask: np.ndarray, objects: Sequence[SheetObject], specimens: Sequence[SheetObject] | None
) -> bytes:
    shapes, descriptions = described_shapes(mask, objects, specimens or ())
    names = dict(enumerate([*work.model.name_classes, work.looked_for.specimen_class]))
    return _encoded(labelme_data(shapes, names, mask.shape, work.upload.name, descriptions))


def _number(index: int | None) -> int | None:
    """The number of an object, from 1, for its index."""
    return None if index is None else index + 1


def _encoded(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
