"""Trains a network on a data set in the VOC layout: edit the constants, then run `python train.py`.

Training has two phases. First the backbone is frozen, and the rest learns with a large batch. Then everything learns.
The results in save_dir are best_epoch_weights.pth, last_epoch_weights.pth and loss_<date>/ with curves, TensorBoard
files and settings.

    python train.py
    python train.py --dataset=mine --unfreeze_batch_size=2 --fp16=false
    python train.py --dataset=mine --model_name=unet --backbone=vgg --model_path= --pretrained=true
    torchrun --nproc_per_node=2 train.py --distributed=true
"""

from __future__ import annotations

from typing import Literal

import torch

from nets.deeplabv3_training import make_optimizer
from nets.models import NETWORKS, BackboneName, DownsampleFactor, ModelName
from utils import config
from utils.dataloader import SheetDataset, sheet_box
from utils.files.jobs import warn
from utils.files.voc import VocDataset
from utils.memory import keep_freed_memory
from utils.network.checkpoint import Checkpoint
from utils.network.distributed import Processes, processes
from utils.training.cache import SheetCache
from utils.training.loss import make_loss
from utils.training.mixing import times_an_epoch, training_files, unlabelled_files
from utils.training.preflight import preflight, require_teachable
from utils.training.schedule import learning_rate
from utils.training.settings import check_settings
from utils.training.start import load_resumable, start_model
from utils.utils import NAME_CLASSES, UserError, remove_abandoned, seed_everything
from utils.utils_fit import Run, draw_overlays, run_epoch
from utils.utils_metrics import scores

# ---- Machine ----
device: str = "auto"                # "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps", "cpu"
seed: int = 11                      # the same seed gives the same run on the CPU
distributed: bool = False           # True: several processes, started by torchrun: one per GPU, or several on the CPU
sync_bn: bool = False               # BatchNorm statistics over all GPUs of a distributed run; needs CUDA
fp16: bool = True                   # mixed precision: about half the GPU memory; a CPU without bfloat16 ignores it
num_workers: int = 2                # processes that load sheets; 0: the main process loads them
cache_dir: str = "cache"            # holds scaled-down sheets for later epochs and runs; safe to delete; "": no cache
cache_gb: float = 20.0              # size limit of cache_dir in GB; 1000 sheets take about 3; the rest loads slowly
compile_model: bool = False         # torch.compile: starts slowly, then may run faster; needs a C++ compiler
# ---- Data ----
dataset_path: str = "herbarium_sheets"   # folder that holds the data sets
dataset: str = "demo"                    # <dataset_path>/<dataset>/{JPEGImages,SegmentationClass,ImageSets}
lists: str = ""                          # another folder with train.txt and val.txt; "": ImageSets/Segmentation
mixed_in: dict[str, float] = {}          # more data sets, each with its share of an epoch: {"synthetic": 0.4}
unlabelled: str = ""                     # nhm: folder of sheets without labels, to learn from as well; "": none
passes: int = 1                          # how often each sheet appears in an epoch; raise it when sheets are few
name_classes: tuple[str, ...] = NAME_CLASSES  # background first; a mask's pixel value is the index in this list
input_shape: tuple[int, int] = (512, 512)     # height, width of training samples; multiples of downsample_factor
predict_shape: tuple[int, int] | None = (1024, 1024)  # to validate and predict; larger finds more; None: input_shape
augment_scale: tuple[float, float] = (0.25, 2.0)  # smallest and largest size of a sheet, relative to input_shape
paste: float = 0.0                       # share of training samples, 0 to 1, with objects from another sheet pasted on
degraded: float = 0.0                    # share of samples made into worse photographs: exposure, colour, noise, JPEG
turned: float = 0.0                      # share of samples turned by 90, 180 or 270 degrees, as some photographs are
object_gap: int = 0                 # pixels of background between objects of one class in training masks; try 9; 0: off
gap_weight: float = 1.0             # how many times as much these pixels count in the loss; try 10
# ---- Network ----
model_name: ModelName = "deeplabv3_plus"  # deeplabv3_plus, unet, pspnet; nhm: learns from unlabelled sheets too
backbone: BackboneName = "mobilenet"      # mobilenet: small and fast; nets/models.py lists which ones fit which network
downsample_factor: DownsampleFactor = 16  # 16: faster; 8: finer features, more memory (model_data/ was trained with 8)
decoder: bool = True                # deeplabv3_plus: False skips it (DeepLabv3): coarser edges, much faster on a CPU
model_path: str = "model_data/deeplab_mobilenetv2.pth"    # start weights; "": none
reinit_mismatched: bool = False     # True: layers that do not fit model_path start fresh, as with other classes
pretrained: bool = False            # only without model_path: download torchvision's ImageNet weights for the backbone
backbone_path: str = ""             # only without model_path: a file of backbone weights with torchvision's key names
init_type: Literal["normal", "xavier", "kaiming", "orthogonal"] = "normal"  # random values for layers that start fresh
# ---- Epochs and batches ----
resume: bool = False                # True: continue from save_dir/last_epoch_weights.pth as if never interrupted
init_epoch: int = 0                 # first epoch, counted from 0; freeze_epoch or higher skips the frozen phase
freeze_train: bool = True           # True: train with the backbone frozen first, its weights and BatchNorm statistics
freeze_epoch: int = 50              # number of epochs with the frozen backbone
freeze_batch_size: int = 8          # sheets per step, over all processes; the frozen phase needs less memory per sheet
unfreeze_epoch: int = 100           # total number of epochs
unfreeze_batch_size: int = 4        # sheets per step, over all processes
freeze_bn: bool = False             # BatchNorm keeps the statistics of the start weights; helps batches of 1 to 4
accumulate: int = 1                 # batches whose gradients are averaged per step: like a larger batch, in less memory
# ---- Optimiser ----
optimizer_type: Literal["adam", "sgd"] = "adam"  # sgd uses Nesterov momentum
init_lr: float | None = None        # highest learning rate at batch 16; has limits (docs/runs.md); None: 5e-4 or 7e-3
min_lr: float | None = None         # lowest learning rate; None: 0.01 x init_lr
momentum: float = 0.9               # momentum of sgd; first beta of adam
weight_decay: float = 0.0           # 1e-4 suits sgd; 0 suits adam
lr_decay_type: Literal["cos", "step"] = "cos"    # cos: warm-up, cosine, then min_lr; step: ten equal steps
ema: float = 0.0                    # decay of a running mean of the weights, evaluated and saved in their place; 0: off
# ---- Loss ----
dice_loss: bool = True              # add the Dice loss; it helps when objects are few and small
focal_loss: bool = True             # focal loss instead of cross entropy: hard pixels count more
cls_weights: Literal["auto"] | tuple[float, ...] | None = None  # one per class; "auto": from training masks; None: 1
instance_loss: Literal["published", "original"] = "published"  # nhm: as in the paper, or as in its authors' program
# ---- Evaluating and saving ----
min_confidence: float = 0.89        # for prediction: objects with a lower mean probability are dropped; 0: none are
eval_flag: bool = True              # measure mIoU on the validation sheets; False: no best_epoch_weights.pth
eval_period: int = 5                # epochs between evaluations; the last epoch is always evaluated
patience: int = 0                   # stop after this many evaluations without a better mIoU; 0: never
save_period: int = 5                # epochs between numbered checkpoints; 0: none
save_dir: str = "logs"              # checkpoints, and a folder loss_<date> with the logs of each run
overlays: int = 4                   # validation sheets shown in TensorBoard at each evaluation
# ---- nothing below this line needs editing ----


