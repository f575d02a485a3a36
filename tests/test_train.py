"""train.py run for real on tiny sheets: every choice once, resuming, interruption, several processes."""

import copy
import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import train
from deeplab import DeeplabV3
from helpers import ROOT, make_dataset, sheet, train_settings
from nets.mobilenetv2 import imagenet_features, mobilenetv2
from utils import utils_fit
from utils.callbacks import LossHistory
from utils.dataloader import SheetDataset, make_loader
from utils.files.voc import VocDataset
from utils.network import precision
from utils.network.checkpoint import load_checkpoint
from utils.network.distributed import Processes
from utils.training import augmentation
from utils.training.averaging import make_average
from utils.training.loss import make_loss
from utils.training.mixing import Part
from utils.training.settings import check_settings, describe_run
from utils.training.start import start_model
from utils.utils import UserError
from utils.utils_fit import Updates, draw_overlays, run_epoch
from utils.utils_metrics import scores


@pytest.fixture
def folder(tmp_path):
    return make_dataset(tmp_path / "demo")


def numbers(folder, name):
    (log_dir,) = (folder / "logs").glob("loss_*")
    return [float(line) for line in (log_dir / name).read_text().split()]


# each line runs one epoch frozen and one not, unless it says otherwise
CHOICES = {
    "CE, sgd, step": {"dice_loss": False, "focal_loss": False, "optimizer_type": "sgd", "lr_decay_type": "step"},
    "FL, factor 8": {"dice_loss": False, "focal_loss": True, "downsample_factor": 8},
    "CE+DL, kaiming, auto weights": {
        "dice_loss": True, "focal_loss": False, "init_type": "kaiming", "cls_weights": "auto"},
    "FL+DL, not frozen, accumulate": {"dice_loss": True, "focal_loss": True, "freeze_train": False, "accumulate": 2},
    "xception, weights": {"backbone": "xception", "unfreeze_epoch": 1, "cls_weights": (0.5, 1.0, 1.0, 1.0, 2.0)},
    "xception, factor 8": {"backbone": "xception", "unfreeze_epoch": 1, "downsample_factor": 8},
    "one sheet a batch, xavier": {"freeze_batch_size": 1, "unfreeze_batch_size": 1, "init_type": "xavier"},
    "one sheet a batch, BatchNorm frozen": {"unfreeze_batch_size": 1, "accumulate": 2, "freeze_bn": True},
    "full precision, orthogonal": {"fp16": False, "init_type": "orthogonal"},
    "no evaluation": {"eval_flag": False},
}


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_trains(folder, choice):
    assert train.main(train_settings(folder, **CHOICES[choice])) == 0
    epochs = CHOICES[choice].get("unfreeze_epoch", 2)
    losses = numbers(folder, "epoch_loss.txt") + numbers(folder, "epoch_val_loss.txt")
    assert len(losses) == 2 * epochs and np.isfinite(losses).all()
    checkpoint = load_checkpoint(folder / "logs" / "last_epoch_weights.pth")
    assert checkpoint.epoch == epochs
    assert checkpoint.settings["dice_loss"] == CHOICES[choice].get("dice_loss", True)
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


def test_mixed_precision_where_the_cpu_has_it(tmp_path, monkeypatch):
    folder = make_dataset(tmp_path / "demo", train=2, val=1)
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)  # CPUs without take seconds for 16 x 16 pixels
    assert precision.choose_precision(True, torch.device("cpu")).dtype == torch.bfloat16
    assert train.main(train_settings(folder, fp16=True, input_shape=(16, 16), unfreeze_epoch=1)) == 0
    assert np.isfinite(numbers(folder, "epoch_loss.txt")).all()
    weights = load_checkpoint(folder / "logs" / "last_epoch_weights.pth").model
    assert weights["cls_conv.weight"].dtype == torch.float32


