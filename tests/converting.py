"""convert_labelled.py run from labels/ and images/ to out/, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import convert_labelled
from utils import config

SIZE = (30, 40)  # height, width


def converter(tmp_path: Path) -> Callable[..., int]:
    """A function of a mode and of what else changes, which gives the script's exit status."""
    def run(mode: str, **changes: object) -> int:
        usual = {"input_dir": str(tmp_path / "labels"), "image_dir": str(tmp_path / "images"),
                 "output_dir": str(tmp_path / "out"), "dry_run": False}
        return convert_labelled.main(config.read(convert_labelled, mode=mode, **{**usual, **changes}))

    for name in ("labels", "images"):
        (tmp_path / name).mkdir()
    return run


def boxes(*found: tuple[int, int, int, int, int]) -> np.ndarray:
    """A mask with (value, first row, end row, first column, end column) set one after the other."""
    mask = np.zeros(SIZE, np.uint8)
    for value, top, bottom, left, right in found:
        mask[top:bottom, left:right] = value
    return mask


# one object of each of three classes, and ignored pixels
MASK = boxes((2, 5, 20, 10, 34), (1, 8, 12, 15, 20), (3, 24, 28, 0, 40), (255, 0, 3, 0, 5))


def add_image(tmp_path: Path, stem: str, size: tuple[int, int] = SIZE) -> None:
    """Writes images/`stem`.jpg."""
    Image.new("RGB", size[::-1], (90, 120, 60)).save(tmp_path / "images" / f"{stem}.jpg")
