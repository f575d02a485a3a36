"""Sheets that are there twice: the same file, or nearly the same picture."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import cv2
import numpy as np

# Chosen on 325 real sheets, see docs/mistakes.md.
COARSE = 24        # side of the small picture of the plant that all sheets are compared by
SMOOTH = 0.8       # standard deviation of its blur in pixels
SIMILAR = 0.85     # correlation of two of them from which the sheets are compared closely
FINE = 96          # side of the grey pictures that are then laid over each other
ALIKE = 0.93       # correlation of these from which they show the same sheet
MOST = 0.999       # of two files that are not the same, byte by byte
STRETCH = 1.12     # factor by which height / width of two photographs of one sheet may differ
ROWS = 1000        # pictures that are compared with all later ones at a time
SEARCH = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-3)  # most steps, and the least gain of a step


def fingerprint(plant: np.ndarray) -> np.ndarray:
    """A coarse grey picture, float32 (COARSE * COARSE + 1,): values of mean 0 and length 1, and log(height / width).

    It hardly changes when a photograph is scaled, saved again, brightened or cut at its edges.

    plant: the whole sheet with nothing but its plant, uint8 (h, w, 3).
    """
    values = cv2.GaussianBlur(_small(plant, COARSE).astype(np.float32), (0, 0), SMOOTH).ravel()
    values -= values.mean()
    length = float(np.linalg.norm(values))
    ratio = np.log(plant.shape[0] / plant.shape[1])
    return np.append(values / length if length > 1e-3 else np.zeros_like(values), ratio).astype(np.float32)


def grey(pixels: np.ndarray) -> np.ndarray:
    """The grey picture for a close comparison, uint8 (FINE, FINE). pixels: the photograph, uint8 (H, W, 3)."""
    return _small(pixels, FINE)


def same_pictures(prints: np.ndarray, greys: Sequence[np.ndarray]) -> Iterator[tuple[int, int, float]]:
    """Yields each pair of sheets whose photographs are nearly the same, and their correlation.

    prints, greys: of each sheet, see `fingerprint`, float32 (N, COARSE * COARSE + 1), and `grey`.
    """
    values, ratios = prints[:, :-1], prints[:, -1]
    for start in range(0, len(prints), ROWS):
        alike = values[start:start + ROWS] @ values[start:].T
        for row, column in zip(*(index.tolist() for index in np.nonzero(np.triu(alike >= SIMILAR, 1)))):
            first, second = start + row, start + column
            if abs(ratios[first] - ratios[second]) <= np.log(STRETCH):
                closely = laid_over(greys[first], greys[second])
                if closely >= ALIKE:
                    yield first, second, min(MOST, closely)


def laid_over(first: np.ndarray, second: np.ndarray) -> float:
    """The correlation of two grey pictures where they overlap, after the second was moved and stretched to fit.

    G. Evangelidis and E. Psarakis 2008, "Parametric image alignment using enhanced correlation coefficient
    maximization", by OpenCV; 0 where it finds no fit. first, second: uint8 (FINE, FINE).
    """
    try:
        start = np.eye(2, 3, dtype=np.float32)
        return float(cv2.findTransformECC(first, second, start, cv2.MOTION_AFFINE, SEARCH, None, 3)[0])
    except cv2.error:
        return 0.0


def _small(pixels: np.ndarray, side: int) -> np.ndarray:
    """A square grey copy, uint8 (side, side)."""
    return cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA)


def groups(pairs: Sequence[tuple[int, int]], count: int) -> list[list[int]]:
    """The sheets that the pairs join, directly or through others, smallest number first.

    pairs: of numbers from 0 to count - 1.
    """
    leader = list(range(count))

    def find(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    for first, second in pairs:
        low, high = sorted((find(first), find(second)))
        leader[high] = low
    found: dict[int, list[int]] = {}
    for number in range(count):
        found.setdefault(find(number), []).append(number)
    return [members for members in found.values() if len(members) > 1]


def same_files(hashes: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """Yields (first, other) for each file that has the same hash as an earlier one."""
    seen: dict[Hashable, int] = {}
    for number, value in enumerate(hashes):
        first = seen.setdefault(value, number)
        if first != number:
            yield first, number
