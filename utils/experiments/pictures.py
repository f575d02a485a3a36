"""The pictures of an experiment: the curves of all its runs, and six sheets as each run sees them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont

from utils.config import Settings
from utils.experiments.plan import Experiment
from utils.files.encode import encode_jpeg
from utils.files.images import read_image, writing
from utils.files.masks import read_mask
from utils.files.voc import VocDataset
from utils.objects.drawing import draw_mask
from utils.scoring.plots import moving_average, png_figure
from utils.utils import IGNORE, UserError, default_colors, write_bytes

CELL = 300, 220  # height, width of a sheet in the picture, at most
MARGIN, TITLE, FONT = 6, 52, 15  # between sheets, height of the titles, size of their letters
WHITE, INK = (255, 255, 255), (30, 30, 30)


def write_pictures(experiment: Experiment, s: Settings) -> None:
    """Writes curves.png and sheets.jpg, of the finished runs; nothing when there are none."""
    if any(run.result for run in experiment.runs):
        folder = Path(s.out_dir) / experiment.name
        write_curves(folder / "curves.png", experiment)
        picture = sheets_picture(experiment)
        with writing(folder / "sheets.jpg"):
            write_bytes(folder / "sheets.jpg", encode_jpeg(picture, {"quality": 88}))


def write_curves(path: Path, experiment: Experiment) -> None:
    """Writes a PNG with loss and mIoU on the validation sheets over the epochs, a colour for each row.

    A thin line for each seed and a thick one for their mean, smoothed; the loss in training is dotted.
    """
    with png_figure(path, 14, 5.5) as figure:
        left, right = figure.subplots(1, 2)
        for number, (variant, runs) in enumerate(experiment.rows):
            histories = [run.result["history"] for run in runs if run.result]
            color, style = f"C{number % 10}", ("-", "--", "-.")[number // 10 % 3]
            for axes, key, line in ((left, "val_loss", style), (right, "miou", style), (left, "loss", ":")):
                curves = [curve(history, key) for history in histories]
                for epochs, values in curves if line != ":" else ():
                    axes.plot(epochs, values, color=color, linewidth=0.8, alpha=0.35, marker=".", markersize=3)
                if curves:
                    epochs, mean = mean_curve(curves)
                    axes.plot(epochs, moving_average(mean), line, color=color, linewidth=1 if line == ":" else 2,
                              marker="" if len(mean) > 1 else "o", label=variant.name if line != ":" else None)
        for axes, title in ((left, "Loss: validation, and training (dotted)"), (right, "mIoU, validation")):
            axes.set_title(title)
            axes.set_xlabel("epoch")
            axes.grid(alpha=0.3)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        right.set_ylim(bottom=0)
        figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=4)


def curve(history: Sequence[dict[str, float | None]], key: str) -> tuple[list[float], list[float]]:
    """The epochs in a history that have a value of `key`, and these values."""
    points = [(each["epoch"], each[key]) for each in history if each[key] is not None]
    return [epoch for epoch, _ in points], [value for _, value in points]


def mean_curve(curves: Sequence[tuple[list[float], list[float]]]) -> tuple[list[float], list[float]]:
    """The mean of several curves, at each epoch over those that have a value there."""
    values: dict[float, list[float]] = {}
    for epochs, numbers in curves:
        for epoch, number in zip(epochs, numbers):
            values.setdefault(epoch, []).append(number)
    return sorted(values), [float(np.mean(values[epoch])) for epoch in sorted(values)]


def sheets_picture(experiment: Experiment) -> np.ndarray:
    """A picture, uint8 (H, W, 3): a row for each chosen sheet, with its photograph, its truth and each finished run.

    Of a row with several seeds, the first one is shown. Ignored pixels are grey.
    """
    first = experiment.runs[0]
    data = VocDataset(first.training.dataset_path, first.training.dataset, first.training.lists)
    colors = default_colors(len(first.training.name_classes))
    shown = [(variant.name, run) for variant, runs in experiment.rows for run in runs[:1] if run.result]
    images, rows = data.images(), []
    for stem in experiment.shown:
        image = shrink(read_image(images[stem]), cv2.INTER_AREA)
        masks = [data.mask(stem), *(Path(run.evaluation.out_dir) / "masks" / f"{stem}.png" for _, run in shown)]
        rows.append([image, *(tinted(image, path, colors) for path in masks)])
    titles = ["Sheet", "Truth", *(name for name, _ in shown)]
    height = TITLE + sum(max(cell.shape[0] for cell in row) + MARGIN for row in rows)
    page = Image.new("RGB", (len(titles) * (CELL[1] + MARGIN) + MARGIN, height), WHITE)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(FONT)
    for column, title in enumerate(titles):
        text = "\n".join(textwrap.wrap(title, math.floor(CELL[1] / (0.55 * FONT)))[:2])
        draw.multiline_text((MARGIN + (column + 0.5) * (CELL[1] + MARGIN), TITLE - MARGIN), text, INK, font, "md",
                            align="center")
    top = TITLE
    for row in rows:
        for column, cell in enumerate(row):
            left = MARGIN + column * (CELL[1] + MARGIN) + (CELL[1] - cell.shape[1]) // 2
            page.paste(Image.fromarray(cell), (left, top))
        top += max(cell.shape[0] for cell in row) + MARGIN
    return np.array(page)


def tinted(image: np.ndarray, path: Path, colors: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """The shrunken sheet, uint8 (h, w, 3), with the objects of the mask in `path` tinted; grey when there is no mask.

    colors: of each class.
    """
    try:
        mask = cv2.resize(read_mask(path), image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    except UserError:  # the run was not scored on this sheet
        return np.full_like(image, 128)
    picture = draw_mask(image, np.where(mask == IGNORE, 0, mask).astype(np.uint8), colors, 0)
    picture[mask == IGNORE] = 128
    return picture


def shrink(image: np.ndarray, interpolation: int) -> np.ndarray:
    """An image that fits into CELL, aspect kept."""
    scale = min(CELL[0] / image.shape[0], CELL[1] / image.shape[1])
    size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
    return cv2.resize(image, size, interpolation=interpolation)
