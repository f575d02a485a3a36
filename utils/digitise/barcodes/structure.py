"""Whether an object that no reader could read looks like a code: straight bars side by side, or a square of modules.

Bars change quickly along the code and not at all across it, and unlike the ticks of a ruler they do not repeat. Modules
fill a square with changes along both its sides, half of it dark. Words, stamps and rulers do one of these at most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from utils.digitise.barcodes.bars import straight
from utils.digitise.record import Code
from utils.objects.outline import Rectangle
from utils.objects.regions import Region

SIDE = 96      # pixels of the shorter side of the picture that is looked at
LONGEST = 480  # and of the longer side at most
FAINT = 20     # difference between dark and light, of 255, below which a picture is empty
SQUARES = (0.4, 0.55, 0.75, 0.95)  # sides of the squares that a code may fill, shares of the shorter side
BAR = 0.2      # height that all bars have at least, in the same unit
NEAR = 0.2     # how far apart dark and light lie in a code, share of the square's side
UNEVEN = 1.5   # how much the deviation of the contrast counts against its mean
HALF = 0.48    # mean brightness of codes, 0 to 1

# Logistic regression on the 122 barcodes of 135 sheets, read or not, and on 1620 other pieces of them: rulers, charts,
# stamps, handwriting, paper. Both kinds weigh the same, so the sum is the logarithm of how much likelier a code is.
WEIGHTS: tuple[float, ...] = (27.9, -33.2, -9.1, -1.22)  # of what `features` gives
CONSTANT = -1.9
LEAST = -0.5   # 99 of 100 barcodes have more
MOST_DOUBT = 6.0  # what an object's logit is lowered by at most


def weigh_barcodes(
    pixels: np.ndarray, regions: Sequence[Region], codes: Sequence[Code], barcode_class: int | None
) -> tuple[list[Region], dict[int, float]]:
    """The objects, in which the confidence of barcodes says what was seen on them, and the likeness of those not read.

    A barcode that was read is one: its confidence is 1. That of others is lowered when they do not look like a code.

    Args:
        pixels: the sheet, uint8 (H, W, 3) RGB.
        regions: its objects.
        codes: the codes that were read, with the numbers of their objects.
        barcode_class: the class of barcodes; None: there is none.
    """
    weighed, likeness = list(regions), {}
    was_read = {code.object for code in codes}
    barcodes = [number for number, region in enumerate(regions) if region.index == barcode_class]
    unread = [number for number in barcodes if number not in was_read]
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if unread else None
    for number in barcodes:
        confidence = 1.0
        if number in unread:
            likeness[number] = code_likeness(grey, regions[number].rectangle)
            confidence = lowered(regions[number].confidence, likeness[number])
        weighed[number] = regions[number]._replace(confidence=confidence)
    return weighed, likeness


def lowered(confidence: float, likeness: float) -> float:
    """The confidence, 0 to 1, of an object that looks like a code only so much; NaN stays NaN.

    Its logit is lowered by what `likeness` (see `code_likeness`) lacks to LEAST, so nearly all barcodes keep theirs.
    """
    doubt = min(max(LEAST - likeness, 0.0), MOST_DOUBT)
    return confidence / (confidence + (1 - confidence) * math.exp(doubt))


def code_likeness(grey: np.ndarray, rectangle: Rectangle) -> float:
    """How much an object looks like a code: the logarithm of a ratio of likelihoods. Codes have more than LEAST.

    grey: the sheet, uint8 (H, W).
    rectangle: around the object.
    """
    return CONSTANT + float(np.dot(WEIGHTS, features(grey, rectangle)))


def features(grey: np.ndarray, rectangle: Rectangle) -> tuple[float, ...]:
    """Four numbers: even contrast of the best square, and how far its mean is from HALF; how much the best bars repeat,
    and how much changes across them. Arguments: see `code_likeness`.
    """
    picture = _picture(grey, rectangle)
    _, repeats, across = max(_bars(picture), _bars(np.ascontiguousarray(picture.T)))
    return (*_square(picture), repeats, across)


def _picture(grey: np.ndarray, rectangle: Rectangle) -> np.ndarray:
    """The object upright, float32 (h, w): 0 is its dark, 1 its light."""
    longer, shorter = sorted((max(rectangle.width, 1.0), max(rectangle.height, 1.0)), reverse=True)
    scale = min(SIDE / shorter, LONGEST / longer)
    size = tuple(max(8, round(side * scale)) for side in (rectangle.width, rectangle.height))
    picture, _ = straight(grey, rectangle.corners(), size, cv2.INTER_CUBIC)
    dark, light = np.percentile(picture, (3, 97))
    return np.clip((picture - np.float32(dark)) / np.float32(max(light - dark, FAINT)), 0, 1)


def _square(picture: np.ndarray) -> tuple[float, float]:
    """Of the square with the most even contrast: this, and how far its mean is from HALF."""
    best = (-math.inf, 0, 0, 0)
    for share in SQUARES:
        side = int(share * min(picture.shape))
        near = max(3, int(NEAR * side))
        best = max(best, (*_most_even(_deviation(picture, (near, near)), (side, side)), side))
    contrast, top, left, side = best
    return contrast, abs(float(picture[top:top + side, left:left + side].mean()) - HALF)


def _bars(picture: np.ndarray) -> tuple[float, float, float]:
    """Of the most even stretch of upright bars: its contrast, how much it repeats, how much changes across it."""
    tall, wide = max(3, int(BAR * min(picture.shape))), min(*picture.shape, picture.shape[1] // 2)
    averaged = cv2.blur(picture, (1, tall))
    inside = averaged[tall // 2:len(averaged) - tall // 2]
    contrast, top, left = _most_even(_deviation(inside, (1, max(5, int(NEAR * wide)))), (1, wide))
    part = picture[top:top + tall, left:left + wide]
    along, across = (float((cv2.Sobel(part, cv2.CV_32F, *order) ** 2).sum()) for order in ((1, 0), (0, 1)))
    return contrast, _repeats(inside[top]), math.log(across / (along + across + 1e-6) + 0.005)


def _deviation(picture: np.ndarray, near: tuple[int, int]) -> np.ndarray:
    """The standard deviation of the pixels around each, float32 (h, w). near: height and width of what is around."""
    size = near[::-1]
    return np.sqrt(np.maximum(cv2.blur(picture * picture, size) - cv2.blur(picture, size) ** 2, 0))


def _most_even(contrast: np.ndarray, window: tuple[int, int]) -> tuple[float, int, int]:
    """The highest mean contrast in a window, less what it varies by, and the window's first row and column.

    contrast: float32 (h, w). window: height and width, less than those.
    """
    evenness = cv2.blur(contrast, window[::-1]) - UNEVEN * _deviation(contrast, window)
    down, right = (side // 2 for side in window)
    evenness = evenness[down:len(evenness) - down, right:evenness.shape[1] - right]
    top, left = np.unravel_index(int(evenness.argmax()), evenness.shape)
    return float(evenness[top, left]), int(top), int(left)


def _repeats(line: np.ndarray) -> float:
    """The highest autocorrelation of a line, float32 (n,), beyond its first zero: 1 for the ticks of a ruler."""
    count = len(line)
    line = line - cv2.blur(line[None], (max(5, count // 6), 1), borderType=cv2.BORDER_REFLECT)[0]
    products = np.correlate(line, line, "full")[count - 1:][:count // 2] * (count / (count - np.arange(count // 2)))
    beyond = products[np.argmax(products < 0):] if (products < 0).any() else products[-1:]
    return float(beyond.max() / max(products[0], 1e-6))