def main(settings: config.Settings) -> int:
    """The exit status 0, after training. Raises UserError for bad settings or data, or too little memory."""
    with processes(settings.distributed, settings.device) as procs:
        try:
            train(settings, procs)
        except torch.OutOfMemoryError as error:
            raise UserError(
                "The GPU's memory ran out: lower unfreeze_batch_size (or freeze_batch_size), raise "
                "downsample_factor to 16, or make input_shape smaller."
            ) from error
    return 0


def train(s: config.Settings, procs: Processes) -> None:
    """Trains as the settings say. The top of this file lists the files that it writes."""
    check_settings(s, procs)
    data = VocDataset(s.dataset_path, s.dataset, s.lists)
    (labelled, parts), val_files = training_files(s, data), list(dict.fromkeys(data.files("val")))
    train_files = labelled + unlabelled_files(s.unlabelled)
    predict_shape = s.predict_shape or s.input_shape
    panoptic = NETWORKS[s.model_name].make.needs_instances
    pixels = preflight(
        train_files + val_files, len(s.name_classes), procs.is_main,
        [sheet_box(s.input_shape, s.augment_scale)] * len(train_files) + [predict_shape] * len(val_files),
        SheetCache(s.cache_dir, s.cache_gb, procs.world_size), len(train_files) * procs.rank // procs.world_size,
        [panoptic] * len(train_files) + [False] * len(val_files),
    )
    warnings = require_teachable(pixels[:len(labelled)], pixels[len(train_files):], s.name_classes)
    instance_faults = data.instance_faults("train") if panoptic else []
    if procs.is_main:
        remove_abandoned(s.save_dir)
        for warning in [*warnings, *data.list_faults(), *data.mask_faults(), *instance_faults]:
            warn(warning)
    train_set = SheetDataset(
        train_files, s.input_shape, s.seed, s.augment_scale,
        paste=s.paste, object_gap=s.object_gap, degraded=s.degraded, turned=s.turned,
        cache_dir=s.cache_dir, parts=parts, panoptic=panoptic,
    )
    val_set = SheetDataset(val_files, predict_shape, s.seed, cache_dir=s.cache_dir)
    loss_fn = make_loss(s, pixels[:len(labelled)] * times_an_epoch(parts)[:, None], procs.device)

    seed_everything(s.seed)
    checkpoint = load_resumable(s) if s.resume else None
    model = start_model(s, checkpoint, procs)
    optimizer = make_optimizer(model, s.optimizer_type, learning_rate(s, s.init_epoch), s.momentum, s.weight_decay)
    about = Checkpoint.of_run(s.to_dict(), input_shape=list(predict_shape), options=model.options)
    run = Run(s, procs, model, optimizer, about, checkpoint)

    for epoch in run.epochs(train_set, val_set):
        loss, _ = run_epoch(
            epoch.model, epoch.batches, loss_fn, run.precision, procs, f"{epoch.title} training", run.updates)
        procs.align_buffers(run.result)
        val_loss, matrix = run_epoch(
            run.result, epoch.val_batches, loss_fn, run.precision, procs, f"{epoch.title} validation",
            num_classes=len(s.name_classes) if epoch.evaluates else 0,
        )
        found = {"miou": scores(matrix.numpy()).miou} if epoch.evaluates else {}
        run.finish(epoch, loss=loss, val_loss=val_loss, **found)
        if epoch.evaluates and procs.is_main:
            overlays = draw_overlays(run.result, val_set, s.overlays, run.precision, procs)
            run.history.add_overlays(overlays, epoch.number)


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