def test_what_a_run_leaves(folder):
    train.main(train_settings(folder, save_period=2, overlays=1))
    logs = folder / "logs"
    (log_dir,) = logs.glob("loss_*")
    names = {path.name for path in log_dir.iterdir()}
    assert {"epoch_loss.txt", "epoch_val_loss.txt", "epoch_miou.txt", "epoch_loss.png", "epoch_miou.png",
            "settings.json"} < names
    assert Image.open(log_dir / "epoch_loss.png").format == "PNG"
    assert json.loads((log_dir / "settings.json").read_text())["input_shape"] == [64, 48]
    mious = numbers(folder, "epoch_miou.txt")
    best = load_checkpoint(logs / "best_epoch_weights.pth")
    assert best.best_miou == max(mious) and best.epoch == mious.index(max(mious)) + 1
    assert best.training is None
    assert len(list(logs.glob("ep002-loss*-val_loss*.pth"))) == 1 and not list(logs.glob("ep001*"))
    events = EventAccumulator(str(log_dir))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"lr", "loss", "val_loss", "miou"}
    assert events.Tags()["images"] == ["validation/0"]
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(numbers(folder, "epoch_loss.txt"))


@pytest.mark.parametrize("name", ["epoch_miou.txt", "epoch_loss.png"])
def test_a_log_that_another_program_has_open_is_written_an_epoch_later(tmp_path, capsys, name):
    history = LossHistory(tmp_path, {}, {})
    log = history.log_dir / name

    def append(epoch):
        history.append(epoch=epoch, lr=0.1, loss=2.0, val_loss=3.0, miou=0.5)

    append(1)
    log.unlink()
    log.mkdir()  # what no file can replace
    append(2)
    assert log.is_dir()
    err = capsys.readouterr().err
    assert name in err and err.endswith("; training goes on, and the next epoch tries again.\n")
    log.rmdir()
    append(3)
    history.close()
    assert log.is_file() and capsys.readouterr().err == ""
    assert (history.log_dir / "epoch_miou.txt").read_text().split() == ["0.5", "0.5", "0.5"]


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


def test_a_frozen_backbone_does_not_move(folder):
    torch.manual_seed(1)
    backbone = mobilenetv2()
    torch.save(backbone.state_dict(), folder / "backbone.pth")
    train.main(train_settings(folder, backbone_path=str(folder / "backbone.pth"), unfreeze_epoch=1))
    weights = load_checkpoint(folder / "logs" / "last_epoch_weights.pth").model
    assert all(torch.equal(weights[f"backbone.{name}"], value) for name, value in backbone.state_dict().items())
    assert weights["aspp.branch1.1.num_batches_tracked"] == 2  # the rest did learn


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


def test_imagenet_weights_are_what_training_starts_from(folder, monkeypatch):
    download = torchvision.models.mobilenet_v2(weights=None).state_dict()
    monkeypatch.setattr(torchvision.models.MobileNet_V2_Weights, "get_state_dict", lambda *args, **options: download)
    train.main(train_settings(folder, pretrained=True, unfreeze_epoch=1))
    weights = load_checkpoint(folder / "logs" / "last_epoch_weights.pth").model
    expected = imagenet_features()
    assert len(expected) > 250
    assert all(torch.equal(weights[f"backbone.features.{name}"], value) for name, value in expected.items())  # frozen


@pytest.mark.parametrize(("init_type", "std"), [("normal", 0.02), ("kaiming", (2 / 256) ** 0.5)])
def test_layers_that_start_fresh_are_drawn_as_init_type_says(folder, init_type, std):
    settings = train_settings(folder, init_type=init_type)
    model = start_model(settings, None, Processes(0, 1, torch.device("cpu")))
    assert model.cls_conv.weight.std().item() == pytest.approx(std, rel=0.1)  # 5 x 256 numbers; PyTorch's own: 0.036
    assert not model.cls_conv.bias.any()


@pytest.mark.parametrize(("ema", "num_workers"), [(0.0, 0), (0.9, 0), (0.0, 1)])
def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path, ema, num_workers):
    runs = [make_dataset(tmp_path / name / "demo") for name in ("whole", "parts")]
    for run in runs:
        make_dataset(run.parent / "drawn", train=5, val=1)
    options = {"freeze_epoch": 2, "unfreeze_epoch": 4, "ema": ema, "mixed_in": {"drawn": 0.4}}
    train.main(train_settings(runs[0], **options))
    options["num_workers"] = num_workers

    real, calls = train.run_epoch, []

    def interrupt(*args, **kwargs):
        calls.append(args)
        if len(calls) == 6:  # training and validation of two epochs, training of the third: stop before it is saved
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train, "run_epoch", interrupt)
        train.main(train_settings(runs[1], **options))
    assert load_checkpoint(runs[1] / "logs" / "last_epoch_weights.pth").epoch == 2
    train.main(train_settings(runs[1], resume=True, **options))

    for name in ("epoch_loss.txt", "epoch_val_loss.txt", "epoch_miou.txt"):
        assert numbers(runs[1], name) == numbers(runs[0], name) and len(numbers(runs[0], name)) == 4
    first, second = (load_checkpoint(run / "logs" / "last_epoch_weights.pth") for run in runs)
    assert all(torch.equal(value, second.model[name]) for name, value in first.model.items())
    assert first.best_miou == second.best_miou


