"""Finds which way is up: of an object by its text and its barcode, and of a whole sheet by its objects.

A turn is a number of quarter turns clockwise, 0 to 3, that makes something upright.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from utils.digitise.reading.lines import TextSigns, text_signs
from utils.digitise.record import Code

# Tuned on the 414 labels and barcodes of 135 sheets, as they are and turned by 90, 180 and 270 degrees.
CLEAR = 0.53     # least clearness at which text is believed; on upright labels a wrong way up reached 0.45
ENOUGH = 0.55    # votes that a sheet needs to be called turned; a wholly clear object of the usual size has 1
MAJORITY = 0.75  # share of the votes that must agree on it


class ObjectTurn(NamedTuple):
    """Which way is up on an object."""

    turn: int     # to cut it out with; 0 where nothing is clear
    likely: int   # the best guess
    clear: float  # how clear the best guess is, 0 to 1


def text_turn(pixels: np.ndarray) -> tuple[int, float]:
    """The turn that makes text upright, and how clear that is, 0 to 1.

    pixels: RGB uint8 (H, W, 3), deskewed, so that lines of text run along its sides.
    """
    return _text_turn(text_signs(pixels))


def code_turn(code: Code, angle: float = 0.0) -> int:
    """The turn after which a code reads from left to right.

    Only the order of the corners along the code counts: zxing-cpp gives those of linear codes mirrored, if upside down.

    Args:
        code: its corners are on the sheet.
        angle: degrees clockwise by which the object that it lies on was turned before it was deskewed.
    """
    top_left, top_right, bottom_right, bottom_left = np.array(code.corners, np.float64)
    x, y = top_right - top_left + bottom_right - bottom_left
    return -round((math.degrees(math.atan2(y, x)) - angle) / 90) % 4


def object_turn(pixels: np.ndarray, codes: Sequence[Code] = (), angle: float = 0.0) -> ObjectTurn:
    """Which way is up on an object.

    Clear text counts most, since strips with a barcode are sometimes glued on upside down; then the first code. Lines
    that clearly run up or down, but not clearly which, are taken to run up: all sideways labels of the 135 sheets do.

    Args:
        pixels: RGB uint8 (H, W, 3) of the object, deskewed.
        codes: those on the object.
        angle: degrees clockwise by which it was turned before it was deskewed.
    """
    signs = text_signs(pixels)
    turn, clear = _text_turn(signs)
    if clear >= CLEAR:
        return ObjectTurn(turn, turn, clear)
    if codes:
        turn = code_turn(codes[0], angle)
        return ObjectTurn(turn, turn, 1.0)
    sideways = _clearness(-signs.across) >= CLEAR
    return ObjectTurn(int(sideways), turn, clear)


def sheet_turned(turns: Sequence[tuple[int, float, float]]) -> int:
    """Degrees clockwise, 0, 90, 180 or 270, by which a sheet lies turned in its photograph; 0 where it is not clear.

    turns: of each label and barcode its likely turn, how clear that is, and its area in any unit.
    """
    votes = turn_votes(turns)
    best = int(votes.argmax())
    return -best % 4 * 90 if votes[best] >= max(ENOUGH, MAJORITY * votes.sum()) else 0


def turn_votes(turns: Sequence[tuple[int, float, float]]) -> np.ndarray:
    """How many objects say that a sheet has to be turned by 0, 1, 2 and 3 quarters clockwise, float64 (4).

    A wholly clear object of the usual size counts as 1. turns: as in `sheet_turned`.
    """
    if not turns:
        return np.zeros(4)
    turn, clear, area = np.array(turns, np.float64).T
    size = np.sqrt(area)  # not the area itself, so that one large label does not decide alone
    return np.bincount(turn.astype(int), clear ** 2 * size / size.mean(), minlength=4)


def _text_turn(signs: TextSigns) -> tuple[int, float]:
    """The turn that makes text upright, and how clear that is, 0 to 1."""
    upright, upside_down = (0, 2) if signs.across >= 0 else (1, 3)
    return upright if signs.upright >= 0 else upside_down, _clearness(min(abs(signs.across), abs(signs.upright)))


def _clearness(deviations: float) -> float:
    """How clear a sign of so many standard deviations is: 0 for 0 or less, 0.5 for 1, 0.67 for 2, 0.75 for 3."""
    return max(0.0, deviations) / (1 + max(0.0, deviations))
