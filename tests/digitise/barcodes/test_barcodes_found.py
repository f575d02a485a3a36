"""Barcodes of a whole sheet: told apart by what was read, sure when read, doubtful without bars."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from digitised import BOXES, CARD, LayoutModel, sheet
from helpers import ROOT
from utils import config
from utils.digitise.barcodes.structure import LEAST
from utils.digitise.sheet import find_objects
from utils.sheets.things.barcodes import symbol


def blank_sticker() -> np.ndarray:
    """A sheet whose barcode object is blank."""
    pixels, (top, left, height, width) = sheet(), BOXES[1]
    pixels[top:top + height, left:left + width] = CARD
    return pixels


def barcodes(pixels: np.ndarray, **changes: object) -> tuple[list, list, dict]:
    found = find_objects(LayoutModel(), pixels, config.read(ROOT / "digitise.py", **changes))
    return [region for region in found.regions if region.name == "Barcode"], found.codes, found.likeness


def test_two_stickers_that_the_network_sees_as_one() -> None:
    pixels = blank_sticker()
    for left, text in ((40, "K000123"), (190, "K000124")):
        bars = symbol("Code128", text)
        pixels[50:120, left:left + bars.shape[1]] = cv2.resize(bars, (bars.shape[1], 70))[..., None]
    regions, codes, likeness = barcodes(pixels)
    assert {code.text for code in codes} == {"K000123", "K000124"} and not likeness
    assert len(regions) == 2 and {code.object for code in codes} == {0, 1}
    assert [region.confidence for region in regions] == [1, 1]
    regions, _, _ = barcodes(pixels, correct_by_barcode=False)
    assert len(regions) == 1 and regions[0].confidence == 1


def test_a_stamp_is_doubtful_and_stays() -> None:
    pixels = blank_sticker()
    cv2.rectangle(pixels, (40, 40), (300, 130), (60, 40, 120), 3)
    cv2.putText(pixels, "HERBARIUM 1893", (60, 95), cv2.FONT_HERSHEY_DUPLEX, 0.8, (60, 40, 120), 1, cv2.LINE_AA)
    (stamp,), codes, likeness = barcodes(pixels)
    assert not codes and likeness[0] < LEAST and stamp.confidence < 0.8
    (stamp,), _, likeness = barcodes(pixels, barcodes=False)
    assert stamp.confidence == pytest.approx(0.99) and not likeness
