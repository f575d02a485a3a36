"""benchmark.py on tiny sheets: every part gives its rows; the plain ways give what the quick ones give."""

import re
import sys
import time

import numpy as np
import pytest
import torch

import benchmark
from helpers import ROOT, make_dataset
from utils import config
from utils.benchmark import tools
from utils.benchmark.tools import (
    Row, draw_sheets, in_fresh_process, link_dataset, naive_classes, naive_matrix, naive_miou, scale_sheets, table,
)
from utils.files.images import read_image
from utils.files.masks import read_mask
from utils.network import precision
from utils.network.letterbox import Placement, unletterbox_classes
from utils.scoring import report
from utils.utils import UserError
from utils.utils_metrics import confusion_matrix, scores


def settings(tmp_path, **changes):
    return config.read(ROOT / "benchmark.py", **{
        "work_dir": str(tmp_path / "work"), "drawn": 1, "sheet_size": (320, 240), "sheets": 2, "repeats": 1, "steps": 1,
        "input_shape": (64, 48), "batch_sizes": (2,), "device": "cpu", "growth_sheets": (2,),
        "growth_megapixels": (0.05,), "model_path": str(ROOT / "model_data" / "deeplab_mobilenetv2.pth"), **changes,
    })


@pytest.fixture
def here(monkeypatch):
    """Measures in this process, in float32, all threads only and without plots: processes and plots take seconds."""
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    monkeypatch.setattr(benchmark, "CPU_MODES", benchmark.CPU_MODES[1:])
    monkeypatch.setattr(report, "plot_bars", lambda *args: None)
    monkeypatch.setattr(report, "plot_confusion", lambda *args: None)
    monkeypatch.setattr(benchmark, "in_fresh_process", lambda work, *args, **_: (work(*args), 5e6))


ROWS = {
    "predict": ["predict a folder, all CPU threads"],
    "loader": ["training loader, first epoch with cache", "training loader, later epochs"],
    "step": ["training step, 2 x 64 x 48, float32"] * 2 + ["waiting for data, 2 x 64 x 48, float32"],
    "miou": ["get_miou, all CPU threads (mIoU differs by"],
    "growth": ["predict a folder, 2 sheets", "get_miou, 2 sheets", "predict a folder, 0.05 megapixels",
               "get_miou, 0.05 megapixels"],
}


@pytest.mark.parametrize("part", ROWS)
def test_every_part_has_its_rows(tmp_path, here, capsys, part):
    assert benchmark.main(settings(tmp_path, parts=(part,))) == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| What"))
    assert "cores" in lines[start - 2] and torch.__version__ in lines[start - 2]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start + 2:]]
    assert len(cells) == len(ROWS[part]) and {len(row) for row in cells} == {6}
    for row, name in zip(cells, ROWS[part]):
        assert row[0].startswith(name)
        assert float(row[1].split()[0]) >= 0
        assert part == "growth" or row[0].startswith("waiting") or float(row[4]) > 0
    if part == "miou":
        assert all(float(re.search(r"differs by (.*)\)", row[0])[1]) < 1e-4 for row in cells)


def test_a_data_set_of_your_own(tmp_path, here, capsys):
    folder = make_dataset(tmp_path / "mine", train=1, val=2)
    assert benchmark.main(settings(tmp_path, parts=("loader",), dataset=str(folder), sheets=3)) == 0
    linked = benchmark.VocDataset(tmp_path / "work", "loader")
    assert len(linked.stems("val")) == 3
    first = linked.images()["sheet_0000"]
    assert np.array_equal(read_image(first), read_image(folder / "JPEGImages" / "K.0001.jpg"))
    first.rename(folder / "JPEGImages" / "K.0001.png")
    (folder / "JPEGImages" / "K.0001.jpg").unlink()
    with pytest.raises(UserError, match="has val sheets that are no JPEG"):
        benchmark.main(settings(tmp_path, dataset=str(folder)))


@pytest.mark.parametrize(("name", "lowest"), [
    ("repeats", 1), ("drawn", 1), ("sheets", 1), ("steps", 1), ("num_workers", 0),
])
def test_settings_that_do_not_fit(tmp_path, name, lowest):
    with pytest.raises(UserError, match=f"{name} is {lowest - 1}: it has to be {lowest} or more"):
        benchmark.main(settings(tmp_path, **{name: lowest - 1}))


