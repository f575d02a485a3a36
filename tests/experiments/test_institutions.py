"""Which sheets the rows of the experiment "datasets" train and validate on."""

import pytest

from utils.experiments.institutions import institution_lists
from utils.utils import UserError

TRAIN = ["K_1", "K_2", "K_3", "BM_1", "BM_2", "E_1", "no separator"]
VAL = ["P_1", "P_2", "P_3", "P_4", "US_1", "US_2"]


def lists(train=TRAIN, val=VAL, **changes):
    return institution_lists(train, val, **{
        "separator": "_", "targets": (), "target_sheets": 1, "least_sheets": 2, "seed": 0, **changes})


def test_each_alone_then_combined_then_with_the_target():
    rows, notes = lists()
    assert [row.name for row in rows] == [
        "K alone", "BM alone", "all combined", "all combined + 2 of the target"]
    assert rows[0].train == ["K_1", "K_2", "K_3"] and rows[1].train == ["BM_1", "BM_2"] and rows[2].train == TRAIN
    moved = set(rows[3].train) - set(TRAIN)
    assert sorted(stem.split("_")[0] for stem in moved) == ["P", "US"]
    assert all(row.val == rows[0].val for row in rows) and set(rows[0].val) == set(VAL) - moved
    assert any("2 institutions have fewer than 2" in note and "E, no institution" in note for note in notes)


def test_the_choice_repeats_and_follows_the_seed():
    choices = {tuple(lists(seed=seed)[0][-1].train) for seed in range(8)}
    assert lists()[0] == lists()[0] and len(choices) > 1


def test_targets_and_what_is_left_of_them():
    rows, _ = lists(targets=("US",), target_sheets=5)
    assert len(rows[-1].train) == len(TRAIN) + 1 and len(rows[-1].val) == 1  # one of the two is always left
    with pytest.raises(UserError, match="targets names X, of which val.txt has no sheets: it has those of P, US"):
        lists(targets=("P", "X"))


def test_without_sheets_to_move_there_is_no_such_row():
    rows, notes = lists(val=["P_1", "US_1"])
    assert rows[-1].name == "all combined" and rows[-1].val == ["P_1", "US_1"]
    assert any("No row with sheets of the target" in note for note in notes)
