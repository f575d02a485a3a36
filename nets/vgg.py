"""VGG16 as encoder: Simonyan & Zisserman 2014, arXiv 1409.1556, configuration D.

It is `torchvision.models.vgg16` without the last pooling and the classifier. Deviation: pooling rounds sizes up, so
that images of odd sizes lose no row or column.
"""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models import VGG16_Weights
from torchvision.models.vgg import cfgs, make_layers

from nets.mobilenetv2 import fold_normalisation, imagenet_weights

LEVELS = (3, 8, 15, 22, 29)  # layers that give the features: the one before each pooling, and the last
WEIGHTS = VGG16_Weights.IMAGENET1K_V1


class VGG16(nn.Module):
    """An encoder; `forward` describes its features. `features` holds the layers under torchvision's names."""

    channels = (64, 128, 256, 512, 512)
    strides = (1, 2, 4, 8, 16)

    def __init__(self) -> None:
        super().__init__()
        self.features = make_layers(cfgs["D"])[:-1]
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                layer.ceil_mode = True
            elif isinstance(layer, nn.ReLU):
                layer.inplace = False  # autograd forbids it behind WinogradConv2d

    def forward(self, x: Tensor) -> list[Tensor]:
        """The features of x, float (N, 3, H, W) RGB in [0, 1]. Sizes are rounded up.

        | Number | Channels | Stride |
        |--:|--:|--:|
        | 0 | 64 | 1 |
        | 1 | 128 | 2 |
        | 2 | 256 | 4 |
        | 3 | 512 | 8 |
        | 4 | 512 | 16 |
        """
        features = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in LEVELS:
                features.append(x)
        return features


def vgg(pretrained: bool = False, downsample_factor: int = 16) -> VGG16:
    """The encoder, for input in [0, 1]. `pretrained` loads torchvision's ImageNet weights, downloaded once.

    Raises ConnectionError when they cannot be downloaded, and ValueError for a downsample_factor below 16.
    """
    if downsample_factor < 16:
        raise ValueError(
            f'downsample_factor is {downsample_factor} and backbone is "vgg", whose largest stride is 16: '
            "set downsample_factor = 16."
        )
    model = VGG16()
    if pretrained:
        model.load_state_dict(imagenet_encoder())
    return model


def imagenet_encoder() -> dict[str, Tensor]:
    """torchvision's ImageNet weights of the encoder, changed to take RGB in [0, 1].

    The change is the one that `fold_normalisation` describes. The first layer has no BatchNorm, whose mean would be
    subtracted, but a bias, which is added: hence the minus signs.
    Raises ConnectionError when the weights cannot be downloaded, or the download is damaged.
    """
    state = {key: value for key, value in imagenet_weights(WEIGHTS).items() if key.startswith("features.")}
    first = {"0.0.weight": state["features.0.weight"], "0.1.running_mean": -state["features.0.bias"]}
    folded = fold_normalisation(first, WEIGHTS.transforms().mean, WEIGHTS.transforms().std)
    return {**state, "features.0.weight": folded["0.0.weight"], "features.0.bias": -folded["0.1.running_mean"]}
