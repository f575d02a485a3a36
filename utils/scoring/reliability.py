"""What calibrate.py reports: how often objects are right, by their confidence, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils.files.tables import write_text
from utils.objects.confidence import Calibration
from utils.scoring.calibration import (
    Bin, Judged, confidence_limit, confidences, held_out_confidences, quality, reliability,
)
from utils.scoring.plots import plot_reliability
from utils.utils_metrics import percent

PRICES = (0.25, 0.5, 1.0, 2.0, 4.0, 9.0)  # of a false object, that the report shows


def write_reliability(
    out_dir: Path, objects: Sequence[Judged], calibration: Calibration, limit: float, name_classes: Sequence[str]
) -> str:
    """The report as Markdown text, after writing it to reliability.md and its picture to reliability.png.

    Args:
        out_dir: the folder of both.
        objects: all predicted objects.
        calibration: made of all of them.
        limit: the confidence below which objects are left out.
        name_classes: background first.

    Raises:
        UserError: the objects are of one institution, or a file cannot be written.
    """
    right = np.array([item.right for item in objects])
    before, after = confidences(objects, ()), held_out_confidences(objects, len(name_classes))
    groups = len({item.group for item in objects})
    text = (f"{len(objects)} objects of {groups} institutions, {int(right.sum())} of them right. The confidence of "
            "each is by a calibration that was made without its institution.\n\n"
            f"{_quality_table(before, after, right)}\n{_bins_table(reliability(after, right))}\n"
            f"{_prices_table(after, right)}\n{_classes_table(objects, after, limit, calibration, name_classes)}")
    write_text(out_dir / "reliability.md", text)
    curves = {"before: mean probability": reliability(before, right), "after: confidence": reliability(after, right)}
    plot_reliability(out_dir / "reliability.png", curves, "How often objects are right")
    return text


def _quality_table(before: np.ndarray, after: np.ndarray, right: np.ndarray) -> str:
    rows = ((name, quality(values, right)) for name, values in (("mean probability", before), ("confidence", after)))
    return "\n".join([
        "| | Log loss | Brier score | Mean error |", "|:--|--:|--:|--:|",
        *(f"| {name} | {item.log_loss:.3f} | {item.brier:.3f} | {item.error:.3f} |" for name, item in rows)]) + "\n"


def _bins_table(bins: Sequence[Bin]) -> str:
    return "\n".join([
        "| Confidence | Objects | Mean confidence | Right |", "|:--|--:|--:|--:|",
        *(f"| {percent(item.low)} to {percent(item.high)} | {item.count} | {percent(item.confidence)} | "
          f"{percent(item.right)} |" for item in bins)]) + "\n"


def _prices_table(confidence: np.ndarray, right: np.ndarray) -> str:
    """What other prices would keep. Arguments: of each object, float (n,) and bool (n,)."""
    lines = ["| `false_price` | `min_confidence` | Right objects kept | False objects kept |", "|--:|--:|--:|--:|"]
    for price in PRICES:
        limit = confidence_limit(price)
        kept = confidence >= limit
        lines.append(f"| {price:g} | {limit:.2f} | {np.count_nonzero(kept & right)} of {np.count_nonzero(right)} | "
                     f"{np.count_nonzero(kept & ~right)} of {np.count_nonzero(~right)} |")
    return "\n".join(lines) + "\n"


def _classes_table(
    objects: Sequence[Judged], confidence: np.ndarray, limit: float, calibration: Calibration,
    name_classes: Sequence[str],
) -> str:
    """What `limit` keeps of each class. Arguments: see `write_reliability`; confidence: of each object."""
    lines = [f"| Class | Right objects | kept at {limit:.3g} | False objects | kept | Slope | Shift |",
             "|:--|--:|--:|--:|--:|--:|--:|"]
    right, index = (np.array([getattr(item, name) for item in objects]) for name in ("right", "index"))
    for number, (name, (slope, shift)) in enumerate(zip(name_classes, calibration, strict=True)):
        counts = (np.count_nonzero(chosen & (index == number))
                  for one in (right, ~right) for chosen in (one, one & (confidence >= limit)))
        if number:
            name = name.replace("|", "\\|")
            lines.append(f"| {name} | {' | '.join(map(str, counts))} | {slope:.2f} | {shift:.2f} |")
    return "\n".join(lines) + "\n"
