"""The sheets of a run, the names of their files, and which of them an earlier run has done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from utils.config import Settings
from utils.digitise.record import SheetRecord, from_json
from utils.predicting.plan import find_sheets
from utils.utils import UserError, require_distinct

RECORDS = "records"  # folder of one JSON file a sheet, the last file that is written of each
VERSION = 2  # of what is measured and written; a new one makes every sheet be done again
BLOCK = 2 ** 20  # bytes of a file that are hashed at a time

# Constants of digitise.py that change nothing of what is measured on a sheet or written for it alone.
OF_THE_BATCH = (
    "input_dir", "output_dir", "recursive", "device", "num_workers", "engine", "ray_address", "skip_done", "model_path",
    "detector_path", "tables", "coco", "audiovisual_core", "report", "report_sheets", "report_title", "copies",
    "media_url", "rights", "barcode_pattern", "required_classes", "whole_classes", "review_below", "max_clipped",
    "max_cast", "max_drift",
)


class Sheet(NamedTuple):
    """One photograph and where its results go."""

    source: Path
    name: Path  # path of the source within input_dir
    output_dir: Path

    def path(self, folder: str, suffix: str) -> Path:
        """The file of this sheet in a folder of the results: <folder>/<subfolder>/<stem><suffix>."""
        return self.output_dir / folder / self.name.with_suffix(suffix)

    @property
    def record(self) -> Path:
        return self.path(RECORDS, ".json")


def plan_sheets(input_dir: Path, output_dir: Path, recursive: bool) -> list[Sheet]:
    """The sheets in `input_dir`, in the order of their paths.

    Raises UserError when there are none, when two would have the same results, or when results would overwrite them.
    """
    sources = find_sheets(input_dir, output_dir, recursive)
    sheets = [Sheet(source, source.relative_to(input_dir), output_dir) for source in sources]
    require_distinct([(sheet.source, sheet.record) for sheet in sheets])
    return sheets


def run_key(s: Settings, weights: Sequence[str]) -> str:
    """A text that changes with the weights and with each constant that changes what is done with a sheet.

    weights: the files of the networks.
    """
    constants = {name: value for name, value in s.to_dict().items() if name not in OF_THE_BATCH}
    text = json.dumps([VERSION, constants, *(file_hash(Path(path)) for path in weights)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sheet_key(sheet: Sheet, run: str) -> str:
    """A text that changes with `run` (see `run_key`) and with the size and date of the sheet's file.

    Raises UserError when the file is gone.
    """
    try:
        status = sheet.source.stat()
    except OSError as error:
        raise UserError(f"{sheet.source} cannot be read ({error.strerror}): check that it is still there.") from error
    return f"{run}_{status.st_size}_{status.st_mtime_ns}"


def read_record(sheet: Sheet) -> SheetRecord | None:
    """What an earlier run found on a sheet; None without a record, or with one that cannot be read."""
    try:
        return from_json(sheet.record.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # missing, damaged, or of another version
        return None


def is_done(sheet: Sheet, key: str) -> bool:
    """Whether the sheet's record is of this `key` and all its files are there."""
    record = read_record(sheet)
    return record is not None and record.key == key and all(
        (sheet.output_dir / path).is_file() for path in record.files)


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises UserError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the name and its permissions.") from error
    return digest.hexdigest()


def forgotten(sheets: Sequence[Sheet], output_dir: Path) -> int:
    """How many sheets of earlier runs have results in `output_dir` and are not among `sheets`."""
    planned = {sheet.record for sheet in sheets}
    return sum(path not in planned for path in (output_dir / RECORDS).rglob("[!.]*.json"))
