"""train.py run for real on tiny sheets: every choice once, and what holds for a whole run."""

from pathlib import Path

import numpy as np
import pytest
import torch

import train
from deeplab import DeeplabV3
from helpers import BACKBONE_OF, make_dataset, numbers, sheet, train_settings
from nets.models import NETWORKS
from utils.network import precision
from utils.network.checkpoint import load_checkpoint
from utils.training import augmentation

pytestmark = pytest.mark.usefixtures("undrawn")
LIGHT = {"unfreeze_epoch": 1, "eval_flag": False, "optimizer_type": "sgd", "momentum": 0.0}  # little to save
# each line runs one epoch frozen and one not, unless it says otherwise
CHOICES = {
    "CE": {"dice_loss": False, "focal_loss": False, "lr_decay_type": "step"},
    "FL, factor 8": {"dice_loss": False, "focal_loss": True, "downsample_factor": 8},
    "CE+DL, kaiming, auto weights": {
        "dice_loss": True, "focal_loss": False, "init_type": "kaiming", "cls_weights": "auto"},
    "FL+DL, not frozen, accumulate": {"dice_loss": True, "focal_loss": True, "freeze_train": False, "accumulate": 2},
    "one sheet a batch, xavier": {"freeze_batch_size": 1, "unfreeze_batch_size": 1, "init_type": "xavier"},
    "one sheet a batch, BatchNorm frozen": {"unfreeze_batch_size": 1, "accumulate": 2, "freeze_bn": True},
    "full precision, orthogonal": {"fp16": False, "init_type": "orthogonal", "unfreeze_epoch": 1},
    "no evaluation": {"eval_flag": False, "unfreeze_epoch": 1},
    "xception, factor 8, weights": {
        **LIGHT, "backbone": "xception", "downsample_factor": 8, "cls_weights": (0.5, 1.0, 1.0, 1.0, 2.0)},
    "U-Net on VGG16": {**LIGHT, "model_name": "unet", "backbone": "vgg"},
    "U-Net on ResNet-50": {**LIGHT, "model_name": "unet", "backbone": "resnet50"},
    "PSPNet on ResNet-50, factor 8": {
        **LIGHT, "model_name": "pspnet", "backbone": "resnet50", "downsample_factor": 8},
    "PSPNet, one sheet a batch": {"model_name": "pspnet", "freeze_batch_size": 1, "unfreeze_batch_size": 1},
    "NHM, instances as in the program": {"model_name": "nhm", "instance_loss": "original", "unfreeze_batch_size": 1},
}


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_trains(folder, choice):
    changes = {"backbone": BACKBONE_OF[CHOICES[choice].get("model_name", "deeplabv3_plus")], **CHOICES[choice]}
    require_trains(train_settings(folder, input_shape=(32, 32), **changes))


@pytest.mark.parametrize(("optimizer_type", "lr_decay_type"), [("adam", "cos"), ("sgd", "step")])
@pytest.mark.parametrize("model_name", NETWORKS)
def test_every_network_trains_with_each_optimiser_and_schedule(tmp_path, model_name, optimizer_type, lr_decay_type):
    folder = make_dataset(tmp_path / "demo", train=2, val=1)
    require_trains(train_settings(
        folder, model_name=model_name, backbone=BACKBONE_OF[model_name], optimizer_type=optimizer_type,
        lr_decay_type=lr_decay_type, input_shape=(32, 32), freeze_train=False, unfreeze_epoch=1,
    ))


def require_trains(settings):
    """Trains, and checks that all losses are numbers and that the network can be loaded."""
    assert train.main(settings) == 0
    folder, epochs = Path(settings.save_dir), settings.unfreeze_epoch
    losses = numbers(folder.parent, "epoch_loss.txt") + numbers(folder.parent, "epoch_val_loss.txt")
    assert len(losses) == 2 * epochs and np.isfinite(losses).all()
    checkpoint = load_checkpoint(folder / "last_epoch_weights.pth")
    assert checkpoint.epoch == epochs and checkpoint.settings == settings.to_dict()
    checkpoint.build()


def test_freeze_bn_keeps_the_statistics_of_the_start_weights(folder):
    train.main(train_settings(folder, unfreeze_epoch=1, freeze_train=False))
    weights = folder / "logs" / "last_epoch_weights.pth"
    start = weights.rename(folder / "start.pth")
    train.main(train_settings(folder, unfreeze_epoch=1, freeze_train=False, freeze_bn=True, model_path=str(start)))
    before, after = load_checkpoint(start).model, load_checkpoint(weights).model
    same = {key for key in before if torch.equal(before[key], after[key])}
    assert {key for key in before if key.endswith(("running_mean", "running_var"))} <= same
    assert not {"cat_conv.1.weight", "cat_conv.1.bias", "cls_conv.weight"} & same  # BatchNorm's scale and shift learn


