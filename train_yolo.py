"""Trains YOLOv5 to find objects and specimens as boxes: edit the constants, then run `python train_yolo.py`.

The data set is a folder in the VOC layout (JPEGImages, ImageSets, and labelme or SegmentationClass; specimens.json has
the boxes of the plants) or a YOLO data set (data.yaml, images, labels). Training has two phases. First the backbone is
frozen, and the rest learns with a large batch. Then everything learns. The results in save_dir are
best_epoch_weights.pth, last_epoch_weights.pth and loss_<date>/ with curves, TensorBoard files and settings.

    python train_yolo.py
    python train_yolo.py --dataset=mine --mixed_in="{'synthetic': 0.4}"
    python train_yolo.py --dataset=mine --backbone=s --model_path= --freeze_train=false
    torchrun --nproc_per_node=2 train_yolo.py --distributed=true
"""

from __future__ import annotations

from typing import Literal

import torch

from nets.deeplabv3_training import make_optimizer
from nets.yolov5 import SizeName
from utils import config
from utils.detection.boxes import DETECTION_CLASSES
from utils.detection.checkpoint import DetectionCheckpoint
from utils.detection.data.samples import BoxDataset, collate, require_all_classes
from utils.detection.training.settings import check_settings, with_network
from utils.detection.training.start import read_data, start_model
from utils.detection.training.validation import PARTS, SCORES, BoxLoss, FoundBoxes, draw_found, numbers_of
from utils.memory import keep_freed_memory
from utils.network.distributed import Processes, processes
from utils.training.cache import SheetCache
from utils.training.preflight import preflight
from utils.training.schedule import learning_rate
from utils.training.start import load_resumable
from utils.utils import UserError, remove_abandoned, seed_everything
from utils.utils_fit import Run, run_epoch

# ---- Machine ----
device: str = "auto"                # "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps", "cpu"
seed: int = 11                      # the same seed gives the same run on the CPU
distributed: bool = False           # True: several processes, started by torchrun: one per GPU, or several on the CPU
sync_bn: bool = False               # BatchNorm statistics over all GPUs of a distributed run; needs CUDA
fp16: bool = True                   # mixed precision: about half the GPU memory; a CPU without bfloat16 ignores it
num_workers: int = 2                # processes that load sheets; 0: the main process loads them
cache_dir: str = "cache"            # holds scaled-down sheets for later epochs and runs; safe to delete; "": no cache
cache_gb: float = 20.0              # size limit of cache_dir in GB; the rest loads slowly
compile_model: bool = False         # torch.compile: starts slowly, then may run faster; needs a C++ compiler
# ---- Data ----
dataset_path: str = "herbarium_sheets"   # folder that holds the data sets
dataset: str = "demo"                    # its subfolder; a YOLO data set if it has data.yaml, else the VOC layout
lists: str = ""                          # VOC layout: another folder with train.txt and val.txt; "": the data set's own
mixed_in: dict[str, float] = {}          # more data sets, each with its share of an epoch: {"synthetic": 0.4}
passes: int = 1                          # how often each sheet appears in an epoch; raise it when sheets are few
name_classes: tuple[str, ...] = DETECTION_CLASSES  # no background; masks: value 1 is the first, without Specimen
label_names: dict[str, str] = {"Color_chart": "Color chart"}  # name in the label files -> class, or "_ignore_"
input_shape: tuple[int, int] = (640, 640)     # height, width of training samples; multiples of 32
predict_shape: tuple[int, int] | None = None  # to validate and predict; None: input_shape
augment_scale: tuple[float, float] = (0.5, 1.5)  # smallest and largest size of a sheet, relative to input_shape
mosaic: float = 1.0                      # share of training samples, 0 to 1, that show four sheets
degraded: float = 0.0                    # share of samples made into worse photographs: exposure, colour, noise, JPEG
# ---- Network ----
backbone: SizeName = "mobilenet"    # mobilenet: starts from segmentation; n, s, m, l, x: YOLOv5's own, ever larger
model_path: str = "model_data/deeplab_mobilenetv2.pth"  # start weights: of a detector, or backbone of segmentation; ""
reinit_mismatched: bool = False     # True: layers of a detector that do not fit start fresh, as with other classes
# ---- Epochs and batches ----
resume: bool = False                # True: continue from save_dir/last_epoch_weights.pth as if never interrupted
init_epoch: int = 0                 # first epoch, counted from 0; freeze_epoch or higher skips the frozen phase
freeze_train: bool = True           # True: train with the backbone frozen first; only with weights in model_path
freeze_epoch: int = 10              # number of epochs with the frozen backbone
freeze_layers: int = 0              # first layers of the backbone that never learn; 7 of mobilenet halve the time
freeze_batch_size: int = 16         # sheets per step, over all processes; the frozen phase needs less memory per sheet
unfreeze_epoch: int = 100           # total number of epochs
unfreeze_batch_size: int = 8        # sheets per step, over all processes
freeze_bn: bool = False             # BatchNorm keeps the statistics of the start weights
accumulate: int = 1                 # batches whose gradients are averaged per step: like a larger batch, in less memory
# ---- Optimiser ----
optimizer_type: Literal["adam", "sgd"] = "adam"  # sgd, with Nesterov momentum, is what YOLOv5 was published with
init_lr: float | None = 2e-3        # highest learning rate at batch 16; YOLOv5's for sgd is 2.5e-3; None: 5e-4 or 7e-3
min_lr: float | None = None         # lowest learning rate; None: 0.01 x init_lr
momentum: float = 0.937             # momentum of sgd; first beta of adam
weight_decay: float = 0.0           # of convolutions alone; 5e-4 suits sgd; 0 suits adam
lr_decay_type: Literal["cos", "step"] = "cos"    # cos: warm-up, cosine, then min_lr; step: ten equal steps
ema: float = 0.999                  # decay of a running mean of the weights, evaluated and saved in their place; 0: off
clip: float = 10.0                  # gradients with a larger norm are scaled down to it; 0: none are
# ---- Evaluating and saving ----
min_confidence: float = 0.25        # for prediction: boxes with a lower score are dropped
eval_flag: bool = True              # measure mAP on the validation sheets; False: no best_epoch_weights.pth
eval_period: int = 5                # epochs between evaluations; the last epoch is always evaluated
patience: int = 0                   # stop after this many evaluations without a better score; 0: never
save_period: int = 0                # epochs between numbered checkpoints; 0: none
save_dir: str = "logs/yolo"         # checkpoints, and a folder loss_<date> with the logs of each run
overlays: int = 4                   # validation sheets shown in TensorBoard at each evaluation
# ---- nothing below this line needs editing ----


