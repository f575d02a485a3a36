"""The pictures: what Matplotlib was told to draw, and that it is a PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from utils.scoring.calibration import Bin
from utils.scoring.plots import moving_average, plot_bars, plot_confusion, plot_curves, plot_reliability

NAMES = ["_background_", "Barcode", "$5 and 标签"]
COLORS = [(0, 0, 255), (128, 0, 0), (0, 128, 0)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    """The axes of each figure that is saved, in order."""
    axes: list[Axes] = []
    savefig = Figure.savefig

    def record(figure: Figure, *arguments, **options) -> None:
        axes.append(figure.axes[0])
        savefig(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", record)
    return axes


def labels(ticks: list) -> list[str]:
    return [tick.get_text() for tick in ticks]


def test_moving_average() -> None:
    np.testing.assert_allclose(moving_average([0, 0, 6, 0, 0, 0]), [0, 2, 1.2, 1.2, 0, 0])
    spike = np.zeros(31)
    spike[15] = 15
    np.testing.assert_allclose(moving_average(spike), [0] * 8 + [1] * 15 + [0] * 8)


def test_moving_average_keeps_a_straight_line() -> None:
    np.testing.assert_allclose(moving_average(np.arange(40)), np.arange(40))


def test_moving_average_passes_over_nan() -> None:
    np.testing.assert_allclose(moving_average([1, np.nan, 3]), [1, 2, 3])
    np.testing.assert_allclose(moving_average([np.nan, 1, 3]), [np.nan, 2, 3])
    assert len(moving_average([])) == 0


def test_curves_are_drawn_raw_and_smoothed(tmp_path: Path, drawn: list[Axes]) -> None:
    path = tmp_path / "logs é" / "epoch_loss.png"
    plot_curves(path, {"train": ([1, 2, 3], [4.0, 1.0, 1.0]), "val": ([2], [3.0]), "none": ([], [])}, "Loss", "loss")
    lines = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in drawn[0].lines}
    assert lines == {
        "train": ([1, 2, 3], [4, 1, 1]), "train, smoothed": ([1, 2, 3], [4, 2, 1]), "val": ([2], [3]),
    }
    assert (drawn[0].get_title(), drawn[0].get_ylabel(), drawn[0].get_xlabel()) == ("Loss", "loss", "epoch")
    with Image.open(path) as picture:
        assert picture.format == "PNG" and len(picture.convert("RGB").getcolors(2**24)) > 10
    assert [child.name for child in path.parent.iterdir()] == ["epoch_loss.png"]


def test_a_single_epoch_has_a_whole_number(tmp_path: Path, drawn: list[Axes]) -> None:
    plot_curves(tmp_path / "a.png", {"validation": ([7], [0.5])}, "Mean IoU", "mIoU")
    assert [tick for tick in drawn[0].get_xticks() if 6 < tick < 8] == [7]


def test_empty_curves_make_an_empty_picture(tmp_path: Path, drawn: list[Axes]) -> None:
    plot_curves(tmp_path / "a.png", {}, "Loss", "loss")
    plot_curves(tmp_path / "b.png", {"train": ([], [])}, "Loss", "loss")
    assert [len(axes.lines) for axes in drawn] == [0, 0]
    assert (tmp_path / "a.png").is_file() and (tmp_path / "b.png").is_file()


@pytest.mark.filterwarnings("ignore:Glyph")  # where no font with Chinese letters is installed
def test_bars_have_names_values_and_colours(tmp_path: Path, drawn: list[Axes]) -> None:
    plot_bars(tmp_path / "iou.png", [1.0, 0.5, float("nan")], NAMES, COLORS, "mIoU = 75.00%")
    axes = drawn[0]
    assert axes.get_title() == "mIoU = 75.00%"
    assert labels(axes.get_yticklabels()) == NAMES
    assert [bar.get_width() for bar in axes.patches] == [1, 0.5, 0]
    assert to_rgb(axes.patches[1].get_facecolor()) == pytest.approx((128 / 255, 0, 0))
    assert labels(axes.texts) == ["100.00%", "50.00%", "no such pixels"]
    with Image.open(tmp_path / "iou.png") as picture:
        pixels = np.array(picture.convert("RGB"))
    full, half = ((pixels == color).all(2).sum(1).max() for color in COLORS[:2])
    assert half == pytest.approx(full / 2, rel=0.05)  # longest run of the bar's colour in any row of the picture


@pytest.mark.filterwarnings("ignore:Glyph")
def test_confusion_matrix_shows_the_share_of_each_row(tmp_path: Path, drawn: list[Axes]) -> None:
    plot_confusion(tmp_path / "c.png", np.array([[3, 1, 0], [0, 5, 5], [0, 0, 0]]), NAMES, "Confusion")
    axes = drawn[0]
    assert labels(axes.get_yticklabels()) == labels(axes.get_xticklabels()) == NAMES
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("truth", "prediction")
    cells = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "75.00%", (0, 1): "25.00%", (0, 2): "0.00%",
                     (1, 0): "0.00%", (1, 1): "50.00%", (1, 2): "50.00%"}
    assert (tmp_path / "c.png").is_file()


def test_reliability_has_points_and_intervals(tmp_path: Path, drawn: list[Axes]) -> None:
    """The interval of 8 right ones of 10 is 0.4902 to 0.9433 (Wilson's formula, as in statsmodels)."""
    plot_reliability(tmp_path / "r.png", {
        "before": [Bin(0.75, 0.9, 10, 0.85, 0.8)], "after": [Bin(0.0, 0.1, 4, 0.05, 0.0), Bin(0.98, 1.0, 4, 0.99, 1.0)],
    }, "Reliability")
    axes = drawn[0]
    assert labels(axes.get_legend().get_texts()) == ["before", "after"]
    before, after = axes.containers
    assert before.lines[0].get_xydata().tolist() == [[0.85, 0.8]]
    assert before.lines[2][0].get_segments()[0][:, 1] == pytest.approx([0.4902, 0.9433], abs=1e-3)
    assert after.lines[0].get_xydata().tolist() == [[0.05, 0.0], [0.99, 1.0]]
    low, high = (segment[:, 1] for segment in after.lines[2][0].get_segments())
    assert low[0] == pytest.approx(0) and high[1] == pytest.approx(1)
    assert (tmp_path / "r.png").is_file()
