"""Resuming: a run in parts is the whole one, and what cannot be resumed."""

import pytest
import torch

import train
from helpers import BACKBONE_OF, make_dataset, numbers, train_settings
from nets.models import NETWORKS
from utils.network.checkpoint import load_checkpoint
from utils.utils import UserError

pytestmark = pytest.mark.usefixtures("undrawn")


def two_datasets(folder):
    """demo/, and drawn/ to mix in, both in `folder`; the first."""
    make_dataset(folder / "drawn", train=3, val=1)
    return make_dataset(folder / "demo", train=3, val=1)


@pytest.mark.parametrize(("model_name", "epochs", "ema", "num_workers"), [
    ("deeplabv3_plus", 3, 0.0, 1), *((name, 2, 0.9, 0) for name in NETWORKS)])
def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path, model_name, epochs, ema, num_workers):
    """The uninterrupted one has no workers."""
    options = {
        "model_name": model_name, "backbone": BACKBONE_OF[model_name], "freeze_epoch": 1, "unfreeze_epoch": epochs,
        "ema": ema, "mixed_in": {"drawn": 0.4}, "input_shape": (48, 32),
    }
    runs = two_datasets(tmp_path / "whole"), two_datasets(tmp_path / "parts")
    train.main(train_settings(runs[0], **options))
    real, calls = train.run_epoch, []

    def interrupt(*args, **kwargs):
        calls.append(args)
        if len(calls) == 4:  # training and validation of an epoch, training of the second: stop before it is saved
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train, "run_epoch", interrupt)
        train.main(train_settings(runs[1], **options))
    assert load_checkpoint(runs[1] / "logs" / "last_epoch_weights.pth").epoch == 1
    train.main(train_settings(runs[1], resume=True, num_workers=num_workers, **options))

    for name in ("epoch_loss.txt", "epoch_val_loss.txt", "epoch_miou.txt"):
        assert numbers(runs[1], name) == numbers(runs[0], name) and len(numbers(runs[0], name)) == epochs
    first, second = (load_checkpoint(run / "logs" / "last_epoch_weights.pth") for run in runs)
    assert all(torch.equal(value, second.model[name]) for name, value in first.model.items())
    assert first.best_miou == second.best_miou
    if ema:  # the average is what is saved, and the weights that learn go on as they were
        learning = first.training["weights"]
        assert all(torch.equal(value, second.training["weights"][name]) for name, value in learning.items())
        assert not all(torch.equal(value, first.model[name]) for name, value in learning.items())


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
