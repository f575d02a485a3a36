"""How long a model takes for one image."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from utils.files.images import read_image
from utils.utils import UserError, find_images

WARM_UP = 3  # calls before the first that is measured


def time_image(
    work: Callable[[np.ndarray], Any], image: str, input_dir: str, repeats: int, device: torch.device
) -> str:
    """A line for the console: the median, 10th and 90th percentiles of the time that `work` takes for an image.

    Args:
        work: a model; it gives its result on the CPU, so that the device has finished.
        image: the file. "": the first in input_dir.
        input_dir: a folder.
        repeats: how many calls are measured.
        device: of the model.

    Raises:
        UserError: there is no image, or it cannot be read, or repeats is below 1.
    """
    path = Path(image) if image else next(iter(find_images(input_dir)), None)
    if path is None or repeats < 1:
        raise UserError("Mode fps needs an image, in `image` or in input_dir, and fps_repeats of at least 1.", 2)
    pixels = read_image(path)
    seconds = []
    for _ in range(WARM_UP + repeats):
        start = time.perf_counter()
        work(pixels)
        seconds.append(time.perf_counter() - start)
    low, median, high = np.quantile(seconds[WARM_UP:], [0.1, 0.5, 0.9])
    return (f"{path}, {pixels.shape[0]} x {pixels.shape[1]} pixels on {device}: {1000 * median:.1f} ms an image "
            f"({1000 * low:.1f} to {1000 * high:.1f} ms), {1 / median:.1f} images/s, {repeats} times.")
