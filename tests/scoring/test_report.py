"""The report: what it holds."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np

from utils.scoring.report import Report
from utils.utils import NAME_CLASSES, default_colors


def test_memory_does_not_grow_with_the_sheets() -> None:
    summed = Report(NAME_CLASSES, default_colors(5), with_objects=True)
    mask = np.zeros((100, 100), np.uint8)
    mask[20:40, 20:40] = 1

    def add(count: int) -> int:
        """Bytes held after `count` more sheets of 10 kB."""
        for i in range(count):
            summed.add(f"sheet {i}", summed.measure(mask.copy(), mask.copy()))
        gc.collect()  # also empties CPython's stores of small objects
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = add(5)
        assert add(45) - before < 5_000
    finally:
        tracemalloc.stop()
    assert (summed.sheets, summed.matrix[1, 1], summed.objects.found[1]) == (50, 50 * 400, 50)
