"""Small sheets with a barcode that can be read, and a stand-in for the network that knows where things lie on them.

Each worker of a cluster imports this module, so it imports digitise.py and the network only where they are used.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp
from PIL import Image

from utils import config
from utils.detection.boxes import Box
from utils.utils import NAME_CLASSES, default_colors

HEIGHT, WIDTH = 840, 600  # 42 x 30 cm
PX_PER_CM = 20
DETECTOR_PATH = "detector.pth"
PAPER, CARD, PLANT = (236, 230, 214), (243, 243, 241), (70, 110, 50)
# class -> top, left, height, width
BOXES = {1: (20, 20, 130, 300), 2: (660, 240, 160, 340), 3: (240, 20, 120, 180), 4: (300, 500, 330, 80)}
# Two specimens, the lower one first; its box reaches over the label, and what is there is not plant. x1, y1, x2, y2
SPECIMENS = ((200.0, 460.5, 390.2, 700.0), (210.7, 280.2, 400.0, 455.5))
PATCHES = ((240, 240, 238), (160, 160, 160), (52, 52, 52), (56, 61, 150), (70, 148, 73), (175, 54, 60))


def sheet(barcode: str = "K000123", without: tuple[int, ...] = ()) -> np.ndarray:
    """A sheet, uint8 (HEIGHT, WIDTH, 3), with one object of each class but those in `without`; 5 is the plant."""
    image = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    if 5 not in without:
        cv2.ellipse(image, (300, 460), (80, 180), 20, 0, 360, PLANT, -1)
    for index, (top, left, height, width) in BOXES.items():
        if index not in without:
            image[top:top + height, left:left + width] = CARD
    if 1 not in without:
        kind = zxingcpp.BarcodeFormat.Code128 if len(barcode) < 9 else zxingcpp.BarcodeFormat.QRCode
        bars = np.array(zxingcpp.create_barcode(barcode, kind).to_image(scale=2, add_quiet_zones=False))[:90]
        image[40:40 + len(bars), 50:50 + bars.shape[1]] = bars[..., None]
    if 2 not in without:
        for row, text in enumerate(("Carex nigra (L.) Reichard", "leg. A. Taylor 1903")):
            cv2.putText(image, text, (256, 715 + 45 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (30, 30, 30), 1, cv2.LINE_AA)
    if 3 not in without:
        for number, colour in enumerate(PATCHES):
            row, column = divmod(number, 3)
            image[248 + 54 * row:296 + 54 * row, 30 + 56 * column:80 + 56 * column] = colour
    if 4 not in without:
        for mark in range(151):  # millimetres on 15 cm
            length = 48 if mark % 10 == 0 else 36 if mark % 5 == 0 else 24
            image[315 + 2 * mark, 500:500 + length] = 20
    return image


class LayoutModel:
    """In the place of DeeplabV3: an object is where its box in BOXES is not paper."""

    name_classes = list(NAME_CLASSES)
    calibration = ()
    colors = default_colors(len(NAME_CLASSES))

    def segment_with_probability(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mask = np.zeros(image.shape[:2], np.uint8)
        for index, (top, left, height, width) in BOXES.items():
            box = np.s_[top:top + height, left:left + width]
            if abs(image[top + 4, left + 4].astype(int) - PAPER).max() > 12:
                mask[box] = index
        return mask, np.full((HEIGHT // 4, WIDTH // 4), 0.99, np.float32)


class LayoutDetector:
    """In the place of yolo.Detector: the specimens are SPECIMENS, if there is a plant. The barcode is not asked for."""

    name_classes = ["Barcode", "Specimen"]
    colors = [(128, 0, 0), (10, 20, 30)]

    def __init__(self, *args: object, **options: object) -> None:
        pass

    def detect(self, image: np.ndarray) -> list[Box]:
        barcode = Box("Barcode", 0, 0.95, 20.0, 20.0, 320.0, 150.0)
        if abs(image[460, 300].astype(int) - PLANT).max() > 12:
            return [barcode]
        return [barcode, *(Box("Specimen", 1, score, *sides) for score, sides in zip((0.9, 0.5), SPECIMENS))]


class Mortal(LayoutModel):
    """The process of the first one to see a sheet without a scale is killed; a file keeps that in mind."""

    def __init__(self, grave: Path, *args: object, **options: object) -> None:
        self.grave = grave

    def segment_with_probability(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mask, probability = super().segment_with_probability(image)
        if 4 not in mask and not self.grave.exists():
            self.grave.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return mask, probability


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=95)


def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an empty img/ to work in, where digitise.py has networks that know the sheets of this module.

    The detector is used with detector_path=DETECTOR_PATH.
    """
    import digitise
    from utils.detection.checkpoint import DetectionCheckpoint
    from utils.digitise import run

    (tmp_path / "img").mkdir()
    (tmp_path / "weights.pth").write_bytes(b"weights")
    (tmp_path / DETECTOR_PATH).write_bytes(b"weights, too")
    monkeypatch.setattr(
        run, "load_checkpoint", lambda path, kind=None: LayoutDetector if kind is DetectionCheckpoint else LayoutModel)
    monkeypatch.setattr(digitise, "DeeplabV3", lambda *args, **kwargs: LayoutModel())
    monkeypatch.setattr(digitise, "Detector", LayoutDetector)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def digitised(**changes: object) -> int:
    """The exit status of digitise.py."""
    import digitise

    return digitise.main(config.read(digitise, **{"model_path": "weights.pth", **changes}))
