"""Segmenter with a network that tells objects apart: here by their colour."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deeplab import GPU_BATCH, Segmenter
from helpers import checkpoint_of, new_deeplab, together
from nets.models import build_model
from utils.network.batching import Batcher
from utils.network.checkpoint import save_checkpoint
from utils.objects.instances import find_instances
from utils.utils import UserError


class SeesShades(nn.Module):
    """Red is a barcode, green a label, all else background; an object is a shade of red or green."""

    needs_instances = True

    def forward(self, x: Tensor) -> Tensor:
        red, green, _ = x.unbind(1)
        return torch.stack((torch.full_like(red, 0.5), 1.6 * (red - green), 1.6 * (green - red)), dim=1)

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self(x), 20 * x[:, :2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    path = tmp_path_factory.mktemp("shades") / "model.pth"
    save_checkpoint(path, checkpoint_of(new_deeplab(3), [96, 96]))
    model = Segmenter(path, device="cpu", fp16=False)
    model.model = SeesShades()
    return model


@pytest.fixture
def plain(model: Segmenter, monkeypatch: pytest.MonkeyPatch) -> Segmenter:
    """The same with a network that has no embeddings."""
    monkeypatch.delattr(SeesShades, "embed")
    return model


def sheet() -> tuple[np.ndarray, np.ndarray]:
    """An image of 300 x 210 pixels and its objects: two labels that touch, and a barcode.

    For the network it has 96 x 67 pixels, and bars of 6 and 7 columns.
    """
    image, numbers = np.full((300, 210, 3), 20, np.uint8), np.zeros((300, 210), np.uint16)
    for number, box, colour in ((1, np.s_[200:290, 10:100], (255, 0, 0)), (2, np.s_[20:110, 10:100], (0, 255, 0)),
                                (3, np.s_[20:110, 100:190], (0, 180, 0))):
        image[box], numbers[box] = colour, number
    return image, numbers


def inner(numbers: np.ndarray) -> np.ndarray:
    """Where all pixels within 4, more than one of the network's, have one number: bool (H, W)."""
    steps = [np.roll(numbers, (dy, dx), (0, 1)) == numbers for dy in (-4, 0, 4) for dx in (-4, 0, 4)]
    return np.all(steps, axis=0)


def test_objects_of_one_class_that_touch(model):
    image, numbers = sheet()
    mask, instances = model.segment_instances(image)
    assert (mask.dtype, instances.dtype) == (np.uint8, np.uint16) and model.finds_instances
    np.testing.assert_array_equal(mask, model.segment(image))
    np.testing.assert_array_equal(instances > 0, mask > 0)
    np.testing.assert_array_equal(instances[inner(numbers)], numbers[inner(numbers)])
    assert np.unique(instances).tolist() == [0, 1, 2, 3]
    barcode, left, right = model.regions(mask, instances=instances)
    assert [region.instance for region in (barcode, left, right)] == [1, 2, 3]
    assert np.abs(np.subtract((left.left, left.width, right.left, right.width), (10, 90, 100, 90))).max() <= 4
    barcode, labels = model.regions(mask)
    assert labels.width > 170 and labels.instance == 0


def test_mask_and_probability_are_those_without_instances(model):
    image, _ = sheet()
    mask, probability, instances = model.segment_sheet(image)
    for value, same in zip((mask, probability), model.segment_with_probability(image)):
        np.testing.assert_array_equal(value, same)
    assert probability.shape == (96, 67)
    np.testing.assert_array_equal(instances, model.segment_instances(image)[1])


def test_objects_that_the_network_is_not_sure_of_have_no_number(model, monkeypatch):
    """Logits of (0.5, 1.13, -1.13) and (0.5, -1.6, 1.6): probabilities of 0.61 and 0.73, a little less at edges."""
    image, numbers = sheet()
    image[numbers == 1], image[numbers == 3] = (180, 0, 0), (0, 255, 0)
    monkeypatch.setattr(model, "min_confidence", 0.67)
    mask, instances = model.segment_instances(image)
    assert np.unique(mask).tolist() == [0, 2]
    np.testing.assert_array_equal(instances, mask > 0)  # the labels are now one, and count from 1


def test_sheets_of_several_threads_in_one_batch_are_as_each_alone(model, monkeypatch):
    images = [np.roll(sheet()[0], 7 * number, 0) for number in range(3)]
    alone = [model.segment_instances(image) for image in images]
    batcher = Batcher(model._forward, GPU_BATCH)
    monkeypatch.setattr(model, "_batcher", batcher)
    for both, same in zip(together(batcher, model.segment_instances, images), alone, strict=True):
        np.testing.assert_array_equal(both, same)


def test_the_real_network(tmp_path):
    """Logits and embeddings come out of one pass, in this order; ONNX Runtime gives the classes alone."""
    torch.manual_seed(0)
    network, path = build_model("nhm", 3, "resnet18").eval(), tmp_path / "nhm.pth"
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    network.class_head[-1].weight.data *= 100
    with torch.no_grad():
        network.class_head[-1].bias -= network(batch).mean((0, 2, 3))  # fresh weights see one class everywhere
    save_checkpoint(path, checkpoint_of(network, [64, 96], model_name="nhm", backbone="resnet18", downsample_factor=8))
    model = Segmenter(path, device="cpu", fp16=False, straighten=False)
    with torch.inference_mode():
        logits, embeddings = network.embed(batch)
    mask, instances = model.segment_instances(image)
    classes = logits[0].argmax(0).numpy().astype(np.uint8)
    assert len(np.unique(classes)) > 1 and (mask == classes).mean() > 0.999  # folded layers may move a tie
    expected = find_instances(classes, embeddings[0].numpy())
    assert expected.any() and (instances == expected).mean() > 0.99
    exported = Segmenter(path, device="cpu", fp16=False, engine="onnxruntime", straighten=False)
    assert not exported.finds_instances and (exported.segment(image) == classes).mean() > 0.999


def test_other_networks_find_no_instances(plain):
    image, _ = sheet()
    assert not plain.finds_instances and plain.segment_sheet(image)[2] is None
    with pytest.raises(UserError, match="This deeplabv3_plus finds no instances: take a checkpoint of nhm"):
        plain.segment_instances(image)
