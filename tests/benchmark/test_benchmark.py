"""benchmark.py on tiny sheets: every part gives its rows and says what it measures."""

import contextlib
import io
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import benchmark
from helpers import ROOT, make_dataset
from nets.cpu import AtrousDepthwise, BandedResidual, CheapDropout
from nets.winograd import WinogradConv2d
from utils import config
from utils.benchmark import setup
from utils.benchmark.predicting import predict_seconds, usual_predict_seconds
from utils.benchmark.scoring import miou_speeds, naive_miou_speeds
from utils.benchmark.training import step_seconds, usual_step_seconds
from utils.detection.boxes import DETECTION_CLASSES
from utils.files.images import read_image
from utils.files.voc import VocDataset
from utils.network import precision
from utils.network.checkpoint import load_checkpoint, save_checkpoint
from utils.scoring import report
from utils.utils import UserError
from utils.web.answers import JSON, PNG


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    """The repository's weights with a small input: a sixty-fourth of the work; unsure objects stay."""
    path = tmp_path_factory.mktemp("model") / "small.pth"
    checkpoint = load_checkpoint(ROOT / "model_data" / "deeplab_mobilenetv2.pth")
    save_checkpoint(path, replace(checkpoint, input_shape=[128, 128], min_confidence=0.0))
    return path


@pytest.fixture
def settings(tmp_path, small_model):
    def make(**changes):
        return config.read(ROOT / "benchmark.py", **{
            "work_dir": str(tmp_path / "work"), "drawn": 1, "sheet_size": (320, 240), "sheets": 2, "repeats": 1,
            "steps": 1, "input_shape": (64, 48), "batch_sizes": (2,), "num_workers": 0, "device": "cpu",
            "growth_sheets": (2,), "growth_megapixels": (0.05,), "model_path": str(small_model),
            "detector_path": "", **changes,
        })

    return make


@pytest.fixture
def here(monkeypatch):
    """Measures in this process, on one thread, in float32 and without plots: processes and plots take seconds."""
    def in_this_process(work, *arguments, **_):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return work(*arguments), 5e6

    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    monkeypatch.setattr(report, "plot_bars", lambda *args: None)
    monkeypatch.setattr(report, "plot_confusion", lambda *args: None)
    monkeypatch.setattr(setup, "in_fresh_process", in_this_process)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


ROWS = {
    "predict": ["predict a folder, one CPU thread"] * 3 + ["predict a folder, all CPU threads"] * 3,
    "detect": ["find boxes in a folder, one CPU thread", "find boxes in a folder, all CPU threads"],
    "digitise": ["digitise a folder, one CPU thread", "digitise a folder, all CPU threads"],
    "serve": ["request for a mask, one CPU thread", "request for JSON, one CPU thread",
              "request for a mask, all CPU threads", "request for JSON, all CPU threads"],
    "loader": ["training loader, first epoch with cache", "training loader, later epochs"],
    "step": ["training step, 2 x 64 x 48, float32"] * 2 + ["waiting for data, 2 x 64 x 48, float32"],
    "miou": ["get_miou, one CPU thread (mIoU differs by", "get_miou, all CPU threads (mIoU differs by"],
    "growth": ["predict a folder, 2 sheets", "digitise a folder, 2 sheets", "get_miou, 2 sheets",
               "predict a folder, 0.05 megapixels", "digitise a folder, 0.05 megapixels", "get_miou, 0.05 megapixels"],
}
SAID = {
    "predict": [f"{title}, {threads} CPU thread{'s' * (threads == 'all')}" for threads in ("one", "all") for title in (
        "Predicting a folder", "Decoding, the network and encoding alone",
        "Predicting a folder with the whole network", "Usual prediction")],
    "detect": ["Predicting the sheets to find boxes on, one CPU thread", "Finding boxes in a folder, one CPU thread",
               "Predicting the sheets to find boxes on, all CPU threads", "Finding boxes in a folder, all CPU threads"],
    "digitise": ["Predicting the sheets to digitise, one CPU thread", "Digitising a folder, one CPU thread",
                 "Predicting the sheets to digitise, all CPU threads", "Digitising a folder, all CPU threads"],
    "serve": ["Serving sheets, one CPU thread", "Serving sheets, all CPU threads"],
    "loader": ["Loading training samples", "Usual loading of training samples"],
    "step": ["Usual training step, 2 x 64 x 48", "Training step, 2 x 64 x 48"],
    "miou": ["Scoring, one CPU thread", "Usual evaluation, one CPU thread",
             "Scoring, all CPU threads", "Usual evaluation, all CPU threads"],
    "growth": ["Predicting 2 sheets", "Digitising 2 sheets", "Scoring 2 sheets",
               "Predicting 0.05 megapixels", "Digitising 0.05 megapixels", "Scoring 0.05 megapixels"],
}
MEASURED = {
    "predict_seconds": [1.0], "usual_predict_seconds": [1.0], "predict_floor": [1.0],
    "detect_seconds": [1.0], "digitise_seconds": [1.0],
    "miou_speeds": ([1.0], 0.5), "naive_miou_speeds": ([1.0], 0.5),
    "request_seconds": {name: [1.0] for name in (PNG, JSON, f"{PNG} directly", f"{JSON} directly")},
    "loader_speeds": ([1.0], [1.0]), "naive_speeds": [1.0], "miou_seconds": [1.0],
    "step_seconds": ("float32", [1.0], [1.0], [1.0], 0.0), "usual_step_seconds": [1.0],
}


