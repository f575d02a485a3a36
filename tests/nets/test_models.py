"""The table of networks and backbones: its contract, and names that are not in it."""

import pytest
import torch

from helpers import new_deeplab
from nets.models import BACKBONES, DOWNSAMPLE_FACTORS, NETWORKS

BUILT = {
    (backbone, factor)
    for network in NETWORKS.values() for backbone in network.backbones
    for factor in ([network.downsample_factor] if network.downsample_factor else DOWNSAMPLE_FACTORS)
}


@torch.no_grad()
@pytest.mark.parametrize(("backbone", "downsample_factor"), sorted(BUILT))
def test_every_backbone_keeps_the_contract_of_the_table(backbone: str, downsample_factor: int) -> None:
    encoder = BACKBONES[backbone](False, downsample_factor).eval()
    features = encoder(torch.rand(2, 3, 75, 49))
    assert len(features) == len(encoder.strides) == len(encoder.channels)
    for feature, channels, stride in zip(features, encoder.channels, encoder.strides):
        assert feature.shape == (2, channels, -(-75 // stride), -(-49 // stride))
    assert encoder.strides == tuple(sorted(encoder.strides)) and encoder.strides[-1] <= downsample_factor


def test_every_backbone_belongs_to_a_network() -> None:
    assert {backbone for backbone, _ in BUILT} == BACKBONES.keys()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"backbone": "xception", "pretrained": True}, 'pretrained is True and backbone is "xception"'),
        ({"backbone": "resnet"}, "backbone is resnet: it has to be one of mobilenet, xception"),
        ({"backbone": "vgg"}, "backbone is vgg, which does not fit deeplabv3_plus: it has to be one of mobilenet, xc"),
        ({"wings": True}, "deeplabv3_plus has no option wings"),
        ({"downsample_factor": 4}, "downsample_factor is 4: it has to be one of 8, 16"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        new_deeplab(5, **arguments)
