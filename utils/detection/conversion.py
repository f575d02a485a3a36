"""The mode of convert_labelled.py that makes a data set to train a detector on."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

from utils.config import Settings
from utils.detection.boxes import SPECIMEN, as_outlines, box_values, boxes_of
from utils.detection.data.reading import image_size, labelme_objects, mask_objects, read_specimens, require_pixels
from utils.files.jobs import Job, find_files, read_each, warn
from utils.files.voc import read_stems
from utils.labels.conversions import Plan, image_finder, stem
from utils.labels.formats.labelme import read_labelme
from utils.labels.formats.yolo import yolo_lines
from utils.labels.names import require_known
from utils.labels.tally import Tally
from utils.utils import UserError, atomic_path, write_bytes

SPLITS = ("train", "val")


def yolo_dataset(settings: Settings, tally: Tally) -> Plan:
    """A YOLO data set from masks or labelme files, their images, and the boxes of the specimens."""
    names = (*settings.name_classes[1:], SPECIMEN)
    values = box_values(names, settings.label_names)
    sources, failed = find_files(settings.input_dir, (".png", ".json"), settings.recursive), 0
    if any(source.suffix.lower() == ".json" for source in sources):
        found, failed = read_each([source for source in sources if source.suffix.lower() == ".json"], read_labelme)
        require_known([(shape.label, file.path) for file in found for shape in file.shapes], values)
        readable = {file.path for file in found}
        sources = [source for source in sources if source.suffix.lower() == ".png" or source in readable]
    specimens = read_specimens(Path(settings.specimens)) if settings.specimens else {}
    find = image_finder(settings)

    def convert(source: Path, output: Path) -> None:
        image = find(source)
        size, specks = image_size(image), []
        if source.suffix.lower() == ".json":
            objects = labelme_objects(source, size)
            require_pixels(source, objects, size)
        else:
            objects, specks = mask_objects(source, settings.name_classes, size, settings.min_pixels)
        plants = specimens.get(stem(settings, source.stem))
        if settings.specimens and plants is None:
            raise UserError(f"{settings.specimens} does not list {source.stem}: add its boxes, or [] without a plant.")
        require_pixels(Path(settings.specimens) / source.stem, plants or [], size)
        boxes, outcomes = boxes_of([*objects, *(plants or [])], size, values)
        tally.settle(source, specks + outcomes)
        _add_image(image, Path(settings.output_dir) / "images" / output.parent.name, settings.link_images)
        text = yolo_lines(as_outlines(boxes), size, dict(enumerate(range(len(names)))), boxes=True)
        write_bytes(output, [text.encode()])

    split_of = _splits(settings, [stem(settings, source.stem) for source in sources])
    jobs, left_out = [], 0
    for source in sources:
        name = stem(settings, source.stem)
        left_out += name not in split_of
        if name in split_of:
            output = Path(settings.output_dir) / "labels" / split_of[name] / f"{name}.txt"
            jobs.append(Job(source, output, partial(convert, source, output)))
    if left_out:
        warn(f"{left_out} of {len(sources)} sheets are in no list of {settings.lists} and are left out.")
    path = Path(settings.output_dir) / "data.yaml"
    jobs.append(Job(Path(settings.input_dir), path, partial(write_bytes, path, [data_yaml(names).encode()])))
    return jobs, failed


def data_yaml(names: tuple[str, ...]) -> str:
    """The text of data.yaml for these classes; quotes in names are doubled, as YAML asks for."""
    listed = "".join("  {}: '{}'\n".format(index, name.replace("'", "''")) for index, name in enumerate(names))
    return f"path: .\ntrain: images/train\nval: images/val\nnames:\n{listed}"


def _splits(settings: Settings, stems: list[str]) -> dict[str, str]:
    """Stem -> "train" or "val", from the lists in a folder; all are for training without one.

    Raises UserError when there is no list.
    """
    if not settings.lists:
        return dict.fromkeys(stems, SPLITS[0])
    found: dict[str, str] = {}
    for split in SPLITS:
        path = Path(settings.lists) / f"{split}.txt"
        if not path.is_file():
            raise UserError(f"{path} is not there: lists is a folder with train.txt and val.txt, or \"\".")
        found |= dict.fromkeys(read_stems(path, stems), split)
    return found


def _add_image(image: Path, folder: Path, link: bool) -> None:
    """Copies an image to a folder, or puts a symbolic link to it there."""
    output = folder / image.name
    if link:
        folder.mkdir(parents=True, exist_ok=True)
        if output.is_symlink():
            output.unlink()
        os.symlink(image.resolve(), output)
    else:
        with atomic_path(output) as temporary:
            shutil.copyfile(image, temporary)
