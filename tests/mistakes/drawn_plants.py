"""Small sheets with a drawn plant, and stand-ins for the networks, which need no weights."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from utils.mistakes.reading.plant import Plant
from utils.utils import NAME_CLASSES, default_colors

HEIGHT, WIDTH = 300, 200
PAPER, LABEL = (238, 232, 216), (250, 250, 250)
LABEL_BOX = np.s_[250:290, 110:190]
ROUND, LONG = (40, 40), (95, 14)  # half axes of a leaf
COLOURS = {ROUND: (70, 105, 45), LONG: (120, 70, 40)}


def sheet(leaf: tuple[int, int], seed: int, label: bool = True) -> np.ndarray:
    """A sheet, uint8 (HEIGHT, WIDTH, 3): two leaves of about this form on a stem, and a label."""
    rng = np.random.default_rng(seed)
    image = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    x, y = (int(value) for value in rng.integers((80, 120), (116, 150)))
    axes = tuple(int(axis + rng.integers(0, 6)) for axis in leaf)
    for side in (-1, 1):
        turn = side * 12 + int(rng.integers(-4, 5))
        cv2.ellipse(image, (x + 22 * side, y), axes[::-1], turn, 0, 360, COLOURS[leaf], -1)
    cv2.line(image, (x, y), (x, y + 60), (90, 80, 40), 4)
    for _ in range(5):  # fallen petals, by which one sheet can be told from another
        at = tuple(int(value) for value in rng.integers((30, 30), (170, 240)))
        cv2.ellipse(image, at, (22, 9), int(rng.integers(0, 180)), 0, 360, (150, 110, 160), -1)
    if label:
        image[LABEL_BOX] = LABEL
        cv2.putText(image, f"no. {seed}", (115, 275), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1)
    return image


class LabelFinder:
    """In the place of the network: the label is where it is always."""

    name_classes, colors = list(NAME_CLASSES), default_colors(len(NAME_CLASSES))

    def segment(self, image: np.ndarray) -> np.ndarray:
        mask = np.zeros(image.shape[:2], np.uint8)
        if image.shape[:2] == (HEIGHT, WIDTH):
            mask[LABEL_BOX] = 2
        return mask


def describe(plants: Sequence[Plant]) -> list[np.ndarray]:
    """In the place of a backbone: the mean colour of the plant."""
    return [np.average(plants[0].pixels.reshape(-1, 3), 0, plants[0].weights.ravel()).astype(np.float32)]
