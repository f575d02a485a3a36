"""What is wrong with one sheet: each kind of problem has a sheet that shows it, and one that just does not."""

from __future__ import annotations

import dataclasses

import pytest

from records import CODE, chart, item, kinds, limits, photograph, record, ruler
from utils.config import Settings
from utils.digitise.barcodes.structure import LEAST
from utils.digitise.checks import KINDS, MINOR, check_sheet, exit_status, place, quoted, severity
from utils.digitise.record import Problem, SheetObject, SheetRecord

LIMITS = limits()


def changed(**changes: object) -> SheetRecord:
    return dataclasses.replace(record(), **changes)


def texts(sheet: SheetRecord, limits: Settings = LIMITS) -> list[str]:
    return [problem.text for problem in check_sheet(sheet, limits)]


def without(*names: str) -> tuple:
    return tuple(one for one in record().objects if one.region.name not in names)


def test_a_good_sheet_has_no_problems() -> None:
    assert check_sheet(changed(
        photograph=photograph(), scale=ruler(10.0), charts=(chart(),)), LIMITS) == ()


@pytest.mark.parametrize("name, text", {
    "Label": "No label was found.", "Color chart": "No color chart was found.", "Scale": "No scale was found."}.items())
def test_missing_classes(name: str, text: str) -> None:
    found = check_sheet(changed(objects=without(name)), LIMITS)
    assert found == (Problem(f"no_{name.lower().replace(' ', '_')}", text),) and found[0].kind in KINDS
    assert not check_sheet(changed(objects=without(name)), limits(required_classes=("Barcode",)))


def test_a_barcode_that_was_read_is_not_missing() -> None:
    assert not texts(changed(objects=without("Barcode")))
    assert texts(changed(objects=without("Barcode"), codes=())) == ["No barcode was found."]


def test_a_barcode_that_was_not_read() -> None:
    assert texts(changed(codes=())) == ["The barcode could not be read."]
    two = (*record().objects, item("Barcode", (60, 100, 20, 12)))
    assert not texts(changed(objects=two)), "one of two was read"
    assert not texts(changed(codes=()), limits(barcodes=False)), "nobody tried"
    assert texts(changed(objects=two, codes=())) == ["None of the 2 barcodes could be read."]


def test_barcodes_and_file_names() -> None:
    compared = limits(barcode_pattern="(?P<barcode>K.*)")
    assert not texts(record("sub.folder/K0001.jpg"), compared)
    other = dataclasses.replace(CODE, text="K0002")
    assert texts(changed(codes=(other,)), compared) == ["The barcode says K0002, the file name K0001."]
    assert kinds(check_sheet(changed(codes=(other,)), compared)) == ["barcode_mismatch"]
    assert not texts(changed(codes=(other,))), "not asked for"
    assert not texts(changed(codes=(other, CODE)), compared), "one of two is right"
    assert not texts(record("K0001.jpg"), compared)
    assert texts(changed(codes=(other, other)), compared) == ["The barcode says K0002, the file name K0001."]
    third = dataclasses.replace(CODE, text="K0003")
    assert texts(changed(codes=(other, third)), compared) == [
        "None of the 2 barcodes fits the file name K0001; the first says K0002."]
    assert texts(record("P0001.jpg"), compared) == ["The file name P0001 does not fit barcode_pattern."]
    assert texts(changed(codes=()), compared) == ["The barcode could not be read."]


def test_objects_at_the_border() -> None:
    assert texts(record(Label=(60, 240, 40, 60))) == ["The label is cut off by the border of the photograph."]
    assert not texts(record(Label=(59, 239, 40, 60))), "a pixel away"
    assert not texts(record(Label=(60, 240, 40, 60)), limits(whole_classes=("Barcode",)))
    two = (*record().objects, item("Label", (0, 100, 20, 12)))
    assert texts(changed(objects=two)) == ["The label at the left is cut off by the border of the photograph."]
    three = (*two, item("Label", (0, 130, 20, 12)))
    assert texts(changed(objects=three)) == ["2 labels are cut off by the border of the photograph."]


def test_what_lies_at_the_border_of_other_sheets_too_is_not_cut() -> None:
    corner = record(Label=(60, 240, 40, 60))
    assert not check_sheet(corner, LIMITS, {("Label", "right"), ("Label", "bottom")})
    assert kinds(check_sheet(corner, LIMITS, {("Label", "right"), ("Scale", "bottom")})) == ["cut"]


def test_what_was_read_or_measured_is_not_cut() -> None:
    top = record(Barcode=(10, 0, 20, 12), Scale=(0, 50, 5, 100))
    assert texts(top) == ["The scale is cut off by the border of the photograph."]
    unread = tuple(dataclasses.replace(one, codes=()) for one in top.objects)
    assert texts(dataclasses.replace(top, objects=unread, scale=ruler(10.0))) == [
        "The barcode is cut off by the border of the photograph."]
    assert not texts(dataclasses.replace(top, scale=ruler(10.0)))


