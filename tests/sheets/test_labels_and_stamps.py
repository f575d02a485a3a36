"""Labels, tags, stamps and what else is of paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont

from kits import filled, make_kit, overlap
from utils.sheets.drawing import eastern, fonts
from utils.sheets.drawing.draw import Card
from utils.sheets.things import distractors, emblems, inked, labels, stationery


def test_torn_label_keeps_its_polygon() -> None:
    card = Card(6, 4, 40.0, (240, 240, 230))
    card.mark("Label")
    stationery.torn(make_kit(1), card)
    assert 0.9 < (card.alpha > 127).mean() < 1.0
    assert overlap(card.alpha > 127, filled(card.shapes[0], card.alpha.shape)) > 0.98


def test_string_of_a_tag_is_no_label() -> None:
    for seed in range(12):  # clipped, square and round ones
        card = labels.tag(make_kit(seed), (240, 232, 210))
        (shape,) = card.shapes
        inside = filled(shape, card.alpha.shape)
        assert shape.label == "Label" and (card.alpha > 127)[inside].mean() > 0.98
        assert 0.001 < (card.alpha > 127)[~inside].mean() < 0.35


@pytest.mark.parametrize("below", [False, True])
def test_words_round_a_stamp_stay_on_their_half_of_the_ring(below: bool) -> None:
    card = Card(8, 6, 50.0, (255, 255, 255))
    emblems.round_text(make_kit(), card, "HERBARIUM OF ROME", (4.0, 3.0), (3.0, 2.0), 0.6, (0, 0, 0), below)
    rows, columns = np.nonzero(card.image[..., 0] < 128)
    x, y = columns / 50 - 4, rows / 50 - 3
    reach = np.hypot(x / 3, y / 2)
    assert len(rows) > 500 and reach.min() > 0.75 and reach.max() < 1.25
    assert (y > 0).all() if below else (y < 0).all()


@pytest.mark.parametrize("kind", [kind for kind, _ in labels.KINDS])
def test_each_label_carries_ink_on_paper(kind: Callable) -> None:
    """All of them but `blank`, some of which are empty."""
    written = []
    for seed in range(12 if kind is labels.blank else 3):
        card = kind(make_kit(seed), (238, 232, 215))
        grey = card.image.mean(2)
        ground = np.median(grey)
        written.append((grey < ground - 40).mean() > 0.0005)  # ink
        assert (np.abs(grey - ground) < 25).mean() > 0.5  # paper
    assert any(written) and all(written) == (kind is not labels.blank)


def test_labels_are_marked_whole_unless_torn() -> None:
    cards = [labels.label(make_kit(seed, 30.0), (238, 232, 215), main=seed % 4 > 0) for seed in range(160)]
    assert {shape.label for card in cards for shape in card.shapes} == {"Label", "Barcode"}
    for card in cards:
        assert card.shapes[0].label == "Label"
        assert overlap(filled(card.shapes[0], card.alpha.shape), card.alpha > 127) > 0.9


@pytest.mark.parametrize("kind", [inked.stamp, inked.note, distractors.nameplate, inked.sheet_heading,
                                  lambda kit: distractors.packet(kit, (240, 235, 220))])
def test_what_can_be_argued_about_is_ignored(kind: Callable) -> None:
    for seed in range(4):
        card = kind(make_kit(seed))
        assert [shape.label for shape in card.shapes] == ["_ignore_"]
        inside = filled(card.shapes[0], card.alpha.shape)
        assert (card.alpha > 60).any() and not (card.alpha > 60)[~inside].any()


@pytest.mark.parametrize("kind", [distractors.photograph, distractors.plain_strip, distractors.mounting_tape,
                                  distractors.clip, inked.boxed_stamp, inked.round_stamp, inked.letterhead, inked.seal])
def test_hard_negatives_have_no_class(kind: Callable) -> None:
    for seed in range(4):
        card = kind(make_kit(seed))
        assert not card.shapes and (card.alpha > 50).any()


def test_clear_tape_is_not_opaque() -> None:
    for seed in range(6):
        card = distractors.clear_tape(make_kit(seed))
        assert not card.shapes and 0 < card.alpha.max() <= 200 and np.median(card.alpha) < 140


def test_the_bundled_fonts_have_every_sign_and_a_licence() -> None:
    files = [Path(path) for path in fonts.find_fonts("bundled").files["eastern"]]
    assert len(files) == 2 and sum(path.stat().st_size for path in files) < 300_000
    for path in files:
        assert set(map(ord, eastern.SIGNS)) <= set(TTFont(path).getBestCmap())
        assert "SIL OPEN FONT LICENSE" in (path.parent / "OFL.txt").read_text(encoding="utf-8")


def test_words_of_each_language_are_printed_with_a_font_that_has_them() -> None:
    kit, known = make_kit(), {}
    for script in eastern.SCRIPTS:
        for words in (*(word for part in script[:5] for word in part), eastern.date(kit, script)):
            for path in (kit.fonts.beyond_ascii(words, kind) for kind in ("serif", "sans")):
                if path not in known:
                    known[path] = set(TTFont(path).getBestCmap())
                assert set(map(ord, words)) <= known[path], words
