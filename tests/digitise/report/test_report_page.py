"""report.html as text: totals, words, escapes, addresses, and how it is written."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports import counted, picture, record, report
from utils.digitise.report import look, page
from utils.digitise.report.page import ReportSheet, Totals, verdict, write_report
from utils.utils import NAME_CLASSES, UserError, default_colors

HOSTILE = (
    '<img src=x onerror=alert(1)>"\'&amp;.jpg', "</script><script>alert(2)</script></style></svg></template>.jpg",
    "line\nbreak\u202e\u200f{{ 7 * 7 }}.jpg", "A" * 200 + ".jpg", "not UTF-8 \udcff.jpg", "K1 on\"focus=alert(3).jpg",
)


class Reader(HTMLParser):
    """The start tags of a page, and the text in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        self.text += data

    def cards(self) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.tags if attributes.get("class") == "card"]


def write(path: Path, sheets: Iterator[ReportSheet], totals: Totals) -> None:
    write_report(path, sheets, totals, title="Report", folder="sheets", name_classes=NAME_CLASSES,
                 colors=default_colors(5))


def test_totals():
    totals = counted([
        record("K1.jpg", "12234", problems=("blur", "blur")), record("sub/K2.jpg", "222222"),
        record("MA_77_b.jpg", "", problems=("no_label", "blur")),
    ])
    assert (totals.sheets, totals.attention) == (3, 2)
    assert totals.problems == {"blur": 2, "no_label": 1}
    assert totals.objects == {"Barcode": 1, "Label": 8, "Color chart": 1, "Scale": 1}
    assert totals.spread["Label"] == {0: 1, 2: 1, 6: 1}
    assert totals.spread["Barcode"] == {0: 2, 1: 1}
    assert [(name, group.sheets, group.attention, group.objects["Label"])
            for name, group in totals.institutions.items()] == [("K", 2, 1, 8), ("MA", 1, 1, 0)]
    assert [item["bars"] for item in page._classes(totals)][1] == [1, 0, 1, 0, 1]


