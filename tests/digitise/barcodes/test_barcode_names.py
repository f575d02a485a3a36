"""Barcodes and file names say the same, whatever either of them adds."""

from __future__ import annotations

import pytest

from utils.digitise.barcodes.names import matches_name, same_number, text_of_name
from utils.utils import UserError

BARCODE_PATTERN = r"(?P<barcode>.+?)(?:[_-](?P<suffix>[A-Za-z]\d?|\d\d?))?"  # K000123, K000123_a, E00112233-2


@pytest.mark.parametrize(("stem", "barcode", "suffix"), [
    ("K000123", "K000123", None), ("K000123_a", "K000123", "a"), ("E00112233-2", "E00112233", "2"),
    ("K000123_b2", "K000123", "b2"), ("MO-2775970", "MO-2775970", None), ("CBS.14751", "CBS.14751", None),
    ("FI-HCI-00035502_c", "FI-HCI-00035502", "c"), ("BM_521755", "BM_521755", None),
])
def test_the_usual_pattern_takes_a_suffix_off(stem: str, barcode: str, suffix: str | None) -> None:
    assert text_of_name(stem, BARCODE_PATTERN) == {"barcode": barcode, **({"suffix": suffix} if suffix else {})}


def test_groups_of_the_users_own_pattern() -> None:
    pattern = r"(?P<place>[A-Z]+)_(?P<barcode>\d+)"
    assert text_of_name("NY_01498139", pattern) == {"place": "NY", "barcode": "01498139"}
    assert text_of_name("NY_01498139_back", pattern) is None
    assert not matches_name("01498139", "NY_01498139_back", pattern)


@pytest.mark.parametrize(("pattern", "message"), [
    ("(?P<barcode>", "which is no regular expression"), ("(?P<barcode>a{5}{6})", "which is no regular expression"),
    (r"[A-Z]+\d+", "name the part that is the barcode"), ("", "name the part that is the barcode"),
])
def test_patterns_that_cannot_be_used(pattern: str, message: str) -> None:
    with pytest.raises(UserError, match=f"barcode_pattern is .*{message}") as error:
        text_of_name("K000123", pattern)
    assert error.value.exit_status == 2


@pytest.mark.parametrize(("text", "stem"), [
    ("K000123", "K000123"), ("k000123 ", "K000123_a"), ("*000154404*", "000154404"), ("BM 000 574 146", "BM000574146"),
    ("01498139", "NY_01498139"), ("NY01498139", "01498139"), ("BM000574146", "000574146 (BM)"),
    ("http://id.luomus.fi/H.1073986", "H.1073986"), ("H.1073986", "H1073986"), ("C0268502F", "c0268502f"),
    ("0000012120208", "BR_12120208"), ("0000012120208", "1212020"), ("0000012120208", "0000012120208"),
    ("P00672666", "Ｐ00672666"),
])
def test_the_same_number(text: str, stem: str) -> None:
    assert matches_name(text, stem, BARCODE_PATTERN)


@pytest.mark.parametrize(("text", "stem"), [
    ("K000123", "K000124"), ("K000123", "E000123"), ("K000123", "K0001234"), ("000123", "K1000123"),
    ("K000123", "K123"), ("1498139", "NY_01498139"), ("K000123a", "K000123"), ("12", "K000123_12"),
    ("0000012120208", "0000001212020"), ("0000012120209", "1212020"), ("0000012120208", "121202"),
    ("", "K000123"), ("***", "---"), ("K", "K000123"),
])
def test_different_numbers(text: str, stem: str) -> None:
    assert not matches_name(text, stem, BARCODE_PATTERN)


@pytest.mark.parametrize(("one", "other", "same"), [
    ("K000123", "K-000123", True), ("K000123", "http://id.example.org/K000123", True), ("BM000123", "000123", True),
    ("K000123", "K000124", False), ("K000123", "E000123", False), ("K000123", "", False),
])
def test_two_codes_of_one_number(one: str, other: str, same: bool) -> None:
    assert same_number(one, other) is same_number(other, one) is same
