"""Training with the cache of scaled sheets: what is counted, and the samples that come of it."""

import numpy as np
import pytest

from helpers import make_dataset
from utils.benchmark.training import naive_samples
from utils.dataloader import SheetDataset, sheet_box
from utils.files.images import read_image
from utils.files.masks import read_mask
from utils.files.voc import VocDataset
from utils.network.letterbox import letterbox, letterbox_mask
from utils.training import cache as cache_module
from utils.training.cache import SheetCache
from utils.training.preflight import preflight


@pytest.fixture
def data(tmp_path):
    make_dataset(tmp_path / "demo", train=4, val=2, height=300, width=200)
    return VocDataset(tmp_path, "demo")


@pytest.mark.parametrize("begin", [0, 3])
def test_the_first_look_fills_it_and_counts_alike(data, tmp_path, begin):
    files = data.files("train") + data.files("val")
    folder, boxes = tmp_path / "cache", [(128, 96)] * 4 + [(64, 64)] * 2
    plain = preflight(files, 5, False)
    assert plain.tolist() == [[(read_mask(mask) == index).sum() for index in range(5)] for _, mask in files]
    for _ in range(2):  # the second time from the cache
        assert np.array_equal(preflight(files, 5, False, boxes, SheetCache(folder, 1), begin), plain)
        assert len(list(folder.iterdir())) == 6


def test_samples_are_the_same_with_and_without_it(data, tmp_path, monkeypatch):
    files, scale = data.files("train"), (0.25, 2.0)
    preflight(files, 5, False, [sheet_box((64, 48), scale)] * 4, SheetCache(tmp_path / "cache", 1))
    cached = SheetDataset(files, (64, 48), 3, scale, 0.5, str(tmp_path / "cache"))
    plain = [SheetDataset(files, (64, 48), 3, scale, 0.5)[1, number] for number in range(4)]
    monkeypatch.setattr(cache_module, "_read_files", None)  # would fail
    for number in range(4):
        assert all(np.array_equal(a, b) for a, b in zip(cached[1, number], plain[number]))


def test_validation_samples_are_the_plain_letterbox(data):
    dataset = SheetDataset(data.files("val"), (96, 96), 0)
    for number, stem in enumerate(data.stems("val")):
        image, mask = dataset[0, number]
        full = read_image(data.images()[stem])
        assert np.array_equal(mask, letterbox_mask(read_mask(data.mask(stem)), (96, 96)))
        difference = np.abs(image.numpy().astype(int) - letterbox(full, (96, 96))[0])
        assert difference.mean() < 3 and abs(image.numpy().mean() - letterbox(full, (96, 96))[0].mean()) < 0.5


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Sheets 5 times as large as the samples need them, and what 200 draws make of them with the cache's scaling."""
    root = tmp_path_factory.mktemp("large")
    make_dataset(root / "demo", train=4, val=1, height=640, width=400)
    dataset = SheetDataset(VocDataset(root, "demo").files("train"), (64, 48), 1, (0.25, 2.0))
    return dataset, draws(dataset)


def draws(dataset):
    samples = [dataset[number // 4, number % 4] for number in range(200)]
    return np.stack([image.numpy() for image, _ in samples]), np.stack([mask.numpy() for _, mask in samples])


def share(masks):
    return np.array([(masks == value).mean() for value in (0, 1, 2, 3, 4, 255)])


def test_augmentation_is_that_of_full_size_sheets(large, monkeypatch):
    """The same random numbers, once on scaled sheets and once on sheets as they are."""
    dataset, (images, masks) = large
    monkeypatch.setattr(cache_module, "_read_files", lambda request: (
        cache_module.Sheet(read_image(request.image), read_mask(request.mask), np.zeros(256))))
    full_images, full_masks = draws(dataset)
    assert np.abs(images.mean((0, 1, 2)) - full_images.mean((0, 1, 2))).max() < 0.3
    assert np.abs(images.std((0, 1, 2)) - full_images.std((0, 1, 2))).max() < 0.6
    assert np.abs(share(masks) - share(full_masks)).max() < 0.002
    assert (masks == full_masks).mean() > 0.98
    assert np.abs(images.astype(int) - full_images).mean() < 1.5


def test_augmentation_has_the_statistics_of_the_usual_loader(large):
    """Other random numbers, so the tolerances are those of chance: three standard deviations for 200 draws."""
    dataset, (images, masks) = large
    naive = list(naive_samples(dataset.files * 50, (64, 48), (0.25, 2.0), 5, seed=2))
    naive_images = np.stack([image for image, _, _ in naive]).transpose(0, 2, 3, 1) * 255
    naive_masks = np.stack([mask for _, mask, _ in naive])
    assert np.abs(images.mean((0, 1, 2)) - naive_images.mean((0, 1, 2))).max() < 8
    assert np.abs(images.std((0, 1, 2)) - naive_images.std((0, 1, 2))).max() < 5
    naive_masks[naive_masks == 5] = 255
    chance = np.std([[(mask == value).mean() for value in (0, 1, 2, 3, 4, 255)] for mask in masks], 0) * (2 / 200)**0.5
    assert (np.abs(share(masks) - share(naive_masks)) < 3 * chance).all() and chance.max() < 0.04
    assert np.array_equal(np.stack([one_hot for _, _, one_hot in naive]).argmax(-1) == 5, naive_masks == 255)
