"""Disks that fill up, runs that are killed: a file under its final name is whole, and nothing else is left."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from helpers import ROOT
from utils import utils
from utils.files.images import read_picture, write_picture
from utils.files.masks import write_mask
from utils.files.tables import csv_file, write_text
from utils.scoring.plots import plot_confusion
from utils.utils import ABANDONED, UserError, atomic_path, remove_abandoned, write_bytes

resource = pytest.importorskip("resource", reason="no limits of file sizes")
STEP = 4096


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: writing stops there with an OSError, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def sources(folder: Path) -> dict[str, Path]:
    """A picture of each kind, of some 20 to 90 kB."""
    pixels = np.random.default_rng(0).integers(0, 256, (120, 100, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[315] = "S. Huang"
    for name in ("x.jpg", "x.png", "plain.tif"):
        Image.fromarray(pixels).save(folder / name, exif=exif, quality=95)
    Image.fromarray(pixels).save(folder / "progressive.jpg", progressive=True, quality=95)
    tifffile.imwrite(folder / "deep.tif", pixels.astype("u2") * 257, photometric="rgb", compression="zlib")
    return {path.name: path for path in folder.iterdir()}


def table(path: Path) -> None:
    with csv_file(path, ["sheet", "pixels"]) as write_row:
        for number in range(3000):
            write_row([f"K{number:06}.jpg", number])


def writers(folder: Path) -> dict[str, Callable[[Path], None]]:
    """Name -> what writes a file of that kind."""
    pictures = {name: read_picture(path) for name, path in sources(folder).items()}
    found = {name: lambda path, picture=picture: write_picture(path, *picture) for name, picture in pictures.items()}
    noise = np.random.default_rng(0).integers(0, 5, (200, 150), dtype=np.uint8)
    return found | {
        "mask.png": lambda path: write_mask(path, noise),
        "plot.png": lambda path: plot_confusion(path, np.eye(2, dtype=np.int64), ["a", "b"], "title"),
        "table.csv": table,
        "text.md": lambda path: write_text(path, "word " * 4000),
    }


KINDS = ("x.jpg", "progressive.jpg", "x.png", "plain.tif", "deep.tif", "mask.png", "plot.png", "table.csv", "text.md")


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_fills_up_leaves_the_older_file(tmp_path, kind):
    (tmp_path / "sources").mkdir()
    write = writers(tmp_path / "sources")[kind]
    whole, path = tmp_path / f"whole_{kind}", tmp_path / "out" / kind
    write(whole)
    size = whole.stat().st_size
    assert size > 2 * STEP
    path.parent.mkdir()
    for limit in [*range(0, size, STEP), size - 1]:
        path.write_bytes(b"older")
        with disk_of(limit), pytest.raises(UserError, match=f"{kind} cannot be written"):
            write(path)
        assert path.read_bytes() == b"older", limit
        path.unlink()
        with disk_of(limit), pytest.raises(UserError):
            write(path)
        assert not list(path.parent.iterdir()), limit
    with disk_of(size):
        write(path)
    assert path.read_bytes() == whole.read_bytes()


def test_a_drive_that_says_nothing_when_it_is_full(tmp_path, monkeypatch):
    class Short(io.FileIO):
        def write(self, data: bytes) -> int:
            super().write(bytes(data)[:100])
            return len(data)
    monkeypatch.setattr(utils, "open", lambda path, mode: Short(path, "w"), raising=False)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(tmp_path / "x", [b"a" * 200])
    assert not list(tmp_path.iterdir())


def test_parts_are_written_one_behind_the_other(tmp_path):
    write_bytes(tmp_path / "new" / "x", [b"ab", bytearray(b"cd"), memoryview(np.array([1, 2], "<u2")).cast("B")])
    assert (tmp_path / "new" / "x").read_bytes() == b"abcd\1\0\2\0"


HOLD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from utils.utils import atomic_path
with atomic_path(sys.argv[2]) as path:
    path.write_bytes(b"half")
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("once", flush=True)
        time.sleep(60)  # what is still to be done takes long
"""


def hold(target: Path) -> subprocess.Popen:
    """A process in the middle of writing `target`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(ROOT), str(target)], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    process = hold(tmp_path / "x.png")
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(f".tmp_{process.pid}_") and left.suffix == ".png"
    remove_abandoned(tmp_path)
    assert left.exists()  # its process is at work
    process.kill()
    process.wait()
    remove_abandoned(tmp_path)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_twice_leaves_nothing(tmp_path):
    process = hold(tmp_path / "x.png")
    process.send_signal(2)
    assert process.stdout.readline() == "once\n"
    process.send_signal(2)
    process.wait(30)
    assert not list(tmp_path.iterdir())


def test_only_our_own_old_files_are_removed(tmp_path):
    pattern = f".tmp_{{}}_{utils._computer()}_abcdefgh.png"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {
        pattern.format(gone.pid): False, pattern.format(os.getpid()): True, pattern.format(2 ** 70): False,
        f".tmp_{gone.pid}_00000000_abcdefgh.png": True,  # of another computer, which shares the folder
        ".tmp_abcdefgh.png": True, ".tmp_notes.txt": True, "x.png": True, "tmp_1_abcdefgh.png": True,
    }
    for name in names:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".tmp_ijklmnop").mkdir()
    deeper = tmp_path / "deeper" / pattern.format(gone.pid)
    deeper.parent.mkdir()
    deeper.write_bytes(b"")
    remove_abandoned(tmp_path)
    assert {name: (tmp_path / name).exists() for name in names} == names
    assert deeper.exists()
    remove_abandoned(tmp_path, recursive=True)
    assert not deeper.exists()
    long_ago = time.time() - ABANDONED - 10
    for path in tmp_path.iterdir():
        os.utime(path, (long_ago, long_ago))
    remove_abandoned(tmp_path)
    stay = {".tmp_notes.txt", "x.png", "tmp_1_abcdefgh.png", ".tmp_ijklmnop", "deeper"}
    assert {path.name for path in tmp_path.iterdir()} == stay
    remove_abandoned(tmp_path / "nowhere")


def test_what_a_second_interruption_left_goes_at_the_end_of_the_process(tmp_path):
    writing = atomic_path(tmp_path / "x.png")
    writing.__enter__()
    assert len(list(tmp_path.iterdir())) == 1
    utils._remove_unfinished()
    assert not list(tmp_path.iterdir())
    assert not writing.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
