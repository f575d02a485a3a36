"""mistakes.html: hostile names stay text, and a real browser sorts, filters and opens it without a complaint."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from browser import BROWSER, needs_browser
from drawn_plants import LONG, ROUND, LabelFinder, sheet
from utils.digitise.plan import Sheet
from utils.files.encode import encode_jpeg
from utils.mistakes.comparing.findings import Finding
from utils.mistakes.page import Batch, verdict, write_mistakes
from utils.mistakes.reading.sheet import Examined, Outline, write_examined
from utils.utils import default_colors

HOSTILE = "<img src=x onerror=alert(1)>\"'&"
S = SimpleNamespace(report_sheets=200, shown_neighbours=5, report_title="Violets", input_dir="sheets")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of eight sheets, of which three have findings; one name and one taxon are hostile."""
    folder = tmp_path_factory.mktemp("page")
    names = ["R10.jpg", f"{HOSTILE}.jpg".replace("/", "_"), *(f"R{number}.jpg" for number in range(2, 8))]
    taxa = ["V. alba", f"{HOSTILE}</script>", *["V. rossii"] * 6]
    sheets = [Sheet(folder / "img" / name, Path(name), folder) for name in names]
    for number, item in enumerate(sheets):
        jpeg = b"".join(encode_jpeg(sheet((ROUND, LONG)[number % 2], number), {}))
        outlines = (Outline(2, "Label", "110,250 190,250 190,290 110,290"),)
        write_examined(item, Examined("", "", (300, 200), True, outlines, (), np.zeros(1, "f4"),
                                       np.zeros((1, 1), "u1"), jpeg, jpeg))
    found = [
        Finding(0, "name", 0.91, taxa[1], (1, 2, 3, 4, 5), f"The plant looks more like {taxa[1]}."),
        Finding(2, "name", 0.72, "V. alba", (0, 3, 4, 5, 6), "The plant looks more like V. alba."),
        Finding(1, "duplicate", 0.98, "", (0,), "Nearly the same picture as R10.jpg."),
        Finding(0, "duplicate", 0.98, "", (1,), f"Nearly the same picture as {names[1]}."),
    ]
    path = folder / "mistakes.html"
    write_mistakes(path, Batch(sheets, taxa, found, {HOSTILE: "It is no picture."}), S, LabelFinder.name_classes,
                   default_colors(5))
    return path


def test_hostile_names_are_text(page: Path):
    text = page.read_text(encoding="utf-8")
    assert "<img" not in text and text.count("</script>") == 1 and html.escape(HOSTILE, quote=False)[:20] in text
    assert "http" not in re.sub(r"http-equiv", "", text)     # nothing comes from a network
    assert text.count('<symbol id="plant') == 7              # each picture once: of the sheets 0 to 6
    assert "3 of 8 sheets need a second look." in text


def test_verdicts():
    assert verdict(0, 1) == "Nothing suspicious on one sheet."
    assert verdict(1, 1200) == "1 of 1\u202f200 sheets needs a second look."


SCRIPT = """
const names = () => [...document.querySelectorAll(".card:not([hidden])")].map((card) => card.dataset.name.slice(0, 4));
const byId = (id) => document.getElementById(id), result = {};
const set = (control, value) => {
  control.value = value;
  control.dispatchEvent(new Event("change", {bubbles: true}));
};
result.first = names();
set(byId("sort"), "name"); result.name = names();
set(byId("sort"), "place"); result.place = names();
document.querySelector('button[value="duplicate"]').click(); result.duplicate = names();
document.querySelector('button[value=""]').click();
set(document.querySelector("select[data-filter=taxa]"), "2"); result.alba = names();
byId("reset").click();
document.querySelector(".thumbnail").click();
result.compared = byId("panel").querySelectorAll("use").length;
result.seen = Math.round(byId("panel").querySelector("use").getBoundingClientRect().width) > 20;
const {scrollWidth, clientWidth} = document.documentElement;
result.overflow = scrollWidth - clientWidth;
const output = document.createElement("pre");
output.id = "result";
output.textContent = JSON.stringify(result);
document.body.append(output);
"""


@needs_browser
def test_in_a_browser(page: Path, tmp_path: Path):
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    text = page.read_text(encoding="utf-8").replace("script-src ", f"script-src 'sha256-{digest}' ")
    tested = tmp_path / "page.html"
    tested.write_text(text.replace("</body>", f"<script>{SCRIPT}</script></body>"), encoding="utf-8", newline="")
    seen = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
         "--window-size=1200,900", f"--user-data-dir={tmp_path / 'browser'}", tested.as_uri()],
        capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=120, check=True)
    assert "CONSOLE" not in seen.stderr
    result = json.loads(html.unescape(re.search(r'<pre id="result">(.*?)</pre>', seen.stdout, re.DOTALL)[1]))
    assert result == {
        "first": ["R10.", "R2.j", "<img"], "name": ["<img", "R2.j", "R10."], "place": ["R10.", "R2.j", "<img"],
        "duplicate": ["R10.", "<img"], "alba": ["R10.", "R2.j"], "compared": 5, "seen": True, "overflow": 0,
    }
