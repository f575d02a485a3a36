"""The places on a sheet that are taken, and where there is still room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.sheets.drawing.draw import Kit
from utils.sheets.growth.plants import Specimen

Box = tuple[float, float, float, float]  # x, y, width, height in cm


class Layout:
    """The boxes that are taken on a sheet. It keeps things from covering each other more than a little."""

    def __init__(self, kit: Kit, area: Box, specimen: Specimen) -> None:
        self.kit, self.area, self.specimen = kit, area, specimen
        self.taken: list[tuple[Box, float]] = []

    def overlap(self, box: Box) -> float:
        """The largest share of `box`, or of a thing under it, that would be hidden. Things of low weight count less."""
        worst = 0.0
        for other, weight in self.taken:
            wide = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
            tall = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
            if wide > 0 and tall > 0:
                worst = max(worst, weight * wide * tall / min(box[2] * box[3], other[2] * other[3]))
        return worst

    def beside(self, width: float, height: float, other: Box, lap: bool = False) -> Box | None:
        """A box right beside another one, almost in line with it; None if there is no room.

        Args:
            width: of the new box in cm.
            height: of the new box in cm.
            other: the box to lie beside.
            lap: True: the two overlap a little. False: a small gap is between them.
        """
        x, y, wide, tall = other
        shift = self.kit.rng.normal(0, 0.4) if self.kit.chance(0.6) else self.kit.rng.uniform(-2, 2)
        for side in self.kit.rng.permutation(4):
            gap = self.kit.rng.uniform(0.03, 0.4)
            if lap:
                gap = -self.kit.rng.uniform(0.05, 0.25) * min(width, height, wide, tall)
            box = ((x + shift, y - height - gap, width, height), (x + shift, y + tall + gap, width, height),
                   (x - width - gap, y + shift, width, height), (x + wide + gap, y + shift, width, height))[side]
            inside = box[0] >= self.area[0] and box[1] >= self.area[1] and (
                box[0] + width <= self.area[0] + self.area[2] and box[1] + height <= self.area[1] + self.area[3])
            if inside and self.overlap(box) <= (0.26 if lap else 0):  # at most a quarter, and rounding
                self.taken.append((box, 1.0))
                return box
        return None

    def find(self, width: float, height: float, spots: Sequence[tuple[float, float]], loose: float = 0.0,
             weight: float = 1.0) -> Box | None:
        """A box near one of `spots`, or else anywhere; None if there is no room.

        Args:
            width: of the box in cm.
            height: of the box in cm.
            spots: wanted places, each as two shares, 0 to 1, of the room across and down.
            loose: largest overlap with other things, 0 to 1.
            weight: how much the new thing minds being covered later.
        """
        x, y, room_x, room_y = *self.area[:2], self.area[2] - width, self.area[3] - height
        hidden = 1.0 if self.kit.chance(0.2) else 0.06  # largest share of it that may lie on the plants
        for attempt in range(24):
            wish = np.array(self.kit.pick(spots)) if attempt < 12 else self.kit.rng.uniform(0, 1, 2)
            wish = np.clip(wish + self.kit.rng.normal(0, 0.02 + 0.01 * attempt, 2), 0, 1)
            box = (x + wish[0] * room_x, y + wish[1] * room_y, width, height)
            if self.overlap(box) <= loose and (attempt > 20 or self.specimen.cover(*box) <= hidden):
                self.taken.append((box, weight))
                return box
        return None

    def on_plant(self) -> np.ndarray | None:
        """A random place (x, y) in cm, or None if no part of the plants is there."""
        at = np.array(self.area[:2]) + self.kit.rng.uniform(0.05, 0.95, 2) * self.area[2:]
        return at if self.specimen.cover(*(at - 0.4), 0.8, 0.8) > 0.1 else None