@pytest.mark.parametrize("model_name", NETWORKS)
def test_mixed_precision_where_the_cpu_has_it(tmp_path, monkeypatch, model_name):
    folder = make_dataset(tmp_path / "demo", train=2, val=1)
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)  # CPUs without take seconds for 16 x 16 pixels
    assert precision.choose_precision(True, torch.device("cpu")).dtype == torch.bfloat16
    network = {"model_name": model_name, "backbone": BACKBONE_OF[model_name]}
    assert train.main(train_settings(folder, fp16=True, input_shape=(16, 16), unfreeze_epoch=1, **network)) == 0
    assert np.isfinite(numbers(folder, "epoch_loss.txt")).all()
    weights = load_checkpoint(folder / "logs" / "last_epoch_weights.pth").model
    assert {weight.dtype for weight in weights.values()} <= {torch.float32, torch.int64}


def test_predict_shape_is_for_validation_and_prediction(folder, monkeypatch):
    shapes = {}
    real = train.run_epoch

    def spy(model, loader, *args, **options):
        shapes[len(args) > 4] = loader.dataset.input_shape
        return real(model, loader, *args, **options)

    monkeypatch.setattr(train, "run_epoch", spy)
    train.main(train_settings(folder, unfreeze_epoch=1, predict_shape=(96, 64)))
    assert shapes == {True: (64, 48), False: (96, 64)}
    assert load_checkpoint(folder / "logs" / "last_epoch_weights.pth").input_shape == [96, 64]


def test_training_samples_are_degraded_and_validation_sheets_are_not(folder, monkeypatch):
    calls = []
    real = augmentation.degrade
    monkeypatch.setattr(augmentation, "degrade", lambda *args: calls.append(args) or real(*args))
    train.main(train_settings(folder, degraded=1.0))
    assert len(calls) == 8  # four sheets, two epochs
    assert np.isfinite(numbers(folder, "epoch_loss.txt")).all()


def test_training_samples_are_turned_and_validation_sheets_are_not(folder, monkeypatch):
    quarters = []
    real = np.rot90
    monkeypatch.setattr(np, "rot90", lambda array, turns: quarters.append(turns) or real(array, turns))
    train.main(train_settings(folder, turned=1.0))
    assert len(quarters) == 2 * 8 and set(quarters) <= {1, 2, 3}  # image and mask of four sheets, two epochs


def test_the_same_seed_gives_the_same_run_and_another_does_not(tmp_path):
    losses = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        folder = make_dataset(tmp_path / name / "demo")
        train.main(train_settings(folder, seed=seed, unfreeze_epoch=1))
        losses.append(numbers(folder, "epoch_loss.txt"))
    assert losses[0] == losses[1] != losses[2]


def test_a_validation_sheet_listed_twice_counts_once(tmp_path):
    losses = []
    for name, lines in (("once", "K.0004\nK.0005\n"), ("twice", "K.0004\nK.0005\nK.0004\n")):
        folder = make_dataset(tmp_path / name / "demo")
        (folder / "ImageSets" / "Segmentation" / "val.txt").write_text(lines)
        train.main(train_settings(folder, unfreeze_epoch=1))
        losses.append(numbers(folder, "epoch_val_loss.txt"))
    assert losses[0] == losses[1]


def test_early_stopping(folder, monkeypatch):
    matrices = iter(np.eye(5, dtype=np.int64) * 10 + wrong for wrong in (3, 0, 1, 2, 0, 0))

    def run_epoch(*args, num_classes=0, **kwargs):
        return 1.0, torch.from_numpy(next(matrices)) if num_classes else None

    monkeypatch.setattr(train, "run_epoch", run_epoch)
    train.main(train_settings(folder, unfreeze_epoch=6, patience=2))
    assert len(numbers(folder, "epoch_miou.txt")) == 4  # the best is the second, the third and fourth are no better
    assert load_checkpoint(folder / "logs" / "best_epoch_weights.pth").epoch == 2


def test_without_decoder(folder):
    assert train.main(train_settings(folder, decoder=False, paste=0.5, object_gap=3, gap_weight=5.0)) == 0
    path = folder / "logs" / "last_epoch_weights.pth"
    weights = load_checkpoint(path).model
    image, _ = sheet(0)
    mask = DeeplabV3(path, device="cpu").segment(image)
    assert mask.shape == image.shape[:2] and mask.max() < 5

    start = folder / "start.pth"
    path.replace(start)
    options = {"model_path": str(start), "reinit_mismatched": True, "unfreeze_epoch": 1}
    assert train.main(train_settings(folder, decoder=True, **options)) == 0
    with_decoder = load_checkpoint(path).model
    backbone = [name for name in weights if name.startswith("backbone.")]
    assert len(backbone) > 200 and all(torch.equal(with_decoder[name], weights[name]) for name in backbone)  # frozen
    assert not torch.equal(with_decoder["cat_conv.0.weight"], weights["cat_conv.0.weight"])  # learns now
    assert DeeplabV3(path, device="cpu").segment(image).shape == mask.shape


def test_the_cache_changes_no_result(tmp_path):
    losses = []
    for name, changes in (("a", {}), ("b", {"cache_dir": ""}), ("c", {"cache_gb": 1e-5})):  # c: room for no sheet
        folder = make_dataset(tmp_path / name / "demo")
        train.main(train_settings(folder, unfreeze_epoch=1, **changes))
        losses.append(numbers(folder, "epoch_loss.txt") + numbers(folder, "epoch_val_loss.txt"))
        assert len(list(folder.glob("cache/*.sheet"))) == (6 if name == "a" else 0)
    assert losses[0] == losses[1] == losses[2]
