"""train_yolo.py: one epoch learns, a run in parts is the whole one, and what a run leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import train
import train_yolo
from boxed import make_boxes, yolo_settings
from helpers import ROOT, make_dataset, new_deeplab, numbers, train_settings
from nets.community import to_community
from nets.yolov5 import yolov5
from utils.detection.boxes import DETECTION_CLASSES
from utils.detection.checkpoint import DetectionCheckpoint
from utils.detection.data.layouts import open_boxes
from utils.detection.data.samples import BoxDataset, collate, read_boxes
from utils.detection.training.start import read_data
from utils.detection.training.validation import NOMINAL_BATCH, BoxLoss, FoundBoxes, fitness
from utils.network.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from utils.network.distributed import Processes
from utils.network.letterbox import network_input
from utils.utils import UserError

pytestmark = pytest.mark.usefixtures("undrawn")
ONE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set on which two epochs have been trained."""
    folder = make_boxes(tmp_path_factory.mktemp("whole") / "demo")
    train_yolo.main(yolo_settings(folder, ema=0.9))
    return folder


def last(folder: Path) -> DetectionCheckpoint:
    """The checkpoint of the last epoch of a run."""
    return load_checkpoint(folder / "logs" / "last_epoch_weights.pth", DetectionCheckpoint)


def test_what_a_run_leaves(whole: Path) -> None:
    checkpoint = load_checkpoint(whole / "logs" / "best_epoch_weights.pth", DetectionCheckpoint)
    assert checkpoint.name_classes == list(DETECTION_CLASSES) and checkpoint.backbone == "n"
    assert (checkpoint.model_name, checkpoint.input_shape, checkpoint.min_confidence) == ("yolov5", [64, 64], 0.25)
    assert checkpoint.colors[0] == [128, 0, 0] and checkpoint.training is None
    best = numbers(whole, "epoch_fitness.txt")
    assert checkpoint.best_score == max(best) and len(best) == 2
    assert best == pytest.approx([0.1 * half + 0.9 * mean for half, mean in zip(
        numbers(whole, "epoch_map50.txt"), numbers(whole, "epoch_map50_95.txt"))])
    for prefix in ("", "val_"):
        parts = [numbers(whole, f"epoch_{prefix}{name}_loss.txt") for name in ("box", "objectness", "class")]
        assert np.sum(parts, axis=0) == pytest.approx(numbers(whole, f"epoch_{prefix}loss.txt"), rel=1e-5)
    model = checkpoint.build()
    assert not model.training and torch.equal(model.anchors, checkpoint.model["anchors"])
    content = torch.load(whole / "logs" / "best_epoch_weights.pth", weights_only=True)
    assert "best_miou" not in content and content["settings"]["dataset"] == "demo"
    assert not list((whole / "logs").rglob(".tmp_*"))


