"""Sheets of a few colours, a stand-in for the network that sees only colours, and predict.py run with both."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import predict
from utils import config

NAMES = ["_background_", "Barcode", "Label"]


class ColourModel:
    """In the place of Segmenter: red is a barcode, green a label."""

    name_classes = NAMES
    calibration = ()
    colors = [(0, 0, 0), (200, 0, 0), (0, 0, 250)]
    device = "cpu"
    finds_instances = False

    def __init__(self, *arguments: object, **options: object) -> None:
        pass

    def segment(self, image: np.ndarray) -> np.ndarray:
        red, green, _ = np.moveaxis(image.astype(int), 2, 0)
        middle = 200 * (257 if image.dtype == np.uint16 else 1)
        barcode, label = (red > middle) & (green < middle), (green > middle) & (red < middle)
        return np.select([barcode, label], [1, 2]).astype(np.uint8)

    def segment_sheet(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The upper half of a sheet is surer than the lower."""
        return self.segment(image), np.array([[0.9], [0.8]]), None


def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an empty img/ to work in, where predict.py has a model that sees colours."""
    monkeypatch.setattr(predict, "Segmenter", ColourModel)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "img").mkdir()
    return tmp_path


def run(**changes: object) -> int:
    """The exit status of predict.py."""
    return predict.main(config.read(predict, **changes))


def sheet(height: int = 40, width: int = 30, dtype: type = np.uint8) -> np.ndarray:
    """Grey with a barcode of 10 x 20 pixels and a label of 8 x 8 pixels."""
    scale = 1 if dtype == np.uint8 else 257
    image = np.full((height, width, 3), 120 * scale, dtype)
    image[2:12, 5:25] = (255 * scale, 0, 0)
    image[30:38, 0:8] = (0, 255 * scale, 0)
    return image


def truth(height: int = 40, width: int = 30) -> np.ndarray:
    """The mask of `sheet`."""
    mask = np.zeros((height, width), np.uint8)
    mask[2:12, 5:25] = 1
    mask[30:38, 0:8] = 2
    return mask


def save_16bit(path: Path, pixels: np.ndarray) -> None:
    """Writes RGB uint16 pixels with OpenCV (which wants blue first)."""
    path.write_bytes(cv2.imencode(path.suffix, pixels[..., ::-1])[1].tobytes())
