"""Converts label files of other programs to the masks used here, masks to labelme and YOLO files, and both to boxes.

    python convert_labelled.py --mode=coco_to_masks --input_dir=path/to/json --output_dir=path/to/masks --dry_run=False

It reads input_dir, writes to output_dir and never changes the inputs. A dry run only shows what would be written. A
file that cannot be converted is named and skipped, and the exit status is then 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from utils import config
from utils.config import Settings
from utils.detection.conversion import yolo_dataset
from utils.files.jobs import Job, run_jobs, warn
from utils.labels import conversions
from utils.labels.names import classes_of_labels, label_values
from utils.labels.tally import Tally
from utils.memory import keep_freed_memory
from utils.utils import NAME_CLASSES, UserError, require_distinct

# What to do
mode: Literal[
    "strip_suffix",      # copy files without the label suffix in their names: K1_label.png -> K1.png
    "colour_to_palette", # 24-bit colour label images -> masks, by color_table
    "voc_to_masks",      # PASCAL VOC *.xml boxes -> masks
    "yolo_to_masks",     # YOLO *.txt boxes and polygons -> masks; image_dir holds their images
    "coco_to_masks",     # COCO *.json -> masks
    "masks_to_yolo",     # masks -> YOLO *.txt; YOLO has no holes and no 255: holes are filled, 255 left out
    "masks_to_labelme",  # masks -> labelme *.json to correct by hand; image_dir holds their images
    "yolo_dataset",      # masks or labelme *.json, and specimens -> a data set with boxes for train_yolo.py
] = "masks_to_labelme"
dry_run: bool = True            # True: only show what would be written

# Folders
input_dir: str = "datasets/SegmentationClass"  # label files that the mode reads
output_dir: str = "datasets/converted"  # must be a different folder
image_dir: str = "datasets/JPEGImages"  # images with the stems of the label files
recursive: bool = False         # True: also read the subfolders; output_dir gets the same ones
overwrite: bool = False         # True: replace files that are already in output_dir
strict: bool = False            # True: a file with an object that is not written whole is an error and is not written

# Names
name_classes: tuple[str, ...] = NAME_CLASSES  # background first; a mask's pixel value is the index in this list
label_names: dict[str, str] = {  # name in the label files -> class, "_ignore_" (255), or "_left_out_": not in the mask
    "Color_chart": "Color chart", "Specimen": "_left_out_"}
label_suffixes: tuple[str, ...] = ("_label", "_labels")  # removed from the end of each output name; () removes none
yolo_names: tuple[str, ...] = NAME_CLASSES[1:]  # names by YOLO class index, as in data.yaml; background is not in it

# Colour label images: the colour (R, G, B) of each class in your files; this is the VOC palette
color_table: dict[str, tuple[int, int, int]] = {  # class, or "_ignore_" (255), and its colour
    "_background_": (0, 0, 0),
    "Barcode": (128, 0, 0),
    "Label": (0, 128, 0),
    "Color chart": (128, 128, 0),
    "Scale": (0, 0, 128),
    "_ignore_": (224, 224, 192),
}
color_tolerance: float = 40.0   # largest RGB distance to the nearest colour; pixels farther away become 255

# COCO
crowds: Literal["object", "ignore"] = "object"  # annotations with iscrowd 1: "object" suits CVAT, which writes that for
                                # every mask drawn with a brush; "ignore": they become 255, as COCO means them

# VOC and YOLO
voc_origin: Literal[1, 0] = 1   # number of the first pixel: 1 in PASCAL VOC, 0 in programs that count from 0
yolo_shape: Literal["polygons", "boxes"] = "polygons"  # what masks_to_yolo writes

# Data set with boxes, for yolo_dataset
specimens: str = ""             # JSON file with the boxes of the plants, see docs/formats.md; "": none
lists: str = ""                 # folder with train.txt and val.txt, such as ImageSets/Segmentation; "": all to train
link_images: bool = False       # True: symbolic links to the images instead of copies

# Outlines and specks, for masks_to_yolo, masks_to_labelme and yolo_dataset
polygon_tolerance: float = 1.0  # pixels that an outline may be off, to save points; 0: exact, a point at every step
min_pixels: int = 1             # objects with fewer pixels are left out, such as specks in predicted masks

# ---- nothing below needs editing ----

MODES = {**conversions.MODES, yolo_dataset.__name__: yolo_dataset}


def main(settings: Settings) -> int:
    """The exit status: 0, or 1 when a file was skipped.

    Raises UserError, before anything is written, for constants that do not fit, unknown names, two inputs with the same
    output, and outputs that already exist.
    """
    check_settings(settings)
    values = label_values(settings.name_classes, settings.label_names)
    tally = Tally(settings.strict, classes_of_labels(settings.name_classes, values))
    jobs, failed = MODES[settings.mode](settings, tally)
    require_distinct([(job.source, job.output) for job in jobs])
    existing = [job.output for job in jobs if job.output.exists()]
    if existing and not settings.overwrite:
        raise UserError(
            f"{len(existing)} of {len(jobs)} outputs are there already, the first is {existing[0]}: set "
            "overwrite = True to replace them, or choose another output_dir."
        )
    if settings.dry_run:
        show(jobs)
    else:
        unconverted = run_jobs(jobs, settings.mode)
        failed += unconverted
        print(f"{settings.mode}: {len(jobs) - unconverted} files written to {settings.output_dir}, {failed} skipped.")
        if settings.mode != "strip_suffix":
            print(f"\n{tally.table(settings.name_classes[1:])}")
            if len(jobs) > unconverted and not tally.written:
                warn(f"No object was written: the files in {settings.output_dir} are all background.")
    return 1 if failed else 0


def check_settings(settings: Settings) -> None:
    """Raises UserError when a number is out of range or output_dir is a folder of inputs."""
    for name, least in (("color_tolerance", 0), ("polygon_tolerance", 0), ("min_pixels", 1)):
        if not getattr(settings, name) >= least:
            raise UserError(f"{name} is {getattr(settings, name)}: it has to be {least} or more.", 2)
    output = Path(settings.output_dir).resolve()
    for name in ("input_dir", "image_dir"):
        folder = Path(getattr(settings, name)).resolve()
        if output == folder or (settings.recursive and folder in output.parents):
            raise UserError(
                f"output_dir is {settings.output_dir}, which is {name} or lies in it: choose another folder, so "
                "that no original is replaced.", 2
            )


def show(jobs: list[Job]) -> None:
    """Prints every input with its output."""
    for job in jobs:
        print(f"{job.source} -> {job.output}")
    print(f"{len(jobs)} files would be written; this was a dry run. Set dry_run = False to write them.")


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
