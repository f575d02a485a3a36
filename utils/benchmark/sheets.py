"""Sheets to measure with: drawn, scaled, and data sets of any number of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from utils.files.encode import encode_pillow
from utils.files.masks import write_mask
from utils.files.voc import VocDataset
from utils.sheets.compose import compose
from utils.sheets.drawing.fonts import find_fonts
from utils.sheets.write import polygons, rasterise
from utils.utils import write_bytes


def draw_sheets(root: Path, count: int, size: tuple[int, int]) -> list[tuple[Path, Path]]:
    """(image, mask) files of `count` synthetic sheets of `size` (height, width) in `root`; what is there is kept.

    A bar on stderr shows how far it is.
    """
    files = [(root / f"drawn_{number}.jpg", root / f"drawn_{number}.png") for number in range(count)]
    for number, (image_path, mask_path) in enumerate(tqdm(files, "Drawing", unit="sheet")):
        if mask_path.exists():
            continue
        image, shapes = compose(np.random.default_rng(number), find_fonts("bundled"), max(size))
        mask = rasterise(polygons(shapes, image.shape[:2]), image.shape[:2])
        _write(image_path, cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA))
        write_mask(mask_path, cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST))
    return files


def scale_sheets(files: Sequence[tuple[Path, Path]], root: Path, megapixels: float) -> list[tuple[Path, Path]]:
    """(image, mask) files in `root` of the same sheets at another size; what is there is kept.

    A bar on stderr shows how far it is.
    """
    scaled = [(root / image.name, root / mask.name) for image, mask in files]
    for (image_path, mask_path), (new_image, new_mask) in zip(files, tqdm(scaled, "Scaling", unit="sheet")):
        if new_mask.exists():
            continue
        with Image.open(image_path) as image, Image.open(mask_path) as mask:
            factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
            size = round(image.width * factor), round(image.height * factor)
            _write(new_image, np.array(image.convert("RGB").resize(size, Image.Resampling.LANCZOS)))
            write_mask(new_mask, np.array(mask.resize(size, Image.Resampling.NEAREST)))
    return scaled


def link_dataset(root: Path, files: Sequence[tuple[Path, Path]], count: int) -> VocDataset:
    """A data set at `root` (made anew) of `count` sheets, which are `files` under other names again and again."""
    shutil.rmtree(root, ignore_errors=True)
    stems = [f"sheet_{number:04d}" for number in range(count)]
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for number, stem in enumerate(stems):
        for folder, path in zip(("JPEGImages", "SegmentationClass"), files[number % len(files)]):
            target = root / folder / f"{stem}{path.suffix}"
            try:
                os.link(path, target)
            except OSError:  # another drive, or a file system without links
                shutil.copy(path, target)
    for split in ("train", "val"):
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(stems), encoding="utf-8")
    return VocDataset(root.parent, root.name)


def _write(path: Path, pixels: np.ndarray) -> None:
    write_bytes(path, encode_pillow(Image.fromarray(pixels), format="JPEG", quality=90))
