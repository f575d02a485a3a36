"""Settings of train.py that do not fit, and what the run says of those that do."""

import pytest
import torch

import train
from helpers import train_settings
from utils.network import precision
from utils.network.distributed import Processes
from utils.training.mixing import Part
from utils.training.settings import check_settings, describe_run
from utils.utils import UserError


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
    ({"backbone": "vgg"}, "backbone is vgg, which does not fit deeplabv3_plus: it has to be one of mobilenet, xcep"),
    ({"unlabelled": "more"}, "unlabelled is more and model_name is deeplabv3_plus, which learns nothing from sheets"),
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
    text = describe_run(settings, Processes(0, 1, torch.device("cpu")), plain, [Part(4, 4)], 7, 2, 0)
    assert "4 samples per epoch from 4 sheets and as many from 7 without labels, 2 validation sheets" in text
    assert f"learning rate up to {used}, float32." in text


def test_an_uneven_batch_size_for_two_processes(folder):
    with pytest.raises(UserError, match="freeze_batch_size is 3: it has to be a multiple of the 2 processes"):
        check_settings(
            train_settings(folder, freeze_batch_size=3), Processes(0, 2, torch.device("cpu")))
