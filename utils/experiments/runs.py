"""The one table of the experiments: which constants of train.py each row changes, and what the dissertation found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

ExperimentName = Literal["models", "datasets", "losses", "optimizers", "schedules", "precision"]


class Variant(NamedTuple):
    """One row of an experiment: its name, and the constants of train.py that it changes."""

    name: str
    changes: Mapping[str, Any]


def _network(model_name: str, backbone: str, **changes: Any) -> dict[str, Any]:
    return {"model_name": model_name, "backbone": backbone, **changes}


# The rows of "datasets" depend on the sheets: see institutions.py.
VARIANTS: Mapping[ExperimentName, tuple[Variant, ...]] = {
    "models": (  # Tables 1 and 2
        Variant("DeepLabv3+ on MobileNetV2", _network("deeplabv3_plus", "mobilenet")),
        Variant("U-Net on VGG16", _network("unet", "vgg")),
        Variant("U-Net on ResNet50", _network("unet", "resnet50")),
        Variant("U-Net on MobileNetV2", _network("unet", "mobilenet")),
        Variant("PSPNet on MobileNetV2", _network("pspnet", "mobilenet")),
        Variant("PSPNet on ResNet50", _network("pspnet", "resnet50s")),
        # its authors use cross entropy, each class weighted by how rare it is
        Variant("NHM on ResNet18", _network(
            "nhm", "resnet18", focal_loss=False, dice_loss=False, cls_weights="auto")),
    ),
    "datasets": (),  # Table 3
    "losses": (  # Table 4
        Variant("CE", {"focal_loss": False, "dice_loss": False}),
        Variant("FL", {"focal_loss": True, "dice_loss": False}),
        Variant("CE + DL", {"focal_loss": False, "dice_loss": True}),
        Variant("FL + DL", {"focal_loss": True, "dice_loss": True}),
    ),
    "optimizers": (  # Table 5
        Variant("Adam", {"optimizer_type": "adam", "weight_decay": 0.0}),
        Variant("SGD", {"optimizer_type": "sgd", "weight_decay": 1e-4}),
    ),
    "schedules": (  # Table 6
        Variant("cos", {"lr_decay_type": "cos"}),
        Variant("step", {"lr_decay_type": "step"}),
    ),
    "precision": (  # Table 7
        Variant("fp16 on", {"fp16": True}),
        Variant("fp16 off", {"fp16": False}),
    ),
}

TITLES: Mapping[ExperimentName, str] = {
    "models": "Networks (Tables 1 and 2 of the dissertation)",
    "datasets": "Training sets (Table 3 of the dissertation)",
    "losses": "Losses (Table 4 of the dissertation): cross entropy CE, focal FL, Dice DL",
    "optimizers": "Optimisers (Table 5 of the dissertation)",
    "schedules": "Learning rate schedules (Table 6 of the dissertation)",
    "precision": "Number formats (Table 7 of the dissertation)",
}

# What the dissertation found, by the name of the row. Its other figures are not known to this project.
PUBLISHED: Mapping[ExperimentName, Mapping[str, str]] = {
    "models": {
        "DeepLabv3+ on MobileNetV2":
            "mIoU 90.65%, its best, on institutions trained on; 252 min for 100 epochs of 1000 sheets, laptop GPU",
        "NHM on ResNet18": "accuracy / precision: NMW 37.5% / 40.4%, MNHN 58.0% / 67.4%, mixed 38.3% / 42.0%",
    },
}
