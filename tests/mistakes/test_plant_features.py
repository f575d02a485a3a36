"""The statistics of a network's features over a plant, and how a batch of them is compared."""

from pathlib import Path

import numpy as np
import pytest
import torch

from drawn_plants import ROUND, LabelFinder, sheet
from helpers import checkpoint_of, new_deeplab
from nets.mobilenetv2 import MobileNetV2
from utils.mistakes.reading import features
from utils.mistakes.reading.features import Extractor, normalise, standardise, statistics
from utils.mistakes.reading.plant import Plant, show_plant
from utils.network.checkpoint import save_checkpoint
from utils.utils import UserError


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a fresh network."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "fresh.pth"
    save_checkpoint(path, checkpoint_of(new_deeplab(3), [64, 64]))
    return path


def test_statistics_count_the_plant_alone():
    feature = torch.tensor([[[1.0, 3.0], [5.0, 100.0]], [[2.0, 2.0], [2.0, -9.0]]])
    weights = torch.ones(1, 1, 4, 4)
    weights[..., 2:, 2:] = 0        # not the last value
    weights[..., :2, :2] = 0.5      # the first one half
    # Shares 0.2, 0.4, 0.4: mean 0.2 + 1.2 + 2 = 3.4; variance 0.2 * 5.76 + 0.4 * 0.16 + 0.4 * 2.56 = 2.24;
    # mean of the cubes 0.2 + 0.4 * 27 + 0.4 * 125 = 61.
    expected = [3.4, 2.0, 2.24 ** 0.5, 0.0, 61 ** (1 / 3), 2.0]
    assert statistics(feature, weights).tolist() == pytest.approx(expected, abs=1e-5)


def test_normalise_by_hand():
    first, second = np.float32([[1, 0], [3, 0], [5, 0]]), np.float32([[0, 2], [0, 0], [4, 1]])
    found = normalise(standardise([first, second]))
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 0.5 ** 0.5, 1])  # the second sheet is average in `first`
    np.testing.assert_allclose(found[:, :2], np.float32([[-1, 0], [0, 0], [1, 0]]) / 2 ** 0.5, atol=1e-6)
    spread = second.std(0)
    apart = (second[0] - second.mean(0)) / spread
    np.testing.assert_allclose(found[0, 2:], apart / np.linalg.norm(apart) / 2 ** 0.5, rtol=1e-5)


def test_the_backbone_of_a_checkpoint_describes_a_plant(weights: Path):
    extractor = Extractor("model", str(weights), "cpu")
    image = sheet(ROUND, 1)
    plants = show_plant(image, LabelFinder().segment(image), (96, 50)).plants
    blocks = extractor(plants)
    # MobileNetV2 has 24, 32, 96 and 320 channels at the strides 4, 8, 16 and 16.
    assert [len(block) for block in blocks] == [72, 96, 288, 960] * 2
    assert all(block.dtype == np.float32 and np.isfinite(block).all() for block in blocks)
    white = Plant(np.full((32, 32, 3), 255, np.uint8), np.ones((32, 32), np.float32))
    with torch.inference_mode():
        means = [extractor.backbone(torch.ones(1, 3, 32, 32))[k][0].mean((1, 2)) for k in (1, 4)]
    found = extractor([white])
    for block, mean in zip((found[0], found[3]), means):
        np.testing.assert_allclose(block[:len(mean)], mean, atol=0.02 * float(mean.abs().max()))


def test_a_file_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(1)
    path = tmp_path / "backbone.pth"
    torch.save(MobileNetV2(32).state_dict(), path)
    image = sheet(ROUND, 1)
    plants = show_plant(image, LabelFinder().segment(image), (48,)).plants
    (first, *_), (again, *_) = (Extractor(str(path), "", "cpu")(plants) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    with pytest.raises(UserError, match="nowhere.pth does not exist"):
        Extractor("nowhere.pth", "", "cpu")

    def unreachable(pretrained: bool, downsample_factor: int) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(features, "mobilenetv2", unreachable)
    with pytest.raises(UserError, match='features is "imagenet", and the weights are not there: no network'):
        Extractor("imagenet", "", "cpu")
