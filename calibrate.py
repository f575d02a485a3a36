"""Calibrates the confidence of objects on labelled sheets: edit the constants, then run `python calibrate.py`.

After it, a confidence of 0.9 means that nine of ten such objects are right. The result is a copy of a checkpoint with
`calibration` and `min_confidence`, and reliability.md and reliability.png in out_dir. Use sheets that the weights in
model_path were not trained on: a network is too sure of those that it knows.

    python calibrate.py --dataset=mine --model_path=logs/best_epoch_weights.pth --output_path=calibrated.pth
    python calibrate.py --false_price=4
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from deeplab import DeeplabV3
from utils import config
from utils.files.images import read_image
from utils.files.jobs import in_threads, warn
from utils.files.masks import read_mask, require_known_values, value_counts
from utils.files.voc import VocDataset
from utils.labels.splits import institution
from utils.memory import keep_freed_memory
from utils.network.checkpoint import is_half, load_checkpoint, save_checkpoint
from utils.scoring.calibration import Judged, confidence_limit, fit_calibration, judge_objects
from utils.scoring.reliability import write_reliability
from utils.utils import UserError

# ---- What to calibrate ----
model_path: str = "logs/best_epoch_weights.pth"  # checkpoint that finds the objects; it must not know the sheets
for_path: str = ""                  # checkpoint that gets the calibration; "": that in model_path. Give another if its
                                    # training went on with all sheets, so that none is left to calibrate it on
output_path: str = "logs/calibrated.pth"  # the copy that is written
false_price: float = 1.0            # what a false object costs, where a missed one costs 1: min_confidence follows
device: str = "auto"                # "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps", "cpu"
num_workers: int = 2                # sheets processed at the same time; each needs about 20 bytes of memory per pixel
# ---- Data ----
dataset_path: str = "herbarium_sheets"   # folder that holds the data sets
dataset: str = "demo"                    # <dataset_path>/<dataset>/{JPEGImages,SegmentationClass,ImageSets}
lists: str = ""                          # another folder with the list; "": ImageSets/Segmentation
split: str = "val"                       # name of the list
separator: str = "_"                     # ends the institution in file names; "": each sheet counts as one institution
# ---- Results ----
out_dir: str = "calibration_out"    # reliability.md, reliability.png; the next run replaces them
# ---- nothing below this line needs editing ----


def main(settings: config.Settings) -> int:
    """The exit status: 1 when a sheet was bad or missing, else 0."""
    s = settings
    limit = confidence_limit(s.false_price)
    model = DeeplabV3(s.model_path, device=s.device, min_confidence=0.0)
    target = load_checkpoint(s.for_path or s.model_path)
    if Path(s.output_path).resolve() in (Path(path).resolve() for path in (s.model_path, s.for_path) if path):
        raise UserError(f"output_path is {s.output_path}, which is read: choose another, originals are kept.", 2)
    if target.name_classes != model.name_classes:
        raise UserError(f"{s.for_path} finds {', '.join(target.name_classes[1:])}, and {s.model_path} "
                        f"{', '.join(model.name_classes[1:])}: take checkpoints with the same classes.")
    files = list(dict.fromkeys(VocDataset(s.dataset_path, s.dataset, s.lists).files(s.split)))

    def work(sheet: tuple[Path, Path]) -> list[Judged] | UserError:
        image, truth_path = sheet
        try:
            mask, probability = model.segment_with_probability(read_image(image))
            truth = read_mask(truth_path)
            require_known_values(truth_path, value_counts(truth), len(model.name_classes))
            if truth.shape != mask.shape:
                raise UserError(f"{truth_path} has {truth.shape[1]} x {truth.shape[0]} pixels and its image "
                                f"{mask.shape[1]} x {mask.shape[0]}: they have to be equal.")
            group = institution(image.stem, s.separator) if s.separator else image.stem
            return judge_objects(truth, mask, probability, len(model.name_classes), group)
        except UserError as error:
            return error

    objects, bad = [], 0
    for result in tqdm(in_threads(work, files, s.num_workers), "calibrate", len(files), unit=" sheets"):
        if isinstance(result, UserError):
            bad += 1
            warn(result)
        else:
            objects += result
    calibration = fit_calibration(objects, len(model.name_classes))
    print(write_reliability(Path(s.out_dir), objects, calibration, limit, model.name_classes))
    written = replace(target, calibration=calibration, min_confidence=round(limit, 4), training=None)
    save_checkpoint(s.output_path, written, is_half(target))
    print(f"{len(files) - bad} of {len(files)} sheets used, {bad} bad or missing. {s.output_path} has the calibration "
          f"and min_confidence {limit:.4g}. {s.out_dir} has the reliability.")
    return 1 if bad else 0


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
