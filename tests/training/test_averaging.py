"""The average of the weights: by hand, and that it is what is saved."""

import pytest
import torch

import train
from helpers import train_settings
from utils.network.checkpoint import load_checkpoint
from utils.training.updates import make_average


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


def test_the_average_is_what_is_saved(folder, undrawn):
    train.main(train_settings(folder, ema=0.9, freeze_train=False))
    checkpoint = load_checkpoint(folder / "logs" / "last_epoch_weights.pth")
    average, weights = checkpoint.model, checkpoint.training["weights"]
    assert average.keys() == weights.keys()
    assert not torch.equal(average["cls_conv.weight"], weights["cls_conv.weight"])
    torch.testing.assert_close(average["cls_conv.weight"], weights["cls_conv.weight"], atol=0.01, rtol=0)
