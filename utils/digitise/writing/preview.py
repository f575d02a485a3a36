"""The small picture of a sheet that the report shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from utils.files.images import write_picture
from utils.files.metadata import Kept
from utils.network.letterbox import resize

SIDE = 900  # pixels of the longer side
QUALITY = 75  # of the JPEG, 1 to 100; about 0.1 MB


def write_preview(path: Path, pixels: np.ndarray) -> None:
    """Writes the sheet, uint8 (H, W, 3) RGB, as a small JPEG. Raises UserError when it cannot be written."""
    scale = min(1.0, SIDE / max(pixels.shape[:2]))
    size = tuple(max(1, round(side * scale)) for side in pixels.shape[:2])
    write_picture(path, resize(pixels, size), Kept("JPEG", {"quality": QUALITY}))
