"""Turns labelme's JSON files into a data set for training: JPEGImages/*.jpg and SegmentationClass/*.png.

    python labelme_to_deeplab.py --input_dir=path/to/json_files --output_dir=herbarium_sheets/mine
    python labelme_to_deeplab.py --instances=true        also writes InstanceClass/*.png, for networks that need it

It reads the files of labelme 3 to 7 with all shape types. The image is looked for at imagePath, then beside the JSON
file under the same name, then inside the JSON file. Later shapes lie on top of earlier ones. An upright RGB JPEG is
copied byte for byte; any other image is saved as an upright RGB JPEG. A file that cannot be converted is named and
skipped, and the exit status is then 1. Files of an earlier conversion are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from utils import config
from utils.config import Settings
from utils.files.images import opened, read_image, write_picture
from utils.files.jobs import Job, find_files, read_each, run_jobs, warn
from utils.files.masks import write_instances, write_mask
from utils.files.metadata import Kept, orientation
from utils.files.voc import INSTANCE_DIR, instance_file
from utils.labels.formats.labelme import Annotation, annotated_image, read_labelme
from utils.labels.marked import MAX_OBJECTS, require_pixel_coordinates
from utils.labels.names import LEFT_OUT, classes_of_labels, label_values, require_known
from utils.labels.shapes import paint, shape_outcomes
from utils.labels.tally import Outcome, Tally
from utils.memory import keep_freed_memory
from utils.utils import NAME_CLASSES, UserError, atomic_path, remove_abandoned, require_distinct

# Folders
input_dir: str = "datasets/before"     # labelme's *.json files; images lie beside them, or where imagePath says
output_dir: str = "datasets"           # gets JPEGImages and SegmentationClass; to train, use herbarium_sheets/<name>
recursive: bool = False                # True: also read the subfolders of input_dir
strict: bool = False                   # True: a sheet with an object that is not written whole is an error

# Classes
name_classes: tuple[str, ...] = NAME_CLASSES  # background first; a mask's pixel value is the index in this list
label_names: dict[str, str] = {        # label in labelme -> class, "_ignore_" (255), or "_left_out_": not in the mask
    "Color_chart": "Color chart", "Specimen": "_left_out_"}

# Shapes without an area: their size in pixels, as labelme draws them
line_width: int = 10                   # line and linestrip
point_size: int = 5                    # point and points: radius of the disc

# Objects of one class
instances: bool = False                # True: also write InstanceClass, the number of each pixel's object on its sheet
seam: float = 0.002                    # an ignored line where they touch; its width, as a share of the height; 0: none

# Images that cannot be copied
jpeg_quality: int = 95                 # 1 to 100

# ---- nothing below needs editing ----


def main(settings: Settings) -> int:
    """The exit status: 0, or 1 when a file was skipped.

    Raises UserError, before any work, for unknown labels, two files with the same output name, and constants that do
    not fit.
    """
    values = label_values(settings.name_classes, settings.label_names)
    for name, most in (("line_width", 1000), ("point_size", 1000), ("jpeg_quality", 100)):
        if not 1 <= getattr(settings, name) <= most:
            raise UserError(f"{name} is {getattr(settings, name)}: it has to be 1 to {most}.", 2)
    if not 0 <= settings.seam <= 0.05:
        raise UserError(f"seam is {settings.seam}: it has to be 0 to 0.05 of the height.", 2)
    paths = find_files(settings.input_dir, (".json",), settings.recursive)
    annotations, failed = read_each(paths, read_labelme)
    require_known([(shape.label, item.path) for item in annotations for shape in item.shapes], values)

    tally = Tally(settings.strict, classes_of_labels(settings.name_classes, values))
    jobs = [
        Job(item.path, Path(settings.output_dir) / "SegmentationClass" / f"{item.path.stem}.png",
            partial(convert, item, settings, values, tally))
        for item in annotations
    ]
    require_distinct([(job.source, job.output) for job in jobs])
    remove_abandoned(Path(settings.output_dir) / INSTANCE_DIR)
    unconverted = run_jobs(jobs, "Convert")
    print(f"Sheets converted: {len(jobs) - unconverted}, files skipped: {failed + unconverted}.\n\n"
          f"{tally.table(settings.name_classes[1:])}")
    if len(jobs) > unconverted and not tally.written:
        warn(f"No object was written: the masks in {settings.output_dir} are all background.")
    older = 0 if settings.instances else sum(instance_file(job.output).exists() for job in jobs)
    if older:
        warn(f"{Path(settings.output_dir) / INSTANCE_DIR} has {older} instance masks of an earlier conversion, which "
             "may not fit the new masks: convert again with --instances=true, or delete them.")
    return 1 if failed + unconverted else 0


def convert(item: Annotation, settings: Settings, values: Mapping[str, int], tally: Tally) -> None:
    """Writes the image and the mask of one sheet, perhaps its instance mask, and counts its objects.

    Args:
        item: the sheet's annotation; shapes of one group are one object.
        settings: the constants of this script.
        values: the pixel value of each label.
        tally: where the sheet's objects are added.

    Raises:
        UserError: the image is missing or bad, or does not fit the annotation.
    """
    folder = Path(settings.output_dir)
    mask_path = folder / "SegmentationClass" / f"{item.path.stem}.png"
    shapes = [shape for shape in item.shapes if values[shape.label] != LEFT_OUT]
    left_out = [Outcome(shape.label, "ignored") for shape in item.shapes if values[shape.label] == LEFT_OUT]
    if len(item.shapes) > MAX_OBJECTS:
        raise UserError(f"{item.path} has {len(item.shapes)} shapes: up to {MAX_OBJECTS} are allowed.")
    with annotated_image(item) as (image, note):
        if note:
            warn(f"{item.path}: {note}.")
        pixels = read_image(image)
        size = pixels.shape[:2]
        require_annotated_size(item, image, size)
        for target in (mask_path, instance_file(mask_path)):
            if target.exists() and image.samefile(target):
                raise UserError(f"{image} would be overwritten by a mask: choose another output_dir.")
        painted = paint(shapes, size, values, settings.line_width, settings.point_size, settings.seam)
        outcomes = shape_outcomes(shapes, size, values, painted.covered, painted.seen) + left_out
        why = "its shapes are left out" if left_out else "it has no shapes"
        tally.settle(item.path, outcomes, [] if shapes else [f"{why}, so its mask is all background"])
        save_image(image, pixels, folder / "JPEGImages" / f"{item.path.stem}.jpg", settings.jpeg_quality)
    write_mask(mask_path, painted.mask)
    if settings.instances:
        write_instances(instance_file(mask_path), painted.instances)


def require_annotated_size(item: Annotation, image: Path, size: tuple[int, int]) -> None:
    """Raises UserError when the upright image is not of the annotated size, or the points are not in pixels."""
    if item.size and item.size != size:
        turned = " It seems to have been turned since." if item.size == size[::-1] else ""
        raise UserError(
            f"{item.path} was labelled on an image of {item.size[1]} x {item.size[0]} pixels and {image.name} has "
            f"{size[1]} x {size[0]} when upright.{turned} Put back the image that was labelled, or label this one."
        )
    require_pixel_coordinates(str(item.path), [shape.points for shape in item.shapes if shape.kind == "polygon"], size)


def save_image(image: Path, pixels: np.ndarray, output: Path, quality: int) -> None:
    """Copies the image to `output`, or saves its pixels there as JPEG.

    Args:
        image: the file that was read.
        pixels: its upright pixels, uint8 (H, W, 3).
        output: the file to write.
        quality: of the JPEG, 1 to 100, unless the image is copied.

    Raises:
        UserError: an original would be changed.
    """
    copied = is_upright_rgb_jpeg(image)
    if image.parent.resolve() == output.parent.resolve():
        if not copied or image.name != output.name:
            raise UserError(f"{image} would be converted in the folder of the originals: choose another output_dir.")
    elif copied:
        with atomic_path(output) as temporary:
            temporary.write_bytes(image.read_bytes())
    else:
        write_picture(output, np.ascontiguousarray(pixels), Kept("JPEG", {"quality": quality, "subsampling": 0}))


def is_upright_rgb_jpeg(path: Path) -> bool:
    """Whether the file is an upright RGB JPEG, which can be copied as it is."""
    with opened(path) as image:
        return image.format == "JPEG" and image.mode == "RGB" and orientation(image) == 1


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