def cells_of(out):
    """The cells of the table's rows. What is printed is the machine, an empty line and the table, and no more."""
    lines = out.splitlines()
    assert "cores" in lines[0] and torch.__version__ in lines[0]
    assert lines[1] == "" and lines[2].startswith("| What") and all(line.startswith("|") for line in lines[2:])
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:]]


@pytest.mark.parametrize("part", ROWS)
def test_every_part_has_its_rows_and_says_what_it_measures(settings, here, capsys, part):
    assert benchmark.main(settings(parts=(part,))) == 0
    out, err = capsys.readouterr()
    cells = cells_of(out)
    assert len(cells) == len(ROWS[part]) and {len(row) for row in cells} == {6}
    for row, name in zip(cells, ROWS[part]):
        assert row[0].startswith(name)
        assert float(row[1].split()[0]) >= 0
        assert part == "growth" or row[0].startswith("waiting") or float(row[4]) > 0
    if part == "miou":
        assert all(float(re.search(r"differs by (.*)\)", row[0])[1]) < 1e-4 for row in cells)
    assert re.findall(r"^(.*): about \d+ (?:s|min) \.\.\. \d+ (?:s|min)$", err, re.MULTILINE) == SAID[part]


def test_quick_settings_are_smaller():
    own = config.read(ROOT / "benchmark.py")
    assert benchmark.with_quick(own) == own
    quick = benchmark.with_quick(config.read(ROOT / "benchmark.py", quick=True))
    assert quick.parts == own.parts == tuple(ROWS)
    for name in ("repeats", "drawn", "sheets", "sheet_size", "input_shape", "steps", "num_workers"):
        assert 0 < np.prod(getattr(quick, name)) < np.prod(getattr(own, name)), name
    for name in ("growth_sheets", "growth_megapixels"):
        assert 0 < sum(getattr(quick, name)) < sum(getattr(own, name)), name
    kept = benchmark.with_quick(config.read(ROOT / "benchmark.py", quick=True, sheets=20))
    assert kept.sheets == 20 and kept.repeats == quick.repeats


