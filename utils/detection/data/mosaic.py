"""Random views for training a detector: four images in a mosaic, or one, scaled and moved, flipped, recoloured.

Mosaic: Bochkovskiy et al. 2020 (YOLOv4, arXiv 2004.10934), with the numbers of YOLOv5's published settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from utils.network.letterbox import GREY, place, resize
from utils.training.augmentation import degrade, jitter_colour

FLIP = 0.5  # probability
HUE, SATURATION, VALUE = 0.015, 0.7, 0.4  # largest relative changes
TRANSLATE = 0.1  # largest move, as a share of the view
MIN_SIDE, MIN_VISIBLE, MAX_ASPECT = 2.0, 0.1, 100.0  # of boxes that are kept: pixels, share of the area, ratio

Sample = tuple[np.ndarray, np.ndarray]  # image uint8 (h, w, 3) RGB, and its boxes float32 (n, 5) as shares of it


class Tile(NamedTuple):
    """An image's place on a canvas, and the part of the canvas that it may fill; both left, top, right, bottom."""

    place: tuple[float, float, float, float]
    window: tuple[float, float, float, float]


def view(
    samples: Sequence[Sample],
    shape: tuple[int, int],
    scale: tuple[float, float],
    rng: np.random.Generator,
    degraded: float = 0.0,
) -> Sample:
    """A random view of one image or of four: uint8 (*shape, 3), and its boxes, float32 (n, 5) in pixels of the view.

    Boxes are cut at the edges of what can be seen of their image. They are kept if both sides are longer than MIN_SIDE,
    more than MIN_VISIBLE of their area is left and no side is MAX_ASPECT times as long as the other. Deviations from
    YOLOv5: each image is scaled only once, and bars are of the grey that all letterboxes here have.

    Args:
        samples: one image, or four for a mosaic.
        shape: (height, width) of the view.
        scale: smallest and largest magnification of an image that fills the view when it is 1.
        rng: for all random choices.
        degraded: probability of a worse photograph, see `degrade`.
    """
    sizes = [image.shape[:2] for image, _ in samples]
    if len(samples) == 1:
        canvas, tiles = shape, [whole(sizes[0], shape)]
    else:
        centre = [float(rng.uniform(0.5 * side, 1.5 * side)) for side in shape[::-1]]
        canvas, tiles = tuple(2 * side for side in shape), around(centre, sizes, shape)
    factor = float(rng.uniform(*scale))
    # The middle of the canvas goes to a place near the middle of the view.
    moves = [
        side * (0.5 + float(rng.uniform(-TRANSLATE, TRANSLATE))) - factor * length / 2
        for side, length in zip(shape[::-1], canvas[::-1])
    ]
    picture = np.full((*shape, 3), GREY, np.uint8)
    boxes = [
        paste(picture, sample, [factor * edge + moves[index % 2] for index, edge in enumerate(tile.place)],
              [factor * edge + moves[index % 2] for index, edge in enumerate(tile.window)])
        for sample, tile in zip(samples, tiles)
    ]
    found = np.concatenate(boxes)
    if degraded and rng.random() < degraded:
        picture = degrade(picture, rng)
    if rng.random() < FLIP:
        picture = np.ascontiguousarray(picture[:, ::-1])
        found[:, [1, 3]] = shape[1] - found[:, [3, 1]]
    return jitter_colour(picture, rng.uniform(-1, 1, 3) * (HUE, SATURATION, VALUE) + 1), found


def whole(size: tuple[int, int], shape: tuple[int, int]) -> Tile:
    """The tile of an image of `size` that is letterboxed into a canvas of `shape`; both are (height, width)."""
    top, left, height, width = place(size, shape)
    return Tile((left, top, left + width, top + height), (0, 0, shape[1], shape[0]))


def around(
    centre: Sequence[float], sizes: Sequence[tuple[int, int]], shape: tuple[int, int]
) -> list[Tile]:
    """The tiles of four images that meet in a point: upper left, upper right, lower left, lower right.

    Args:
        centre: x and y of the point on a canvas that is twice as high and wide as `shape`.
        sizes: (height, width) of the images. Each is scaled to fit `shape`.
        shape: (height, width).
    """
    (x, y), (height, width) = centre, (2 * shape[0], 2 * shape[1])
    tiles = []
    for number, size in enumerate(sizes):
        high, wide = place(size, shape)[2:]
        left, window_x = (x, (x, width)) if number % 2 else (x - wide, (0, x))
        top, window_y = (y, (y, height)) if number // 2 else (y - high, (0, y))
        tiles.append(Tile((left, top, left + wide, top + high), (window_x[0], window_y[0], window_x[1], window_y[1])))
    return tiles


def paste(
    picture: np.ndarray, sample: Sample, box: Sequence[float], window: Sequence[float]
) -> np.ndarray:
    """The boxes that can be seen, float32 (n, 5) in pixels, after scaling an image onto `picture`, in place.

    Args:
        picture: uint8 (H, W, 3).
        sample: the image and its boxes.
        box: left, top, right, bottom of the image on the picture. They are rounded to whole pixels.
        window: the part of the picture that it may fill, also rounded.
    """
    image, shares = sample
    left, top, right, bottom = (round(edge) for edge in box)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    first_x, first_y, last_x, last_y = (
        min(max(round(edge), 0), picture.shape[1 - index % 2]) for index, edge in enumerate(window)
    )
    first_x, first_y, last_x, last_y = max(first_x, left), max(first_y, top), min(last_x, right), min(last_y, bottom)
    if last_x <= first_x or last_y <= first_y:
        return np.zeros((0, 5), np.float32)
    scaled = resize(image, (bottom - top, right - left))
    picture[first_y:last_y, first_x:last_x] = scaled[first_y - top:last_y - top, first_x - left:last_x - left]
    boxes = shares * np.array([1, *(right - left, bottom - top) * 2], np.float32)
    boxes[:, 1:] += np.array([left, top] * 2, np.float32)
    return visible(boxes, (first_x, first_y, last_x, last_y))


def visible(boxes: np.ndarray, window: Sequence[float]) -> np.ndarray:
    """The boxes (n, 5) cut at the edges of a window (left, top, right, bottom), without those that `view` drops."""
    cut = boxes.copy()
    cut[:, 1::2] = cut[:, 1::2].clip(window[0], window[2])
    cut[:, 2::2] = cut[:, 2::2].clip(window[1], window[3])
    whole_sides, sides = boxes[:, 3:] - boxes[:, 1:3], cut[:, 3:] - cut[:, 1:3]
    kept = (
        (sides > MIN_SIDE).all(1)
        & (sides.prod(1) > MIN_VISIBLE * whole_sides.prod(1))
        & (sides.max(1) < MAX_ASPECT * sides.min(1))
    )
    return cut[kept]
