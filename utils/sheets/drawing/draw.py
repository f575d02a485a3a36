"""Cards, which are flat things on a sheet, the canvas that they are pasted on, and random choices.

Lengths are centimetres on the real sheet; `scale` is pixels per centimetre. Points are (x, y) in continuous pixel
coordinates: pixel k covers k to k + 1. Colours are (R, G, B) from 0 to 255.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from utils.sheets.drawing.fonts import Fonts
from utils.sheets.drawing.pixels import SUBPIXEL, cast_shadow, fixed, mix, over, paint, rotation

Maker = Callable[..., "Card"]
Table = Sequence[tuple["Maker | tuple[Maker, ...]", float]]  # makers of a thing, or of a row of things, and how often


@dataclass(frozen=True)
class Shape:
    """A labelled polygon: class name, float points (n, 2), and a note, such as the text of a barcode."""

    label: str
    points: np.ndarray
    note: str = ""


@dataclass(frozen=True)
class Kit:
    """What every drawing function needs: random generator, fonts, and the scale of cards.

    often: how many times as often as usual a thing is drawn, by the name of the function that draws it.
    """

    rng: np.random.Generator
    fonts: Fonts
    scale: float
    often: Mapping[str, float] = field(default_factory=dict)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < probability)

    def happens(self, what: Callable[..., object], share: float) -> bool:
        """True with the probability `share`. The odds are multiplied by `often` for the name of `what`."""
        odds = share * self.often.get(what.__name__, 1.0)
        return self.chance(odds / (1 - share + odds))

    def pick(self, options: Sequence, weights: Sequence[float] | None = None):
        """A random one of `options`, with a probability proportional to its weight."""
        if weights is None:
            return options[int(self.rng.integers(len(options)))]
        share = np.cumsum(np.asarray(weights, np.float64))
        return options[int(np.searchsorted(share, self.rng.random() * share[-1], side="right"))]

    def one_of(self, table: Table) -> Maker | tuple[Maker, ...]:
        """A random entry of `table`, with a probability proportional to its weight and to `often`."""
        weights = [
            weight * math.prod(self.often.get(name, 1.0) for name in names_of(entry)) for entry, weight in table
        ]
        return self.pick([entry for entry, _ in table], weights)


def names_of(entry: Maker | tuple[Maker, ...]) -> list[str]:
    """The names of the makers in an entry of a table, each once."""
    return list(dict.fromkeys(maker.__name__ for maker in (entry if isinstance(entry, tuple) else (entry,))))


class Card:
    """A flat thing, drawn upright: its colours, its opacity and its labelled polygons.

    Args:
        width: in cm.
        height: in cm.
        scale: pixels per cm.
        color: of the empty card.
    """

    def __init__(self, width: float, height: float, scale: float, color: Sequence[int]) -> None:
        size = (max(2, round(height * scale)), max(2, round(width * scale)))
        self.scale = scale
        self.image = np.empty((*size, 3), np.uint8)
        self.image[:] = np.clip(color, 0, 255)
        self.alpha = np.full(size, 255, np.uint8)
        self.shapes: list[Shape] = []
        self.flush = False  # True: its lower side is an edge of the picture

    @property
    def width(self) -> float:
        """Centimetres."""
        return self.image.shape[1] / self.scale

    @property
    def height(self) -> float:
        """Centimetres."""
        return self.image.shape[0] / self.scale

    def rect(self, x: float, y: float, width: float, height: float, color: Sequence[int], line: float = 0.0) -> None:
        """Paints a rectangle.

        Args:
            x, y: top left corner in cm.
            width, height: in cm.
            color: (R, G, B).
            line: width of the outline in cm. 0: filled.
        """
        x0, y0, x1, y1 = (round(value * self.scale) for value in (x, y, x + width, y + height))
        if line:
            thickness = max(1, round(line * self.scale))
            cv2.rectangle(self.image, (x0, y0), (x1 - 1, y1 - 1), tuple(map(int, color)), thickness, cv2.LINE_AA)
        else:
            self.image[max(y0, 0):max(y1, y0 + 1, 0), max(x0, 0):max(x1, x0 + 1, 0)] = color

    def line(self, points: Sequence[Sequence[float]], color: Sequence[int], width: float, closed: bool = False) -> None:
        """Paints a line through several points.

        Args:
            points: (n, 2) in cm.
            color: (R, G, B).
            width: in cm.
            closed: join the last point to the first.
        """
        thickness = max(1, round(width * self.scale))
        line = fixed(np.asarray(points, np.float64) * self.scale)
        cv2.polylines(self.image, [line], closed, tuple(map(int, color)), thickness, cv2.LINE_AA, SUBPIXEL)

    def fill(self, points: np.ndarray, color: Sequence[int]) -> None:
        """Paints a filled polygon with corners `points`, (n, 2) in cm."""
        polygon = fixed(np.asarray(points, np.float64) * self.scale)
        cv2.fillPoly(self.image, [polygon], tuple(map(int, color)), cv2.LINE_AA, SUBPIXEL)

    def disc(self, x: float, y: float, radius: float, color: Sequence[int], line: float = 0.0) -> None:
        """Paints a disc or a ring.

        Args:
            x, y: its middle in cm.
            radius: in cm.
            color: (R, G, B).
            line: width of the ring in cm. 0: a disc.
        """
        thickness = max(1, round(line * self.scale)) if line else -1
        center = fixed(np.array([x, y]) * self.scale)
        radius, color = round(radius * self.scale * (1 << SUBPIXEL)), tuple(map(int, color))
        cv2.circle(self.image, tuple(map(int, center)), radius, color, thickness, cv2.LINE_AA, SUBPIXEL)

    def stain(self, mask: np.ndarray, x: float, y: float, color: Sequence[int], opacity: float = 1.0) -> None:
        """Paints a mask in one colour. The edges of the card cut it off.

        Args:
            mask: uint8 (h, w) in pixels of the card, 255 for full colour.
            x, y: its top left corner in cm.
            color: (R, G, B).
            opacity: 0 to 1.
        """
        paint(self.image, mask, round(x * self.scale), round(y * self.scale), color, opacity)

    def put(self, other: Card, x: float, y: float) -> None:
        """Puts another card of the same scale, with its shapes, on this one, top left corner at (x, y) cm."""
        left, top = round(x * self.scale), round(y * self.scale)
        over(self.image, other.image, other.alpha, left, top)
        self.shapes += [Shape(shape.label, shape.points + (left, top), shape.note) for shape in other.shapes]

    def mark(self, label: str, box: Sequence[float] | None = None, note: str = "") -> None:
        """Labels a box (x, y, width and height in cm), or the whole card."""
        x, y, width, height = box or (0.0, 0.0, self.width, self.height)
        corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)]) * self.scale
        self.shapes.append(Shape(label, corners, note))

    def cut(self, points: np.ndarray) -> None:
        """Makes everything outside a polygon, (n, 2) in cm, transparent."""
        self.alpha[:] = 0
        cv2.fillPoly(self.alpha, [fixed(points * self.scale)], 255, cv2.LINE_AA, SUBPIXEL)

    def turned(self, quarters: int) -> Card:
        """This card turned counter-clockwise by `quarters` times 90 degrees."""
        card = self
        for _ in range(quarters % 4):
            turned = Card(1, 1, self.scale, (0, 0, 0))
            turned.image = np.ascontiguousarray(np.rot90(card.image))
            turned.alpha = np.ascontiguousarray(np.rot90(card.alpha))
            width = card.image.shape[1]
            turned.shapes = [
                Shape(shape.label, np.stack([shape.points[:, 1], width - shape.points[:, 0]], 1), shape.note)
                for shape in card.shapes
            ]
            turned.flush = card.flush
            card = turned
        return card


@dataclass
class Canvas:
    """The photograph while it is drawn: `image` uint8 (H, W, 3) RGB, `scale` in pixels per cm, and all shapes."""

    image: np.ndarray
    scale: float
    shapes: list[Shape] = field(default_factory=list)

    def paste(self, card: Card, x: float, y: float, angle: float = 0.0, shadow: float = 0.3) -> None:
        """Pastes a card with its shapes.

        Args:
            card: the card.
            x, y: its centre in cm.
            angle: rotation in degrees.
            shadow: strength of its shadow, 0 to 1.
        """
        ratio = self.scale / card.scale
        image, alpha = card.image, card.alpha
        if ratio < 0.8:  # shrink by area first, because bilinear sampling alone would lose thin strokes
            size = (max(1, round(alpha.shape[1] * ratio)), max(1, round(alpha.shape[0] * ratio)))
            image, alpha = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (image, alpha))
        turn = rotation(angle)
        center = np.array([card.alpha.shape[1], card.alpha.shape[0]]) / 2
        middle = np.array([x, y]) * self.scale
        self.shapes += [
            Shape(shape.label, (shape.points - center) * ratio @ turn.T + middle, shape.note) for shape in card.shapes
        ]
        reach = 0.12 * self.scale + 2
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * center * ratio @ turn.T + middle
        low = np.maximum(np.floor(corners.min(0) - reach), 0).astype(int)
        high = np.minimum(np.ceil(corners.max(0) + reach), self.image.shape[1::-1]).astype(int)
        if (high <= low).any():
            return
        grow = np.diag(center * 2 * ratio / np.array([alpha.shape[1], alpha.shape[0]]))
        linear = turn @ grow
        offset = middle - low - turn @ (center * ratio) + linear @ (0.5, 0.5) - 0.5
        matrix = np.column_stack([linear, offset])
        size = tuple(int(value) for value in high - low)
        image = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.warpAffine(alpha, matrix, size, flags=cv2.INTER_LINEAR)
        area = self.image[low[1]:high[1], low[0]:high[0]]
        if shadow:
            cast_shadow(area, alpha, 0.05 * self.scale, shadow)
        area[:] = mix(area, image, alpha)


