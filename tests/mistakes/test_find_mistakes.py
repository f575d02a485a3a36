"""find_mistakes.py on a few drawn sheets, with stand-ins for the networks."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import find_mistakes
from drawn_plants import LONG, ROUND, LabelFinder, describe, sheet
from helpers import csv_rows
from utils import config
from utils.digitise.plan import plan_sheets
from utils.mistakes.reading.features import SIDES
from utils.mistakes.reading.plant import show_plant
from utils.mistakes.reading.sheet import read_examined
from utils.utils import UserError


class Counting(LabelFinder):
    """Counts the sheets that it is shown."""

    def __init__(self) -> None:
        self.seen = 0

    def segment(self, image: np.ndarray) -> np.ndarray:
        self.seen += 1
        return super().segment(image)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 sheets of two taxa, of which L_4 is filed as R, R_1 is there twice, and one file is cut short."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(6):
        for taxon, leaf in (("R", ROUND), ("L", LONG)):
            filed = "R" if (taxon, number) == ("L", 4) else taxon
            (folder / filed).mkdir(exist_ok=True)
            Image.fromarray(sheet(leaf, number)).save(folder / filed / f"{taxon}_{number}.png")
    (folder / "L" / "copy.png").write_bytes((folder / "R" / "R_1.png").read_bytes())
    (folder / "R" / "short.png").write_bytes((folder / "R" / "R_1.png").read_bytes()[:300])
    return folder


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Counting:
    """The stand-in for the network, in a folder with a file of weights."""
    counting = Counting()
    monkeypatch.setattr(find_mistakes, "Segmenter", lambda *args, **options: counting)
    monkeypatch.setattr(find_mistakes, "Extractor", lambda *args: describe)
    monkeypatch.chdir(tmp_path)
    Path("weights.pth").write_bytes(b"weights")
    return counting


def run(pictures: Path, **changes: object) -> int:
    return find_mistakes.main(config.read(find_mistakes, **{
        "input_dir": str(pictures), "taxon_folders": True, "model_path": "weights.pth", "num_workers": 1,
        "neighbours": 3, "shown_neighbours": 2, "min_score": 0.4, **changes}))


def test_a_whole_run(pictures: Path, model: Counting, capsys: pytest.CaptureFixture):
    before = {path: path.read_bytes() for path in pictures.rglob("*.png")}
    assert run(pictures) == 1
    header, *rows = csv_rows(Path("mistakes/mistakes.csv"))
    assert header == ["file", "taxon", "kind", "score", "suggested_taxon", "neighbours"]
    assert sorted(row[:3] + row[4:5] for row in rows) == [
        ["L/copy.png", "L", "duplicate", ""], ["L/copy.png", "L", "name", "R"],
        ["R/L_4.png", "R", "name", "L"], ["R/R_1.png", "R", "duplicate", ""]]
    of = {(row[0], row[2]): row for row in rows}
    first, second = of["R/L_4.png", "name"][5].split(" | ")
    assert first.startswith("L/L_") and second.startswith("L/L_") and first.endswith(".png (L)")
    assert 0.5 <= float(of["R/L_4.png", "name"][3]) < 1
    assert of["L/copy.png", "duplicate"][3:] == ["1.0", "", "R/R_1.png (R)"]
    page = Path("mistakes/mistakes.html").read_text(encoding="utf-8")
    assert "3 of 13 sheets need a second look." in page and page.count("data:image/jpeg") >= 6
    assert "The same file as R/R_1.png (filed under R)." in page and "1 file could not be read" in page
    said = capsys.readouterr()
    assert "13 sheets of 2 taxa" in said.out and "2 names look wrong, 2 sheets are there twice" in said.out
    assert "short.png" in said.err
    assert {path: path.read_bytes() for path in pictures.rglob("*.png")} == before

    assert model.seen == 13
    run(pictures)
    assert model.seen == 13                            # all is known
    os.utime(pictures / "L" / "L_1.png", ns=(1, 1))
    run(pictures)
    assert model.seen == 14                            # the file has changed
    next(Path("mistakes/features/L").glob("*.npz")).write_bytes(b"damaged")
    run(pictures)
    assert model.seen == 15
    Path("weights.pth").write_bytes(b"others")
    run(pictures)
    assert model.seen == 28


def test_nothing_suspicious(pictures: Path, model: Counting, tmp_path: Path, capsys: pytest.CaptureFixture):
    folder = tmp_path / "good"
    for number in range(6):
        for taxon, leaf in (("R", ROUND), ("L", LONG)):
            folder.mkdir(exist_ok=True)
            Image.fromarray(sheet(leaf, number)).save(folder / f"{taxon}_{number}.png")
    assert run(folder, taxon_folders=False, taxon_pattern="(?P<taxon>[RL])_") == 0
    assert len(csv_rows(Path("mistakes/mistakes.csv"))) == 1
    assert "Nothing suspicious on 12 sheets." in Path("mistakes/mistakes.html").read_text(encoding="utf-8")
    swapped = tmp_path / "names.csv"
    swapped.write_text("file,taxon\n" + "".join(
        f"{taxon}_{number}.png,{'L' if number == 3 else taxon}\n" for number in range(6) for taxon in "RL"))
    assert run(folder, taxon_folders=False, taxon_table=str(swapped)) == 3
    assert csv_rows(Path("mistakes/mistakes.csv"))[1][:3] == ["R_3.png", "L", "name"]


@pytest.mark.parametrize(("changes", "message"), [
    ({"neighbours": 0}, "neighbours is 0"), ({"min_score": 1.4}, "min_score is 1.4"),
    ({"taxon_folders": False}, "exactly one of taxon_folders"), ({"output_dir": "."}, "output_dir"),
])
def test_constants_are_checked_before_any_work(pictures: Path, model: Counting, changes: dict, message: str):
    if "output_dir" in changes:
        changes = {"output_dir": str(pictures)}
    with pytest.raises(UserError, match=message):
        run(pictures, **changes)
    assert model.seen == 0


def test_labels_and_stickers_do_not_decide(pictures: Path):
    with_label, without = (sheet(ROUND, 7, label) for label in (True, False))
    mask = LabelFinder().segment(with_label)
    first, second = (show_plant(image, mask, SIDES) for image in (with_label, without))
    for one, other in zip(first.plants, second.plants):
        np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(first.sheet, second.sheet)


def test_what_is_kept_of_a_sheet(pictures: Path, model: Counting):
    run(pictures)
    first = plan_sheets(pictures, Path("mistakes"), True)[0]
    known = read_examined(first, pictures=True)
    assert known.size == (300, 200) and known.picture[:2] == known.small[:2] == b"\xff\xd8" and known.plant
    assert [outline.name for outline in known.outlines] == ["Label"] and "190,290" in known.outlines[0].points
    assert not read_examined(first, pictures=False).picture