def test_sheets_are_drawn_once_scaled_and_linked(tmp_path):
    files = draw_sheets(tmp_path / "drawn", 1, (320, 240))
    image, mask = read_image(files[0][0]), read_mask(files[0][1])
    assert image.shape == (320, 240, 3) and mask.shape == (320, 240) and len(np.unique(mask)) > 1
    written = files[0][1].stat().st_mtime_ns
    assert draw_sheets(tmp_path / "drawn", 1, (320, 240)) == files and files[0][1].stat().st_mtime_ns == written
    (larger,) = scale_sheets(files, tmp_path / "large", 0.3072)  # four times the pixels
    assert read_image(larger[0]).shape == (640, 480, 3)
    assert np.array_equal(read_mask(larger[1])[1::2, 1::2], mask)
    data = link_dataset(tmp_path / "linked", files, 3)
    assert data.stems("train") == data.stems("val") == ["sheet_0000", "sheet_0001", "sheet_0002"]
    assert all(np.array_equal(read_mask(data.mask(stem)), mask) for stem in data.stems("val"))


def test_linking_copies_where_links_are_not_to_be_had(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError("no links here")

    monkeypatch.setattr(tools.os, "link", refuse)
    files = draw_sheets(tmp_path / "drawn", 1, (320, 240))
    data = link_dataset(tmp_path / "linked", files, 1)
    assert data.images()["sheet_0000"].read_bytes() == files[0][0].read_bytes()


def allocate(megabytes):
    print("not to be seen")
    return np.ones(megabytes * 2**20, np.uint8).size, torch.get_num_threads()


def test_a_fresh_process_tells_its_own_memory(capfd):
    here = np.ones(600 * 2**20, np.uint8)  # memory of this process does not count
    (size, threads), memory = in_fresh_process(allocate, 300, threads=1)
    assert size == 300 * 2**20 and threads == 1 and len(here) > size
    if sys.platform == "linux":
        assert 300 * 2**20 < memory < tools._peak_memory() - 200 * 2**20  # both have imported the same
    assert "not to be seen" not in capfd.readouterr().out
    with pytest.raises(UserError, match="(?s)int failed: .*invalid literal"):
        in_fresh_process(int, "x")


def test_table_has_medians_spread_and_ratio():
    rows = [Row("a", "s", [3.0, 1.0, 2.0], "b", [4.0], memory=12e6), Row("c", "%", [0.5])]
    assert table(rows).splitlines()[2:] == [
        "| a | 2 s (1 to 3) | b | 4 s | 0.50 | 12 MB |", "| c | 0.5 % |  |  |  |  |"]


def test_timed_measures_each_call():
    seconds = tools.timed(lambda: time.sleep(0.01), 3)
    assert len(seconds) == 3 and all(0.009 < each < 5 for each in seconds)


# --- the plain evaluation -------------------------------------------------------------------------------------------

def test_the_plain_evaluation_gives_the_same_miou():
    torch.manual_seed(0)
    coarse = torch.randn(1, 5, 6, 5)
    logits = torch.nn.functional.interpolate(coarse, (48, 40), mode="bicubic")[0] * 5
    placement, size = Placement(4, 0, 40, 40), (333, 257)
    plain, quick = naive_classes(logits, placement, size), unletterbox_classes(logits, placement, size)
    assert (plain == quick).mean() > 0.9999  # but for ties
    truth = np.random.default_rng(0).integers(0, 5, size).astype(np.uint8)
    truth[:200] = quick[:200]
    truth[200:210] = 255
    matrices = [naive_matrix(truth, plain, 5), confusion_matrix(truth, plain.astype(np.uint8), 5)]
    assert np.array_equal(*matrices)
    assert naive_miou(matrices[0]) == pytest.approx(scores(matrices[1]).miou, abs=1e-12)


def test_naive_miou_by_hand():
    # class 0: 3 of 3 + 1 right and wrong, class 1: 2 of 3, class 2 nowhere
    assert naive_miou(np.array([[3, 0, 0], [1, 2, 0], [0, 0, 0]])) == pytest.approx((3 / 4 + 2 / 3) / 2)