def test_averaged_weights_by_hand():
    model = torch.nn.Linear(1, 1, bias=False)
    average = make_average(model, 0.25, None)
    expected = None
    for steps, value in enumerate((1.0, 2.0, 4.0, 8.0)):
        model.weight.data.fill_(value)
        average.update_parameters(model)
        keep = min(0.25, (1 + steps) / (10 + steps))  # 0.1, 0.18, 0.25, 0.25
        expected = value if expected is None else keep * expected + (1 - keep) * value
        assert average.module.weight.item() == pytest.approx(expected)
    assert make_average(model, 0.0, None) is None


def test_the_average_is_what_is_saved(folder):
    train.main(train_settings(folder, ema=0.9, freeze_train=False))
    checkpoint = load_checkpoint(folder / "logs" / "last_epoch_weights.pth")
    average, weights = checkpoint.model, checkpoint.training["weights"]
    assert average.keys() == weights.keys()
    assert not torch.equal(average["cls_conv.weight"], weights["cls_conv.weight"])
    torch.testing.assert_close(average["cls_conv.weight"], weights["cls_conv.weight"], atol=0.01, rtol=0)


def test_the_same_seed_gives_the_same_run_and_another_does_not(tmp_path):
    losses = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        folder = make_dataset(tmp_path / name / "demo")
        train.main(train_settings(folder, seed=seed, unfreeze_epoch=1))
        losses.append(numbers(folder, "epoch_loss.txt"))
    assert losses[0] == losses[1] != losses[2]


