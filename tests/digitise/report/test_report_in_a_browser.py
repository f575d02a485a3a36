"""report.html in a real browser: sorted, filtered, searched, opened, printed, and silent on the console."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reports import counted, record, report

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(not BROWSER, reason=f"none of {', '.join(BROWSERS)} is installed")

# Sorted as texts, even with whole numbers in them told apart, 0.7 would come before 0.62.
RECORDS = [
    record("K10.jpg", "1222222222", 0.7, ("K000010",), ("blur", "no_scale")),
    record("K9.jpg", "122222222", 1.0, ("K000009", "Röhr"), ("blur",)),
    record("E_1.jpg", "22", 0.5, problems=("no_scale",)),
    record("MA2.jpg", "1234", 0.62),
    record("MA10.jpg"),
]
SCRIPT = """
const result = {};
const names = () => [...document.querySelectorAll(".card:not([hidden])")].map((card) => card.dataset.name).join(" ");
const byId = (id) => document.getElementById(id);
const set = (control, value, kind) => {
  control.value = value;
  control.dispatchEvent(new Event(kind, {bubbles: true}));
};
const press = (key, options) => document.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, ...options}));
const button = (value) => document.querySelector(`button[data-filter][value="${value}"]`);
const look = () => [byId("viewer-name").textContent, byId("viewer-place").textContent].join(" ");
const note = (key, value) => { result[key] = value; };
const wait = () => new Promise((resolve) => setTimeout(resolve, 20));
(async () => {
  note("language", navigator.language);
  note("at first", names());
  for (const key of ["name", "confidence", "objects", "institution"]) {
    set(byId("sort"), key, "change");
    note(key, names());
  }
  byId("reverse").click();
  note("institution, reversed", names());
  set(byId("sort"), "confidence", "change");
  note("confidence, reversed", names());
  byId("reverse").click();
  set(byId("sort"), "severity", "change");

  button("blur").click();
  note("blur", [names(), byId("status").textContent, button("blur").ariaPressed, button("").ariaPressed].join(" | "));
  set(byId("search"), "ROHR", "input");
  note("blur, Röhr", names());
  set(byId("search"), "nothing", "input");
  note("nothing", [names(), byId("empty").hidden, byId("status").textContent].join(" | "));
  byId("reset").click();
  note("reset", [names(), byId("empty").hidden, byId("status").textContent, button("").ariaPressed].join(" | "));
  note("search", byId("search").value);
  const missing = document.querySelector("select[data-filter=missing]");
  set(missing, "4", "change");
  note("no scale", names());
  button("none").click();
  note("no scale, pass", names());
  button("").click();
  set(missing, "", "change");

  const second = document.querySelectorAll(".thumbnail")[1];
  second.focus();
  second.click();
  note("open", [look(), byId("viewer").open, document.activeElement.id].join(" | "));
  note("panel", byId("panel").textContent.replace(/\\s+/g, " ").trim());
  note("outlines", byId("stage").querySelectorAll("polygon").length);
  byId("panel").querySelector("tbody tr:nth-child(3)").dispatchEvent(new Event("pointerover", {bubbles: true}));
  note("lit", [...byId("stage").querySelectorAll("polygon")].findIndex((outline) => outline.classList.contains("lit")));
  press("j"); note("j", look());
  press("ArrowRight"); note("right", look());
  press("ArrowRight", {ctrlKey: true}); note("control", look());
  press("K"); note("k", look());
  press("ArrowLeft"); press("ArrowLeft"); press("ArrowLeft"); press("ArrowLeft");
  note("left", [look(), byId("previous").ariaDisabled, byId("next").ariaDisabled].join(" | "));
  press("o");
  note("o", getComputedStyle(byId("stage").querySelector(".outlines")).display);
  byId("close").click();
  await wait();
  note("closed", [byId("viewer").open, document.activeElement.closest(".card").dataset.name].join(" | "));

  const label = document.querySelector("[data-layer=c2]");
  label.click();
  note("labels off", [1, 2].map((index) =>
    getComputedStyle(document.querySelector(`.card polygon.c${index}`)).display).join(" "));
  const {scrollWidth, clientWidth} = document.documentElement;
  note("overflow", scrollWidth - clientWidth);
  note("alerts", window.alerts ?? 0);
})().catch((error) => note("error", String(error))).finally(() => {
  const output = document.createElement("pre");
  output.id = "result";
  output.textContent = JSON.stringify(result);
  document.body.append(output);
});
"""


def browse(page: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a headless, German Chromium says of a page; "CONSOLE" in its stderr is a message of the page."""
    return subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=de",
         "--accept-lang=de", "--enable-logging=stderr", f"--user-data-dir={page.parent / 'browser'}",
         "--virtual-time-budget=3000", *arguments, page.as_uri()],
        capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=120, check=True,
        env={**os.environ, "LANGUAGE": "de"})


