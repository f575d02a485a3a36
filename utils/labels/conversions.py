"""The modes of convert_labelled.py: each plans its jobs, one output file each, and what every job does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from utils.config import Settings
from utils.files.images import read_image
from utils.files.jobs import Job, find_files, read_each, warn
from utils.files.masks import read_mask, require_known_values, value_counts, write_mask
from utils.labels.coco import CocoLabels, coco_objects, coco_stem, read_coco
from utils.labels.colours import nearest_classes
from utils.labels.labelme import write_labelme
from utils.labels.marked import paint_objects
from utils.labels.names import IGNORE_NAMES, label_values, require_known
from utils.labels.polygons import outlines
from utils.labels.voc_xml import VocLabels, read_voc
from utils.labels.yolo import read_yolo, yolo_lines
from utils.utils import IGNORE, IMAGE_SUFFIXES, UserError, atomic_path, find_images

Plan = tuple[list[Job], int]  # the jobs, and how many files could not be read


def strip_suffix(settings: Settings) -> Plan:
    """Copies of all files, with the label suffix taken off their names."""
    def copy(source: Path, output: Path) -> None:
        with atomic_path(output) as temporary:
            shutil.copyfile(source, temporary)

    return _plan(settings, (), None, copy), 0


def colour_to_palette(settings: Settings) -> Plan:
    """Masks from colour label images."""
    values = label_values(settings.name_classes)
    require_known([(name, Path("color_table")) for name in settings.color_table], values)
    colors = {color: values[name] for name, color in settings.color_table.items()}
    if len(colors) != len(settings.color_table):
        raise UserError("color_table gives one colour to two classes: each needs its own.", 2)

    def convert(source: Path, output: Path) -> None:
        mask, unknown = nearest_classes(read_image(source), colors, settings.color_tolerance)
        if unknown:
            warn(f"{source}: {unknown:.2%} of the pixels are near no colour of color_table and become {IGNORE}.")
        write_mask(output, mask)

    return _plan(settings, IMAGE_SUFFIXES, ".png", convert), 0


def voc_to_masks(settings: Settings) -> Plan:
    """Masks from PASCAL VOC XML boxes."""
    values = label_values(settings.name_classes, settings.label_names)
    files = find_files(settings.input_dir, (".xml",), settings.recursive)
    found, failed = read_each(files, partial(read_voc, origin=settings.voc_origin))
    require_known([(item.name, labels.path) for labels in found for item in labels.objects], values)

    def convert(labels: VocLabels, output: Path) -> None:
        write_mask(output, paint_objects(labels.objects, labels.size, values))

    outputs = [_output(settings, labels.path, ".png") for labels in found]
    return [Job(item.path, output, partial(convert, item, output)) for item, output in zip(found, outputs)], failed


def yolo_to_masks(settings: Settings) -> Plan:
    """Masks from YOLO TXT boxes and polygons; the images are needed for their sizes."""
    values = label_values(settings.name_classes, settings.label_names)
    require_known([(name, Path("yolo_names")) for name in settings.yolo_names], values)
    find = _image_finder(settings)

    def convert(source: Path, output: Path) -> None:
        size = read_image(find(source)).shape[:2]
        write_mask(output, paint_objects(read_yolo(source, size, settings.yolo_names), size, values))

    jobs = _plan(settings, (".txt",), ".png", convert)
    return [job for job in jobs if job.source.name != "classes.txt"], 0  # labelImg's list of class names


def coco_to_masks(settings: Settings) -> Plan:
    """Masks from COCO JSON files, one for every image that they list."""
    values = label_values(settings.name_classes, settings.label_names)
    files = find_files(settings.input_dir, (".json",), settings.recursive)
    found, failed = read_each(files, read_coco)
    images = [image for labels in found for image in labels]
    require_known([(name, image.path) for image in images for name, _ in image.annotations], values)

    def convert(labels: CocoLabels, output: Path) -> None:
        write_mask(output, paint_objects(coco_objects(labels), labels.size, values))

    jobs = []
    for labels in images:
        output = Path(settings.output_dir) / f"{stem(settings, coco_stem(labels))}.png"
        source = labels.path / labels.file_name  # not a file: it names the image within the JSON file in messages
        jobs.append(Job(source, output, partial(convert, labels, output)))
    return jobs, failed


def masks_to_yolo(settings: Settings) -> Plan:
    """YOLO TXT files from masks."""
    values = label_values(settings.name_classes, settings.label_names)
    require_known([(name, Path("yolo_names")) for name in settings.yolo_names], values)
    indices = {values[name]: index for index, name in enumerate(settings.yolo_names)}
    boxes = settings.yolo_shape == "boxes"

    def convert(source: Path, output: Path) -> None:
        mask = _read_known_mask(source, settings)
        found = outlines(mask, 0 if boxes else settings.polygon_tolerance, settings.min_pixels)
        with atomic_path(output) as temporary:
            temporary.write_text(yolo_lines(found, mask.shape, indices, boxes), encoding="utf-8", newline="\n")

    return _plan(settings, (".png",), ".txt", convert), 0


def masks_to_labelme(settings: Settings) -> Plan:
    """labelme JSON files from masks; the images are named in them."""
    names = {**dict(enumerate(settings.name_classes)), IGNORE: IGNORE_NAMES[0]}
    find = _image_finder(settings)

    def convert(source: Path, output: Path) -> None:
        mask = _read_known_mask(source, settings)
        found = outlines(mask, settings.polygon_tolerance, settings.min_pixels)
        write_labelme(output, found, names, mask.shape, find(source))

    return _plan(settings, (".png",), ".json", convert), 0


MODES: dict[str, Callable[[Settings], Plan]] = {
    function.__name__: function
    for function in (
        strip_suffix, colour_to_palette, voc_to_masks, yolo_to_masks, coco_to_masks, masks_to_yolo, masks_to_labelme
    )
}


def stem(settings: Settings, name: str) -> str:
    """`name` (a stem) without the longest of label_suffixes that it ends with, unless nothing would be left."""
    endings = [suffix for suffix in settings.label_suffixes if suffix and name.endswith(suffix) and name != suffix]
    return name.removesuffix(max(endings, key=len, default=""))


def _output(settings: Settings, source: Path, suffix: str | None) -> Path:
    """Where `source` goes: the same subfolder of output_dir, with the new suffix (None: its own)."""
    folder = Path(settings.output_dir) / source.parent.relative_to(settings.input_dir)
    return folder / f"{stem(settings, source.stem)}{source.suffix if suffix is None else suffix}"


def _plan(
    settings: Settings, suffixes: tuple[str, ...], suffix: str | None, work: Callable[[Path, Path], None]
) -> list[Job]:
    """One job for each file of input_dir with one of `suffixes`: work(source, output)."""
    sources = find_files(settings.input_dir, suffixes, settings.recursive)
    outputs = [_output(settings, source, suffix) for source in sources]
    return [Job(source, output, partial(work, source, output)) for source, output in zip(sources, outputs)]


def _image_finder(settings: Settings) -> Callable[[Path], Path]:
    """A function from a label file to the image in image_dir with its stem; it raises UserError unless there is one."""
    images: dict[str, list[Path]] = {}
    for path in find_images(settings.image_dir, settings.recursive):
        images.setdefault(path.stem, []).append(path)

    def find(source: Path) -> Path:
        name = stem(settings, source.stem)
        found = images.get(name, [])
        if len(found) != 1:
            raise UserError(
                f"{source} needs one image with the stem {name} in {settings.image_dir} and there are {len(found)}: "
                "check image_dir."
            )
        return found[0]

    return find


def _read_known_mask(path: Path, settings: Settings) -> np.ndarray:
    """The mask in a file. Raises UserError when it holds values that are neither a class nor IGNORE."""
    mask = read_mask(path)
    require_known_values(path, value_counts(mask), len(settings.name_classes))
    return mask