def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path: Path, whole: Path) -> None:
    folder, real, calls = make_boxes(tmp_path / "demo"), train_yolo.run_epoch, []

    def interrupt(*args, **kwargs):
        calls.append(args)
        if len(calls) == 4:  # the validation of the second epoch: it is not saved yet
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", nn.Sequential)  # a wrapper that gives all weights another name
        patch.setattr(train_yolo, "run_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_yolo.main(yolo_settings(folder, ema=0.9, compile_model=True))
    assert last(folder).epoch == 1
    train_yolo.main(yolo_settings(folder, ema=0.9, resume=True))
    for name in ("epoch_loss.txt", "epoch_val_loss.txt", "epoch_fitness.txt"):
        assert numbers(folder, name) == numbers(whole, name)
    first, second = last(whole), last(folder)
    assert all(torch.equal(value, second.model[name]) for name, value in first.model.items())
    assert first.best_score == second.best_score


def test_one_epoch_on_the_demo_set_lifts_map_above_its_start(tmp_path: Path) -> None:
    run = yolo_settings(
        tmp_path, dataset_path=str(ROOT / "herbarium_sheets"), dataset="demo", input_shape=(128, 96), mosaic=0.0,
        backbone="mobilenet", model_path=str(ROOT / "model_data" / "deeplab_mobilenetv2.pth"), passes=8,
        augment_scale=(0.9, 1.1), unfreeze_epoch=1, init_lr=1.6e-2, lr_decay_type="step",
    )
    assert train_yolo.main(run) == 0
    data = open_boxes(run.dataset_path, "demo", DETECTION_CLASSES, {})
    sheets = BoxDataset(read_boxes(data, "val"), run.input_shape, 0)
    fresh = yolov5("mobilenet", 5).eval()
    found = FoundBoxes(fresh.anchors, 5)
    images, targets = collate([sheets[0, number] for number in range(len(sheets))])
    with torch.inference_mode():
        found.observe(fresh(network_input(images)), targets)
    assert numbers(tmp_path, "epoch_map50.txt")[0] > found.scores(ONE).map50 + 0.02


def test_frozen_and_started_from_segmentation(tmp_path: Path) -> None:
    folder = make_boxes(tmp_path / "demo", 2, 1)
    start = new_deeplab()
    save_checkpoint(tmp_path / "start.pth", Checkpoint.of_run(
        train_settings(folder).to_dict(), model=start.state_dict(), input_shape=[64, 64]))
    run = {"backbone": "mobilenet", "model_path": str(tmp_path / "start.pth"), "unfreeze_epoch": 1}
    train_yolo.main(yolo_settings(folder, **run))
    trained = last(folder).model
    assert all(torch.equal(trained[f"backbone.{name}"], value) for name, value in start.backbone.state_dict().items())
    with pytest.raises(UserError, match="start.pth has no weights for backbone n"):
        train_yolo.main(yolo_settings(folder, **{**run, "backbone": "n"}))
    # a detector gives all its weights; of one for other classes, only the head does not fit
    detector = {"model_path": str(folder / "logs" / "last_epoch_weights.pth"), "save_dir": str(folder / "second"),
                "backbone": "mobilenet", "init_lr": 1e-30, "min_lr": 1e-30}
    with pytest.raises(UserError, match="do not fit 6 of .*head"):
        train_yolo.main(yolo_settings(folder, **detector, name_classes=DETECTION_CLASSES[:4]))


def test_the_two_kinds_of_checkpoints_are_not_mixed_up(tmp_path: Path, whole: Path) -> None:
    path = whole / "logs" / "last_epoch_weights.pth"
    with pytest.raises(UserError, match="holds yolov5, which finds boxes: give it to predict_yolo.py"):
        load_checkpoint(path)
    with pytest.raises(UserError, match="holds yolov5"):
        train.main(train_settings(whole, resume=True))
    save_checkpoint(tmp_path / "a.pth", Checkpoint.of_run(
        train_settings(whole).to_dict(), model=new_deeplab().state_dict()))
    with pytest.raises(UserError, match="holds deeplabv3_plus, which gives each pixel a class: give it to predict.py"):
        load_checkpoint(tmp_path / "a.pth", DetectionCheckpoint)
    torch.save(to_community(new_deeplab().state_dict()), tmp_path / "bare.pth")
    with pytest.raises(UserError, match="holds a network for segmentation, which gives each pixel a class"):
        load_checkpoint(tmp_path / "bare.pth", DetectionCheckpoint, name_classes=["Label"])


@pytest.mark.parametrize("changes, message", [
    ({"input_shape": (64, 48)}, "input_shape is \\(64, 48\\): height and width have to be multiples of 32"),
    ({"mosaic": 1.5}, "mosaic is 1.5"), ({"clip": -1.0}, "clip is -1.0"),
    ({"freeze_layers": -1}, "freeze_layers is -1"), ({"passes": 0}, "passes is 0"),
    ({"name_classes": ("A", "A")}, "1 to 255 different names"), ({"degraded": -0.1}, "degraded is -0.1"),
    ({"mixed_in": {"other": 0.5}}, "other.* is not a folder"),
])
def test_constants_that_do_not_fit(whole: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        train_yolo.main(yolo_settings(whole, **changes))


def test_specimens_are_needed(tmp_path: Path) -> None:
    folder = make_boxes(tmp_path / "demo", 2, 1)
    (folder / "specimens.json").write_text(json.dumps(
        {f"K.000{number}.jpg": {"specimens": []} for number in range(3)}))
    with pytest.raises(UserError, match="No training sheet has a box of Specimen"):
        train_yolo.main(yolo_settings(folder))


def test_a_data_set_without_a_class_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_boxes(tmp_path / "demo", 2, 1)
    make_dataset(tmp_path / "bare", 2, 1)  # without specimens.json
    _, parts, _ = read_data(yolo_settings(folder, mixed_in={"bare": 0.5}), ONE)
    assert [part.samples for part in parts] == [2, 2]
    err = capsys.readouterr().err
    assert err.count("has no box of") == 1 and "bare has no box of Specimen: where" in err


def test_the_loss_counts_each_image_alike() -> None:
    model = yolov5("n", 5)
    targets = torch.tensor([[0.0, 2, 10, 12, 40, 50], [0, 4, 0, 0, 64, 60]])
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    outputs = [output.detach() for output in model(image)]
    loss = BoxLoss(model.anchors)
    double = [torch.cat([output, output]) for output in outputs]
    others = torch.cat([targets, targets + torch.tensor([1.0, 0, 0, 0, 0, 0])])
    value = loss(outputs, targets).item()
    assert loss(double, others).item() == pytest.approx(value, rel=1e-5)
    assert NOMINAL_BATCH == 64


def test_the_parts_are_means_over_images() -> None:
    loss = BoxLoss(yolov5("n", 5).anchors)
    shapes = [(3, 64 // stride, 64 // stride, 10) for stride in (8, 16, 32)]
    one, two = ([torch.zeros(images, *shape) for shape in shapes] for images in (1, 2))
    target = torch.tensor([[0.0, 2, 10, 12, 40, 50]])
    values = [loss(one, target).item(), loss(two, target[:0]).item()]  # of an image with a box, and of two without
    first = loss.take_parts(ONE)
    assert sum(first.values()) == pytest.approx((values[0] + 2 * values[1]) / 3, rel=1e-5)
    loss(two, target[:0])
    second = loss.take_parts(ONE, "val_")
    assert second == pytest.approx({"val_box_loss": 0, "val_objectness_loss": values[1], "val_class_loss": 0})


def test_scores_of_perfect_boxes() -> None:
    anchors = yolov5("n", 2).anchors
    found = FoundBoxes(anchors, 2)
    outputs = [torch.full((1, 3, 64 // stride, 64 // stride, 7), -20.0) for stride in (8, 16, 32)]
    # level 16, anchor 61 x 45 ... with sigmoid 0.5 everything is 1 x the anchor, and the centre that of the cell
    outputs[1][0, 0, 1, 2] = torch.tensor([0.0, 0, 0, 0, 20, -20, 20])
    width, height = anchors[1, 0].tolist()
    box = [2.5 * 16 - width / 2, 1.5 * 16 - height / 2, 2.5 * 16 + width / 2, 1.5 * 16 + height / 2]
    found.observe(outputs, torch.tensor([[0, 1, *box]]))
    scores = found.scores(ONE)
    assert scores.map50 == pytest.approx(1) and fitness(scores) == pytest.approx(1)
    assert np.isnan(scores.average_precisions[0]).all()
