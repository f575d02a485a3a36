"""Checks a linear barcode that was read: its text is drawn as bars again and compared with the photograph.

On blurred bars a reader can take one character for another. Code 39, ITF and Codabar have no check digit, and those of
EAN-13 and Code 128 let some mistakes pass. The bars of the wrong text do not lie where those of the photograph do.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import zxingcpp

from utils.digitise.barcodes.bars import straight
from utils.digitise.barcodes.code128 import code128_widths

# On 1600 codes drawn small, blurred and noisy, right texts had 0.84 or more, wrong ones 0.77 or less.
MIN_AGREEMENT = 0.8
WINDOW = 14.0  # how much is compared at a time, in widths of the narrowest bar: about one character
SLACK = 1.2    # how far, in the same unit, a window may be off: sheets are not flat
BLUR = 0.5     # of the drawn bars: standard deviation, in the same unit
STEPS = 5      # samples for one such width
LINES = 9      # across the bars, of which the median counts
EDGE = 0.1     # share of the bars' height left out at the top and at the bottom
WIDE: dict[str, tuple[float, ...]] = dict.fromkeys(  # how wide wide bars may be, where bars are just narrow or wide
    ("Code 39", "Codabar", "ITF"), (2.0, 2.5, 3.0))


def is_drawn_so(grey: np.ndarray, corners: np.ndarray, symbology: str, text: str) -> bool:
    """Whether the bars of `text` fit the photograph.

    Args:
        grey: the photograph, uint8 (H, W).
        corners: of the code in it, as it is read: float (4, 2) of x and y.
        symbology: a linear one, as zxing-cpp calls it.
        text: what was read.
    """
    return any(agreement(grey, corners, widths) >= MIN_AGREEMENT for widths in drawn_widths(symbology, text))


def drawn_widths(symbology: str, text: str) -> Iterator[np.ndarray]:
    """The widths of bars and gaps, float (n,) beginning with a bar, in each way in which `text` can be drawn."""
    if symbology == "Code 128":
        yield from code128_widths(text)
        return
    try:
        drawn = zxingcpp.create_barcode(text, zxingcpp.barcode_format_from_str(symbology))
    except ValueError:  # the symbology has no such text
        return
    dark = np.array(drawn.to_image(scale=1, add_quiet_zones=False))[0] < 128
    widths = np.diff(np.flatnonzero(np.diff(dark, prepend=False, append=False))).astype(np.float64)
    for wide in WIDE.get(symbology, (None,)):
        yield np.where(widths > 1, wide, 1.0) if wide else widths


def agreement(grey: np.ndarray, corners: np.ndarray, widths: np.ndarray) -> float:
    """The correlation of drawn and photographed bars, -1 to 1, in the window where it is least.

    Args:
        grey: uint8 (H, W).
        corners: of the code in it: float (4, 2) of x and y.
        widths: of the drawn bars and gaps, in units of the narrowest.
    """
    total, room = float(widths.sum()), int(np.ceil(SLACK)) * STEPS  # room: samples beyond either end
    samples = round(total * STEPS)
    places = (np.arange(-room, samples + room) + 0.5) / samples * total
    is_bar = (np.searchsorted(np.cumsum(widths), places) % 2 == 0) & (places > 0) & (places < total)
    drawn = cv2.GaussianBlur(np.where(is_bar, 0, 255).astype(np.float32)[None], (0, 0), BLUR * STEPS)
    along, down = corners[1] - corners[0], corners[3] - corners[0]
    beyond = along * room / samples
    middle = corners + (-beyond, beyond, beyond, -beyond) + EDGE * np.array([down, down, -down, -down])
    lines, _ = straight(grey, middle, (samples + 2 * room, LINES))
    seen = np.median(lines, axis=0).astype(np.float32)[None]
    length, slack = min(int(WINDOW * STEPS), drawn.size - 2 * room), int(SLACK * STEPS)
    starts = range(slack, drawn.size - length - slack + 1, length // 3)
    return min(
        float(cv2.matchTemplate(seen[:, start - slack:start + length + slack], drawn[:, start:start + length],
                                cv2.TM_CCOEFF_NORMED).max())
        for start in starts)