def with_script(text: str, script: str) -> str:
    """The page with another script at its end, which its policy allows."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = text.replace("script-src ", f"script-src 'sha256-{digest}' ")
    return text.replace("</body>", f"<script>{script}</script></body>")


def test_sort_filter_and_open(tmp_path: Path):
    page = tmp_path / "page.html"
    text = report(tmp_path / "report.html", RECORDS)
    page.write_text(with_script(text, SCRIPT), encoding="utf-8", newline="")
    seen = browse(page, "--dump-dom", "--window-size=1200,900")
    assert "CONSOLE" not in seen.stderr
    found = re.search(r'<pre id="result">(.*?)</pre>', seen.stdout, re.DOTALL)
    assert found, seen.stderr
    result = json.loads(html.unescape(found[1]))
    assert result.pop("language") == "de"
    assert result.pop("panel").startswith(
        "blur of K9.jpg Institution K Photograph 300 × 400 px Resolution not measured Barcodes K000009 Code 39")
    assert result == {
        "at first": "K10.jpg K9.jpg E_1.jpg MA2.jpg MA10.jpg",
        "name": "E_1.jpg K9.jpg K10.jpg MA2.jpg MA10.jpg",
        "confidence": "E_1.jpg MA2.jpg K10.jpg K9.jpg MA10.jpg",  # the sheet without objects comes last
        "objects": "K10.jpg K9.jpg MA2.jpg E_1.jpg MA10.jpg",
        "institution": "E_1.jpg K10.jpg K9.jpg MA2.jpg MA10.jpg",
        "institution, reversed": "MA2.jpg MA10.jpg K10.jpg K9.jpg E_1.jpg",
        "confidence, reversed": "K9.jpg K10.jpg MA2.jpg E_1.jpg MA10.jpg",
        "blur": "K10.jpg K9.jpg | 2 of 5 sheets shown. | true | false",
        "blur, Röhr": "K9.jpg",
        "nothing": " | false | 0 of 5 sheets shown.",
        "reset": "K10.jpg K9.jpg E_1.jpg MA2.jpg MA10.jpg | true | 5 sheets shown. | true",
        "search": "",
        "no scale": "K10.jpg K9.jpg E_1.jpg MA10.jpg",
        "no scale, pass": "MA10.jpg",
        "open": "K9.jpg 2 of 5 | true | next",
        "outlines": 9,
        "lit": 2,
        "j": "E_1.jpg 3 of 5",
        "right": "MA2.jpg 4 of 5",
        "control": "MA2.jpg 4 of 5",
        "k": "E_1.jpg 3 of 5",
        "left": "K10.jpg 1 of 5 | true | false",
        "o": "none",
        "closed": "false | K10.jpg",
        "labels off": "inline none",
        "overflow": 0,
        "alerts": 0,
    }


def test_hostile_names_run_nothing_and_break_no_layout(tmp_path: Path):
    bad = ["<img src=x onerror=alert(1)>.jpg", "</script><script>alert(2)</script>.jpg", "\u202eA" * 100 + ".jpg"]
    records = [record(name, "1", 0.5, (name, "A" * 200), ("blur",)) for name in bad]
    totals = counted(records)
    totals.add_unreadable(bad[0] + "A" * 200, "It is no image.")
    page = tmp_path / "page.html"
    script = """
        const beyond = (box) => [...box.querySelectorAll("*")].filter(
          (item) => item.getBoundingClientRect().right > box.getBoundingClientRect().right).length;
        const boxes = [...document.querySelectorAll(".page-top, .card .text")];
        document.title = `${boxes.length} boxes, beyond them: ${boxes.map(beyond).join(" ")}`;"""
    text = with_script(report(tmp_path / "report.html", records, totals), script)
    foreign = "<script>document.title = 'changed'</script>"  # the policy has to stop it, which the console says
    page.write_text(text.replace("</body>", f"{foreign}</body>"), encoding="utf-8", newline="")
    seen = browse(page, "--dump-dom", "--window-size=500,6000")
    messages = [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
    assert len(messages) == 1 and "Content Security Policy" in messages[0]
    assert "<title>4 boxes, beyond them: 0 0 0 0</title>" in seen.stdout
    assert seen.stdout.count("<script>") == 3


def test_print(tmp_path: Path):
    report(tmp_path / "report.html", RECORDS * 3)
    browse(tmp_path / "report.html", f"--print-to-pdf={tmp_path / 'report.pdf'}")
    pdf = (tmp_path / "report.pdf").read_bytes()
    pages = len(re.findall(rb"/Type /Page\b(?!s)", pdf))
    assert pdf.startswith(b"%PDF") and 3 <= pages <= 6  # at most five of the 15 cards fit on a page
    assert len(re.findall(rb"/Subtype /Image", pdf)) >= 15
