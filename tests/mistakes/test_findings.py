"""What is found in a batch of invented features."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

import drawn_plants
from utils.mistakes.comparing import unusual
from utils.mistakes.comparing.duplicates import COARSE, FINE, fingerprint, grey
from utils.mistakes.comparing.findings import DUPLICATE, NAME, UNUSUAL, Finding, find
from utils.mistakes.reading.sheet import Examined

SETTINGS = SimpleNamespace(neighbours=5, shown_neighbours=3, min_score=0.3)


def batch(groups: int = 3, each: int = 10, seed: int = 0) -> tuple[list[str], list[str], list[Examined]]:
    """Names, taxa and sheets of groups that lie apart."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(groups, 8))
    names, taxa, sheets = [], [], []
    for number in range(groups * each):
        group = number % groups
        names.append(f"K{number}.jpg")
        taxa.append(f"taxon {group}")
        blocks = [np.float32(centres[group] * scale + rng.normal(size=8) * 0.2) for scale in (1, 3)]
        sheets.append(Examined(str(number), str(number), (9, 6), True, (), tuple(blocks),
                               np.zeros(COARSE * COARSE + 1, np.float32), np.zeros((FINE, FINE), np.uint8)))
    return names, taxa, sheets


def kinds(found: list[Finding]) -> list[tuple[int, str]]:
    return [(item.sheet, item.kind) for item in found]


def changed(item: Examined, **fields: object) -> Examined:
    return Examined(**{**item.__dict__, **fields})


def test_nothing_is_found_where_nothing_is_wrong():
    assert find(*batch(), SETTINGS) == []
    assert find(*(part[:1] for part in batch()), SETTINGS) == []
    assert find([], [], [], SETTINGS) == []


def test_a_wrong_name():
    names, taxa, sheets = batch()
    taxa[4] = "taxon 2"  # was 1
    (found,) = find(names, taxa, sheets, SETTINGS)
    assert (found.sheet, found.kind, found.suggested) == (4, NAME, "taxon 1")
    assert 0.3 < found.score < 1 and {taxa[other] for other in found.others} == {"taxon 1"} and len(found.others) == 3


def test_unknown_taxa_and_taxa_of_one_sheet_are_not_judged():
    names, taxa, sheets = batch()
    taxa[0], taxa[1] = "", "alone"
    assert not [item for item in find(names, taxa, sheets, SETTINGS) if item.kind == NAME]
    assert find(names, [""] * 30, sheets, SETTINGS) == [] == find(names, ["one"] * 30, sheets, SETTINGS)


def test_copies_do_not_vouch_for_each_other():
    names, taxa, sheets = batch()
    sheets[7] = changed(sheets[4], key="7")  # the same file twice, both filed wrongly
    taxa[4] = taxa[7] = "taxon 2"
    found = find(names, taxa, sheets, SETTINGS)
    assert kinds(found) == [(4, NAME), (4, DUPLICATE), (7, DUPLICATE)]
    assert found[1].text == "The same file as K7.jpg." and found[1].others == (7,) and found[1].score == 1
    taxa[7] = "taxon 0"
    assert "K4.jpg (filed under taxon 2)." in find(names, taxa, sheets, SETTINGS)[2].text


def test_nearly_the_same_picture():
    names, taxa, sheets = batch()
    for number, light in ((3, 0), (6, 15), (9, 30)):
        image = drawn_plants.sheet(drawn_plants.ROUND, 0, label=False) - np.uint8(light)
        sheets[number] = changed(sheets[number], fingerprint=fingerprint(image), grey=grey(image))
    found = find(names, taxa, sheets, SETTINGS)
    assert kinds(found) == [(3, DUPLICATE), (6, DUPLICATE), (9, DUPLICATE)]
    assert found[0].text == "Nearly the same picture as K6.jpg and 1 more." and found[0].others == (6, 9)
    assert all(0.97 < item.score < 1 for item in found)


def test_sheets_unlike_all_others():
    names, taxa, sheets = batch()
    taxa[5] = ""
    others = [np.mean([item.blocks[number] for item in sheets], 0) for number in (0, 1)]
    sheets[5] = changed(sheets[5], blocks=tuple(-3 * other for other in others))
    sheets[11] = changed(sheets[11], plant=False)
    found = {item.sheet: item for item in find(names, taxa, sheets, SETTINGS) if item.kind == UNUSUAL}
    assert found.keys() == {5, 11}
    assert found[5].text == "It looks like none of the other sheets." and found[5].score > 0.5
    assert found[11].text == "No plant can be seen on it." and found[11].score == 1
    few = [part[:12] for part in (names, taxa, sheets)]
    assert 5 not in {item.sheet for item in find(*few, SETTINGS) if item.kind == UNUSUAL}  # too few to compare with


def test_deviations_are_those_of_scikit_learns_distances(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unusual, "ROWS", 7)
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(30, 4)).astype(np.float32), rng.normal(size=(30, 9)).astype(np.float32)]
    points = np.hstack([blocks[0] / 2, blocks[1] / 3])
    logs = np.log(NearestNeighbors(n_neighbors=3).fit(points).kneighbors()[0][:, 2])
    spread = 1.4826 * np.median(abs(logs - np.median(logs)))
    np.testing.assert_allclose(unusual.deviations(blocks, 3), (logs - np.median(logs)) / spread, atol=1e-3)
    assert unusual.unusual_score(np.array([-2.0, 0.0, 3.5, 31.5])).tolist() == pytest.approx([0, 0, 0.5, 0.9])
