"""Measures the resolution of a photograph on its rulers, from their graduation alone; no number or letter is read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from utils.digitise.record import Scale
from utils.digitise.ruler.graduation import Comb, find_combs
from utils.digitise.ruler.strips import USUAL_SIDE, Strip, side_strips, straight_strip
from utils.digitise.ruler.units import ALIKE, UNITS, Candidate, Row, decide
from utils.objects.regions import Region

SQUARE = 1.5  # a region that is less long than so many times its width may have a ruler along either side
UNEVEN = 0.001  # standard deviation, as a share, of the length of a printed ruler
MISPLACED = 0.007  # cm, standard deviation of the distance of two printed marks
WORST = 5.0  # percent; a scale that is less certain is left out
BLURRED = 1.8  # pixels; where a usual sheet's millimetres are smaller, they show as a moire pattern
MOIRE = 4.0  # pixels; the steps of such patterns are smaller
LONG = 0.8  # combs at least so long, as a share of the best one, are averaged with it

Mark = tuple[Strip, Comb]


def measure_scale(
    pixels: np.ndarray, regions: Sequence[Region], scale_class: int, chart_class: int | None
) -> Scale | None:
    """The resolution of a photograph; None where the graduation does not show it clearly.

    All rulers together have to show one resolution. Only where they do not, the edges of the colour charts are searched
    as well. Because the patches of a chart are evenly spaced themselves, two different units must then be seen.

    The length of the photograph breaks ties: most show 38 to 50 cm. Where only a part of a sheet is in the picture, or
    far more than a sheet, expect no answer more often, and a wrong one sometimes.

    Args:
        pixels: the photograph, uint8 (H, W, 3).
        regions: its objects.
        scale_class: class of the rulers.
        chart_class: class of the colour charts; None: there is none.
    """
    side = max(pixels.shape[:2])
    marks = _marks(_ruler_strips(pixels, regions, scale_class))
    best = _decided(marks, side, units=1)
    if best is None and chart_class is not None:
        strips = (strip for index, region in enumerate(regions) if region.index == chart_class
                  for strip in side_strips(pixels, region.rectangle, index))
        marks += [(strip, comb) for strip, comb in _marks(strips) if comb.lines]
        best = _decided(marks, side, units=2)
    return _measured(marks, best) if best else None


def _ruler_strips(pixels: np.ndarray, regions: Sequence[Region], scale_class: int) -> Iterator[Strip]:
    """The strips along the rulers."""
    for index, region in enumerate(regions):
        if region.index == scale_class:
            _, _, width, height, _ = region.rectangle
            for upright in (False, True):
                if (height > width) == upright or max(width, height) < SQUARE * min(width, height):
                    yield straight_strip(pixels, region.rectangle, index, upright)


def _marks(strips: Iterable[Strip]) -> list[Mark]:
    """All combs with the strips that they were found in."""
    return [(strip, comb) for strip in strips for comb in find_combs(strip.pixels)]


def _decided(marks: Sequence[Mark], side: float, units: int) -> Candidate | None:
    """The resolution that all combs show together; see `decide`."""
    least = MOIRE if side / USUAL_SIDE / 10 < BLURRED else 0.0
    rows = [Row(comb.step * strip.size, comb.weight, (id(strip), comb.band)) for strip, comb in marks
            if comb.step * strip.size > least]
    return decide(rows, side, units) if rows else None


def _measured(marks: Sequence[Mark], candidate: Candidate) -> Scale | None:
    """The scale by the comb that shows it best, averaged with the like in other bands; None: too uncertain."""
    fitting = [
        (_deviation(comb, UNITS[unit]), unit, strip, comb) for strip, comb in marks for unit in candidate.seen
        if abs(comb.step * strip.size / (UNITS[unit] * candidate.px_per_cm) - 1) < ALIKE
    ]
    deviation, unit, strip, best = min(fitting, key=lambda item: item[0])
    sizes = [
        (other, comb.step * strip.size / UNITS[other]) for _, other, its, comb in fitting
        if its is strip and comb.end - comb.start > LONG * (best.end - best.start)
    ]
    px_per_cm = float(np.median([size for other, size in sizes if other == unit]))
    uncertainty = 200 * math.hypot(deviation, float(np.std([size for _, size in sizes])) / px_per_cm)
    if uncertainty > WORST:
        return None
    return Scale(
        px_per_cm=px_per_cm,
        uncertainty_percent=uncertainty,
        unit=candidate.unit,
        kind="ticks" if best.lines else "blocks",
        start=strip.point(best.start, best.y), end=strip.point(best.end, best.y),
        object=strip.object,
    )


def _deviation(comb: Comb, unit: float) -> float:
    """The standard deviation, as a share, of the resolution that a comb shows. unit: its step in cm.

    Along a ruler in perspective, the resolution runs evenly over a range of `bend`; its deviation is bend / sqrt(12).
    """
    return math.hypot(comb.error, comb.bend / math.sqrt(12), UNEVEN, MISPLACED / (comb.steps * unit))
