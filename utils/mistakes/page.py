"""mistakes.html: each suspicious sheet beside the sheets that it is most like."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from utils.config import Settings
from utils.digitise.plan import Sheet
from utils.digitise.report.look import link, number, write_page
from utils.mistakes.comparing.findings import DUPLICATE, KINDS, NAME, Finding
from utils.mistakes.reading.sheet import read_examined

TEMPLATE = Path(__file__).with_name("page.html")


class Batch(NamedTuple):
    """What the page is made of."""

    sheets: Sequence[Sheet]
    taxa: Sequence[str]             # of each sheet, "" where it is not known
    found: Sequence[Finding]        # those of the first kind first, the highest score first
    unreadable: Mapping[str, str]   # name of a file -> what is wrong with it


def write_mistakes(
    path: Path, batch: Batch, s: Settings, name_classes: Sequence[str], colors: Sequence[Sequence[int]],
) -> None:
    """Writes the page. Its pictures are read one after the other; each is in the file once.

    Args:
        path: the HTML file.
        batch: what was found.
        s: the constants of find_mistakes.py.
        name_classes, colors: of what was left out of the pictures, background first.

    Raises:
        UserError: the file cannot be written.
    """
    of_sheet: dict[int, list[Finding]] = {}
    for finding in batch.found:
        of_sheet.setdefault(finding.sheet, []).append(finding)
    shown = dict(list(of_sheet.items())[:s.report_sheets])
    compared = sorted({other for findings in shown.values() for other in _others(findings, s)})
    write_page(
        path, TEMPLATE, colors, title=s.report_title, folder=s.input_dir, created=datetime.now(),
        verdict=verdict(len(of_sheet), len(batch.sheets)), unreadable=list(batch.unreadable.items()),
        total=len(of_sheet), kinds=_kinds(of_sheet), classes=list(enumerate(name_classes))[1:],
        taxa=sorted({batch.taxa[sheet] for sheet in shown} | {
            finding.suggested for findings in shown.values() for finding in findings} - {""}),
        plants=(_plant(batch, sheet) for sheet in compared),
        cards=(_card(batch, sheet, findings, path.parent, s) for sheet, findings in shown.items()),
    )


def verdict(attention: int, sheets: int) -> str:
    """The run in one sentence."""
    if not attention:
        return f"Nothing suspicious on {number(sheets)} sheets." if sheets != 1 else "Nothing suspicious on one sheet."
    need = "needs" if attention == 1 else "need"
    return f"{number(attention)} of {number(sheets)} sheets {need} a second look."


def _kinds(of_sheet: Mapping[int, Sequence[Finding]]) -> list[tuple[str, str, int]]:
    """Kind, what to call it, and sheets."""
    counts = Counter(kind for findings in of_sheet.values() for kind in {finding.kind for finding in findings})
    return [(kind, name, counts[kind]) for kind, name in KINDS.items() if counts[kind]]


def _others(findings: Sequence[Finding], s: Settings) -> list[int]:
    """The sheets that are shown beside one: its copies first."""
    ordered = sorted(findings, key=lambda finding: finding.kind != DUPLICATE)
    return list(dict.fromkeys(other for finding in ordered for other in finding.others))[:s.shown_neighbours]


def _plant(batch: Batch, sheet: int) -> dict[str, Any]:
    """The picture of a sheet's plant, which several cards may show."""
    known = read_examined(batch.sheets[sheet], pictures=True)
    return {"number": sheet, "picture": _data_uri(known.small if known else b"")}


def _card(batch: Batch, sheet: int, findings: Sequence[Finding], folder: Path, s: Settings) -> dict[str, Any]:
    """What the template shows of one sheet."""
    source = batch.sheets[sheet]
    known = read_examined(source, pictures=True)
    name = next((finding for finding in findings if finding.kind == NAME), None)
    return {
        "name": source.name.as_posix(), "taxon": batch.taxa[sheet], "suggested": name.suggested if name else "",
        "findings": findings, "score": name.score if name else "", "original": link(source.source, folder),
        "size": known.size if known else (1, 1), "picture": _data_uri(known.picture if known else b""),
        "objects": [{"index": item.index, "name": item.name, "points": item.points, "confidence": float("nan")}
                    for item in (known.outlines if known else ())],
        "others": list(_neighbours(batch, _others(findings, s), folder)),
    }


def _neighbours(batch: Batch, others: Sequence[int], folder: Path) -> Iterator[dict[str, Any]]:
    for other in others:
        source = batch.sheets[other]
        yield {"number": other, "name": source.name.as_posix(), "taxon": batch.taxa[other],
               "original": link(source.source, folder)}


def _data_uri(jpeg: bytes) -> str:
    """A JPEG as an address that needs no file; "" for none."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode() if jpeg else ""
