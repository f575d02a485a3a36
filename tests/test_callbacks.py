"""What a run leaves beside the weights: numbers, pictures, TensorBoard, what is kept of an earlier run."""

import json

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import train
from helpers import numbers, train_settings
from utils import callbacks
from utils.callbacks import LossHistory
from utils.network.checkpoint import load_checkpoint
from utils.utils import UserError


@pytest.fixture
def no_curves(monkeypatch):
    """Curves are not drawn: that takes longer than these runs."""
    monkeypatch.setattr(callbacks, "plot_curves", lambda *arguments: None)


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


def test_an_earlier_run_is_kept(folder, no_curves):
    train.main(train_settings(folder, unfreeze_epoch=1, seed=1))
    earlier = (folder / "logs" / "best_epoch_weights.pth").read_bytes()
    train.main(train_settings(folder, unfreeze_epoch=1, seed=2))
    assert (folder / "logs" / "previous_best_epoch_weights.pth").read_bytes() == earlier


def test_runs_that_fail_at_once_do_not_replace_what_was_kept(folder, monkeypatch, no_curves):
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
