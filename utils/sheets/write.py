"""Writes the files of a synthetic data set: images, masks, labelme JSON, boxes, lists and the page of samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from utils.files.encode import encode_pillow
from utils.files.masks import write_mask
from utils.labels.formats.labelme import write_labelme
from utils.labels.polygons import Outline, fill_polygon
from utils.sheets.camera import crop
from utils.sheets.drawing.draw import Shape
from utils.utils import IGNORE, NAME_CLASSES, atomic_path, voc_palette, write_bytes

SPECIMENS = "specimens.json"
Boxes = list[tuple[float, ...]]  # x1, y1, x2, y2 in pixels of each piece of the plants on a sheet
VALUES: Mapping[str, int] = {**{name: index for index, name in enumerate(NAME_CLASSES)}, "_ignore_": IGNORE}


def polygons(shapes: Sequence[Shape], size: tuple[int, int]) -> list[Outline]:
    """The shapes of the mask as they are stored: cut at the edges of the image, rounded to two decimals.

    Empty ones are left out, and so are plants, which masks do not have.

    size: (height, width) of the image.
    """
    found = []
    for shape in shapes:
        if shape.label not in VALUES:
            continue
        points = np.round(crop(shape.points, size), 2)
        if len(points) >= 3 and cv2.contourArea(points.astype(np.float32)) >= 1:
            found.append(Outline(VALUES[shape.label], points, 0))
    return found


def plant_boxes(shapes: Sequence[Shape], size: tuple[int, int]) -> Boxes:
    """The boxes around the pieces of the plants, cut at the edges of the image; what lies outside is left out.

    size: (height, width) of the image.
    """
    boxes = []
    for shape in shapes:
        if shape.label not in VALUES:
            low, high = (edge.clip(0, size[::-1]).round(2) for edge in (shape.points.min(0), shape.points.max(0)))
            if (high - low >= 1).all():
                boxes.append((*low.tolist(), *high.tolist()))
    return boxes


def rasterise(outlines: Sequence[Outline], size: tuple[int, int]) -> np.ndarray:
    """The mask of `outlines`, uint8 (H, W) of `size`. Later outlines lie on top."""
    mask = np.zeros(size, np.uint8)
    for outline in outlines:
        fill_polygon(mask, outline.points, outline.value)
    return mask


def write_sheet(root: Path, stem: str, image: np.ndarray, shapes: Sequence[Shape], quality: int) -> np.ndarray:
    """The mask of a sheet, after writing JPEGImages/<stem>.jpg, SegmentationClass/<stem>.png and labelme/<stem>.json.

    Args:
        root: folder of the data set.
        stem: name of the files.
        image: uint8 (H, W, 3) RGB.
        shapes: its labelled polygons; later ones lie on top.
        quality: of the JPEG, 1 to 100.
    """
    size = image.shape[:2]
    outlines = polygons(shapes, size)
    mask = rasterise(outlines, size)
    path = root / "JPEGImages" / f"{stem}.jpg"
    write_bytes(path, encode_pillow(Image.fromarray(image), format="JPEG", quality=quality))
    write_mask(root / "SegmentationClass" / f"{stem}.png", mask)
    names = {value: name for name, value in VALUES.items()}
    write_labelme(root / "labelme" / f"{stem}.json", outlines, names, size, path)
    return mask


def write_specimens(path: Path, boxes: Mapping[str, Boxes]) -> None:
    """Writes the boxes of the plants of all sheets, by the names of the image files, one sheet a line."""
    lines = [f'{json.dumps(name)}: {{"specimens": {json.dumps(found)}}}' for name, found in boxes.items()]
    write_bytes(path, [("{\n" + ",\n".join(lines) + "\n}\n").encode()])


def write_lists(root: Path, stems: Sequence[str], val_share: float, rng: np.random.Generator) -> None:
    """Writes the lists train.txt, val.txt, trainval.txt and an empty test.txt.

    Args:
        root: folder of the data set.
        stems: of all sheets.
        val_share: share of the stems for val.txt, chosen at random.
        rng: for this choice.
    """
    count = min(max(round(len(stems) * val_share), 1 if val_share > 0 else 0), len(stems) - 1)
    chosen = set(rng.permutation(len(stems))[:count].tolist())
    parts = {
        "train": [stem for index, stem in enumerate(stems) if index not in chosen],
        "val": [stem for index, stem in enumerate(stems) if index in chosen],
        "trainval": list(stems),
        "test": [],
    }
    for name, members in parts.items():
        with atomic_path(root / "ImageSets" / "Segmentation" / f"{name}.txt") as temporary:
            temporary.write_text("".join(f"{stem}\n" for stem in members), encoding="utf-8")


def tile(image: np.ndarray, mask: np.ndarray, height: int = 420) -> np.ndarray:
    """A small copy of the image beside a copy tinted with the colours of its mask, uint8 (height, w, 3) RGB."""
    share = height / image.shape[0]
    size = (max(1, round(image.shape[1] * share)), height)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    flat = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    colors = voc_palette()[flat]
    tinted = np.where(flat[..., None] > 0, small * 0.35 + colors * 0.65, small * 0.6 + 100).astype(np.uint8)
    return np.concatenate([small, tinted, np.full((height, 8, 3), 255, np.uint8)], 1)


def write_samples(path: Path, tiles: Sequence[np.ndarray], width: int = 2000) -> None:
    """Writes the tiles as one PNG, in rows of at most `width` pixels."""
    rows: list[list[np.ndarray]] = [[]]
    for one in tiles:
        if rows[-1] and sum(each.shape[1] for each in rows[-1]) + one.shape[1] > width:
            rows.append([])
        rows[-1].append(one)
    wide = max(sum(each.shape[1] for each in row) for row in rows)
    page = np.full((sum(row[0].shape[0] + 8 for row in rows), wide, 3), 255, np.uint8)
    top = 0
    for row in rows:
        line = np.concatenate(row, 1)
        page[top:top + line.shape[0], :line.shape[1]] = line
        top += line.shape[0] + 8
    write_bytes(path, encode_pillow(Image.fromarray(page), format="PNG"))
