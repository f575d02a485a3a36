"""Pictures with boxes around the objects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from utils.detection.boxes import Box

LINE = 0.002  # width of a box, as a share of the longer side of the picture; at least a pixel
LETTERS = 0.012  # height of the names, as a share of the longer side; at least 10 pixels


def draw_boxes(
    pixels: np.ndarray, boxes: Sequence[Box], colors: Sequence[Sequence[int]], in_place: bool = False
) -> np.ndarray:
    """A picture of the boxes with their names and scores, (H, W, 3) RGB with the dtype of `pixels`.

    Args:
        pixels: the photograph, uint8 or uint16 (H, W, 3) RGB.
        boxes: in pixels. The score is left out of the name if it is NaN.
        colors: (R, G, B) of each class.
        in_place: True: `pixels` may be changed and returned, which saves memory.
    """
    picture = pixels if in_place else pixels.copy()
    line = max(1, round(LINE * max(picture.shape[:2])))
    times = np.iinfo(picture.dtype).max // 255
    for box in sorted(boxes, key=lambda each: each.score):  # the surest on top
        color = np.asarray(colors[box.index]) * times
        x1, y1, x2, y2 = (round(edge) for edge in box[3:])
        for rows, columns in (
            ((y1, y1 + line), (x1, x2)), ((y2 - line, y2), (x1, x2)),
            ((y1, y2), (x1, x1 + line)), ((y1, y2), (x2 - line, x2)),
        ):
            picture[max(rows[0], 0):max(rows[1], 0), max(columns[0], 0):max(columns[1], 0)] = color
        _write_name(picture, f"{box.name} {box.score:.2f}" if box.score == box.score else box.name, (x1, y1), color)
    return picture


def _write_name(picture: np.ndarray, text: str, corner: tuple[int, int], color: np.ndarray) -> None:
    """Writes a text in a field of the box's colour, in place: above its corner (x, y), or below if there is no room.

    The letters are white, or black on a light colour.
    """
    letters = _letters(text, max(10, round(LETTERS * max(picture.shape[:2]))))
    height, width = letters.shape
    left = min(max(corner[0], 0), max(picture.shape[1] - width, 0))
    top = corner[1] - height if corner[1] >= height else max(corner[1], 0)
    field = picture[top:top + height, left:left + width]
    share = letters[:field.shape[0], :field.shape[1], None] / 255
    highest = np.iinfo(picture.dtype).max
    ink = highest if color.mean() < highest / 2 else 0
    field[:] = np.rint(share * ink + (1 - share) * color).astype(picture.dtype)


@lru_cache(256)
def _letters(text: str, height: int) -> np.ndarray:
    """The coverage of a text's letters, uint8 (h, w), 255 within them, with a small margin."""
    font = ImageFont.load_default(height)
    left, top, right, bottom = font.getbbox(text)
    margin = max(1, height // 6)
    image = Image.new("L", (round(right - left) + 2 * margin, round(bottom - top) + 2 * margin))
    ImageDraw.Draw(image).text((margin - left, margin - top), text, 255, font)
    return np.asarray(image)
