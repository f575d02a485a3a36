"""Sheets of any size, with masks of any kind: nothing that can be found on them makes the program fail."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from digitised import LayoutDetector, LayoutModel, digitised, save, sheet
from records import limits
from utils.detection.boxes import Box
from utils.digitise import sheet as sheets
from utils.digitise.plan import Sheet
from utils.digitise.record import from_json, to_json
from utils.digitise.sheet import Models, digitise_sheet

SIZES = {"tiny": (8, 5), "one pixel": (1, 1), "flat": (1, 3256), "tall": (2100, 3), "small": (150, 110)}


class RandomModel(LayoutModel):
    """Finds polygons and boxes of any class, anywhere."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def segment_with_probability(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = image.shape[:2]
        mask = np.zeros((height, width), np.uint8)
        for index in self.rng.integers(1, 5, self.rng.integers(0, 7)).tolist():
            corners = (self.rng.random((int(self.rng.integers(3, 7)), 2)) * (width, height)).astype(np.int32)
            cv2.fillPoly(mask, [corners], index)
        return mask, self.rng.random((max(1, height // 4), max(1, width // 4)), np.float32)


class RandomDetector(LayoutDetector):
    """Finds specimens anywhere."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def detect(self, image: np.ndarray) -> list[Box]:
        height, width = image.shape[:2]
        starts, sizes = self.rng.random((2, int(self.rng.integers(0, 4)), 2))
        ends = starts + (1 - starts) * np.maximum(sizes, 0.01)
        return [Box("Specimen", 1, 0.5, x1 * width, y1 * height, x2 * width, y2 * height)
                for (x1, y1), (x2, y2) in zip(starts.tolist(), ends.tolist())]


def picture(kind: str, size: tuple[int, int], seed: int) -> np.ndarray:
    """Noise, stripes or one colour, uint8 (*size, 3)."""
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    image = np.full((*size, 3), rng.integers(0, 256, 3), np.uint8)
    if kind == "stripes":
        image[:, ::3] = 10
    return image


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("kind", ["noise", "stripes", "plain"])
def test_every_sheet_can_be_digitised(tmp_path, kind, size):
    for seed in range(3):
        source = tmp_path / f"{seed}.png"
        save(source, picture(kind, size, seed))
        models = Models(RandomModel(seed), RandomDetector(seed))
        record = digitise_sheet(models, Sheet(source, Path(source.name), tmp_path / "out"), limits(), "key")
        assert record.size == size and from_json(to_json(record)).all_objects == record.all_objects
        assert all((tmp_path / "out" / path).is_file() for path in record.files)


def test_an_error_that_nobody_foresaw_is_said_and_the_other_sheets_are_done(folder, monkeypatch, capsys):
    def fail(pixels: np.ndarray, *args: object) -> None:
        raise ZeroDivisionError("division by zero")

    for name in ("K1", "K2"):
        save(Path(f"img/{name}.jpg"), sheet(name, () if name == "K1" else (4,)))
    real = sheets.measure_scale
    monkeypatch.setattr(sheets, "measure_scale", lambda pixels, regions, *args: (
        real if len(regions) == 4 else fail)(pixels, regions, *args))
    assert digitised(report=False) == 1
    assert "K2.jpg could not be digitised (ZeroDivisionError: division by zero)" in capsys.readouterr().err
    assert Path("digitised/records/K1.json").is_file() and not Path("digitised/records/K2.json").exists()
