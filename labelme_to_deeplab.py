"""Turns labelme's JSON files into a data set for training: JPEGImages/*.jpg and SegmentationClass/*.png.

    python labelme_to_deeplab.py --input_dir=path/to/json_files --output_dir=herbarium_sheets/mine

Reads the files of labelme 3 to 7 with all shape types. The image is found by imagePath, else beside the JSON file by
its name, else inside the JSON file. Later shapes lie on top of earlier ones. An image that is an upright RGB JPEG is
copied byte for byte, any other is saved as one. A file that cannot be converted is named and skipped, and the exit
status is then 1. Files of an earlier conversion are replaced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from utils import config
from utils.config import Settings
from utils.files.images import opened, read_image, write_picture
from utils.files.jobs import Job, find_files, read_each, run_jobs, warn
from utils.files.masks import write_mask
from utils.files.metadata import Kept, orientation
from utils.labels.labelme import Annotation, embedded_image, find_image, paint, read_labelme
from utils.labels.names import label_values, require_known
from utils.memory import keep_freed_memory
from utils.utils import IGNORE, NAME_CLASSES, UserError, atomic_path, require_distinct

# Folders
input_dir: str = "datasets/before"     # labelme's *.json files; the images beside them or where imagePath says
output_dir: str = "datasets"           # gets JPEGImages and SegmentationClass; for training: herbarium_sheets/<name>
recursive: bool = False                # look into the subfolders of input_dir, too

# Classes
name_classes: tuple[str, ...] = NAME_CLASSES  # mask value = place in this list; background first
label_names: dict[str, str] = {"Color_chart": "Color chart"}  # label in labelme -> class, or "_ignore_" (255)

# Shapes without an area, in pixels; these are labelme's own figures
line_width: int = 10                   # line and linestrip
point_size: int = 5                    # point and points: radius of the disc

# Objects of one class that touch
seam: float = 0.002                    # share of the height, ignored between them: else they are one object; 0: nothing

# Images that are not copied
jpeg_quality: int = 95                 # 1 to 100

# ---- nothing below needs editing ----


def main(settings: Settings) -> int:
    """The exit status: 0, or 1 when a file was skipped. Raises UserError before any work for unknown labels, two
    files with one output name and constants that do not fit."""
    values = label_values(settings.name_classes, settings.label_names)
    for name, most in (("line_width", 1000), ("point_size", 1000), ("jpeg_quality", 100)):
        if not 1 <= getattr(settings, name) <= most:
            raise UserError(f"{name} is {getattr(settings, name)}: it has to be 1 to {most}.", 2)
    if not 0 <= settings.seam <= 0.05:
        raise UserError(f"seam is {settings.seam}: it has to be 0 to 0.05 of the height.", 2)
    paths = find_files(settings.input_dir, (".json",), settings.recursive)
    annotations, failed = read_each(paths, read_labelme)
    require_known([(shape.label, item.path) for item in annotations for shape in item.shapes], values)

    objects: Counter[int] = Counter()
    jobs = [
        Job(item.path, Path(settings.output_dir) / "SegmentationClass" / f"{item.path.stem}.png",
            partial(convert, item, settings, values, objects))
        for item in annotations
    ]
    require_distinct([(job.source, job.output) for job in jobs])
    unconverted = run_jobs(jobs, "Convert")
    print(f"Sheets converted: {len(jobs) - unconverted}, files skipped: {failed + unconverted}. Objects:")
    for value, name in [*enumerate(settings.name_classes), (IGNORE, "ignored")]:
        print(f"{value:>5}  {name:<16}{objects[value]:>7}")
    return 1 if failed + unconverted else 0


def convert(item: Annotation, settings: Settings, values: Mapping[str, int], objects: Counter[int]) -> None:
    """Writes image and mask of one sheet and adds its objects to `objects`; shapes of one group are one object."""
    image_out = Path(settings.output_dir) / "JPEGImages" / f"{item.path.stem}.jpg"
    image_path = find_image(item)
    if image_path:
        size = save_image(image_path, image_out, settings.jpeg_quality, item)
    elif item.embedded:
        with TemporaryDirectory() as folder:
            image_path = Path(folder) / "imageData"
            image_path.write_bytes(embedded_image(item.path))
            try:
                size = save_image(image_path, image_out, settings.jpeg_quality, item)
            except UserError as error:  # names the file that the user has
                raise UserError(str(error).replace(str(image_path), f"imageData of {item.path}")) from error
    else:
        raise UserError(
            f'{item.path}: its image "{item.image_path}" is not there, nor one with the stem {item.path.stem}: '
            "put the image beside the JSON file."
        )
    mask, covered = paint(item.shapes, size, values, settings.line_width, settings.point_size, settings.seam)
    write_mask(Path(settings.output_dir) / "SegmentationClass" / f"{item.path.stem}.png", mask)

    for number, (shape, pixels) in enumerate(zip(item.shapes, covered), 1):
        if not pixels:
            warn(f'{item.path}: shape {number} ("{shape.label}", {shape.kind}) covers no pixel of the image.')
    if not item.shapes:
        warn(f"{item.path} has no shapes: its mask is all background.")
    objects.update({
        (shape.label, number if shape.group_id is None else ("group", shape.group_id)): values[shape.label]
        for number, shape in enumerate(item.shapes)
    }.values())


def save_image(image: Path, output: Path, quality: int, item: Annotation) -> tuple[int, int]:
    """(height, width) of the upright image, which is copied, or saved as JPEG, to `output`.

    Raises UserError when the image is bad, is not of the size that was annotated, or would change an original.
    """
    pixels = read_image(image)
    size = pixels.shape[:2]
    if item.size and item.size != size:
        turned = " It seems to have been turned since." if item.size == size[::-1] else ""
        raise UserError(
            f"{item.path} was drawn on an image of {item.size[1]} x {item.size[0]} pixels and {image.name} has "
            f"{size[1]} x {size[0]} when upright.{turned} Put the image back that was labelled, or label this one."
        )
    copied = is_upright_rgb_jpeg(image)
    if image.parent.resolve() == output.parent.resolve():
        if not copied or image.name != output.name:
            raise UserError(f"{image} would have to be converted in the folder of the originals: change output_dir.")
    elif copied:
        with atomic_path(output) as temporary:
            temporary.write_bytes(image.read_bytes())
    else:
        write_picture(output, np.ascontiguousarray(pixels), Kept("JPEG", {"quality": quality, "subsampling": 0}))
    return size


def is_upright_rgb_jpeg(path: Path) -> bool:
    """Whether the file can be used for training byte for byte."""
    with opened(path) as image:
        return image.format == "JPEG" and image.mode == "RGB" and orientation(image) == 1


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
