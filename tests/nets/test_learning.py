"""Training on synthetic sheets teaches something: make_sheets.py, train.py and get_miou.py, as a user runs them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import get_miou
import make_sheets
import train
from helpers import ROOT, new_deeplab
from nets.deeplabv3_training import weights_init
from utils import callbacks, config
from utils.network.checkpoint import load_checkpoint, save_checkpoint
from utils.scoring import report

WEIGHTS = ROOT / "model_data" / "deeplab_mobilenetv2.pth"


def test_three_epochs_on_forty_sheets_lift_the_validation_miou(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From a trained backbone, all else fresh. Whoever calls all of a sheet background gets about 0.17."""
    for module, plot in ((callbacks, "plot_curves"), (report, "plot_bars"), (report, "plot_confusion")):
        monkeypatch.setattr(module, plot, lambda *arguments: None)  # drawing them takes seconds
    make_sheets.main(config.read(
        make_sheets, count=48, height=256, seed=4, output_dir=str(tmp_path), val_share=1 / 6, num_samples=0,
    ))
    start = load_checkpoint(WEIGHTS)
    torch.manual_seed(0)
    model = new_deeplab(5, decoder=False)
    weights_init(model)
    model.load_state_dict({k: v for k, v in start.model.items() if k.startswith("backbone.")}, strict=False)
    save_checkpoint(tmp_path / "start.pth", replace(
        start, model=model.state_dict(), options={"decoder": False, "exact_upsampling": True}, min_confidence=0.0,
        input_shape=[256, 192], probe=None,
    ))
    data = {"device": "cpu", "dataset_path": str(tmp_path), "dataset": "synthetic"}
    train.main(config.read(
        train, **data, num_workers=0, model_path=str(tmp_path / "start.pth"), decoder=False, input_shape=(192, 144),
        predict_shape=(256, 192), augment_scale=(0.8, 1.5), freeze_train=False, init_epoch=1, unfreeze_epoch=4,
        unfreeze_batch_size=2, focal_loss=False, min_confidence=0.0, eval_period=1, save_period=0, overlays=0,
        save_dir=str(tmp_path / "logs"), cache_dir=str(tmp_path / "cache"),
    ))
    miou = {}
    for name, weights in (("start", tmp_path / "start.pth"), ("end", tmp_path / "logs" / "best_epoch_weights.pth")):
        get_miou.main(config.read(get_miou, **data, model_path=str(weights), out_dir=str(tmp_path / name)))
        miou[name] = json.loads((tmp_path / name / "metrics.json").read_text(encoding="utf-8"))["miou"]
    assert miou["start"] < 0.2 and miou["end"] > miou["start"] + 0.15, miou
