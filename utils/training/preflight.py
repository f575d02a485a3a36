"""Checks every listed sheet before the first epoch, caches it, and counts its pixels for class weights."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

import numpy as np
from tqdm import tqdm

from utils.files.jobs import warn
from utils.files.masks import require_known_values
from utils.objects.panoptic import MOST, lacks_instances
from utils.training.cache import Request, Sheet, SheetCache
from utils.utils import IGNORE, UserError

CHECK_BOX = (64, 64)  # size to check sheets at without a cache: small JPEGs decode fast, and completely
SHOWN = 20  # problems that are printed; the rest is only counted


def preflight(
    files: Sequence[tuple[Path, Path | None]],
    num_classes: int,
    progress: bool = True,
    boxes: Sequence[tuple[int, int]] | None = None,
    cache: SheetCache | None = None,
    begin: int = 0,
    panoptic: Sequence[bool] | None = None,
) -> np.ndarray:
    """How many pixels of each class each mask has, int64 (sheets, num_classes). A sheet without a mask has none.

    It reads every image and mask once, in threads.

    Args:
        files: image and mask of each sheet; the mask may be None.
        num_classes: number of classes, background included.
        progress: show a progress bar, and a warning if sheets have more instances than masks can hold.
        boxes: the size (height, width) that each sheet is scaled down to fit in the cache.
        cache: is filled with the sheets. Sheets that it already holds are not read again.
        begin: number of the first sheet to check. Processes that fill one cache together begin at different sheets.
        panoptic: which sheets are read with their instances. None: no sheet is.

    Raises:
        UserError: lists every problem and how to solve it: a file that is missing or unreadable, image and mask of
            different sizes, a mask that is not 8-bit or has other values than the classes and 255, or an instance mask
            that does not fit its mask.
    """
    cache = cache or SheetCache("", 0)
    wanted = zip(files, boxes or [CHECK_BOX] * len(files), panoptic or [False] * len(files), strict=True)
    requests = [Request(*pair, *how) for pair, *how in wanted]
    cache.make_room(requests)
    crowded = []

    def check(number: int) -> tuple[np.ndarray, str]:
        request = requests[number]
        try:
            sheet = _check_sheet(cache, request, num_classes)
        except UserError as error:
            return np.zeros(num_classes, np.int64), str(error)
        if request.panoptic and lacks_instances(sheet.mask):
            crowded.append(request.image.name)
        return sheet.pixels[:num_classes], ""

    order = np.roll(np.arange(len(files)), -begin).tolist()
    with ThreadPoolExecutor(cpu_count()) as pool:
        results = list(tqdm(pool.map(check, order), "Check", len(files), unit="sheet", disable=not progress))
    results = [result for _, result in sorted(zip(order, results), key=lambda pair: pair[0])]
    require_usable([problem for _, problem in results if problem], len(files))
    if crowded and progress:
        warn(f"{len(crowded)} of {len(files)} sheets have more than {MOST} objects at the size for training "
             f"({', '.join(sorted(crowded)[:3])}): the smallest are in no instance.")
    return np.stack([pixels for pixels, _ in results])


def require_usable(problems: Sequence[str], sheets: int) -> None:
    """Raises UserError, which lists the first `problems`, each of one of the `sheets`, if there are any."""
    if problems:
        more = f"\n... and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise UserError(f"{len(problems)} of {sheets} sheets cannot be used:\n" + "\n".join(problems[:SHOWN]) + more)


def require_teachable(train: np.ndarray, val: np.ndarray, name_classes: Sequence[str]) -> list[str]:
    """Warnings about what the masks cannot teach or show.

    Args:
        train, val: pixels of each class in each mask, int64 (sheets, classes), as `preflight` gives them.
        name_classes: the background first.

    Raises:
        UserError: nothing but background is labelled in the training masks, or a class is nowhere in them.
    """
    total = train.sum(0)
    if not total[1:].any():
        held = "background" if total[0] else f"{IGNORE}, which is ignored"
        raise UserError(
            f"The {len(train)} training masks hold nothing but {held}: nothing can be learned. The pixels of an object "
            "need the number of its class (1, 2, ...). Make the masks with labelme_to_deeplab.py, or mend masks of 0 "
            "and 255 with convert_labelled.py --mode=colour_to_palette."
        )
    absent = [name for name, count in zip(name_classes[1:], total[1:]) if not count]
    if absent:
        raise UserError(
            f"No training mask holds {', '.join(absent)}: label some, or take the names out of name_classes (with "
            "reinit_mismatched = True, as the start weights then do not fit)."
        )
    blank = int((val.sum(1) == 0).sum())
    if blank == len(val):
        return [f"All {blank} validation masks are {IGNORE} (ignored) throughout: their scores will be nan."]
    return [f"{blank} of {len(val)} validation masks are {IGNORE} (ignored) throughout."] if blank else []


def _check_sheet(cache: SheetCache, request: Request, num_classes: int) -> Sheet:
    """The sheet, after caching it. Raises UserError when it cannot be used."""
    if request.mask is None:
        return cache.add(request)
    if not request.image.is_file():
        raise UserError(f"{request.image}.* is missing: add the image or run get_annotation.py again.")
    if not request.mask.is_file():
        raise UserError(
            f"{request.mask} is missing: make it with labelme_to_deeplab.py or remove {request.image.stem} from the "
            "list."
        )
    sheet = cache.add(request)
    require_known_values(request.mask, sheet.pixels, num_classes)
    return sheet
