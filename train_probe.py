"""Makes predictions on a CPU faster: adds a probe to a checkpoint of DeepLabv3+. Run `python train_probe.py`.

The probe says where on a sheet objects may be. Most of the network is then computed only there, which takes about two
thirds of the time. The probe is a linear layer on the backbone's features. It learns from what the whole network finds,
so the sheets need lists, but no labels. Run it after train.py: other weights need another probe. It takes about three
seconds a sheet.

    python train_probe.py --model_path=logs/best_epoch_weights.pth --dataset=mine
    python train_probe.py --dataset=mine --recall=0.9995
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from tqdm import tqdm

from nets.blocks import fold_batchnorm
from nets.cpu import for_cpu
from nets.deeplabv3_plus import DeepLab
from utils import config
from utils.files.images import read_image
from utils.files.jobs import warn
from utils.files.voc import VocDataset
from utils.memory import keep_freed_memory
from utils.network.checkpoint import load_checkpoint, read_torch_file, save_checkpoint
from utils.training.probe import Cells, fit_probe, highest_threshold, look, sample, share_computed, share_found
from utils.utils import UserError

# ---- Checkpoints ----
model_path: str = "model_data/deeplab_mobilenetv2.pth"  # DeepLabv3+ with decoder
save_path: str = "logs/with_probe.pth"   # gets the same with the probe; may be model_path
# ---- Data ----
dataset_path: str = "herbarium_sheets"   # folder that holds the data sets
dataset: str = "demo"                    # <dataset_path>/<dataset>/{JPEGImages,SegmentationClass,ImageSets}
train_split: str = "train"               # the list of sheets that the probe learns from
val_split: str = "val"                   # the list of other sheets, best of other institutions, that set its threshold
# ---- Probe ----
recall: float = 0.999                    # share of the cells (8 x 8 pixels) with objects, on the sheets of val_split,
                                         # that are computed; lower values are faster and lose more of the objects
cells: float = 0.2                       # share of a sheet's cells to learn from; 0.2 of 100 sheets takes 1 GB
seed: int = 11                           # of the choice of these cells
# ---- nothing below this line needs editing ----


def main(settings: config.Settings) -> int:
    """The exit status: 1 when an image could not be read, else 0. Raises UserError when a constant does not fit."""
    s = settings
    for name in ("recall", "cells"):
        if not 0 < getattr(s, name) < 1:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be above 0 and below 1.", 2)
    checkpoint = load_checkpoint(s.model_path)
    model = for_cpu(fold_batchnorm(checkpoint.build())).to(memory_format=torch.channels_last)
    if not isinstance(model, DeepLab) or not model.decoder:
        raise UserError(f"{s.model_path} is no DeepLabv3+ with decoder: only that can have a probe.", 2)
    data, bad = VocDataset(s.dataset_path, s.dataset), []

    def sheets(split: str) -> Iterator[Cells]:
        for image, _ in tqdm(data.files(split), split, unit=" sheets"):
            try:
                yield look(model, read_image(image), checkpoint.input_shape)
            except UserError as error:
                bad.append(image)
                warn(error)

    torch.manual_seed(s.seed)
    samples = [sample(each, s.cells) for each in sheets(s.train_split)]
    require(samples, f"None of the sheets of {s.train_split} could be read: list others.")
    probe = fit_probe(*map(torch.cat, zip(*samples)))
    scored = [(each.features @ probe[:-1] + probe[-1], each.objects) for each in sheets(s.val_split)]
    require(any(objects.any() for _, objects in scored),
            f"The network finds no object on the sheets of {s.val_split}: list others.")
    scores, objects = zip(*scored)
    threshold = highest_threshold(scores, objects, s.recall)
    probe[-1] -= threshold
    half = any(value.dtype == torch.float16 for value in read_torch_file(s.model_path)["model"].values())
    save_checkpoint(s.save_path, replace(checkpoint, probe=probe), half)
    print(f"{s.save_path}: {share_computed(scores, threshold):.1%} of a sheet is computed, with "
          f"{share_found(scores, objects, threshold):.2%} of the cells that have objects.")
    return 1 if bad else 0


def require(condition: object, sentence: str) -> None:
    """Raises UserError with the sentence unless the condition holds."""
    if not condition:
        raise UserError(sentence)


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
