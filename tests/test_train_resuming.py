"""Resuming: a run in parts is the whole one, and what cannot be resumed."""

import pytest
import torch

import train
from helpers import make_dataset, numbers, train_settings
from utils.network.checkpoint import load_checkpoint
from utils.utils import UserError


def two_datasets(folder):
    """demo/, and drawn/ to mix in, both in `folder`; the first."""
    make_dataset(folder / "drawn", train=5, val=1)
    return make_dataset(folder / "demo")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Trains once for each choice of options, and gives the folder."""
    done = {}

    def run(**options):
        key = str(options)
        if key not in done:
            done[key] = two_datasets(tmp_path_factory.mktemp("whole"))
            train.main(train_settings(done[key], **options))
        return done[key]

    return run


@pytest.mark.parametrize(("ema", "num_workers"), [(0.0, 0), (0.9, 0), (0.0, 1)])
def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path, uninterrupted, ema, num_workers):
    options = {"freeze_epoch": 2, "unfreeze_epoch": 4, "ema": ema, "mixed_in": {"drawn": 0.4}}
    runs = uninterrupted(**options), two_datasets(tmp_path / "parts")
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
