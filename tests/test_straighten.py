"""Segmenter on sheets that lie turned: what the network is shown, and that results lie where the objects are."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import deeplab
from deeplab import Segmenter
from helpers import checkpoint_of, new_deeplab, together
from turned_sheets import near, photograph
from utils.network.batching import Batcher
from utils.network.checkpoint import save_checkpoint


class SeesCards(nn.Module):
    """What is white is a label, all else background. It counts its calls and keeps the shapes of what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen += [tuple(x.shape[2:])] * len(x)
        white = x.amin(1) > 0.93
        return 4 * torch.stack((torch.full_like(x[:, 0], 0.5), torch.zeros_like(x[:, 0]), white.float()), dim=1)

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Objects on the left and on the right of what was shown differ."""
        across = torch.linspace(0, 1, x.shape[3]).expand(len(x), 1, x.shape[2], -1).round() * 40
        return self(x), across.repeat(1, 2, 1, 1)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    path = tmp_path_factory.mktemp("turned") / "model.pth"
    save_checkpoint(path, checkpoint_of(new_deeplab(3), [400, 400]))
    return Segmenter(path, device="cpu", fp16=False)


@pytest.fixture
def model(loaded, monkeypatch) -> Segmenter:
    monkeypatch.setattr(loaded, "model", SeesCards())
    return loaded


def cards(pixels: np.ndarray) -> np.ndarray:
    """The pixels that are white, uint8 (H, W) of 0 and 1."""
    return (pixels.min(2) > 237).astype(np.uint8)


@pytest.mark.parametrize("angle", [31, -12])
def test_a_turned_sheet_is_shown_upright_and_its_mask_is_turned_back(model, angle):
    """The network sees hardly more than the sheet, 400 x 270 pixels."""
    pixels = photograph(angle)
    mask, probability = model.segment_with_probability(pixels)
    ((height, width),) = model.model.seen
    assert height == 400 and abs(width - 272) <= 16
    assert mask.shape == pixels.shape[:2] and near(mask // 2, cards(pixels), 3)
    assert probability.shape == pytest.approx(pixels.shape[:2], rel=0.1)  # at nearly the same scale
    assert (probability[[0, 0, -1, -1], [0, -1, 0, -1]] == 1).all() and probability.min() < 0.99
    small, large = sorted(model.regions(mask, probability=probability), key=lambda region: region.area)
    for region in (small, large):  # the logits are 2, 0 and 4
        assert region.confidence == pytest.approx(math.exp(4) / (1 + math.exp(2) + math.exp(4)), abs=0.01)
        assert region.rectangle.angle == pytest.approx(angle, abs=1)


def test_an_upright_sheet_is_shown_once_and_as_it_is(model, monkeypatch):
    pixels = photograph(2)
    found = model.segment_sheet(pixels)
    assert model.model.seen == [(400, 368)] and found[0].any()
    monkeypatch.setattr(model, "straighten", False)
    for value, same in zip(found, model.segment_sheet(pixels), strict=True):
        np.testing.assert_array_equal(value, same)
    model.segment(photograph(31))
    assert model.model.seen == [(400, 368)] * 3


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_sheet_on_its_side_is_shown_again(model, monkeypatch, quarters):
    """What is found then is what is found on the same pixels turned by hand."""
    pixels = photograph(0)
    expected = [np.rot90(found, quarters) for found in model.segment_sheet(np.rot90(pixels, -quarters))]
    model.model.seen.clear()
    monkeypatch.setattr(deeplab, "quarter_turns", lambda seen, classes, names: quarters)
    for value, same in zip(model.segment_sheet(pixels), expected, strict=True):
        np.testing.assert_array_equal(value, same)
    assert model.model.seen == [(400, 368), (368, 400) if quarters % 2 else (400, 368)]


def test_objects_are_told_apart_on_a_straightened_sheet(model):
    pixels = photograph(31)
    mask, instances = model.segment_instances(pixels)
    truth = cv2.connectedComponents(cards(pixels))[1]
    assert sorted(np.unique(instances)) == [0, 1, 2] and near((instances > 0).astype(np.uint8), mask // 2, 1)
    for number in (1, 2):
        (other,) = np.unique(truth[(instances == number) & (truth > 0)])
        assert near((instances == number).astype(np.uint8), (truth == other).astype(np.uint8), 3)


def test_turned_and_upright_sheets_of_several_sizes_in_one_batch(model, monkeypatch):
    sheets = [photograph(31), photograph(0), photograph(0)[150:550, 150:500], photograph(-31), photograph(31)[:, 20:]]
    alone = [model.segment(sheet) for sheet in sheets]
    batcher = Batcher(model._forward, 4)
    monkeypatch.setattr(model, "_batcher", batcher)
    for mask, same, sheet in zip(together(batcher, model.segment, sheets), alone, sheets, strict=True):
        assert mask.shape == sheet.shape[:2] and mask.any()
        np.testing.assert_array_equal(mask, same)
