"""Decides what the combs on the rulers of a photograph count: millimetres, centimetres or parts of an inch.

One resolution has to explain all rulers of a photograph. Each candidate takes one comb for a unit and is scored by how
well the other combs fit: millimetres with half and whole centimetres, sixteenths with eighths, quarters, halves and
inches, centimetres with inches. A comb alone can be anything, so the length of the photograph breaks ties: most are 38
to 50 cm long. Where two candidates stay close, there is no answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

INCH = 2.54
METRIC: dict[str, float] = {"mm": 0.1, "half cm": 0.5, "cm": 1.0, "2 cm": 2.0}  # 2 cm: the blocks of one colour
IMPERIAL: dict[str, float] = {
    "1/16 inch": INCH / 16, "1/8 inch": INCH / 8, "1/4 inch": INCH / 4, "1/2 inch": INCH / 2, "inch": INCH,
}
UNITS: dict[str, float] = METRIC | IMPERIAL  # cm
FINE = {"mm", "1/16 inch", "1/8 inch"}  # not enough alone: dotted lines and bars of barcodes look like them
RARE: dict[str, float] = {  # decimal logarithm of how rare a ruler is on which nothing commoner can be seen
    "cm": 0.0, "mm": 0.0, "half cm": 3.0, "2 cm": 4.0,
    "inch": 1.0, "1/16 inch": 1.5, "1/8 inch": 1.5, "1/4 inch": 3.0, "1/2 inch": 3.0,
}
SIDE, SPREAD = 43.5, 0.12  # cm, the usual longer side of a photograph (of 120), and the deviation of its logarithm
SIDES = (24.0, 64.0)  # cm; outside, there is no answer: the unit is likely wrong
LONE_SIDES = (33.0, 57.0)  # cm; the same where only one unit is seen
COMPARED = (12.0, 120.0)  # cm; candidates outside are not even compared
ALIKE = 0.02  # relative difference of two steps that count the same unit; printed rulers and perspective err by 1%
# From here to MARGIN: tuned on 120 rulers, and on 286 labels and 128 barcodes taken for rulers, which must not answer.
SEEN = 4.0  # weight that one comb of a unit must have
CLEAR = 5.5  # weight that one comb of any unit must have; text and barcodes reach 5 by chance
NOISE = 5.0  # evidence that text gives by chance
FULL = 20.0  # evidence that much more would hardly add to: what is no chance need not be a ruler
LEAST = 3.0  # score that an answer needs
MARGIN = 2.0  # by which the best candidate must beat every other: 100 to 1
NO_METRIC = 13.0  # the same where only inches are seen: of 120 rulers on sheets, none was without centimetres
TRIED = 16  # combs, the clearest of those with different steps, that candidates are made from


class Row(NamedTuple):
    """A comb, as far as its unit is concerned."""

    step: float  # from mark to mark, in pixels of the photograph
    weight: float  # see Comb
    place: tuple[int, int]  # numbers of its strip and band; several combs of one band are one piece of evidence


class Candidate(NamedTuple):
    """A resolution that the combs may have."""

    px_per_cm: float
    score: float  # decimal logarithm, with an unknown constant
    seen: dict[str, float]  # unit -> weight of the clearest comb that counts it

    @property
    def unit(self) -> str:
        """The ruler's unit, by what was seen: "mm", "cm" or "inch"."""
        return "mm" if "mm" in self.seen else "cm" if self.seen.keys() & METRIC.keys() else "inch"


def decide(rows: Sequence[Row], side: float, units: int = 1) -> Candidate | None:
    """The resolution that explains the combs; None: the evidence is too weak, or two explanations are close.

    Args:
        rows: the combs of all rulers.
        side: the longer side of the photograph in pixels.
        units: how many different units must be seen at least.
    """
    candidates = _candidates(rows, side)
    if not candidates:
        return None
    best = max(candidates, key=lambda candidate: candidate.score)
    others = [other.score for other in candidates if abs(other.px_per_cm / best.px_per_cm - 1) > 2 * ALIKE]
    margin = MARGIN if best.seen.keys() & METRIC.keys() else NO_METRIC
    shortest, longest = SIDES if len(best.seen) > 1 else LONE_SIDES
    clear = (
        best.score >= LEAST and best.score - max(others, default=-math.inf) >= margin
        and shortest < side / best.px_per_cm < longest
        and len(best.seen) >= units and _is_ruler(best.seen)
    )
    return best if clear else None


def _is_ruler(seen: dict[str, float]) -> bool:
    """Whether text, dotted lines and barcodes do not show such units. seen: see Candidate."""
    if not seen.keys() & METRIC.keys():  # steps of 1, 2 and 4 are common in print
        return len(seen) >= 3 and max(seen.values()) >= CLEAR and bool(seen.keys() & {"1/2 inch", "inch"})
    return {"mm", "cm"} <= seen.keys() or max(seen.values()) >= CLEAR and bool(seen.keys() - FINE)


def _candidates(rows: Sequence[Row], side: float) -> list[Candidate]:
    """Every resolution at which one of the clearest combs counts one of the units; see `decide`."""
    steps, weights = np.array([row.step for row in rows]), np.array([row.weight for row in rows])
    numbers = {place: number for number, place in enumerate(sorted({row.place for row in rows}))}
    places = np.array([numbers[row.place] for row in rows])
    clearest: list[float] = []
    for step in steps[np.argsort(-weights, kind="stable")].tolist():
        if len(clearest) < TRIED and all(abs(step / other - 1) > ALIKE / 2 for other in clearest):
            clearest.append(step)
    candidates, last = [], 0.0
    for px_per_cm in sorted(step / size for step in clearest for size in UNITS.values()):
        if not COMPARED[0] < side / px_per_cm < COMPARED[1] or px_per_cm < last * (1 + ALIKE / 5):
            continue
        last = px_per_cm
        seen, evidence = {}, {}
        for unit, size in UNITS.items():
            chosen = np.flatnonzero(np.abs(steps / (size * px_per_cm) - 1) < ALIKE)
            found = _evidence(weights[chosen], places[chosen])
            if found and weights[chosen].max() >= SEEN:
                seen[unit], evidence[unit] = float(weights[chosen].max()), found
        lone = [unit for unit in seen if unit in IMPERIAL]
        if len(lone) == 1 < len(seen) and seen[lone[0]] < 2 * CLEAR:  # inches rarely come without their parts
            del seen[lone[0]], evidence[lone[0]]
        if seen:
            score = sum(evidence.values()) - evidence.get("2 cm", 0.0) / 2  # inches look like 2 cm beside their halves
            for system in (METRIC, IMPERIAL):
                score -= min((RARE[unit] for unit in seen if unit in system), default=0.0)
            score -= (math.log(side / px_per_cm / SIDE) / SPREAD) ** 2 / 2 / math.log(10)
            candidates.append(Candidate(px_per_cm, score, seen))
    return candidates


def _evidence(weights: np.ndarray, places: np.ndarray) -> float:
    """How strongly combs of one unit speak for it: the sum over bands, halved because bands overlap by half."""
    best: dict[int, float] = {}
    for weight, place in zip(weights.tolist(), places.tolist()):
        best[place] = max(weight, best.get(place, 0.0))
    return FULL * (1 - math.exp(-max(0.0, sum(best.values()) / 2 - NOISE) / FULL))