def test_a_kill_leaves_a_loadable_checkpoint_and_no_workers(folder):
    settings = train_settings(folder, freeze_train=False, unfreeze_epoch=500, num_workers=1).to_dict()
    arguments = [f"--{name}={settings[name]}" for name in (
        "device", "num_workers", "dataset_path", "dataset", "input_shape", "predict_shape", "model_path",
        "freeze_train", "unfreeze_epoch", "unfreeze_batch_size", "eval_period", "save_dir", "cache_dir")]
    process = subprocess.Popen(
        [sys.executable, "train.py", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True)
    best = folder / "logs" / "best_epoch_weights.pth"  # written after an epoch, so both workers are at work
    assert wait_for(lambda: best.exists() or process.poll() is not None, 120)
    time.sleep(1)
    process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    process.wait()
    load_checkpoint(folder / "logs" / "last_epoch_weights.pth").build()
    if os.name == "posix":
        assert wait_for(lambda: not group_exists(process.pid), 60)


def wait_for(condition, seconds):
    """Whether `condition()` became true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def group_exists(leader):
    """Whether any process of the group of `leader` is left."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_earlier_run_is_kept(folder):
    train.main(train_settings(folder, unfreeze_epoch=1, seed=1))
    earlier = (folder / "logs" / "best_epoch_weights.pth").read_bytes()
    train.main(train_settings(folder, unfreeze_epoch=1, seed=2))
    assert (folder / "logs" / "previous_best_epoch_weights.pth").read_bytes() == earlier


def test_runs_that_fail_at_once_do_not_replace_what_was_kept(folder, monkeypatch):
    train.main(train_settings(folder, unfreeze_epoch=1))
    trained = (folder / "logs" / "last_epoch_weights.pth").read_bytes()
    monkeypatch.setattr(train, "run_epoch", fail)
    for _ in range(3):
        with pytest.raises(UserError, match="at once"):
            train.main(train_settings(folder, unfreeze_epoch=1, seed=2))
    assert (folder / "logs" / "previous_last_epoch_weights.pth").read_bytes() == trained
    assert load_checkpoint(folder / "logs" / "last_epoch_weights.pth").epoch == 0


def fail(*args, **kwargs):
    raise UserError("at once")


def test_weights_that_are_no_numbers_are_not_saved(folder, monkeypatch):
    real = train.run_epoch

    def diverge(model, *args, **kwargs):
        result = real(model, *args, **kwargs)
        if model.training:  # in the last step, whose loss was still a number
            model.cls_conv.bias.data.fill_(math.nan)
        return result

    monkeypatch.setattr(train, "run_epoch", diverge)
    with pytest.raises(UserError, match="The loss became nan in Epoch 1/2 validation"):
        train.main(train_settings(folder))
    weights = load_checkpoint(folder / "logs" / "last_epoch_weights.pth").model
    assert all(value.isfinite().all() for value in weights.values())
    assert not (folder / "logs" / "best_epoch_weights.pth").exists()


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


def test_start_weights_of_other_classes(folder, capsys):
    train.main(train_settings(folder, unfreeze_epoch=1))
    start = str(folder / "logs" / "last_epoch_weights.pth")
    more = ("_background_", "Barcode", "Label", "Color chart", "Scale", "Stamp")
    with pytest.raises(UserError, match="cls_conv.weight, cls_conv.bias.*reinit_mismatched = True"):
        train.main(train_settings(folder, unfreeze_epoch=1, model_path=start, name_classes=more))
    options = {"unfreeze_epoch": 1, "model_path": start, "name_classes": more, "reinit_mismatched": True}
    assert train.main(train_settings(folder, **options)) == 0
    assert "trained from scratch: cls_conv.weight, cls_conv.bias" in capsys.readouterr().out


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


class Compiled(torch.nn.Module):
    """What `torch.compile` makes of a module, as far as training can see: a wrapper with the same weights."""

    def __init__(self, module):
        super().__init__()
        self._orig_mod = module

    def forward(self, x):
        return self._orig_mod(x)


def test_a_compiled_model_trains_alike_and_saves_plain_names(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "compile", Compiled)  # compiling takes its time, and a C++ compiler
    checkpoints = []
    for name, compiled in (("plain", False), ("compiled", True)):
        folder = make_dataset(tmp_path / name / "demo")
        train.main(train_settings(folder, compile_model=compiled, unfreeze_epoch=1))
        checkpoints.append((load_checkpoint(folder / "logs" / "last_epoch_weights.pth").model,
                            numbers(folder, "epoch_loss.txt")))
    (plain, loss), (compiled, compiled_loss) = checkpoints
    assert plain.keys() == compiled.keys() and compiled_loss == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("fused", [False, True])
def test_an_optimiser_goes_on_from_the_state_of_another_device(fused):
    def updates(fused):
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 1)
        optimizer = torch.optim.Adam(model.parameters(), 0.1, fused=fused)
        return model, Updates(model, optimizer, torch.amp.GradScaler("cpu", enabled=False))

    def step(model, up):
        model(torch.arange(3.0)).sum().backward()
        up.step()

    model, up = updates(fused)
    step(model, up)
    weights, state = {name: value.clone() for name, value in model.state_dict().items()}, copy.deepcopy(up.state_dict())
    step(model, up)
    again, resumed = updates(not fused)
    again.load_state_dict(weights)
    resumed.load_state_dict(state)
    assert resumed.optimizer.param_groups[0]["fused"] == (not fused)
    step(again, resumed)
    torch.testing.assert_close(again.weight, model.weight)


def test_losses_are_means_over_sheets_however_they_are_read():
    """25 batches, the last one smaller: read in three lots."""
    batches = [(torch.zeros(2 if number < 24 else 1, 4, 4, 3, dtype=torch.uint8),
                torch.zeros(2 if number < 24 else 1, 4, 4, dtype=torch.uint8)) for number in range(25)]
    values = iter([float(number) for number in range(25)])
    plain, procs = precision.choose_precision(False, torch.device("cpu")), Processes(0, 1, torch.device("cpu"))
    model = torch.nn.Conv2d(3, 2, 1)
    loss, _ = run_epoch(model, batches, lambda logits, mask: torch.tensor(next(values)), plain, procs, "check")
    assert loss == pytest.approx((2 * sum(range(24)) + 24) / 49)