def test_unsure_objects() -> None:
    label = without("Label")
    assert not texts(changed(objects=(*label, item("Label", (20, 220, 40, 60), confidence=0.8))))
    assert not texts(changed(objects=(*label, item("Label", (20, 220, 40, 60), confidence=float("nan")))))
    low = item("Label", (20, 220, 40, 60), confidence=0.624)
    assert texts(changed(objects=(*label, low))) == ["The network is only 62% sure of the label."]
    two = (*label, low, item("Label", (20, 110, 60, 60), confidence=0.7))
    assert texts(changed(objects=two)) == ["The network is only 62% to 70% sure of 2 labels."]
    assert texts(changed(objects=two), limits(review_below=0.65)) == [
        "The network is only 62% sure of the label at the bottom."]


def test_barcodes_that_do_not_look_like_one() -> None:
    """They are named for what they lack, not as unsure; one that looks like a code, or was read, is not named."""
    def barcode(left: int, likeness: float | None, confidence: float = 0.1) -> SheetObject:
        return dataclasses.replace(item("Barcode", (left, 150, 20, 12), confidence=confidence), likeness=likeness)

    others = (*without("Barcode"), item("Barcode", (10, 12, 20, 12)))
    assert kinds(check_sheet(changed(objects=(*others, barcode(60, LEAST - 0.1))), LIMITS)) == ["no_bars"]
    assert texts(changed(objects=(*others, barcode(60, LEAST - 0.1)))) == [
        "The barcode at the right shows no bars or modules: it may be no code."]
    assert texts(changed(objects=(*others, barcode(60, -9.0), barcode(30, -7.0)))) == [
        "2 barcodes show no bars or modules: they may be no code."]
    assert not texts(changed(objects=(*others, barcode(60, LEAST, 0.9), barcode(60, None, 0.9))))
    assert texts(changed(objects=(*others, barcode(60, LEAST + 1, 0.5)))) == [
        "The network is only 50% sure of the barcode at the right."]
    assert "no_bars" in MINOR


def test_clipped_charts() -> None:
    assert not texts(changed(charts=(chart(light=0.02, dark=0.02),)))
    assert texts(changed(charts=(chart(light=0.31),))) == [
        "31% of the color chart is overexposed: colours are lost there."]
    assert texts(changed(charts=(chart(dark=0.03),))) == [
        "3% of the color chart is underexposed: colours are lost there."]


def test_casts() -> None:
    """3 and 4 are 5 from neutral; (0, 6) is towards yellow in CIELAB, (0, -6) towards blue."""
    assert not texts(changed(charts=(chart(cast=(3.0, 4.0)), chart(cast=None))))
    assert texts(changed(charts=(chart(cast=(0.0, 6.0)),))) == [
        "The color chart has a yellow cast: its grey patches are 6.0 from neutral (CIELAB); at most 5 is allowed."]
    for (a, b), hue in {(6, 0): "red", (-6, 0): "green", (0, -6): "blue", (5, -5): "purple", (6, -1): "red"}.items():
        assert f"a {hue} cast" in texts(changed(charts=(chart(cast=(a, b)),)))[0]


def test_photographs() -> None:
    """The reading of the numbers is tested in test_photograph.py."""
    assert kinds(check_sheet(changed(photograph=photograph(sharpness=0.3)), LIMITS)) == ["blurred"]
    assert texts(changed(photograph=photograph(sharpness=0.3))) == [
        "The photograph is blurred: its sharpness is 0.30."]
    dark = check_sheet(changed(photograph=photograph(dark=0.5)), LIMITS)
    assert kinds(dark) == ["exposure"] and dark[0].text == "The photograph is too dark: 50% of it is black."
    other = check_sheet(changed(photograph=photograph(entropy=0.66)), LIMITS)
    assert kinds(other) == ["not_a_sheet"] and other[0].text.startswith("This may be no herbarium sheet: ")


def test_sheets_that_lie_turned() -> None:
    assert texts(changed(photograph=photograph(turned=90))) == ["The sheet is turned by 90 degrees clockwise."]


def test_severity() -> None:
    serious, minor = Problem("cut", "One."), Problem("cast", "Two.")
    assert severity([serious, minor, minor]) == 5 and severity([]) == 0
    assert severity([serious]) > severity([minor, minor])


def test_every_kind_has_a_title() -> None:
    assert KINDS["no_color_chart"] == "No color chart"
    assert set(MINOR) < set(KINDS)


def test_exit_status() -> None:
    assert [exit_status(*counts) for counts in ((0, 0), (0, 2), (1, 0), (1, 2))] == [0, 3, 1, 1]


@pytest.mark.parametrize("x, y, words", [
    (0.1, 0.1, "at the top left"), (0.5, 0.5, "in the middle"), (0.99, 0.5, "at the right"),
    (0.5, 0.9, "at the bottom"), (1.0, 1.0, "at the bottom right")])
def test_places(x: float, y: float, words: str) -> None:
    assert place(x, y) == words


def test_a_text_from_outside_stays_one_line() -> None:
    assert quoted("a\nb\x1b[31m") == r"a\nb\x1b[31m"
    assert quoted("x" * 200) == "x" * 57 + "..."
    hostile = dataclasses.replace(CODE, text="=1+1\n" * 50)
    for sheet in (changed(codes=(hostile,)), changed(codes=(hostile,), name="-\n" * 100 + ".jpg")):
        (text,) = texts(sheet, limits(barcode_pattern="(?P<barcode>K.*)"))
        assert "\n" not in text and len(text) < 150
