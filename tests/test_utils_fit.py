"""An epoch: the mean loss, the bar, the optimiser, overlays, a compiled network."""

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import train
from helpers import BACKBONE_OF, make_dataset, new_model, numbers, still, striped_batch, train_settings
from nets.models import NETWORKS
from utils import utils_fit
from utils.dataloader import SheetDataset
from utils.files.voc import VocDataset
from utils.network import precision
from utils.network.checkpoint import load_checkpoint
from utils.network.distributed import Processes
from utils.training.loss import make_loss
from utils.training.updates import Updates
from utils.utils import UserError
from utils.utils_fit import draw_overlays, run_epoch

pytestmark = pytest.mark.usefixtures("undrawn")
PROCS = Processes(0, 1, torch.device("cpu"))
PLAIN = precision.choose_precision(False, PROCS.device)


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


class Compiled(torch.nn.Module):
    """What `torch.compile` makes of a module, as far as training can see: a wrapper with the same weights."""

    def __init__(self, module):
        super().__init__()
        self._orig_mod = module

    def forward(self, x):
        return self._orig_mod(x)


@pytest.mark.parametrize("model_name", NETWORKS)
def test_a_compiled_model_trains_alike_and_saves_plain_names(tmp_path, monkeypatch, model_name):
    monkeypatch.setattr(torch, "compile", Compiled)  # compiling takes its time, and a C++ compiler
    options = {"model_name": model_name, "backbone": BACKBONE_OF[model_name], "input_shape": (32, 32)}
    checkpoints = []
    for name, compiled in (("plain", False), ("compiled", True)):
        folder = make_dataset(tmp_path / name / "demo", train=2, val=1)
        train.main(train_settings(folder, compile_model=compiled, unfreeze_epoch=1, **options))
        checkpoints.append((load_checkpoint(folder / "logs" / "last_epoch_weights.pth").model,
                            numbers(folder, "epoch_loss.txt")))
    (plain, loss), (compiled, compiled_loss) = checkpoints
    assert plain.keys() == compiled.keys() and compiled_loss == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("model_name", NETWORKS)
def test_accumulated_batches_are_one_larger_batch(model_name):
    """Where BatchNorm does not look at the batch: two sheets at once, or one after the other, are the same step."""
    torch.manual_seed(0)
    start = still(new_model(model_name))
    start.freeze_batchnorm(True)
    _, masks, instances = striped_batch(2, 33, 47)
    images = torch.randint(0, 256, (2, 33, 47, 3), dtype=torch.uint8)
    loss_fn = make_loss(train_settings(Path(), dice_loss=False), np.ones((1, 5)), torch.device("cpu"))
    steps = []
    for size in (2, 1):
        model = copy.deepcopy(start)
        updates = Updates(
            model, torch.optim.SGD(model.parameters(), 1.0), torch.amp.GradScaler("cpu", enabled=False), 2 // size)
        batches = list(zip(*(part.split(size) for part in (images, masks, instances)), strict=True))
        loss, _ = run_epoch(model, batches, loss_fn, PLAIN, PROCS, "check", updates)
        steps.append([new - old for new, old in zip(model.state_dict().values(), start.state_dict().values())])
        assert loss > 0
    largest = max(step.abs().max() for step in steps[0])
    assert largest > 1e-3
    for large, small in zip(*steps, strict=True):
        torch.testing.assert_close(small, large, rtol=1e-3, atol=1e-5 * largest.item())


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
    model = torch.nn.Conv2d(3, 2, 1)
    loss, _ = run_epoch(model, batches, lambda logits, mask: torch.tensor(next(values)), PLAIN, PROCS, "check")
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
    overlays = draw_overlays(model, sheets, 3, PLAIN, PROCS)
    assert len(overlays) == 3 and len(draw_overlays(model, sheets, 9, PLAIN, PROCS)) == len(sheets) == 4
    for number, overlay in enumerate(overlays):
        tinted = (sheets[0, number][0].numpy() + np.array([0.0, 128.0, 0.0])) / 2
        np.testing.assert_allclose(overlay, tinted, atol=0.5)


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
