"""The modes of convert_labelled.py: each plans its jobs, one output file each, and what every job does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from utils.config import Settings
from utils.files.images import read_image
from utils.files.jobs import Job, find_files, read_each, warn
from utils.files.masks import read_mask, require_known_values, value_counts, write_mask
from utils.labels.formats.class_lists import require_same_classes
from utils.labels.formats.coco import CocoLabels, coco_objects, coco_stem, read_coco
from utils.labels.formats.colours import grey_classes, nearest_classes
from utils.labels.formats.labelme import write_labelme
from utils.labels.formats.voc import VocLabels, read_voc
from utils.labels.formats.yolo import is_yolo_labels, read_yolo, yolo_lines
from utils.labels.marked import paint_objects
from utils.labels.names import IGNORE_NAMES, label_values, require_known
from utils.labels.polygons import Outline, outlines
from utils.labels.tally import Outcome, Tally
from utils.utils import IGNORE, IMAGE_SUFFIXES, UserError, atomic_path, find_images

Plan = tuple[list[Job], int]  # the jobs, and how many files could not be read


def strip_suffix(settings: Settings, tally: Tally) -> Plan:
    """Copies of all files, with the label suffix taken off their names."""
    def copy(source: Path, output: Path) -> None:
        with atomic_path(output) as temporary:
            shutil.copyfile(source, temporary)

    return _plan(settings, find_files(settings.input_dir, (), settings.recursive), None, copy), 0


def colour_to_palette(settings: Settings, tally: Tally) -> Plan:
    """Masks from colour label images, and from grey ones whose values are the classes."""
    values = label_values(settings.name_classes)
    require_known([(name, Path("color_table")) for name in settings.color_table], values)
    colors = {color: values[name] for name, color in settings.color_table.items()}
    if len(colors) != len(settings.color_table):
        raise UserError("color_table gives one colour to two classes: each needs its own.", 2)

    def convert(source: Path, output: Path) -> None:
        image, faults = read_image(source), []
        mask = grey_classes(source, image, len(settings.name_classes))
        if mask is not None:
            warn(f"{source}: all channels are equal and hold class numbers, which are taken as they are.")
        else:
            mask, unknown = nearest_classes(image, colors, settings.color_tolerance)
            if unknown:
                faults = [f"{unknown:.2%} of the pixels are near no colour of color_table and become {IGNORE}"]
        tally.settle(source, _mask_outcomes(mask, settings), faults)
        write_mask(output, mask)

    return _plan(settings, find_files(settings.input_dir, IMAGE_SUFFIXES, settings.recursive), ".png", convert), 0


def voc_to_masks(settings: Settings, tally: Tally) -> Plan:
    """Masks from PASCAL VOC XML boxes, or polygons."""
    values = label_values(settings.name_classes, settings.label_names)
    files = find_files(settings.input_dir, (".xml",), settings.recursive)
    found, failed = read_each(files, partial(read_voc, origin=settings.voc_origin))
    require_known([(item.name, labels.path) for labels in found for item in labels.objects], values)
    images = _images(settings)

    def convert(labels: VocLabels, output: Path) -> None:
        for note in labels.notes:
            warn(f"{labels.path}: {note}.")
        _require_size_of_image(labels.path, labels.size, images.get(stem(settings, labels.path.stem), []))
        mask, outcomes = paint_objects(labels.objects, labels.size, values)
        tally.settle(labels.path, outcomes, labels.faults)
        write_mask(output, mask)

    outputs = [_output(settings, labels.path, ".png") for labels in found]
    return [Job(item.path, output, partial(convert, item, output)) for item, output in zip(found, outputs)], failed


def yolo_to_masks(settings: Settings, tally: Tally) -> Plan:
    """Masks from YOLO TXT boxes and polygons; the images are needed for their sizes."""
    values = label_values(settings.name_classes, settings.label_names)
    require_known([(name, Path("yolo_names")) for name in settings.yolo_names], values)
    require_same_classes(Path(settings.input_dir), settings.yolo_names, values)
    find = image_finder(settings)

    def convert(source: Path, output: Path) -> None:
        size = read_image(find(source)).shape[:2]
        mask, outcomes = paint_objects(read_yolo(source, size, settings.yolo_names), size, values)
        tally.settle(source, outcomes)
        write_mask(output, mask)

    files = find_files(settings.input_dir, (".txt",), settings.recursive)
    others = [path.name for path in files if not is_yolo_labels(path)]
    if others:
        warn(f"Not taken for labels: {', '.join(others)}.")
    return _plan(settings, [path for path in files if is_yolo_labels(path)], ".png", convert), 0


def coco_to_masks(settings: Settings, tally: Tally) -> Plan:
    """Masks from COCO JSON files, one for every image that they list."""
    values = label_values(settings.name_classes, settings.label_names)
    files = find_files(settings.input_dir, (".json",), settings.recursive)
    found, failed = read_each(files, read_coco)
    listed = [image for labels in found for image in labels.images]
    require_known([(name, image.path) for image in listed for name, _ in image.annotations], values)
    images = _images(settings)

    def convert(labels: CocoLabels, output: Path) -> None:
        source = labels.path / labels.file_name
        own = images.get(coco_stem(labels), [])
        size = labels.size or (read_image(own[0]).shape[:2] if len(own) == 1 else None)
        if size is None:
            raise UserError(
                f"{labels.path}: {labels.file_name} has no height and width: add them, or put the image into image_dir."
            )
        if labels.size:
            _require_size_of_image(source, size, own)
        mask, outcomes = paint_objects(coco_objects(labels, size, settings.crowds == "object"), size, values)
        tally.settle(source, outcomes, [] if outcomes else ["it has no annotations, so its mask is all background"])
        write_mask(output, mask)

    for labels in found:
        tally.settle(labels.path, [], labels.faults)
    jobs = []
    for labels in listed:
        output = Path(settings.output_dir) / f"{coco_stem(labels)}.png"
        source = labels.path / labels.file_name  # not a file: it names the image within the JSON file in messages
        jobs.append(Job(source, output, partial(convert, labels, output)))
    return jobs, failed


def masks_to_yolo(settings: Settings, tally: Tally) -> Plan:
    """YOLO TXT files from masks."""
    values = label_values(settings.name_classes, settings.label_names)
    require_known([(name, Path("yolo_names")) for name in settings.yolo_names], values)
    indices = {values[name]: index for index, name in enumerate(settings.yolo_names)}
    boxes = settings.yolo_shape == "boxes"
    images = _images(settings)

    def convert(source: Path, output: Path) -> None:
        mask = _read_known_mask(source, settings)
        _require_size_of_image(source, mask.shape, images.get(stem(settings, source.stem), []))
        found = outlines(mask, 0 if boxes else settings.polygon_tolerance)
        tally.settle(source, _outline_outcomes(found, settings, indices))
        kept = [outline for outline in found if outline.pixels >= settings.min_pixels]
        with atomic_path(output) as temporary:
            temporary.write_text(yolo_lines(kept, mask.shape, indices, boxes), encoding="utf-8", newline="\n")

    return _plan(settings, find_files(settings.input_dir, (".png",), settings.recursive), ".txt", convert), 0


def masks_to_labelme(settings: Settings, tally: Tally) -> Plan:
    """labelme JSON files from masks; the images are named in them."""
    names = {**dict(enumerate(settings.name_classes)), IGNORE: IGNORE_NAMES[0]}
    find = image_finder(settings)

    def convert(source: Path, output: Path) -> None:
        mask, image = _read_known_mask(source, settings), find(source)
        _require_size_of_image(source, mask.shape, [image])
        found = outlines(mask, settings.polygon_tolerance)
        tally.settle(source, _outline_outcomes(found, settings, names))
        kept = [outline for outline in found if outline.pixels >= settings.min_pixels]
        write_labelme(output, kept, names, mask.shape, image)

    return _plan(settings, find_files(settings.input_dir, (".png",), settings.recursive), ".json", convert), 0


MODES: dict[str, Callable[[Settings, Tally], Plan]] = {
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
    settings: Settings, sources: list[Path], suffix: str | None, work: Callable[[Path, Path], None]
) -> list[Job]:
    """One job for each of the files of input_dir: work(source, output)."""
    outputs = [_output(settings, source, suffix) for source in sources]
    return [Job(source, output, partial(work, source, output)) for source, output in zip(sources, outputs)]


def _images(settings: Settings) -> dict[str, list[Path]]:
    """Stem -> images of image_dir with that stem; empty without the folder."""
    found: dict[str, list[Path]] = {}
    if Path(settings.image_dir).is_dir():
        for path in find_images(settings.image_dir, settings.recursive):
            found.setdefault(path.stem, []).append(path)
    return found


def image_finder(settings: Settings) -> Callable[[Path], Path]:
    """A function from a label file to the image in image_dir with its stem; it raises UserError unless there is one."""
    find_images(settings.image_dir)  # raises when it is no folder
    images = _images(settings)

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


def _require_size_of_image(source: Path, size: tuple[int, int], images: list[Path]) -> None:
    """Raises UserError when the labels in `source`, made for `size` (height, width), do not fit the one image."""
    if len(images) != 1:
        return
    height, width = read_image(images[0]).shape[:2]
    if (height, width) != tuple(size):
        raise UserError(
            f"{source} is for an image of {size[1]} x {size[0]} pixels and {images[0]} has {width} x {height}: scale "
            "the labels to the image, or put the image there that they were made for."
        )


def _mask_outcomes(mask: np.ndarray, settings: Settings) -> list[Outcome]:
    """One outcome for each 8-connected object of a mask."""
    found = []
    for value in np.flatnonzero(value_counts(mask)).tolist():
        count = cv2.connectedComponents((mask == value).view(np.uint8), connectivity=8)[0] - 1 if value else 0
        name = IGNORE_NAMES[0] if value == IGNORE else settings.name_classes[value]
        found += [Outcome(name, "ignored" if value == IGNORE else "written")] * count
    return found


def _outline_outcomes(found: list[Outline], settings: Settings, written: Mapping[int, object]) -> list[Outcome]:
    """One outcome for each outline of an object; `written`: the mask values that the format has."""
    outcomes = []
    for outline in found:
        name = IGNORE_NAMES[0] if outline.value == IGNORE else settings.name_classes[outline.value]
        if outline.value == 0:  # a hole in an object
            continue
        if outline.value not in written:
            why = "" if outline.value == IGNORE else "yolo_names does not have its class"
            outcomes.append(Outcome(name, "ignored", why))
        elif outline.pixels < settings.min_pixels:
            outcomes.append(Outcome(name, "ignored", f"smaller than min_pixels = {settings.min_pixels}"))
        else:
            outcomes.append(Outcome(name, "written"))
    return outcomes


def _read_known_mask(path: Path, settings: Settings) -> np.ndarray:
    """The mask in a file. Raises UserError when it holds values that are neither a class nor IGNORE."""
    mask = read_mask(path)
    require_known_values(path, value_counts(mask), len(settings.name_classes))
    return mask
