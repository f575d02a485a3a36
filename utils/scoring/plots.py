"""Plots as PNG files: curves over the epochs, bars for the classes, the confusion matrix.

They use Matplotlib without pyplot. So they need no window system and leave no figures in memory.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from utils.files.images import writing
from utils.scoring.calibration import Bin
from utils.utils import write_bytes
from utils.utils_metrics import percent

DEVIATIONS = 1.96  # of a normal distribution, on either side of its mean, that hold 95% of it


def moving_average(values: Sequence[float]) -> np.ndarray:
    """A smoothed copy of `values`, float64 (N,): the mean of each value and its neighbours on both sides.

    The window is 5 wide for fewer than 25 values, and 15 wide otherwise. Near an end it shrinks equally on both sides.
    So a straight line does not change, nor do the first and the last value. NaN is left out of the mean.
    The community's code uses scipy's Savitzky-Golay filter with these widths; this needs no scipy.
    """
    values = np.asarray(values, np.float64)
    half = 2 if len(values) < 25 else 7
    smoothed = np.full(len(values), np.nan)
    for i in range(len(values)):
        reach = min(half, i, len(values) - 1 - i)
        window = values[i - reach:i + reach + 1]
        window = window[~np.isnan(window)]
        if len(window):
            smoothed[i] = window.mean()
    return smoothed


def plot_curves(
    path: str | Path, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, ylabel: str
) -> None:
    """Writes a PNG with each curve twice: as it is (thin) and smoothed (thick).

    Args:
        path: the file to write.
        curves: name -> (epochs, values) of the same length. Empty curves are left out.
        title: above the plot.
        ylabel: name of the vertical axis.
    """
    with png_figure(path, 8, 5) as figure:
        axes = figure.add_subplot()
        for i, (name, (epochs, values)) in enumerate(curves.items()):
            color = f"C{i}"
            if len(values):
                axes.plot(epochs, values, color=color, linewidth=1, alpha=0.4, marker=".", label=name)
            if len(values) > 2:
                axes.plot(epochs, moving_average(values), color=color, linewidth=2, label=f"{name}, smoothed")
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.set_ylabel(ylabel)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()


def plot_bars(
    path: str | Path, values: Sequence[float], name_classes: Sequence[str], colors: Sequence[tuple[int, int, int]],
    title: str,
) -> None:
    """Writes a PNG with one horizontal bar per class, in the class's colour, with its value in per cent.

    Args:
        path: the file to write.
        values: shares from 0 to 1, or NaN for a class without a value.
        name_classes: background first.
        colors: (R, G, B) of each class, 0 to 255.
        title: above the plot.
    """
    rows = range(len(name_classes))
    with png_figure(path, 8, 1.3 + 0.4 * len(name_classes)) as figure:
        axes = figure.add_subplot()
        axes.barh(rows, np.nan_to_num(values), height=0.7, color=np.asarray(colors) / 255)
        for row, value in zip(rows, values, strict=True):
            text = "no such pixels" if math.isnan(value) else percent(value)
            axes.annotate(text, (np.nan_to_num(value), row), xytext=(4, 0), textcoords="offset points", va="center")
        axes.set_yticks(rows, name_classes)
        axes.invert_yaxis()  # the first class on top
        axes.set_xlim(0, 1.12)  # room for the text beside a full bar
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(title)


def plot_confusion(path: str | Path, matrix: np.ndarray, name_classes: Sequence[str], title: str) -> None:
    """Writes a PNG of a confusion matrix, with the shares of each row as numbers and as colours.

    The row of a class that is absent from the truth is empty.

    Args:
        path: the file to write.
        matrix: integer (C, C), rows are the truth.
        name_classes: background first.
        title: above the plot.
    """
    totals = matrix.sum(1, keepdims=True)
    shares = np.where(totals > 0, matrix / np.maximum(totals, 1), np.nan)
    side = 2.5 + 0.9 * len(name_classes)
    ticks = range(len(name_classes))
    with png_figure(path, side + 1, side) as figure:
        axes = figure.add_subplot()
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        figure.colorbar(image, format=PercentFormatter(1), shrink=0.8)
        for row, column in np.argwhere(~np.isnan(shares)):
            share = shares[row, column]
            axes.text(column, row, percent(share), ha="center", va="center", fontsize=9,
                      color="white" if share > 0.5 else "black")
        axes.set_yticks(ticks, name_classes)
        axes.set_xticks(ticks, name_classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_ylabel("truth")
        axes.set_xlabel("prediction")
        axes.set_title(title)


def plot_reliability(path: str | Path, bins: Mapping[str, Sequence[Bin]], title: str) -> None:
    """Writes a PNG of the share of right objects over their confidence, with 95% intervals (Wilson 1927).

    Args:
        path: the file to write.
        bins: name of a curve -> its bins.
        title: above the plot.
    """
    with png_figure(path, 6.5, 6) as figure:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--")
        for name, curve in bins.items():
            right, count = (np.array([getattr(item, field) for item in curve]) for field in ("right", "count"))
            scale = 1 + DEVIATIONS ** 2 / count
            middle = (right + DEVIATIONS ** 2 / (2 * count)) / scale
            half = DEVIATIONS * np.sqrt(right * (1 - right) / count + (DEVIATIONS / (2 * count)) ** 2) / scale
            ends = np.maximum([right - middle + half, middle + half - right], 0)
            axes.errorbar([item.confidence for item in curve], right, ends, label=name, marker="o", capsize=3)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
        axes.set_title(title)
        axes.set_xlabel("confidence")
        axes.set_ylabel("objects that are right")
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left")


@contextmanager
def png_figure(path: str | Path, width: float, height: float) -> Iterator[Figure]:
    """Yields a new figure, `width` x `height` inches, and writes it to `path` if the block succeeds."""
    with rc_context({"font.family": _font_families(), "text.parse_math": False}):  # a "$" in a class name is just a "$"
        figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        with writing(path):
            write_bytes(path, [buffer.getbuffer()])


@cache
def _font_families() -> list[str]:
    """The font families for text: Matplotlib's own, then the installed ones with Chinese characters."""
    installed = set(font_manager.get_font_names())
    chinese = ("Noto Sans CJK SC", "Microsoft YaHei", "SimHei", "PingFang SC", "Heiti SC", "WenQuanYi Micro Hei")
    return ["DejaVu Sans", *(name for name in chinese if name in installed)]