def test_quick_gives_the_rows_of_every_part(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(setup, "in_fresh_process", lambda work, *_, **__: (MEASURED[work.__name__], 5e6))
    monkeypatch.setattr(benchmark, "QUICK", {**benchmark.QUICK, "sheet_size": (320, 240), "growth_megapixels": (0.1,)})
    assert benchmark.main(config.read(ROOT / "benchmark.py", quick=True, work_dir=str(tmp_path), device="cpu")) == 0
    names = [row[0] for row in cells_of(capsys.readouterr().out)]
    size = "{} x {}".format(*benchmark.QUICK["input_shape"])
    steps = [name.replace("2 x 64 x 48", f"{benchmark.QUICK['batch_sizes'][0]} x {size}") for name in ROWS["step"]]
    sets = [*(f"{count} sheets" for count in benchmark.QUICK["growth_sheets"]), "0.1 megapixels"]
    growth = [f"{kind}, {title}" for title in sets for kind in ("predict a folder", "digitise a folder", "get_miou")]
    expected = [row for part in ("predict", "detect", "digitise", "serve", "loader") for row in ROWS[part]]
    expected += [*steps, *ROWS["miou"], *growth]
    assert len(names) == len(expected) and all(name.startswith(start) for name, start in zip(names, expected))


def test_a_data_set_of_your_own(tmp_path, settings, here):
    folder = make_dataset(tmp_path / "mine", train=1, val=2)
    assert benchmark.main(settings(parts=("loader",), dataset=str(folder), sheets=3)) == 0
    linked = VocDataset(tmp_path / "work", "loader")
    assert len(linked.stems("val")) == 3
    first = linked.images()["sheet_0000"]
    assert np.array_equal(read_image(first), read_image(folder / "JPEGImages" / "K.0001.jpg"))
    first.rename(folder / "JPEGImages" / "K.0001.png")
    (folder / "JPEGImages" / "K.0001.jpg").unlink()
    with pytest.raises(UserError, match="has val sheets that are no JPEG"):
        benchmark.main(settings(dataset=str(folder)))


@pytest.mark.parametrize(("name", "lowest"), [
    ("repeats", 1), ("drawn", 1), ("sheets", 1), ("steps", 1), ("num_workers", 0),
])
def test_settings_that_do_not_fit(settings, name, lowest):
    with pytest.raises(UserError, match=f"{name} is {lowest - 1}: it has to be {lowest} or more"):
        benchmark.main(settings(**{name: lowest - 1}))


def test_the_usual_ways_are_plain_pytorch(settings, here, monkeypatch):
    def refuse(self, x):
        raise AssertionError(f"{type(self).__name__} is none of PyTorch's own layers")

    for layer in (CheapDropout, AtrousDepthwise, BandedResidual, WinogradConv2d):
        monkeypatch.setattr(layer, "forward", refuse)
    measured = benchmark.make_setup(settings())
    data = measured.linked("plain", 2)
    assert usual_step_seconds(measured, 2)[0] > 0
    assert naive_miou_speeds(measured, data)[0][0] > 0
    assert usual_predict_seconds(measured, data.root)[0] > 0
    with pytest.raises(AssertionError, match="none of PyTorch's own"):
        step_seconds(measured, data, 2, fp16=False)
    with pytest.raises(AssertionError, match="none of PyTorch's own"):
        miou_speeds(measured, data)


def test_the_usual_prediction_gives_our_masks(settings, here):
    measured = benchmark.make_setup(settings())
    root = measured.linked("masks", 1).root
    predict_seconds(measured, root, sparse=False)
    usual_predict_seconds(measured, root)
    ours, usual = (next((root / name).rglob("*.png")) for name in ("out", "usual"))
    assert (np.array(Image.open(ours)) == np.array(Image.open(usual))).mean() > 0.999


def test_what_goes_to_another_process_arrives(settings):
    measured = benchmark.make_setup(settings())
    arrived = pickle.loads(pickle.dumps(measured))
    assert arrived.settings == measured.settings and arrived.files == measured.files
    assert arrived.make_model().input_shape == (128, 128)
    assert arrived.make_detector().name_classes == list(DETECTION_CLASSES)
    assert arrived.evaluation(arrived.linked("one", 1), "val").args[0].split == "val"
