"""Every network, trained for an epoch on the demo set, and what is done with its checkpoint: predict, score, export."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import get_miou
import predict
import train
from helpers import BACKBONE_OF, ROOT, still, train_settings
from nets.blocks import SegmentationNetwork
from nets.models import NETWORKS
from utils import config
from utils.dataloader import SheetDataset
from utils.files.masks import read_mask
from utils.files.voc import VocDataset
from utils.network.checkpoint import load_checkpoint
from utils.network.distributed import Processes
from utils.network.letterbox import network_input
from utils.scoring import report
from utils.training.loss import make_loss
from utils.training.start import start_model
from utils.utils import NAME_CLASSES, seed_everything

DEMO = {"dataset_path": str(ROOT / "herbarium_sheets"), "dataset": "demo"}


def settings_of(folder: Path, model_name: str) -> config.Settings:
    """Settings of train.py for one epoch of 21 steps on the demo set, at a learning rate that shows in so few."""
    return train_settings(
        folder, **DEMO, model_name=model_name, backbone=BACKBONE_OF[model_name], init_lr=1.0, lr_decay_type="step",
        optimizer_type="adam" if model_name == "nhm" else "sgd", fp16=False, freeze_train=False, unfreeze_epoch=1,
        passes=3, dice_loss=False, focal_loss=False, min_confidence=0.0, overlays=0, input_shape=(48, 32),
    )


@pytest.fixture(scope="module", params=NETWORKS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, undrawn: None) -> Path:
    """The checkpoint of a network, logs/last_epoch_weights.pth in a folder with its name."""
    folder = tmp_path_factory.mktemp("trained") / request.param
    folder.mkdir()
    assert train.main(settings_of(folder, request.param)) == 0
    return folder / "logs" / "last_epoch_weights.pth"


@torch.no_grad()
def training_loss(model: SegmentationNetwork, folder: Path) -> float:
    """The loss that training makes smaller, on four sheets of the demo set, without anything random."""
    s = settings_of(folder, "unet")
    sheets = SheetDataset(
        VocDataset(s.dataset_path, s.dataset).files("train"), s.input_shape, 0, (1.0, 1.0),
        panoptic=model.needs_instances)
    images, masks, *instances = (torch.stack(parts) for parts in zip(*(sheets[0, number] for number in range(4))))
    output = still(model).train()(network_input(images))
    return model.training_loss(
        output, masks, *(instances or [None]), make_loss(s, np.ones((1, 5)), torch.device("cpu"))).item()


def test_the_loss_falls_in_an_epoch_on_the_demo_set(trained: Path) -> None:
    checkpoint, folder = load_checkpoint(trained), trained.parents[1]
    settings = settings_of(folder, checkpoint.model_name)
    seed_everything(settings.seed)
    start = start_model(settings, None, Processes(0, 1, torch.device("cpu")))
    before, after = (training_loss(model, folder) for model in (start, checkpoint.build()))
    assert after < 0.75 * before
    if checkpoint.model_name in ("deeplabv3_plus", "unet"):  # cross entropy alone, of a network that knows nothing
        assert before == pytest.approx(math.log(5), abs=0.25)


def test_a_checkpoint_predicts_and_is_scored(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for plot in ("plot_bars", "plot_confusion"):  # test_plots.py draws them
        monkeypatch.setattr(report, plot, lambda *args: None)
    model = {"model_path": str(trained), "device": "cpu"}
    assert get_miou.main(config.read(get_miou, **DEMO, **model, out_dir=str(tmp_path), object_scores=False)) == 0
    found = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    masks = sorted((tmp_path / "masks").iterdir())
    assert found["sheets"] == len(masks) == 4 and not found["missing"] and 0 <= found["miou"] <= 1
    assert [record["name"] for record in found["classes"]] == list(NAME_CLASSES)

    stem = masks[0].stem
    (tmp_path / "in").mkdir()
    shutil.copy(ROOT / "herbarium_sheets" / "demo" / "JPEGImages" / f"{stem}.jpg", tmp_path / "in")
    folders = {"input_dir": str(tmp_path / "in"), "output_dir": str(tmp_path / "out")}
    for engine in ("torch", "onnxruntime"):
        assert predict.main(config.read(predict, **model, **folders, engine=engine, num_workers=1)) == 0
        mask = read_mask(tmp_path / "out" / "masks" / f"{stem}.png")
        assert (tmp_path / "out" / f"{stem}.jpg").is_file()
        assert (mask != read_mask(masks[0])).mean() < 0.02  # numbers are rounded otherwise


@pytest.mark.parametrize("trained", ["nhm"], indirect=True)  # test_onnx_export.py has the others
def test_a_checkpoint_is_exported(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "model.onnx"
    assert predict.main(config.read(predict, mode="onnx", model_path=str(trained), onnx_path=str(path))) == 0
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["model_name"]) == load_checkpoint(trained).model_name
