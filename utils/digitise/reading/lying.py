"""Whether a sheet lies on its side or upside down: by its shape, and by the place of its labels and their text.

How sure the network is does not tell: on 45 sheets its mean probability is highest for the upright one of four in 36%.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from utils.digitise.reading.upright import object_turn, turn_votes
from utils.network.letterbox import resize_mask
from utils.objects.regions import find_regions
from utils.predicting.crops import cut_out, is_turned
from utils.utils import NAME_CLASSES

WITH_TEXT = NAME_CLASSES[1:3]  # classes that text is looked for on
LABEL = NAME_CLASSES[2]

# Tuned on the labels of 135 sheets, drawn by hand. As they are, none is turned. Turned by 90, 180 and 270 degrees,
# 131, 112 and 132 are made upright, none is turned wrongly, and the others stay.
LOW = 0.6     # share of the height; the labels' pixels lie lower, on average, on 125 of 133 sheets
RATIO = 1.3   # of height and width from which a sheet is clearly tall or wide; usual are 1.3 to 1.6
SHAPE = 1.0   # evidence of a photograph that is clearly tall; the place of its labels has up to 1
TEXT = 3.0    # evidence of one label of the usual size whose text is wholly clear
SURE = 2.0    # by so much a turn has to be better than none, so no tall sheet is turned without text that says so


def quarter_turns(pixels: np.ndarray, classes: np.ndarray, name_classes: Sequence[str]) -> int:
    """The quarter turns clockwise that make a sheet upright, 0 to 3; 0 if that is not clear, or if no label was found.

    A tall photograph whose labels lie low is upright, and nothing more is looked at.

    Args:
        pixels: the photograph, uint8 (H, W, 3), deskewed.
        classes: of each of its pixels, uint8 (h, w), at any scale.
        name_classes: background first. One of them has to be called as labels are in `NAME_CLASSES`.
    """
    height, width = classes.shape
    labels = classes == (name_classes.index(LABEL) if LABEL in name_classes else -1)
    count = labels.sum()
    if not count:
        return 0
    row, column = (float(labels.sum(axis) @ (np.arange(side) + 0.5)) / count / side
                   for axis, side in ((1, height), (0, width)))
    if height >= width and row >= LOW:
        return 0
    text = []
    mask = resize_mask(classes, pixels.shape[:2])
    for region in find_regions(mask, name_classes):
        if region.name in WITH_TEXT:
            angle = region.rectangle.angle if is_turned(region) else 0.0
            turn = object_turn(cut_out(pixels, region).pixels, (), angle)
            text.append((turn.likely, turn.clear, region.area))
    below = np.array([row, column, 1 - row, 1 - column])  # where the labels' row is after each number of turns
    tall = np.clip(math.log(height / width) / math.log(RATIO), -1, 1) * np.array([1, -1, 1, -1])
    evidence = TEXT * turn_votes(text) + SHAPE * tall + 2 * below - 1
    best = int(evidence.argmax())
    return best if evidence[best] >= evidence[0] + SURE else 0