def test_the_bar_tells_loss_and_learning_rate(folder, monkeypatch):
    told = []
    monkeypatch.setattr(utils_fit.tqdm, "set_postfix", lambda bar, values, refresh: told.append((bar.desc, values)))
    train.main(train_settings(folder, unfreeze_epoch=1, lr_decay_type="step"))
    assert [(title, set(values)) for title, values in told] == [
        ("Epoch 1/1 training", {"loss", "lr"}), ("Epoch 1/1 validation", {"loss"})]
    assert told[0][1] == {"loss": f"{numbers(folder, 'epoch_loss.txt')[0]:.4f}", "lr": "3.00e-04"}  # batches of two


def test_overlays_show_the_first_sheets_as_the_network_predicts(folder):
    """A network whose Dropout, were it on, would leave next to nothing."""
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 1), torch.nn.Dropout(0.99)).train()
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.copy_(torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]))  # a label everywhere
    data = VocDataset(folder.parent, folder.name)
    sheets = SheetDataset(data.files("train"), (64, 48), 0)
    plain, procs = precision.choose_precision(False, torch.device("cpu")), Processes(0, 1, torch.device("cpu"))
    overlays = draw_overlays(model, sheets, 3, plain, procs)
    assert len(overlays) == 3 and len(draw_overlays(model, sheets, 9, plain, procs)) == len(sheets) == 4
    for number, overlay in enumerate(overlays):
        tinted = (sheets[0, number][0].numpy() + np.array([0.0, 128.0, 0.0])) / 2
        np.testing.assert_allclose(overlay, tinted, atol=0.5)


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"input_shape": (64, 50)}, r"input_shape is \(64, 50\): .* multiples of 16"),
    ({"predict_shape": (0, 64)}, r"predict_shape is \(0, 64\): .* multiples of 16"),
    ({"unfreeze_batch_size": 0}, "unfreeze_batch_size is 0: it has to be 1 or more"),
    ({"num_workers": -1}, "num_workers is -1: it has to be 0 or more"),
    ({"ema": 1.0}, "ema is 1.0: it has to be 0 or more and below 1"),
    ({"init_epoch": 2}, "init_epoch is 2: it has to be below unfreeze_epoch, 2"),
    ({"name_classes": ("a", "a")}, "2 to 255 different names"),
    ({"cls_weights": (-1.0, 1.0, 1.0, 1.0, 1.0)}, "no number may be below 0"),
    ({"cls_weights": (0.0,) * 5}, "not all may be 0"),
    ({"cls_weights": ()}, "cls_weights has 0 numbers and name_classes 5 names"),
    ({"init_lr": 0.0}, "init_lr is 0.0: it has to be above 0, or None"),
    ({"cls_weights": (1.0, 2.0)}, "cls_weights has 2 numbers and name_classes 5 names"),
    ({"augment_scale": (2.0, 0.5)}, "augment_scale"),
    ({"paste": 1.5}, "paste is 1.5: it has to be from 0 to 1"),
    ({"degraded": -0.1}, "degraded is -0.1: it has to be from 0 to 1"),
    ({"turned": 1.1}, "turned is 1.1: it has to be from 0 to 1"),
    ({"seed": -1}, "seed is -1: it has to be from 0 to 4294967295"),
    ({"momentum": 1.5}, "momentum is 1.5: it has to be 0 or more and below 1"),
    ({"weight_decay": -0.1}, "weight_decay is -0.1: it has to be 0 or more"),
    ({"object_gap": 4}, "object_gap is 4: it has to be 0 or an odd number"),
    ({"gap_weight": 0.0}, "gap_weight is 0.0: it has to be above 0"),
    ({"object_gap": 3, "name_classes": tuple(map(str, range(255)))}, "name_classes may have at most 254 names"),
    ({"cache_gb": -1.0}, "cache_gb is -1.0: it has to be 0 or more"),
    ({"resume": True}, "last_epoch_weights.pth does not exist"),
    ({"model_path": "nowhere.pth"}, "nowhere.pth does not exist"),
    ({"backbone": "xception", "pretrained": True}, "pretrained"),
    ({"device": "abacus"}, 'device is "abacus"'),
    ({"distributed": True}, "torchrun did not start this process"),
    ({"dataset": "nothing"}, "dataset_path and dataset have to name"),
])
def test_settings_that_do_not_fit(folder, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        train.main(train_settings(folder, **changes))
    assert not list((folder / "logs").glob("*.pth"))


@pytest.mark.parametrize(("init_lr", "used"), [(1e-6, "3.00e-04"), (0.1, "5.00e-04")])
def test_the_run_says_which_learning_rate_the_limits_leave(folder, init_lr, used):
    plain = precision.choose_precision(False, torch.device("cpu"))
    settings = train_settings(folder, init_lr=init_lr, unfreeze_epoch=10)
    text = describe_run(settings, Processes(0, 1, torch.device("cpu")), plain, [Part(4, 4)], 2, 0)
    assert f"learning rate up to {used}, float32." in text


def test_resuming_what_cannot_be_resumed(folder):
    train.main(train_settings(folder, unfreeze_epoch=1))
    logs = folder / "logs"
    with pytest.raises(UserError, match="was trained with adam and optimizer_type is sgd"):
        train.main(train_settings(folder, resume=True, optimizer_type="sgd"))
    with pytest.raises(UserError, match="has 1 epochs and unfreeze_epoch is 1: raise it"):
        train.main(train_settings(folder, resume=True, unfreeze_epoch=1))
    (logs / "best_epoch_weights.pth").replace(logs / "last_epoch_weights.pth")
    with pytest.raises(UserError, match="holds weights only and cannot be resumed"):
        train.main(train_settings(folder, resume=True))


def test_upsampling_is_exact_unless_a_run_is_resumed_where_it_was_not(folder):
    train.main(train_settings(folder, unfreeze_epoch=1))
    path = folder / "logs" / "last_epoch_weights.pth"
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["options"].pop("exact_upsampling") is True and load_checkpoint(path).build().exact_upsampling
    torch.save(checkpoint, path)
    assert not load_checkpoint(path).build().exact_upsampling
    train.main(train_settings(folder, resume=True, unfreeze_epoch=2))
    assert load_checkpoint(path).options["exact_upsampling"] is False


def test_out_of_gpu_memory_gives_the_hint(folder, monkeypatch):
    def run_out(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(train, "run_epoch", run_out)
    with pytest.raises(UserError, match="lower unfreeze_batch_size .* raise downsample_factor to 16"):
        train.main(train_settings(folder))


def test_a_loss_that_is_not_finite_ends_the_run(folder, monkeypatch):
    monkeypatch.setattr(train, "make_loss", lambda *args: lambda logits, mask: logits.sum() * math.nan)
    with pytest.raises(UserError, match="The loss became nan in Epoch 1/2 training: set fp16 = False or lower init_lr"):
        train.main(train_settings(folder))


def test_two_processes(folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    settings = train_settings(folder, num_workers=1).to_dict()
    arguments = [f"--{name}={settings[name]}" for name in (
        "device", "num_workers", "dataset_path", "dataset", "input_shape", "predict_shape", "model_path",
        "freeze_epoch", "unfreeze_epoch", "freeze_batch_size", "unfreeze_batch_size", "eval_period", "save_dir",
        "cache_dir")]
    result = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "train.py",
         "--distributed=true", "--sync_bn=true", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert "2 x cpu" in result.stdout and result.stdout.count("Epoch 2/2: loss") == 1
    checkpoint = load_checkpoint(folder / "logs" / "last_epoch_weights.pth")
    assert checkpoint.epoch == 2 and len(numbers(folder, "epoch_miou.txt")) == 2
    # the weights that both processes agreed on score what the log says
    data = VocDataset(folder.parent, folder.name)
    procs = Processes(0, 1, torch.device("cpu"))
    loader = make_loader(SheetDataset(data.files("val"), (64, 48), 0), 1, 0, procs)
    plain = precision.choose_precision(False, procs.device)
    loss_fn = make_loss(train_settings(folder), np.ones((1, 5)), procs.device)
    loss, matrix = run_epoch(checkpoint.build(), loader, loss_fn, plain, procs, "check", num_classes=5)
    assert loss == pytest.approx(numbers(folder, "epoch_val_loss.txt")[-1], rel=1e-4)
    assert scores(matrix.numpy()).miou == pytest.approx(numbers(folder, "epoch_miou.txt")[-1], abs=1e-4)


def test_an_uneven_batch_size_for_two_processes(folder):
    with pytest.raises(UserError, match="freeze_batch_size is 3: it has to be a multiple of the 2 processes"):
        check_settings(
            train_settings(folder, freeze_batch_size=3), Processes(0, 2, torch.device("cpu")))