def test_totals_stay_small(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(page, "INSTITUTIONS", 2)
    monkeypatch.setattr(page, "UNREADABLE", 1)
    totals = counted([record(f"{name}_1.jpg") for name in "ZABCA"])
    assert [(name, group.sheets) for name, group in page._institutions(totals)] == [
        ("A", 2), ("Z", 1), ("All others", 2)]
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        totals.add_unreadable(name, "It is no image.")
    assert totals.unreadable == 3 and totals.unreadable_files == [("a.jpg", "It is no image.")]


def test_verdict():
    flawed, good = record("K1.jpg", problems=("blur",)), record("K2.jpg")
    assert [verdict(counted(records)) for records in (
        [], [good], [flawed], [good, good], [flawed, good], [flawed, flawed, good])] == [
        "No sheets were found.", "The sheet passes.", "The sheet needs attention.", "All 2 sheets pass.",
        "1 of 2 sheets needs attention.", "2 of 3 sheets need attention."]


def test_numbers():
    assert look.number(1234567.25, 1) == "1\u202f234\u202f567.2" and look.number(999) == "999"
    assert [look.percent(share) for share in (0, 0.004, 0.01, 0.5, 0.99, 0.996, 1)] == [
        "0%", "<1%", "1%", "50%", "99%", ">99%", "100%"]


def test_a_card(tmp_path: Path):
    text = report(tmp_path / "report.html", [
        record("K1.jpg", "1224", 0.25, ("K0001", "K0002"), ("low_confidence",), 10.0), record("E_2.jpg")])
    first, second = Reader(text).cards()
    assert first == {
        "class": "card", "data-name": "K1.jpg", "data-severity": "1", "data-state": "any low_confidence",
        "data-missing": "3", "data-objects": "4", "data-confidence": "0.25", "data-institution": "K",
        "data-search": "K1.jpg K K0001 K0002"}
    assert (second["data-severity"], second["data-state"], second["data-missing"], second["data-confidence"]) == (
        "0", "none", "1 2 3 4", "")
    assert "low_confidence of K1.jpg" in text and "Low confidence" in text
    assert 'points="20,10 40,10.5 40,50"' in text
    assert "30.0 × 40.0 cm" in text and "2.0 × 4.0 cm" in text and "10.0 px/cm" in text  # 300 x 400, 20 x 40 pixels
    data = base64.b64encode((tmp_path / "0.jpg").read_bytes()).decode()
    assert f'href="data:image/jpeg;base64,{data}"' in text


def test_what_the_caller_chooses(tmp_path: Path):
    flawed = record("K1.jpg", "12", problems=("blur", "turned"))
    text = report(
        tmp_path / "report.html", [flawed], counted([flawed] * 1500), kinds={"blur": "Not sharp"}, table="all.csv",
        severity=lambda problems: 7 * len(problems), created=datetime(2026, 5, 4, 9, 30))
    assert Reader(text).cards()[0]["data-severity"] == "14"
    assert "<h1>1\u202f500 of 1\u202f500 sheets need attention.</h1>" in text and "4 May 2026, 09:30" in text
    assert "<span>Not sharp</span> <b>1\u202f500</b>" in text and "<span>Turned</span> <b>1\u202f500</b>" in text
    assert "of the 1\u202f500 sheets are on this page" in text and "All are in all.csv." in text


def test_links_to_the_photograph_and_the_crops(tmp_path: Path):
    sheet = record("K1.jpg", "12", 0.5)
    cropped = replace(sheet, objects=(replace(sheet.objects[0], crop="crops/K1 #1.jpg"), sheet.objects[1]))
    path = tmp_path / "digitised" / "report.html"
    write(path, iter([ReportSheet(cropped, None, tmp_path / "sheets" / "K1.jpg")]), counted([cropped]))
    links = [item["href"] for tag, item in Reader(path.read_text(encoding="utf-8")).tags if tag == "a"]
    assert links == ["#list", "crops/K1%20%231.jpg", "../sheets/K1.jpg"]


def test_an_unknown_confidence_is_not_the_lowest(tmp_path: Path):
    text = report(tmp_path / "report.html", [record("K1.jpg", "12"), record("K2.jpg", "1")])  # the others have 1
    assert [card["data-confidence"] for card in Reader(text).cards()] == ["1.0", ""]


def test_hostile_texts_stay_texts(tmp_path: Path):
    records = [record(name, "1", 0.5, (name,), ("blur",)) for name in HOSTILE]
    totals = counted(records)
    totals.add_unreadable(HOSTILE[0], HOSTILE[1])
    reader = Reader(report(tmp_path / "report.html", records, totals))
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("script") == tags.count("style") == 1 and "img" not in tags
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
    cards = reader.cards()
    assert [card["data-name"] for card in cards[:2]] == list(HOSTILE[:2])
    assert cards[2]["data-name"] == r"line\nbreak\u202e\u200f{{ 7 * 7 }}.jpg"
    assert cards[4]["data-name"] == r"not UTF-8 \udcff.jpg"
    assert f"blur of {HOSTILE[1]}" in reader.text


def test_the_policy_allows_the_page_alone(tmp_path: Path):
    text = report(tmp_path / "report.html", [record("K1.jpg", "1")])
    (policy,) = (item["content"] for tag, item in Reader(text).tags if item.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy
    for tag in ("style", "script"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    addresses = [value for _, attributes in Reader(text).tags for name, value in attributes.items()
                 if name in ("href", "src", "srcset", "poster", "action", "xlink:href")]
    assert len(addresses) == 3 and all(address.startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"https?:|url\(|@import|fetch\(", text)


def test_addresses_are_relative_and_quoted(tmp_path: Path):
    folder = tmp_path / "digitised"
    assert look.link(tmp_path / "sheets" / "a b#1?.jpg", folder) == "../sheets/a%20b%231%3F.jpg"
    assert look.link(folder / "javascript:alert(1)", folder) == "javascript%3Aalert%281%29"
    assert look.link(os.fsdecode(b"\xff.jpg"), Path()) == "%FF.jpg"


def test_a_sheet_without_a_picture(tmp_path: Path):
    sheets = iter([ReportSheet(record("K1.jpg", "1"), None), ReportSheet(record("K2.jpg"), tmp_path / "gone.jpg")])
    write(tmp_path / "report.html", sheets, counted([record("K1.jpg", "1")]))
    reader = Reader((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [item.get("class") for _, item in reader.tags].count("no-picture") == 2


def test_one_sheet_at_a_time_is_in_memory(tmp_path: Path):
    path = picture(tmp_path / "large.jpg", 300, 300)
    sheets = (ReportSheet(record(f"K{number}.jpg", "12"), path) for number in range(100))
    totals = counted([record("K1.jpg", "12")])
    write(tmp_path / "first.html", iter(()), totals)
    tracemalloc.start()
    write(tmp_path / "report.html", sheets, totals)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "report.html").stat().st_size > 100 * path.stat().st_size
    assert peak < 20 * path.stat().st_size + 2_000_000


def test_an_older_page_stays_when_a_new_one_cannot_be_finished(tmp_path: Path):
    def sheets() -> Iterator[ReportSheet]:
        yield ReportSheet(record("K1.jpg"))
        raise ValueError("the next record is broken")

    (tmp_path / "report.html").write_text("older")
    with pytest.raises(ValueError, match="broken"):
        write(tmp_path / "report.html", sheets(), counted([record("K1.jpg")]))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["older"]
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UserError, match="folder.html cannot be written"):
        write(tmp_path / "folder.html", iter(()), counted([]))


def test_another_page_has_the_same_look(tmp_path: Path):
    template = '{% extends "base.html" %}{% block cards %}<li>{{ name }}</li>{% endblock %}'
    (tmp_path / "mistakes.html").write_text(template)
    look.write_page(
        tmp_path / "out.html", tmp_path / "mistakes.html", [(0, 0, 0), (10, 20, 31)], title="Mistakes", verdict="Two.",
        folder="sheets", created=datetime(2026, 5, 4, 9, 30), name="<b>")
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<li>&lt;b&gt;</li>" in text and "Two. Mistakes" in text
    assert ".c1 { --line: rgb(10 20 31); }" in text and ".c1 { --light: rgb(133 138 143); }" in text
