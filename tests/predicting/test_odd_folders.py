"""Folders in which something is wrong with a file: the others are finished, what is wrong is named and counted."""

import csv
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utils.files import images
from utils.files.masks import read_mask
from utils.predicting.folder import predict_folder
from utils.utils import _computer

resource = pytest.importorskip("resource", reason="no limits of file sizes")
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes and links")


class RedModel:
    """In the place of Segmenter: what is red is a colour chart."""

    name_classes = ["_background_", "Barcode", "Label", "Color chart"]
    calibration = ()
    colors = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]
    finds_instances = False

    def segment_sheet(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
        return np.where((image[..., 0] > 200) & (image[..., 1] < 100), 3, 0).astype(np.uint8), np.ones((1, 1)), None


def sheet(path: Path | str) -> None:
    pixels = np.full((60, 50, 3), 120, np.uint8)
    pixels[10:30, 20:40] = (255, 0, 0)
    Image.fromarray(pixels).save(path, format="PNG")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    return tmp_path


def run(**options: object) -> int:
    options = {"mix_type": 0, "recursive": False, "count": True, "crops": True, "num_workers": 2} | options
    return predict_folder(RedModel(), "in", "out", **options)


def column(table: str, name: str) -> list[str]:
    with open(Path("out", table), newline="", encoding="utf-8-sig") as file:
        return [row[name] for row in csv.DictReader(file)]


def test_what_is_no_file_is_named_and_counted(folder, capsys):
    sheet("in/a.png")
    sheet("in/z.png")
    os.symlink("a.png", "in/link.png")
    os.symlink("nowhere.png", "in/broken.png")
    os.symlink("circle.png", "in/circle.png")
    os.mkfifo("in/pipe.png")
    Path("in/folder.png").mkdir()
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(run()), daemon=True)
    thread.start()
    thread.join(60)
    assert results == [3]
    output = capsys.readouterr()
    assert output.out.splitlines()[-1].endswith("3 bad: in/broken.png, in/circle.png, in/pipe.png")
    for words in ("in/broken.png is a link to a file that is not there", "in/pipe.png cannot be opened: it is a pipe"):
        assert words in output.err
    assert column("classes.csv", "sheet") == ["a.png", "link.png", "z.png"]


@pytest.mark.parametrize("function", ["read_picture", "write_picture", "write_mask"])
@pytest.mark.parametrize("error", [AttributeError("no such tag"), AssertionError(), RuntimeError(), RecursionError()])
def test_any_error_of_one_file_is_that_files(folder, monkeypatch, capsys, function, error):
    """Whatever the libraries raise within the readers and writers."""
    for name in ("a", "b", "c"):
        sheet(f"in/{name}.png")
    calls = {"read_picture": (images, "pillow_to_rgb"), "write_picture": (images, "encode_png"),
             "write_mask": (sys.modules["utils.files.masks"], "encode_pillow")}
    module, inner = calls[function]
    real, count = getattr(module, inner), iter(range(100))

    def fails_second(*arguments: object, **options: object) -> object:
        if next(count) == 1:
            raise error
        return real(*arguments, **options)
    monkeypatch.setattr(module, inner, fails_second)
    assert run(num_workers=1, crops=False) == 1
    assert "in/b.png cannot be read" in (shown := capsys.readouterr().err) or "b.png cannot be written" in shown
    assert column("classes.csv", "sheet") == ["a.png", "c.png"]


def test_names_that_control_a_terminal_or_are_no_utf8(folder, capfdbinary):
    names = [b"\x1b[2J.png", b"K\xff1.png", "标本.png".encode()]
    for name in names:
        sheet(os.fsdecode(b"in/" + name))
    Path(os.fsdecode(b"in/bad\x1b\xfe.png")).write_bytes(b"")
    assert run() == 1
    output = capfdbinary.readouterr()
    assert b"\x1b[2J" not in output.out + output.err and b"\xfe" not in output.out + output.err
    assert b"in/bad\\x1b\\udcfe.png is empty" in output.err
    assert column("objects.csv", "sheet") == ["\x1b[2J.png", "K\\udcff1.png", "标本.png"]
    assert sorted(os.listdir(b"out/masks")) == sorted(names)


def test_crops_have_the_sheets_name_and_the_class_without_spaces(folder):
    sheet("in/a b.png")
    assert run() == 0
    assert column("objects.csv", "crop") == ["crops/a b_Color_chart_1.jpg"]
    assert Path("out/crops/a b_Color_chart_1.jpg").is_file()


def test_a_disk_that_fills_up_in_the_middle(folder, capsys):
    """Here files of more than 8 kB do not fit: the large sheet is named, what was complete stays, nothing is half."""
    sheet("in/a.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 180, (90, 90, 3), dtype=np.uint8)).save("in/b.png")
    sheet("in/c.png")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        assert run() == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "out/b.png cannot be written ([Errno 27] File too large): check the folder" in capsys.readouterr().err
    assert not [path for path in Path("out").rglob(".tmp_*")]
    assert sorted(path.name for path in Path("out").glob("*.png")) == ["a.png", "c.png"]
    assert read_mask("out/masks/b.png").shape == (90, 90)  # written before the overlay, and whole


def test_what_a_killed_run_left_in_the_results(folder):
    sheet("in/a.png")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = [Path(name, f".tmp_{gone.pid}_{_computer()}_abcdefgh.png") for name in (
        "out", "out/masks", "out/crops")]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    mine = Path("out/.tmp_mine.txt")
    mine.write_bytes(b"")
    assert run() == 0
    assert not any(path.exists() for path in left) and mine.exists()
