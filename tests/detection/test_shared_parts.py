"""What detection needs of the training that it shares with segmentation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from nets.deeplabv3_training import make_optimizer
from utils import callbacks
from utils.callbacks import LossHistory
from utils.network.distributed import Processes
from utils.network.precision import choose_precision
from utils.training.updates import Updates
from utils.utils_fit import run_epoch

CPU = torch.device("cpu")
ONE = Processes(0, 1, CPU)


def test_decay_on_convolutions_alone() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    optimizer = make_optimizer(model, "sgd", 0.1, momentum=0.0, weight_decay=0.5, decay_all=False)
    assert [(len(group["params"]), group["weight_decay"]) for group in optimizer.param_groups] == [(1, 0.5), (3, 0.0)]
    with torch.no_grad():
        for value in model.parameters():
            value.fill_(2.0)
            value.grad = torch.zeros_like(value)
    optimizer.step()
    # 2 - 0.1 x 0.5 x 2
    assert [round(value.item(), 6) for value in model.parameters()] == [1.9, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(("clip", "expected"), [(0.0, [-3.0, -4.0]), (10.0, [-3.0, -4.0]), (1.0, [-0.6, -0.8])])
def test_gradients_are_scaled_down_to_the_norm(clip: float, expected: list[float]) -> None:
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)
    model.weight.grad = torch.tensor([[3.0, 4.0]])  # of norm 5
    scaler = choose_precision(False, CPU).scaler()
    Updates(model, torch.optim.SGD(model.parameters(), 1.0), scaler, clip=clip).step()
    torch.testing.assert_close(model.weight.detach(), torch.tensor([expected]))


def test_every_batch_is_observed() -> None:
    seen = []
    batches = [(torch.zeros(1, 4, 4, 3, dtype=torch.uint8), torch.full((1, 4, 4), number)) for number in (1, 2)]
    run_epoch(
        nn.Conv2d(3, 2, 1), batches, lambda output, truth: output.sum(), choose_precision(False, CPU), ONE, "check",
        observe=lambda output, truth: seen.append((tuple(output.shape), truth.unique().item())),
    )
    assert seen == [((1, 2, 4, 4), 1), ((1, 2, 4, 4), 2)]


def test_scores_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {}
    monkeypatch.setattr(callbacks, "plot_curves", lambda path, curves, *args: drawn.update({path.name: curves}))
    history = LossHistory(tmp_path, {}, {}, scores={"fitness": "fitness", "map50": "mAP50"})
    for epoch, values in enumerate(((0.2, 0.5), (0.4, 0.3), (None, None), (0.3, 0.9)), 1):
        history.append(epoch=epoch, lr=0.1, loss=2.0, val_loss=3.0, fitness=values[0], map50=values[1])
    assert history.best_score == 0.4 and history.evaluations_without_gain == 1
    assert history.describe_last("E").endswith("fitness 0.3000 (best 0.4000), mAP50 0.9000")
    assert (history.log_dir / "epoch_map50.txt").read_text() == "0.5\n0.3\n0.9\n"
    assert drawn["epoch_fitness.png"] == {
        "fitness": ([1, 2, 4], [0.2, 0.4, 0.3]), "mAP50": ([1, 2, 4], [0.5, 0.3, 0.9])}
    history.close()


def test_parts_of_the_loss_in_a_run_that_began_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}
    monkeypatch.setattr(callbacks, "plot_curves", lambda path, curves, *args: drawn.update({path.name: curves}))
    past = {"epochs": [{"epoch": 1, "lr": 0.1, "loss": 2.0, "val_loss": 3.0, "miou": None}]}
    history = LossHistory(tmp_path, {}, past, parts={"box_loss": "boxes"})
    history.append(epoch=2, lr=0.1, loss=1.5, val_loss=2.5, box_loss=0.5)
    history.close()
    assert (history.log_dir / "epoch_box_loss.txt").read_text() == "0.5\n"
    assert drawn["epoch_parts.png"] == {"boxes": ([2], [0.5])}
    assert drawn["epoch_loss.png"]["training"] == ([1, 2], [2.0, 1.5])
    assert history.state_dict()["epochs"][1]["miou"] is None


def test_what_one_process_gathers_is_its_own() -> None:
    assert ONE.gather([1, "a"]) == [1, "a"]
