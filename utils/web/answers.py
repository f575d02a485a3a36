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
from utils.digitise.sheet import Analysed, Model, analyse, find_objects
from utils.digitise.writing.labelme import described_shapes
from utils.files.encode import encode_jpeg
from utils.files.images import read_picture, to_uint8
from utils.files.jobs import warn
from utils.files.masks import encode_mask
from utils.files.metadata import Kept
from utils.files.source import Upload
from utils.labels.formats.labelme import labelme_data
from utils.objects.drawing import draw_mask
from utils.predicting.crops import as_jpeg, crop_path, number_objects
from utils.utils import UserError
from utils.web.pool import Busy

JSON, PNG, JPEG, ZIP = "application/json", "image/png", "image/jpeg", "application/zip"
LABELME = "application/vnd.labelme+json"
OUT_OF_MEMORY = 30  # seconds after which a client may ask again


@dataclass(frozen=True)
class Work:
    """One photograph and what is asked for it."""

    upload: Upload
    model: Model
    about: Mapping[str, str]  # of the model: id, name, backbone
    looked_for: Settings      # constants of digitise.py
    max_pixels: int
    max_side: int = 0         # pixels of the longer side of an overlay; 0: as the photograph

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
    return _labelme(work, found.mask, [SheetObject(region) for region in found.regions])


def package_answer(work: Work, pixels: np.ndarray, kept: Kept, start: float) -> bytes:
    record, found = _record(work, pixels, kept)
    numbers = number_objects(found.cuts)
    paths = [crop_path(Path("crops"), Path(record.name), cut.name, number).as_posix()
             for cut, number in zip(found.cuts, numbers)]
    record = replace(record, objects=tuple(replace(item, crop=path) for item, path in zip(record.objects, paths)))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("mask.png", b"".join(encode_mask(found.mask, work.model.colors)))
        package.writestr("labelme.json", _labelme(work, found.mask, record.objects), zipfile.ZIP_DEFLATED)
        for path, cut in zip(paths, found.cuts):
            package.writestr(path, b"".join(encode_jpeg(np.ascontiguousarray(cut.pixels), as_jpeg(kept).options)))
        content = sheet_json(record, work.about, time.perf_counter() - start)
        package.writestr("sheet.json", _encoded(content), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


ANSWERS: dict[str, Callable[[Work, np.ndarray, Kept, float], bytes]] = {  # the first is sent when any will do
    JSON: json_answer, PNG: mask_answer, JPEG: overlay_answer, LABELME: labelme_answer, ZIP: package_answer,
}


def sheet_json(record: SheetRecord, about: Mapping[str, str], seconds: float) -> dict[str, Any]:
    """The JSON of a sheet. Objects are numbered from 1.

    Args:
        record: all that is known of the sheet.
        about: the model: id, name, backbone.
        seconds: how long the work took.
    """
    return {
        "name": record.name, "height": record.size[0], "width": record.size[1], "format": record.format,
        "sha256": record.sha256, "model": dict(about),
        "objects": [_object(number, item) for number, item in enumerate(record.objects, start=1)],
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
    found = analyse(work.model, pixels, as_jpeg(kept).options.get("icc_profile"), work.looked_for)
    record = replace(found.record, name=work.upload.name, format=kept.format,
                     sha256=hashlib.sha256(work.upload.data).hexdigest())
    return replace(record, problems=check_sheet(record, work.looked_for)), found


def _object(number: int, item: SheetObject) -> dict[str, Any]:
    region = item.region
    row, column = region.centroid
    crop = {"crop": item.crop} if item.crop else {}
    return {
        "number": number, "class": region.name, "class_index": region.index,
        "confidence": None if math.isnan(region.confidence) else region.confidence,
        "box": {"left": region.left, "top": region.top, "width": region.width, "height": region.height},
        "area": region.area, "centroid": {"x": column, "y": row}, "rectangle": plain(region.rectangle),
        "polygon": plain(region.polygon), "touches_border": region.touches_border, "turn": item.turn,
        "barcodes": list(item.codes), **crop,
    }


def _labelme(work: Work, mask: np.ndarray, objects: Sequence[SheetObject]) -> bytes:
    shapes, descriptions = described_shapes(mask, objects)
    names = dict(enumerate(work.model.name_classes))
    return _encoded(labelme_data(shapes, names, mask.shape, work.upload.name, descriptions))


def _number(index: int | None) -> int | None:
    """The number of an object, from 1, for its index."""
    return None if index is None else index + 1


def _encoded(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
