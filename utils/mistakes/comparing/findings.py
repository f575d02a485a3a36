"""What is found in a batch: names that are probably wrong, sheets that are there twice, sheets unlike all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from utils.config import Settings
from utils.digitise.batch import MIN_SHEETS
from utils.mistakes.comparing.confident import judge
from utils.mistakes.comparing.duplicates import groups, same_files, same_pictures
from utils.mistakes.comparing.probabilities import nearest, out_of_sample
from utils.mistakes.comparing.unusual import FAR, deviations, unusual_score
from utils.mistakes.reading.features import normalise, standardise
from utils.mistakes.reading.sheet import Examined

NAME, DUPLICATE, UNUSUAL = "name", "duplicate", "unusual"
KINDS = {NAME: "Name looks wrong", DUPLICATE: "There twice", UNUSUAL: "Unlike all others"}


class Finding(NamedTuple):
    """What is wrong with one sheet."""

    sheet: int                # its number
    kind: str                 # of KINDS
    score: float              # 0 to 1; comparable within a kind
    suggested: str            # taxon; "" for none
    others: tuple[int, ...]   # sheets to compare it with, the most alike first
    text: str                 # one sentence


def find(names: Sequence[str], taxa: Sequence[str], batch: Sequence[Examined], s: Settings) -> list[Finding]:
    """All findings, first names, then duplicates, then unusual sheets, the highest score of each kind first.

    Args:
        names: of the sheets.
        taxa: of the sheets, "" where it is not known.
        batch: what is known of each.
        s: the constants of find_mistakes.py.
    """
    if len(batch) < 2:
        return []
    blocks = standardise([np.stack(numbers) for numbers in zip(*(item.blocks for item in batch))])
    features = normalise(blocks)
    pairs = {pair: 1.0 for pair in same_files([item.sha256 for item in batch])}
    for first, second, alike in same_pictures(np.stack([item.fingerprint for item in batch]),
                                              [item.grey for item in batch]):
        pairs.setdefault((first, second), alike)
    copies = groups(list(pairs), len(batch))
    once = np.ones(len(batch), bool)  # a sheet and its copy must not vouch for each other
    once[[number for members in copies for number in members[1:]]] = False
    found = [*_names(taxa, features, once, s), *_duplicates(names, taxa, pairs, copies),
             *_unusual(batch, blocks, features, once, s)]
    order = list(KINDS)
    return sorted(found, key=lambda item: (order.index(item.kind), -item.score, item.sheet))


def _names(taxa: Sequence[str], features: np.ndarray, once: np.ndarray, s: Settings) -> Iterator[Finding]:
    """Sheets whose plants look like those of another taxon. once: bool (N,), False for copies, which are left out."""
    chosen = np.flatnonzero(once & np.array([bool(taxon) for taxon in taxa]))
    known = sorted({taxa[number] for number in chosen})
    if len(known) < 2:
        return
    given = np.array([known.index(taxa[number]) for number in chosen])
    probabilities = out_of_sample(features[chosen], given, len(known), s.neighbours)
    judged = judge(probabilities, given)
    alike, _ = nearest(features[chosen], s.shown_neighbours)
    for row in np.flatnonzero(judged.wrong & (judged.scores >= s.min_score)):
        suggested = known[judged.suggested[row]]
        yield Finding(int(chosen[row]), NAME, float(judged.scores[row]), suggested,
                      tuple(chosen[alike[row]].tolist()), f"The plant looks more like {suggested}.")


def _duplicates(
    names: Sequence[str], taxa: Sequence[str], pairs: dict[tuple[int, int], float], copies: Sequence[Sequence[int]],
) -> Iterator[Finding]:
    """Sheets that are there twice.

    Args:
        names, taxa: of the sheets.
        pairs: (sheet, other) -> how alike they are, 1 for the same file.
        copies: from `groups`.
    """
    best: dict[int, float] = {}
    for pair, alike in pairs.items():
        for number in pair:
            best[number] = max(best.get(number, 0.0), alike)
    for members in copies:
        for number in members:
            others = tuple(other for other in members if other != number)
            other = others[0]
            what = "The same file as" if best[number] == 1 else "Nearly the same picture as"
            name = f" (filed under {taxa[other] or 'no taxon'})" if taxa[other] != taxa[number] else ""
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            yield Finding(number, DUPLICATE, best[number], "", others, f"{what} {names[other]}{name}{more}.")


def _unusual(
    batch: Sequence[Examined], blocks: Sequence[np.ndarray], features: np.ndarray, once: np.ndarray, s: Settings,
) -> Iterator[Finding]:
    """Sheets without a plant, and, in a batch that is large enough, those that are far from all others.

    Args:
        batch, s: as in `find`.
        blocks: from `standardise`.
        features: from `normalise`.
        once: as in `_names`.
    """
    chosen = np.flatnonzero(once)
    alike, _ = nearest(features[chosen], s.shown_neighbours)
    strange = deviations([block[chosen] for block in blocks], s.neighbours)
    scores = unusual_score(strange)
    for row, number in enumerate(chosen.tolist()):
        plant = batch[number].plant
        if not plant or strange[row] > FAR and len(chosen) >= MIN_SHEETS:
            yield Finding(number, UNUSUAL, float(scores[row]) if plant else 1.0, "", tuple(chosen[alike[row]].tolist()),
                          "It looks like none of the other sheets." if plant else "No plant can be seen on it.")
