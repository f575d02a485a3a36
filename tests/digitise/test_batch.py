"""What only the batch shows: what is there twice, and what differs from the other sheets."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from records import CODE, chart, item, kinds, limits, record, ruler
from utils.digitise.batch import check_batch, with_problems
from utils.digitise.outliers import distances_to_others, outliers, robust_scores
from utils.digitise.record import SheetRecord

LIMITS = limits()


def batch(count: int, **changes: object) -> list[SheetRecord]:
    """`count` sheets of institution K that differ in name and barcode alone; the changes are made to all."""
    return [dataclasses.replace(
        record(name=f"K{number:04d}.jpg", sha256=f"{number:064d}"),
        codes=(dataclasses.replace(CODE, text=f"K{number:04d}"),), **changes) for number in range(count)]


def texts(records: list[SheetRecord], name: str) -> list[str]:
    return [problem.text for problem in check_batch(records, LIMITS).problems.get(name, ())]


def test_robust_scores_by_hand() -> None:
    """Median 3; distances 2, 1, 0, 1, 7, of which the median is 1."""
    expected = np.array([-2, -1, 0, 1, 7]) / 1.4826
    np.testing.assert_allclose(robust_scores(np.array([1.0, 2, 3, 4, 10]), 0.1), expected)
    np.testing.assert_allclose(robust_scores(np.array([1.0, 2, 3, 4, 10]), 2), [-1, -0.5, 0, 0.5, 3.5])


def test_the_deviation_of_a_normal_distribution_is_found() -> None:
    values = np.random.default_rng(1).normal(5, 3, 20_000)
    np.testing.assert_allclose(robust_scores(values, 0.1), (values - 5) / 3, atol=0.15)


def test_outliers_are_far_and_rare() -> None:
    values = np.array([0.0] * 20 + [3.4, 3.6, -9])
    assert outliers(values, 1, 2)[20:].tolist() == [False, True, True]
    assert outliers(np.array([0.0] * 20 + [8, 9]), 1, 2).sum() == 2
    assert outliers(np.array([0.0] * 20 + [8, 9]), 1, 1).nonzero()[0].tolist() == [21]
    assert not outliers(np.array([0.0] * 20 + [9, 9]), 1, 1).any(), "two of the same are one too many"
    assert not outliers(np.array([5.0]), 1, 1).any()


def test_objects_may_have_several_usual_places() -> None:
    points = np.array([[0.1, 0.1], [0.1, 0.2], [0.1, 0.1]] * 4 + [[0.9, 0.9]] * 3 + [[0.9, 0.5]])
    found = distances_to_others(points)
    np.testing.assert_allclose(found[:15], 0, atol=1e-9)
    assert found[15] == pytest.approx(0.4)


def test_equal_sheets_have_no_problems() -> None:
    findings = check_batch(batch(30), LIMITS)
    assert findings.problems == {} and findings.codes == {} and findings.notes == ()


def test_the_same_file_and_the_same_barcode() -> None:
    records = batch(7)
    records[2] = dataclasses.replace(records[2], sha256=records[5].sha256)
    records[1] = dataclasses.replace(records[1], codes=records[1].codes * 2)  # twice on one sheet: no duplicate
    assert texts(records, "K0002.jpg") == ["The same file as K0005.jpg."]
    assert texts(records, "K0005.jpg") == ["The same file as K0002.jpg."]
    assert texts(records, "K0001.jpg") == []
    records = [dataclasses.replace(one, codes=records[1].codes) if number < 3 else one
               for number, one in enumerate(batch(7))]
    assert texts(records, "K0001.jpg") == ["The barcode K0001 is also on K0000.jpg and K0002.jpg."]
    assert texts(records, "K0003.jpg") == []
    assert check_batch(records, LIMITS).codes == {"K0001": ("K0000.jpg", "K0001.jpg", "K0002.jpg")}
    records = batch(7, sha256="a" * 64)
    same = "K0001.jpg, K0002.jpg, K0003.jpg"
    assert texts(records, "K0000.jpg") == [f"The same file as {same} and 3 more."]
    assert texts(records, "K0006.jpg") == ["The same file as K0000.jpg, K0001.jpg, K0002.jpg and 3 more."]


ODD = {
    "label moved": ({"Label": (59, 30, 40, 60)}, 1, "The label lies in an unusual place for this batch."),
    "label nudged": ({"Label": (25, 230, 40, 60)}, 1, None),
    "half a barcode": (
        {"Barcode": (15, 12, 10, 12)}, 1, "The barcode has 50% of the area that is usual in this batch."),
    "a barcode of 5/6": ({"Barcode": (10, 12, 20, 10)}, 1, None),
    "two labels": ({}, 2, "Found 2 of the class Label; usual in this batch: 1."),
}


@pytest.mark.parametrize("boxes, labels, expected", ODD.values(), ids=ODD)
def test_a_sheet_that_differs_is_named(boxes: dict, labels: int, expected: str | None) -> None:
    records = batch(25)
    odd = record(**boxes)
    extra = tuple(one for one in odd.objects if one.region.name == "Label") * (labels - 1)
    records[7] = dataclasses.replace(records[7], objects=odd.objects + extra)
    assert texts(records, "K0007.jpg") == ([expected] if expected else [])
    assert list(check_batch(records, LIMITS).problems) == (["K0007.jpg"] if expected else [])
    assert not check_batch(records[:19], LIMITS).problems, "too few to compare with"


def test_what_many_sheets_have_is_not_unusual() -> None:
    """A fifth of the sheets has two labels, or its barcode elsewhere."""
    other = record(Barcode=(70, 200, 20, 6))
    records = [dataclasses.replace(one, objects=other.objects) if number % 5 == 0 else one
               for number, one in enumerate(batch(40))]
    assert not check_batch(records, LIMITS).problems


def test_sizes_are_compared_in_centimetres_where_rulers_were_measured() -> None:
    """One sheet was photographed from nearer: all is larger in pixels, and right in centimetres."""
    records = batch(25, scale=ruler(10.0))
    near = record(size=(600, 200), Barcode=(20, 24, 40, 24), Label=(40, 440, 80, 120), Scale=(20, 100, 10, 200),
                  **{"Color chart": (120, 20, 60, 40)})
    records[3] = dataclasses.replace(records[3], objects=near.objects, size=(600, 200), scale=ruler(20.0))
    assert texts(records, "K0003.jpg") == [
        "The photograph has 0.1 megapixels; usual in this batch: 0.0.",
        "A centimetre has 20 pixels; usual in this batch: 10.",
    ]
    records[3] = dataclasses.replace(batch(4)[3], scale=ruler(20.0))
    assert texts(records, "K0003.jpg")[0] == "A centimetre has 20 pixels; usual in this batch: 10."
    assert "The barcode has 25% of the area that is usual in this batch." in texts(records, "K0003.jpg")


def test_each_institution_is_compared_with_itself() -> None:
    """20 sheets of P have their label where those of K have none; one of K has it there, too."""
    moved = record(Label=(59, 30, 40, 60)).objects
    ps = [dataclasses.replace(one, name=one.name.replace("K", "P"), objects=moved, codes=(), sha256="")
          for one in batch(20)]
    records = batch(20)
    records[4] = dataclasses.replace(records[4], objects=moved)
    assert list(check_batch(records + ps, LIMITS).problems) == ["K0004.jpg"]


def test_a_drifted_chart_is_named() -> None:
    """The lightness of all patches of one chart is 20 lower; CIEDE2000 of this is far above 5."""
    lab = [(20.0, 0.0, 0.0), (50.0, 50.0, 0.0), (60.0, -40.0, 30.0), (70.0, 0.0, -40.0), (90.0, 0.0, 0.0)]
    records = batch(6, charts=(chart(patches=lab),))
    records[1] = dataclasses.replace(
        records[1], charts=(chart(patches=[(light - 20, a, b) for light, a, b in lab]),))
    findings = check_batch(records, LIMITS)
    assert kinds(findings.problems["K0001.jpg"]) == ["drift"] and list(findings.problems) == ["K0001.jpg"]
    assert findings.drift["K0000.jpg"] == pytest.approx(0, abs=1e-4) and 15 < findings.drift["K0001.jpg"] < 25
    assert not check_batch(records, limits(max_drift=30)).problems
    assert not check_batch(batch(6), LIMITS).drift


def test_what_often_lies_at_the_border_is_not_cut() -> None:
    """Four of 30 rulers lie at the right border, and one at the top; of three rulers at the right, all are cut."""
    right = record(Scale=(95, 50, 5, 100)).objects
    records = batch(30, scale=None)
    for number in (3, 5, 8, 13):
        records[number] = dataclasses.replace(records[number], objects=right)
    records[21] = dataclasses.replace(records[21], objects=record(Scale=(60, 0, 5, 100)).objects)
    findings = check_batch(records, LIMITS)
    assert findings.usual == {"K": {("Scale", "right")}}
    assert findings.notes == (
        "On the 30 sheets of K, these often lie at the border and are not called cut off there: Scale (right).",)
    cut = [one.name for one in records if "cut" in kinds(with_problems(one, findings, LIMITS).problems)]
    assert cut == ["K0021.jpg"]
    few = records[3:9:2] + records[20:22]
    assert check_batch(few, LIMITS).usual == {"K": frozenset()}


def test_own_problems_come_before_those_of_the_batch() -> None:
    records = batch(2, sha256="b" * 64)
    records[0] = dataclasses.replace(records[0], objects=records[0].objects[1:], codes=())
    found = with_problems(records[0], check_batch(records, LIMITS), LIMITS)
    assert kinds(found.problems) == ["no_barcode", "duplicate_file"]
    assert with_problems(found, check_batch(records, LIMITS), LIMITS) == found


def test_memory_hardly_grows_with_the_sheets() -> None:
    """No record is kept: a sheet of four objects needs about a kilobyte, its record about six."""
    def stream(count: int) -> Iterator[SheetRecord]:
        one = record()
        for number in range(count):
            name = f"K{number:06d}"
            yield dataclasses.replace(
                one, name=f"{name}.jpg", sha256=f"{number:064d}", codes=(dataclasses.replace(CODE, text=name),))

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            check_batch(stream(count), LIMITS)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert (peak(3000) - peak(1000)) / 2000 < 1500


def test_no_sheets_at_all() -> None:
    findings = check_batch([], LIMITS)
    assert findings.problems == {} and findings.drift == {} and findings.usual == {}


def test_an_empty_sheet_among_others() -> None:
    records = batch(25)
    records[0] = dataclasses.replace(records[0], objects=(item("Label", (20, 220, 40, 60)),), codes=())
    assert kinds(with_problems(records[0], check_batch(records, LIMITS), LIMITS).problems) == [
        "no_barcode", "no_color_chart", "no_scale"]
