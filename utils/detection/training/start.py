"""The start of a detector's training: its data, its anchors and its weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nets.yolov5 import ANCHORS, YoloV5, yolov5
from utils.config import Settings
from utils.detection.anchors import choose_anchors
from utils.detection.checkpoint import DetectionCheckpoint
from utils.detection.data.layouts import open_boxes
from utils.detection.data.samples import Boxed, absent_classes, box_sizes, read_boxes
from utils.files.jobs import warn
from utils.network.checkpoint import DETECTORS, is_checkpoint, load_weights, read_torch_file, weights_in
from utils.network.distributed import Processes
from utils.training.mixing import Part, mix
from utils.training.start import on_device
from utils.utils import UserError


def read_data(s: Settings, procs: Processes) -> tuple[list[Boxed], list[Part], list[Boxed]]:
    """The training sheets, the parts of an epoch, and the validation sheets.

    The parts are the data set, then those of mixed_in. A line names each of several data sets that has no box of some
    class. Raises UserError when a data set cannot be used.
    """
    main, *others = (
        open_boxes(s.dataset_path, name, s.name_classes, s.label_names, lists)
        for name, lists in ((s.dataset, s.lists), *((name, "") for name in s.mixed_in))
    )
    own, *more = (read_boxes(data, "train", procs.is_main) for data in (main, *others))
    val = read_boxes(main, "val", procs.is_main)
    for name, sheets in zip((s.dataset, *s.mixed_in), (own, *more)):
        if more and procs.is_main and (absent := absent_classes(sheets, s.name_classes)):
            warn(f"{name} has no box of {', '.join(absent)}: where its sheets show one, it is learned as background.")
    both = {sheet.image for sheet in own} & {sheet.image for sheet in val}
    if both and procs.is_main:
        warn(f"{len(both)} sheets are for training and for validation ({min(both).name}): the scores are too good.")
    return sum(more, own), mix(len(own), s.passes, zip(map(len, more), s.mixed_in.values())), val


def start_model(
    s: Settings, checkpoint: DetectionCheckpoint | None, train_files: Sequence[Boxed], procs: Processes
) -> YoloV5:
    """The network with its start weights, on the device, in channels-last format.

    The weights are those of the resumed checkpoint, if there is one, else those of model_path: all of them if it is a
    detector, or those of the backbone if it is a network for segmentation. All other weights are fresh.
    """
    content = None if checkpoint or not s.model_path else read_torch_file(s.model_path)
    is_detector = is_checkpoint(content) and content["model_name"] in DETECTORS
    anchors = ANCHORS if checkpoint or is_detector else fitting_anchors(s, train_files, procs)
    model = yolov5(s.backbone, len(s.name_classes), anchors)
    if checkpoint:
        load_weights(model, checkpoint.training.get("weights", checkpoint.model), reinit_mismatched=False)
    elif is_detector:
        fresh = load_weights(model, weights_in(content, s.model_path), s.reinit_mismatched)
        if fresh and procs.is_main:
            print(f"Not in {s.model_path}, trained from scratch: {', '.join(fresh)}")
    elif content is not None:
        start = weights_in(content, s.model_path)
        own = {name.removeprefix("backbone."): value for name, value in start.items() if name.startswith("backbone.")}
        shapes = {name: value.shape for name, value in model.backbone.state_dict().items()}
        if shapes != {name: value.shape for name, value in own.items()}:
            raise UserError(
                f'{s.model_path} has no weights for backbone {s.backbone}: set model_path = "", or name a checkpoint '
                "with this backbone.", 2
            )
        load_weights(model.backbone, own, reinit_mismatched=False)
    model = on_device(model, s.sync_bn, procs)
    model.fix_layers(s.freeze_layers)
    return model


def fitting_anchors(s: Settings, files: Sequence[Boxed], procs: Processes) -> np.ndarray:
    """The anchors, float32 (3, 3, 2), for the boxes of the training sheets: the usual ones if they fit."""
    anchors, before, after = choose_anchors(box_sizes(files, s.input_shape), s.seed)
    if after > before and procs.is_main:
        print(f"Anchors that fit {after:.1%} of the boxes, where the usual ones fit {before:.1%}: "
              f"{' '.join(f'{width:.0f}x{height:.0f}' for width, height in anchors.reshape(-1, 2))}")
    return anchors
