"""Makes the lists of sheets for training, validation and test: <dataset>/ImageSets/Segmentation/*.txt.

    python get_annotation.py --dataset=mine --institutions=apart

Writes trainval.txt, train.txt, val.txt and test.txt with one stem per line, and prints what the masks hold. It
replaces the lists of an earlier run. The same seed gives the same lists. The exit status is 1 when a mask cannot be
used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from utils import config
from utils.config import Settings
from utils.files.jobs import warn
from utils.files.voc import VocDataset
from utils.labels.splits import (
    SPLITS, absent_classes, institution, only_0_and_255, split_stems, survey_masks, survey_table,
)
from utils.memory import keep_freed_memory
from utils.utils import NAME_CLASSES, UserError, atomic_path

# Dataset: <dataset_path>/<dataset>/{JPEGImages,SegmentationClass}
dataset_path: str = "herbarium_sheets"  # folder that holds the data sets
dataset: str = "demo"           # <dataset_path>/<dataset>/{JPEGImages,SegmentationClass}; the lists go to ImageSets
name_classes: tuple[str, ...] = NAME_CLASSES  # as in train.py; masks may hold the indices of this list, and 255

# Shares: numbers above 0, up to 1
trainval_percent: float = 1.0   # share of all sheets for train and val; the rest is test; 1: no test sheets
train_percent: float = 0.9      # share of these sheets for train; the rest is val
seed: int = 11                  # another seed gives another random split

# Institutions, read from the file names: BM_000123.jpg belongs to "BM".
# "stratified": every institution is in every split, in equal shares. "mixed": institutions are ignored.
# "apart": val and test hold institutions that train has not seen. It shows how well sheets from elsewhere will do.
institutions: Literal["mixed", "stratified", "apart"] = "stratified"  # see the three lines above
separator: str = "_"            # ends the institution in a file name; names without it count as one institution
val_institutions: tuple[str, ...] = ()  # if not empty: val is all their sheets; train_percent is ignored

# ---- nothing below needs editing ----


def main(settings: Settings) -> int:
    """The exit status: 0, or 1 when masks cannot be used. Raises UserError when a split would be empty."""
    data = VocDataset(settings.dataset_path, settings.dataset)
    images = data.images()
    masks = data.masks()
    name_missing("images without a mask", images.keys() - masks.keys())
    name_missing("masks without an image", masks.keys() - images.keys())
    for fault in data.mask_faults():
        warn(fault)
    stems = sorted(images.keys() & masks.keys())
    if not stems:
        raise UserError(f"{data.root} has no image with a mask: JPEGImages/K1.jpg needs SegmentationClass/K1.png.")

    split = split_stems(
        stems, trainval_percent=settings.trainval_percent, train_percent=settings.train_percent, seed=settings.seed,
        institutions=settings.institutions, separator=settings.separator, val_institutions=settings.val_institutions,
    )
    write_lists(data, {**split, "trainval": sorted(split["train"] + split["val"])})
    for name in SPLITS:
        groups = sorted({institution(stem, settings.separator) for stem in split[name]} - {""})
        print(f"{name:<6}{len(split[name]):>6} sheets{'  ' if groups else ''}{', '.join(groups)}")
    for name, constant in (("test", "trainval_percent"), ("val", "train_percent")):
        if not split[name]:
            print(f"{name}.txt is empty, as {constant} = 1 asks for.")

    survey = survey_masks({stem: masks[stem] for stem in stems}, settings.name_classes)
    print(f"\nWhat the masks hold; in the last columns, how many masks of each split have it:\n"
          f"{survey_table(survey, split, settings.name_classes)}")
    empty = only_0_and_255(survey)
    if empty * 2 > len(stems):
        warn(
            f"{empty} of {len(stems)} masks are only 0 and 255: 255 is never learned, so the network would find "
            "nothing. Objects need their class index (1, 2, ...) as pixel value: make the masks with "
            "labelme_to_deeplab.py or convert_labelled.py."
        )
    for name, use in (("train", "learned"), ("val", "scored")):
        if split[name] and (absent := absent_classes(survey, split[name], settings.name_classes)):
            warn(f"No mask of {name}.txt holds {', '.join(absent)}: it cannot be {use}.")
    for problem in survey.problems:
        warn(problem)
    if survey.problems:
        warn(f"{len(survey.problems)} of {len(stems)} masks cannot be used. They are in the lists: mend them first.")
    return 1 if survey.problems else 0


def write_lists(data: VocDataset, lists: Mapping[str, Sequence[str]]) -> None:
    """Writes <name>.txt for each list. Raises UserError when the folder cannot be written to."""
    try:
        for name, stems in lists.items():
            with atomic_path(data.list_dir / f"{name}.txt") as temporary:
                temporary.write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(f"{data.list_dir} cannot be written to ({error}): check the folder.") from error


def name_missing(what: str, stems: set[str]) -> None:
    """Prints a warning that these sheets are not listed; `what` says what kind they are."""
    if stems:
        more = f" and {len(stems) - 10} more" if len(stems) > 10 else ""
        warn(f"{len(stems)} {what} are not listed: {', '.join(sorted(stems)[:10])}{more}.")


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
