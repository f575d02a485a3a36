"""The community's checkpoints: names, keys, shapes and logits."""

import json

import numpy as np
import pytest
import torch

from helpers import FIXTURES, needs_fixtures, new_deeplab
from nets.community import community_model, from_community, to_community

# community name, ours: what Sandler et al.'s blocks with (1 to 17) and without (block 1) expansion look like
NAMES = {
    "backbone.features.0.1.running_mean": "backbone.features.0.1.running_mean",
    "backbone.features.1.conv.0.weight": "backbone.features.1.conv.0.0.weight",
    "backbone.features.1.conv.1.bias": "backbone.features.1.conv.0.1.bias",
    "backbone.features.1.conv.3.weight": "backbone.features.1.conv.1.weight",
    "backbone.features.1.conv.4.running_var": "backbone.features.1.conv.2.running_var",
    "backbone.features.17.conv.0.weight": "backbone.features.17.conv.0.0.weight",
    "backbone.features.17.conv.1.weight": "backbone.features.17.conv.0.1.weight",
    "backbone.features.17.conv.3.weight": "backbone.features.17.conv.1.0.weight",
    "backbone.features.17.conv.4.running_var": "backbone.features.17.conv.1.1.running_var",
    "backbone.features.17.conv.6.weight": "backbone.features.17.conv.2.weight",
    "backbone.features.17.conv.7.num_batches_tracked": "backbone.features.17.conv.3.num_batches_tracked",
    "aspp.branch1.0.weight": "aspp.branch1.0.weight",
    "cls_conv.weight": "cls_conv.weight",
}


def test_names_of_the_community_layout() -> None:
    community = {name: torch.tensor(float(number)) for number, name in enumerate(NAMES)}
    ours = {name: torch.tensor(float(number)) for number, name in enumerate(NAMES.values())}
    parallel = {f"module.{name}": value for name, value in community.items()}
    assert from_community(community) == ours
    assert from_community(parallel) == ours
    assert from_community(ours) == ours
    assert to_community(ours) == community
    assert community_model(community) == community_model(parallel) == ("deeplabv3_plus", "mobilenet")
    assert not any(map(community_model, (ours, {}, {"state_dict": community})))


@needs_fixtures
@torch.no_grad()
@pytest.mark.parametrize("downsample_factor", [8, 16])
def test_community_checkpoint_gives_its_logits(downsample_factor: int) -> None:
    checkpoint = torch.load(FIXTURES / "community_layout_mobilenet_21.pth", map_location="cpu", weights_only=True)
    arrays = np.load(FIXTURES / "community_layout_mobilenet_21_io.npz")
    model = new_deeplab(21, "mobilenet", downsample_factor=downsample_factor).eval()
    model.load_state_dict(from_community(checkpoint))
    logits = model(torch.from_numpy(arrays["x"])).numpy()
    np.testing.assert_allclose(logits, arrays[f"logits_downsample_{downsample_factor}"], rtol=0, atol=1e-4)
    assert list(to_community(model.state_dict())) == list(checkpoint)


@needs_fixtures
def test_xception_has_the_communitys_keys_and_shapes() -> None:
    expected = json.loads((FIXTURES / "community_layout_xception_21_keys.json").read_text(encoding="utf-8"))
    model_state = new_deeplab(21, "xception").state_dict()
    assert {key: list(value.shape) for key, value in to_community(model_state).items()} == expected
    assert community_model(model_state) == ("deeplabv3_plus", "xception")
    assert from_community(model_state).keys() == model_state.keys()
