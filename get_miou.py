"""Predicts the sheets of a split and scores them: edit the constants, then run `python get_miou.py`.

The results in out_dir are masks/<sheet>.png, metrics.md, metrics.json, per_sheet.csv (shows which sheets are bad),
confusion_matrix.csv and .png, iou.png, recall.png and precision.png.

    python get_miou.py
    python get_miou.py --model_path=logs/best_epoch_weights.pth --dataset=mine --split=test
    python get_miou.py --mode=score
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from deeplab import DeeplabV3
from utils import config
from utils.files.images import read_image
from utils.files.jobs import in_threads, warn
from utils.files.masks import read_mask, write_mask
from utils.files.tables import csv_file
from utils.files.voc import VocDataset
from utils.memory import keep_freed_memory
from utils.scoring.report import Report, SheetScores
from utils.utils import NAME_CLASSES, UserError, default_colors, remove_abandoned

# ---- What to do ----
mode: Literal["predict_and_score", "predict", "score"] = "predict_and_score"  # score: reuse the masks of an earlier run
model_path: str = "model_data/deeplab_mobilenetv2.pth"  # checkpoint; it stores its classes
device: str = "auto"                # "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps", "cpu"
input_shape: tuple[int, int] | None = None  # height, width of the network's input; None: the checkpoint's
min_confidence: float | None = None  # lower values find more objects, and more false ones; None: the checkpoint's
straighten: bool = True             # show the network turned sheets upright; the masks are turned back again
num_workers: int = 2                # sheets processed at the same time; each needs about 20 bytes of memory per pixel
# ---- Data ----
dataset_path: str = "herbarium_sheets"   # folder that holds the data sets
dataset: str = "demo"                    # <dataset_path>/<dataset>/{JPEGImages,SegmentationClass,ImageSets}
lists: str = ""                          # another folder with the list; "": ImageSets/Segmentation
split: str = "val"                       # name of the list: "train", "val", "test" or "trainval"
name_classes: tuple[str, ...] = NAME_CLASSES  # only for mode "score", which reads no checkpoint; background first
# ---- Results ----
out_dir: str = "miou_out"           # tables, plots and masks/<sheet>.png; the next run replaces them
object_scores: bool = True          # also count found and false objects and compare outlines; 0.5 s per large sheet


def main(settings: config.Settings) -> int:
    """The exit status, after running the mode: 1 when a sheet was bad or missing, else 0."""
    data = VocDataset(settings.dataset_path, settings.dataset, settings.lists)
    stems = list(dict.fromkeys(data.stems(settings.split)))  # each sheet once, even if the list repeats it
    out_dir = Path(settings.out_dir)
    predicts, scores = settings.mode != "score", settings.mode != "predict"
    if predicts:
        model = DeeplabV3(
            settings.model_path, device=settings.device, input_shape=settings.input_shape,
            min_confidence=settings.min_confidence, straighten=settings.straighten,
        )
        images = data.images()
        classes, colors = model.name_classes, model.colors
    else:
        classes, colors = settings.name_classes, default_colors(len(settings.name_classes))
        if not (out_dir / "masks").is_dir():
            raise UserError(f'{out_dir / "masks"} is not a folder: mode "score" needs the masks of mode "predict".')
    for folder in (out_dir, out_dir / "masks"):
        remove_abandoned(folder)
    report = Report(classes, colors, settings.object_scores)
    missing: list[str] = []

    def work(stem: str) -> SheetScores | UserError | None:
        try:
            prediction = out_dir / "masks" / f"{stem}.png"
            mask = predict(model, find(images, stem, data), prediction) if predicts else None
            return score(report, data.mask(stem), prediction, mask) if scores else None
        except UserError as error:
            return error

    results = in_threads(work, stems, settings.num_workers)
    with csv_file(out_dir / "per_sheet.csv", report.header()) if scores else nullcontext() as write_row:
        for stem, result in zip(stems, tqdm(results, settings.mode, len(stems), unit=" sheets")):
            if isinstance(result, UserError):
                missing.append(f"{stem}: {result}")
                warn(missing[-1])
            elif scores:
                write_row(report.add(stem, result))
    print(f"{len(stems) - len(missing)} of {len(stems)} sheets done, {len(missing)} bad or missing. Results: {out_dir}")
    if scores:
        made_by = settings.model_path if predicts else None
        about = {"dataset": str(data.root), "split": settings.split, "model_path": made_by}
        print(report.write(out_dir, missing, about))
    return 1 if missing else 0


def find(images: Mapping[str, Path], stem: str, data: VocDataset) -> Path:
    """The image file of a stem. Raises UserError when there is none."""
    if stem not in images:
        raise UserError(f"{data.image_dir / stem}.* is not there: add the image, or run get_annotation.py again.")
    return images[stem]


def predict(model: DeeplabV3, image_path: Path, mask_path: Path) -> np.ndarray:
    """The predicted mask of an image, uint8 (H, W). It is also written to `mask_path`."""
    mask = model.segment(read_image(image_path))
    write_mask(mask_path, mask, model.colors)
    return mask


def score(report: Report, truth_path: Path, mask_path: Path, mask: np.ndarray | None) -> SheetScores:
    """The scores of one sheet.

    Args:
        report: its classes are used; nothing is added to it.
        truth_path: the sheet's label mask.
        mask_path: the sheet's predicted mask.
        mask: the content of mask_path, uint8 (H, W). None: it is read.

    Raises:
        UserError: a mask is bad, or the two masks do not fit each other.
    """
    try:
        return report.measure(read_mask(truth_path), read_mask(mask_path) if mask is None else mask)
    except ValueError as error:
        raise UserError(f"{truth_path} (truth) and {mask_path} (prediction) do not fit: {error}.") from error


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
