"""One sheet: its plant's features, its fingerprint and its pictures, kept in a file so that they are computed once."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from utils.config import Settings
from utils.digitise.plan import Sheet, file_hash, sheet_key
from utils.files.encode import encode_jpeg
from utils.files.images import read_image, writing
from utils.files.jobs import describe_fault
from utils.mistakes.comparing.duplicates import fingerprint, grey
from utils.mistakes.reading.features import IMAGENET, OWN, SIDES, Describer
from utils.mistakes.reading.plant import show_plant
from utils.network.letterbox import resize
from utils.objects.regions import find_regions
from utils.utils import UserError, write_bytes

FOLDER = "features"      # in output_dir: one file a sheet
VERSION = 1              # of what is computed; a new one makes every sheet be computed again
PICTURE, SMALL = 720, 200  # pixels of the longer side of the pictures on the page: the sheet, and its plant
QUALITY = 75             # of these JPEGs, 1 to 100


class Model(Protocol):
    """What finds labels, barcodes and the like; `deeplab.Segmenter` does."""

    name_classes: list[str]

    def segment(self, image: np.ndarray) -> np.ndarray:
        """The class of each pixel, uint8 (H, W), of an image, uint8 (H, W, 3)."""
        ...


@dataclass(frozen=True)
class Outline:
    """An object that was left out of the picture."""

    index: int    # the class
    name: str
    points: str   # "x,y x,y ..." in pixels of the photograph


@dataclass(frozen=True)
class Examined:
    """What is known of a sheet."""

    key: str                         # see `sheet_key`
    sha256: str                      # of the file
    size: tuple[int, int]            # height and width of the photograph
    plant: bool                      # whether there is a plant to be seen
    outlines: tuple[Outline, ...]
    blocks: tuple[np.ndarray, ...]   # the plant's features, float32 (d,) each
    fingerprint: np.ndarray          # see `fingerprint`
    grey: np.ndarray                 # see `grey`
    picture: bytes = b""             # JPEG of the sheet
    small: bytes = b""               # JPEG of its plant


def run_key(s: Settings) -> str:
    """A text that changes with the weights and with each constant that changes what is computed of a sheet."""
    weights = s.features if s.features in (OWN, IMAGENET) else file_hash(Path(s.features))
    text = json.dumps([VERSION, weights, s.min_confidence, SIDES, file_hash(Path(s.model_path))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def try_sheet(model: Model, describe: Describer, sheet: Sheet, run: str) -> Examined | str:
    """What is known of the sheet, without its pictures, or what is wrong with its file, in a sentence.

    An error that nobody foresaw becomes a sentence as well, so that one odd sheet does not end a long run.

    Args:
        model: finds the objects.
        describe: gives a plant's features.
        sheet: the file to read.
        run: see `run_key`.
    """
    try:
        key = sheet_key(sheet, run)
        known = read_examined(sheet, pictures=False)
        if known is None or known.key != key:
            known = examine(model, describe, sheet, key)
            write_examined(sheet, known)
        return replace(known, picture=b"", small=b"")
    except UserError as error:
        return str(error)
    except Exception as error:
        return describe_fault(error, sheet.source, "examined")


def examine(model: Model, describe: Describer, sheet: Sheet, key: str) -> Examined:
    """What is known of a sheet, read and computed. Arguments: see `try_sheet`. Raises UserError for a bad file."""
    pixels = read_image(sheet.source)
    mask = model.segment(pixels)
    shown = show_plant(pixels, mask, SIDES)
    outlines = tuple(
        Outline(region.index, region.name, " ".join(f"{x:.6g},{y:.6g}" for x, y in region.polygon))
        for region in find_regions(mask, model.name_classes))
    return Examined(
        key, file_hash(sheet.source), pixels.shape[:2], shown.found, outlines,
        tuple(block.astype(np.float32) for block in describe(shown.plants)), fingerprint(shown.sheet), grey(pixels),
        _jpeg(pixels, PICTURE), _jpeg(shown.plants[0].pixels, SMALL),
    )


def write_examined(sheet: Sheet, examined: Examined) -> None:
    """Writes what is known of a sheet to its file. Raises UserError when that cannot be."""
    told = {"key": examined.key, "sha256": examined.sha256, "size": examined.size, "plant": examined.plant,
            "outlines": [[outline.index, outline.name, outline.points] for outline in examined.outlines]}
    arrays = {f"block_{number}": block for number, block in enumerate(examined.blocks)}
    buffer = io.BytesIO()
    np.savez(
        buffer, told=np.frombuffer(json.dumps(told).encode(), np.uint8), fingerprint=examined.fingerprint,
        grey=examined.grey, picture=np.frombuffer(examined.picture, np.uint8),
        small=np.frombuffer(examined.small, np.uint8), **arrays)
    path = _file(sheet)
    with writing(path):
        write_bytes(path, [buffer.getbuffer()])


def read_examined(sheet: Sheet, pictures: bool) -> Examined | None:
    """What an earlier run knew of a sheet; None without a file, or with one that cannot be read.

    pictures: read them, too; few are shown.
    """
    try:
        with np.load(_file(sheet), allow_pickle=False) as content:
            told = json.loads(content["told"].tobytes())
            blocks = tuple(content[f"block_{number}"] for number in range(
                sum(name.startswith("block_") for name in content.files)))
            shown = [content[name].tobytes() if pictures else b"" for name in ("picture", "small")]
            return Examined(
                told["key"], told["sha256"], tuple(told["size"]), told["plant"],
                tuple(Outline(*outline) for outline in told["outlines"]), blocks, content["fingerprint"],
                content["grey"], *shown)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):  # missing, damaged or older
        return None


def _file(sheet: Sheet) -> Path:
    return sheet.path(FOLDER, ".npz")


def _jpeg(pixels: np.ndarray, side: int) -> bytes:
    """A JPEG of `pixels`, uint8 (H, W, 3), with a longer side of at most `side` pixels."""
    scale = min(1.0, side / max(pixels.shape[:2]))
    small = resize(pixels, tuple(max(1, round(length * scale)) for length in pixels.shape[:2]))
    return b"".join(encode_jpeg(small, {"quality": QUALITY}))
