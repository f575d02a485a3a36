"""Data sets to train a detector on: where their files lie, and the boxes on each image.

A folder with data.yaml is a YOLO data set. All others have the VOC layout, and the boxes of a sheet are those of
labelme/<sheet>.json if it exists, or else those of the objects in SegmentationClass/<sheet>.png. specimens.json adds
the boxes of the plants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from utils.detection.boxes import SPECIMEN, as_shares, box_values, boxes_of
from utils.detection.data.reading import (
    image_size, labelme_objects, mask_objects, read_specimens, require_pixels,
)
from utils.files.voc import VocDataset, read_stems
from utils.labels.formats.class_lists import names_in
from utils.labels.formats.yolo import read_yolo
from utils.labels.marked import LabelledObject, reading_labels
from utils.labels.names import require_known
from utils.labels.tally import Outcome
from utils.objects.regions import MIN_AREA
from utils.utils import UserError, find_images

LABELME, MASKS, SPECIMENS, DATA_YAML = "labelme", "SegmentationClass", "specimens.json", "data.yaml"


class Labels(NamedTuple):
    """What is labelled on an image.

    boxes: float32 (n, 5) as shares of the image.
    outcomes: what became of the objects that were labelled.
    size: height and width of the image.
    """

    boxes: np.ndarray
    outcomes: list[Outcome]
    size: tuple[int, int]


class VocBoxes:
    """A data set in the VOC layout.

    Args:
        dataset_path: the folder that holds it.
        dataset: its name.
        name_classes: the classes to find. In masks, the value k stands for class k of those that are not SPECIMEN,
            counted from 1.
        label_names: name in labelme files -> class.
        lists: another folder with lists of sheets. "": its own.
    """

    def __init__(
        self,
        dataset_path: str | Path,
        dataset: str,
        name_classes: Sequence[str],
        label_names: Mapping[str, str],
        lists: str | Path = "",
    ) -> None:
        root = Path(dataset_path) / dataset
        self.voc = VocDataset(dataset_path, dataset, lists, labels=LABELME if (root / LABELME).is_dir() else MASKS)
        self.values = box_values(name_classes, label_names)
        self.mask_names = ("_background_", *(name for name in name_classes if name != SPECIMEN))
        self.specimens = read_specimens(root / SPECIMENS) if (root / SPECIMENS).is_file() else None

    def files(self, split: str) -> list[tuple[Path, Path]]:
        """Image and label file of each sheet of a list. Raises UserError like `VocDataset.files`."""
        return [(image, self._label_file(mask)) for image, mask in self.voc.files(split)]

    def read(self, image: Path, labels: Path) -> Labels:
        """The boxes on a sheet. Raises UserError when a file is missing or broken, or they do not fit each other."""
        if not labels.is_file():
            raise UserError(f"{labels} is missing, and {LABELME}/{labels.stem}.json is, too: label the sheet, or take "
                            f"{labels.stem} out of the list.")
        size, specks = image_size(image), []
        if labels.suffix == ".json":
            objects = labelme_objects(labels, size)
            require_known([(item.name, labels) for item in objects], self.values)
            require_pixels(labels, objects, size)
        else:
            objects, specks = mask_objects(labels, self.mask_names, size, MIN_AREA * size[0] * size[1])
        objects += self._specimens(labels, objects, size)
        boxes, outcomes = boxes_of(objects, size, self.values)
        return Labels(as_shares(boxes, size), specks + outcomes, size)

    def _label_file(self, mask: Path) -> Path:
        own = self.voc.root / LABELME / f"{mask.stem}.json"
        return own if own.is_file() else mask

    def _specimens(
        self, labels: Path, objects: Sequence[LabelledObject], size: tuple[int, int]
    ) -> list[LabelledObject]:
        """The specimens of a sheet in specimens.json. Raises UserError when it does not list the sheet."""
        if self.specimens is None or SPECIMEN not in self.values:
            return []
        path = self.voc.root / SPECIMENS
        if labels.stem not in self.specimens and all(item.name != SPECIMEN for item in objects):
            raise UserError(f"{path} does not list {labels.stem}: add its boxes, or [] if it has no plant.")
        found = self.specimens.get(labels.stem, [])
        require_pixels(path / labels.stem, found, size)
        return found


class YoloBoxes:
    """A YOLO data set: data.yaml, images/<split>/ and labels/<split>/. An image without a label file has no objects.

    Args:
        root: the folder with data.yaml.
        name_classes: the classes to find.
        label_names: name in data.yaml -> class.

    Raises:
        UserError: data.yaml is broken, or has a name that is unknown.
    """

    def __init__(self, root: Path, name_classes: Sequence[str], label_names: Mapping[str, str]) -> None:
        self.path = root / DATA_YAML
        needs = "it needs path, train, val and names"
        with reading_labels(self.path, "data.yaml", needs):
            self.content: Mapping[str, Any] = yaml.safe_load(self.path.read_text(encoding="utf-8-sig"))
            self.names = names_in(self.content)
            if not self.names:
                raise ValueError("it has no names")
        self.values = box_values(name_classes, label_names)
        require_known([(name, self.path) for name in self.names], self.values)

    def files(self, split: str) -> list[tuple[Path, Path]]:
        """Image and label file of each image of a split, sorted. Raises UserError when there are none."""
        places = self.content.get(split)
        places = places if isinstance(places, list) else [places]
        if not all(isinstance(place, str) for place in places):
            raise UserError(f"{self.path} has no folder of images for {split}: write {split}: images/{split}")
        base = self.path.parent / str(self.content.get("path") or "")
        images = [image for place in places for image in self._images(base / place)]
        if not images:
            raise UserError(f"{self.path} names {', '.join(places)} for {split}, where no image is: check path.")
        return [(image, label_file(image)) for image in images]

    def read(self, image: Path, labels: Path) -> Labels:
        """The boxes on an image. Raises UserError when one of the files is broken."""
        size = image_size(image)
        boxes, outcomes = boxes_of(read_yolo(labels, size, self.names) if labels.is_file() else [], size, self.values)
        return Labels(as_shares(boxes, size), outcomes, size)

    def _images(self, place: Path) -> list[Path]:
        """The images in a folder, or those that a text file lists, a path in each line, from the folder of the list."""
        if place.suffix != ".txt":
            return find_images(place, recursive=True)
        return [place.parent / line for line in read_stems(place, ())] if place.is_file() else []


def label_file(image: Path) -> Path:
    """The label file of an image of a YOLO data set: the same path, with labels for the last folder named images."""
    folders = list(image.parent.parts)
    if "images" in folders:
        folders[len(folders) - 1 - folders[::-1].index("images")] = "labels"
    return Path(*folders) / f"{image.stem}.txt"


def open_boxes(
    dataset_path: str | Path,
    dataset: str,
    name_classes: Sequence[str],
    label_names: Mapping[str, str],
    lists: str | Path = "",
) -> VocBoxes | YoloBoxes:
    """The data set `<dataset_path>/<dataset>`. Arguments: see `VocBoxes`. Raises UserError when it cannot be used."""
    root = Path(dataset_path) / dataset
    open_voc = partial(VocBoxes, dataset_path, dataset, name_classes, label_names, lists)
    return YoloBoxes(root, name_classes, label_names) if (root / DATA_YAML).is_file() else open_voc()
