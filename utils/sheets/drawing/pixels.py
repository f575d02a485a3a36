"""Functions that paint on arrays of pixels, and random noise, curves and colours.

Points are (x, y) in continuous pixel coordinates: pixel k covers k to k + 1. Colours are (R, G, B) from 0 to 255.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

Color = tuple[int, int, int]
SUBPIXEL = 4  # fractional bits of OpenCV's fixed-point coordinates


def cast_shadow(area: np.ndarray, alpha: np.ndarray, reach: float, strength: float) -> None:
    """Adds the shadow of a thing, below and to the right of it.

    Args:
        area: uint8 (h, w, 3), changed in place.
        alpha: opacity of the thing, uint8 (h, w).
        reach: length of the shadow in pixels.
        strength: 0 to 1.
    """
    matrix = np.array([[1, 0, reach * 0.5], [0, 1, reach * 0.8]])
    shade = cv2.warpAffine(alpha, matrix, alpha.shape[::-1])
    shade = cv2.GaussianBlur(shade, (0, 0), max(0.6, reach * 0.7))
    paint(area, shade, 0, 0, (20, 16, 12), strength)


def mix(below: np.ndarray, above: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """`above` on top of `below`, both uint8 (h, w, 3), with opacity `alpha`, uint8 (h, w)."""
    alpha = cv2.merge([alpha, alpha, alpha])
    return cv2.add(cv2.multiply(above, alpha, scale=1 / 255), cv2.multiply(below, 255 - alpha, scale=1 / 255))


def over(image: np.ndarray, above: np.ndarray, alpha: np.ndarray, left: int, top: int) -> None:
    """Paints a picture on another one. The edges of `image` cut it off.

    Args:
        image: uint8 (H, W, 3), changed in place.
        above: the picture, uint8 (h, w, 3).
        alpha: its opacity, uint8 (h, w).
        left: column of its left edge; may be negative.
        top: row of its top edge; may be negative.
    """
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + alpha.shape[1], image.shape[1]), min(top + alpha.shape[0], image.shape[0])
    if x1 > x0 and y1 > y0:
        part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        image[y0:y1, x0:x1] = mix(image[y0:y1, x0:x1], above[part], alpha[part])


def paint(image: np.ndarray, mask: np.ndarray, left: int, top: int, color: Sequence[int], opacity: float) -> None:
    """Paints a mask in one colour. The edges of `image` cut it off.

    Args:
        image: uint8 (H, W, 3), changed in place.
        mask: uint8 (h, w), 255 for full colour.
        left: column of its left edge; may be negative.
        top: row of its top edge; may be negative.
        color: (R, G, B).
        opacity: 0 to 1.
    """
    alpha = mask if opacity == 1 else cv2.convertScaleAbs(mask, alpha=opacity)
    above = np.empty((*mask.shape, 3), np.uint8)
    above[:] = color
    over(image, above, alpha, left, top)


def fixed(points: np.ndarray) -> np.ndarray:
    """Continuous pixel coordinates as OpenCV's fixed-point int32, in which pixel centres are whole numbers."""
    return np.rint((points - 0.5) * (1 << SUBPIXEL)).astype(np.int32)


def rotation(degrees: float) -> np.ndarray:
    """The (2, 2) matrix that turns points counter-clockwise on the screen (y points down)."""
    radians = np.deg2rad(degrees)
    return np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])


def smooth_noise(rng: np.random.Generator, size: tuple[int, int], cells: float) -> np.ndarray:
    """Cloudy noise, float32 (height, width), about -1 to 1, with `cells` clouds along the longer side."""
    step = max(size) / max(cells, 1)
    coarse = rng.standard_normal((int(size[0] / step) + 3, int(size[1] / step) + 3), dtype=np.float32) * 0.5
    smooth = cv2.resize(coarse, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    part = np.array([[step / 6, 0, 0], [0, step / 6, 0]])
    return cv2.warpAffine(smooth, part, size[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def grain(rng: np.random.Generator, size: tuple[int, int], tile: int = 256) -> np.ndarray:
    """White noise with standard deviation 1, float32 (height, width). It repeats one random tile to be fast."""
    noise = rng.standard_normal((tile, tile), dtype=np.float32)
    repeats = (-(-size[0] // tile), -(-size[1] // tile))
    return np.tile(noise, repeats)[:size[0], :size[1]]


def shade(image: np.ndarray, *gains: np.ndarray) -> None:
    """Multiplies `image`, uint8 RGB, in place by `gains`, float32 (h, w): one for all channels, or one for each."""
    red, green, blue = gains if len(gains) == 3 else gains * 3
    for top in range(0, image.shape[0], 128):  # bands that fit the processor's cache: 3 times as fast for large sheets
        band = slice(top, top + 128)
        cv2.multiply(image[band], cv2.merge([red[band], green[band], blue[band]]), dst=image[band], dtype=cv2.CV_8U)


def wander(rng: np.random.Generator, start: np.ndarray, angle: float, length: float, bend: float, steps: int = 14
           ) -> np.ndarray:
    """A smooth random curve, (steps + 1, 2).

    Args:
        rng: for its turns.
        start: its first point, (x, y).
        angle: its first direction in radians.
        length: in the unit of `start`.
        bend: about how far it turns in all, in radians.
        steps: number of segments.
    """
    turns = np.convolve(rng.normal(0, 1, steps + 4), np.ones(5) / 5, "valid") * bend * 2.2 / np.sqrt(steps)
    headings = angle + np.cumsum(turns)
    steps_xy = np.stack([np.cos(headings), np.sin(headings)], 1) * (length / steps)
    return np.concatenate([start[None], start + np.cumsum(steps_xy, 0)])


def vary(rng: np.random.Generator, color: Sequence[int], spread: float) -> Color:
    """`color`, made a little lighter or darker, and with each channel changed by a third as much."""
    all_three, *each = rng.normal(0, spread, 4).tolist()
    return tuple(int(min(max(channel + all_three + own / 3, 0), 255)) for channel, own in zip(color, each))