def main(settings: config.Settings) -> int:
    """The exit status 0, after training. Raises UserError for bad settings or data, or too little memory."""
    with processes(settings.distributed, settings.device) as procs:
        try:
            train(with_network(settings), procs)
        except torch.OutOfMemoryError as error:
            raise UserError(
                "The GPU's memory ran out: lower unfreeze_batch_size (or freeze_batch_size) or input_shape."
            ) from error
    return 0


def train(s: config.Settings, procs: Processes) -> None:
    """Trains as the settings say. The top of this file lists the files that it writes."""
    check_settings(s, procs)
    train_files, parts, val_files = read_data(s, procs)
    require_all_classes(train_files, val_files, s.name_classes)
    predict_shape = s.predict_shape or s.input_shape
    train_set = BoxDataset(
        train_files, s.input_shape, s.seed, s.augment_scale,
        mosaic=s.mosaic, degraded=s.degraded, cache_dir=s.cache_dir, parts=parts,
    )
    val_set = BoxDataset(val_files, predict_shape, s.seed, cache_dir=s.cache_dir)
    preflight(
        [(sheet.image, None) for sheet in train_files + val_files], 1, procs.is_main,
        [train_set.box] * len(train_files) + [val_set.box] * len(val_files),
        SheetCache(s.cache_dir, s.cache_gb, procs.world_size), len(train_files) * procs.rank // procs.world_size,
    )
    if procs.is_main:
        remove_abandoned(s.save_dir)

    seed_everything(s.seed)
    checkpoint = load_resumable(s, DetectionCheckpoint) if s.resume else None
    model = start_model(s, checkpoint, train_files, procs)
    optimizer = make_optimizer(
        model, s.optimizer_type, learning_rate(s, s.init_epoch), s.momentum, s.weight_decay, decay_all=False)
    about = DetectionCheckpoint.of_run(s.to_dict(), input_shape=list(predict_shape))
    run = Run(s, procs, model, optimizer, about, checkpoint, scores=SCORES, parts=PARTS, clip=s.clip)

    loss_fn = BoxLoss(model.anchors)
    for epoch in run.epochs(train_set, val_set, collate):
        loss, _ = run_epoch(
            epoch.model, epoch.batches, loss_fn, run.precision, procs, f"{epoch.title} training", run.updates)
        parts = loss_fn.take_parts(procs)
        procs.align_buffers(run.result)
        boxes = FoundBoxes(model.anchors, len(s.name_classes))
        val_loss, _ = run_epoch(
            run.result, epoch.val_batches, loss_fn, run.precision, procs, f"{epoch.title} validation",
            observe=boxes.observe if epoch.evaluates else None,
        )
        parts |= loss_fn.take_parts(procs, "val_")
        found = numbers_of(boxes.scores(procs)) if epoch.evaluates else {}
        run.finish(epoch, loss=loss, val_loss=val_loss, **parts, **found)
        if epoch.evaluates and procs.is_main:
            overlays = draw_found(run.result, val_set, s.overlays, s.name_classes, run.precision, procs)
            run.history.add_overlays(overlays, epoch.number)


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
