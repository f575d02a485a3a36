"""Two rulers in line, rulers with a white end, rulers cut by the picture; and whether units are true."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kits import filled, make_kit, overlap
from utils.sheets.drawing.draw import Card, Kit
from utils.sheets.measures import joined, rulers, scales


def test_two_rulers_in_line_are_two_scales() -> None:
    touching = 0
    for seed in range(12):
        card = joined.rulers_in_line(make_kit(seed, 30.0))
        one, other = (filled(shape, card.alpha.shape) for shape in card.shapes if shape.label == "Scale")
        assert not (one & other).any() and overlap(one | other, card.alpha > 0) > 0.97
        first, second = np.flatnonzero(one.any(0)), np.flatnonzero(other.any(0))
        gap = (second[0] - first[-1] - 1) / card.scale
        assert 0 <= gap <= 2.05 and len(first) == len(second) <= joined.LONGEST * card.scale + 1
        touching += gap == 0
    assert 2 <= touching < 12


def test_the_white_end_of_a_ruler_belongs_to_its_scale() -> None:
    for seed in range(12):
        card = joined.logo_ruler(make_kit(seed, 30.0))
        whole, *rest = card.shapes
        assert whole.label == "Scale" and {shape.label for shape in rest} <= {"Color chart"}
        inside = filled(whole, card.alpha.shape)
        assert inside.all()
        ends = [card.image[:, side].astype(int) for side in (slice(3, 20), slice(-20, -3))]
        assert max(np.percentile(end.min(2), 60) for end in ends) > 225  # the plate is white, with ink on it


def test_a_cut_ruler_shows_its_ticks() -> None:
    for seed in range(12):
        card = joined.cut_ruler(make_kit(seed))
        (shape,) = card.shapes
        assert card.flush and card.turned(1).flush and shape.label == "Scale" and card.height < 1.2 < 10 < card.width
        row = card.image[1].astype(int)
        ticks = np.abs(row - np.median(row, 0)).max(1) > 40
        starts = np.flatnonzero(np.diff(ticks.astype(int)) == 1) / card.scale
        steps = np.diff(starts)
        assert len(starts) > 15 and np.abs(steps - np.median(steps)).max() < 0.06


@pytest.mark.parametrize("maker", [scales.patch_ruler, scales.patch_card, rulers.tick_ruler, rulers.edge_ruler])
def test_numbers_are_centimetres_or_inches(monkeypatch: pytest.MonkeyPatch, maker: Callable[[Kit], Card]) -> None:
    steps, ends = [], []
    row, marks = rulers.printed_row, rulers.ticks

    def printed_row(kit, card, texts, x, step, *rest):
        steps.append(step)
        row(kit, card, texts, x, step, *rest)

    def ticks(kit, card, box, color, downwards, step=0.1, unit=1.0, numbers=0.35):
        ends.append(unit / step)
        marks(kit, card, box, color, downwards, step, unit, numbers)

    monkeypatch.setattr(rulers, "printed_row", printed_row)
    for module in (rulers, scales):
        monkeypatch.setattr(module, "ticks", ticks)
    for seed in range(20):
        maker(make_kit(seed, 30.0))
    assert len(ends) >= 20 and np.allclose(ends, np.round(ends))  # ticks divide the unit
    assert steps and np.minimum(np.abs(np.array(steps) - 1), np.abs(np.array(steps) - 2.54)).max() < 1e-9


def test_the_line_on_a_slip_is_as_long_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    said, printed = [], rulers.printed

    def watched(kit, card, text, *rest, **more):
        said.append(text)
        return printed(kit, card, text, *rest, **more)

    monkeypatch.setattr(rulers, "printed", watched)
    lengths = {"1 cm": 1.0, "5 cm": 5.0, "10 cm": 10.0, "2 in.": 5.08}
    measured = 0
    for seed in range(24):
        said.clear()
        card = rulers.slip(make_kit(seed))
        if len(said) == 1 and said[0] in lengths:
            line = card.image[int(card.image.shape[0] * 0.45) + 1].max(1) < 120
            runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int), [0]]))))[::2]
            assert runs.max() / card.scale == pytest.approx(lengths[said[0]], abs=0.1)
            measured += 1
    assert measured > 5
