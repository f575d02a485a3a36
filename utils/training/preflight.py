"""One look at every listed sheet before the first epoch, which also caches it; class weights that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

import numpy as np
from tqdm import tqdm

from utils.files.masks import require_known_values
from utils.training.cache import Request, SheetCache
from utils.utils import UserError

CHECK_BOX = (64, 64)  # for a look without a cache: JPEGs are decoded whole, but small
SHOWN = 20  # problems printed in full; the rest is counted


def preflight(
    files: Sequence[tuple[Path, Path]],
    num_classes: int,
    progress: bool = True,
    boxes: Sequence[tuple[int, int]] | None = None,
    cache: SheetCache | None = None,
    begin: int = 0,
) -> np.ndarray:
    """Pixels of each class in the mask of each of `files` (image, mask), int64 (sheets, num_classes).

    Reads every image and mask once, in threads. Raises one UserError that lists every problem with its mend: a file
    that is missing or unreadable, image and mask of different sizes, a mask that is not 8-bit or has values outside
    the classes and 255.
    cache: is filled with the sheets, each scaled down to fit its one of `boxes`; what it holds already is not read
    again. begin: number of the sheet to begin with, other for each of several processes that fill one cache together.
    """
    cache = cache or SheetCache("", 0)
    requests = [(*pair, box) for pair, box in zip(files, boxes or [CHECK_BOX] * len(files), strict=True)]
    cache.make_room(requests)

    def check(number: int) -> tuple[np.ndarray, str]:
        try:
            return _check(cache, requests[number], num_classes), ""
        except UserError as error:
            return np.zeros(num_classes, np.int64), str(error)

    order = np.roll(np.arange(len(files)), -begin).tolist()
    with ThreadPoolExecutor(cpu_count()) as pool:
        results = list(tqdm(pool.map(check, order), "Check", len(files), unit="sheet", disable=not progress))
    results = [result for _, result in sorted(zip(order, results), key=lambda pair: pair[0])]
    problems = [problem for _, problem in results if problem]
    if problems:
        more = f"\n... and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise UserError(
            f"{len(problems)} of {len(files)} sheets cannot be used:\n" + "\n".join(problems[:SHOWN]) + more
        )
    return np.stack([pixels for pixels, _ in results])


def _check(cache: SheetCache, request: Request, num_classes: int) -> np.ndarray:
    image_path, mask_path, _ = request
    if not image_path.is_file():
        raise UserError(f"{image_path}.* is missing: add the image or run get_annotation.py again.")
    if not mask_path.is_file():
        raise UserError(
            f"{mask_path} is missing: make it with labelme_to_deeplab.py or take {image_path.stem} off the list."
        )
    pixels = cache.add(*request).pixels
    require_known_values(mask_path, pixels, num_classes)
    return pixels[:num_classes]
