"""Sheets for training and validation: which come when, and what their samples depend on."""

import pickle

import cv2
import pytest
import torch

from helpers import make_dataset, sheet
from utils import dataloader
from utils.dataloader import EpochSampler, SheetDataset, make_loader, sheet_box
from utils.files.voc import VocDataset
from utils.network.distributed import Processes
from utils.training import augmentation
from utils.training.mixing import Part

ONE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture
def data(tmp_path):
    make_dataset(tmp_path / "demo", train=5, val=3)
    return VocDataset(tmp_path, "demo")


def training_set(data, seed=3):
    return SheetDataset(data.files("train"), (64, 48), seed, augment_scale=(0.25, 2.0))


def epoch(dataset, number):
    return batches(make_loader(dataset, 2, 0, ONE), number)


def batches(loader, number):
    loader.sampler.epoch = number
    images, masks = zip(*loader)
    return torch.cat(images), torch.cat(masks)


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """A data set, a loader whose two workers began where this process could read no sheet, and its epoch 0."""
    data = VocDataset(make_dataset(tmp_path_factory.mktemp("workers") / "demo", train=5, val=3).parent, "demo")
    loader = make_loader(training_set(data), 2, 2, ONE)

    def used(*_):
        raise RuntimeError("this process's own")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataloader, "read_sheet", used)
        with pytest.raises(RuntimeError, match="own"):
            epoch(training_set(data), 0)
        return data, loader, batches(loader, 0)


def test_samples_are_uint8_at_the_input_shape(data):
    images, masks = epoch(training_set(data), 0)
    assert images.dtype == masks.dtype == torch.uint8
    assert images.shape == (5, 64, 48, 3) and masks.shape == (5, 64, 48)
    assert set(masks.unique().tolist()) <= {0, 1, 2, 3, 4, 255}


def test_one_seed_gives_the_same_with_any_number_of_workers(workers):
    data, loader, _ = workers
    first, second = epoch(training_set(data), 4), batches(loader, 4)
    assert all(torch.equal(a, b) for a, b in zip(first, second))


def test_epochs_sheets_and_seeds_differ(data):
    images = [epoch(training_set(data, seed), number)[0] for seed, number in ((3, 0), (3, 1), (4, 0))]
    assert not any(torch.equal(images[a], images[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    same_sheet = [training_set(data)[number, 0][0] for number in range(4)]
    assert len({sample.numpy().tobytes() for sample in same_sheet}) == 4


def test_persistent_workers_get_the_new_epoch(workers):
    data, loader, _ = workers
    seen = []
    for number in (0, 1):
        seen.append(batches(loader, number)[0])
        assert torch.equal(seen[-1], epoch(training_set(data), number)[0])
    assert not torch.equal(*seen)


def test_workers_are_no_copies_of_this_process(workers):
    data, _, first = workers
    assert torch.equal(first[0], epoch(training_set(data), 0)[0])


def test_a_dataset_of_thousands_of_sheets_fits_into_a_pipe(data):
    image, mask = data.files("train")[0]
    dataset = SheetDataset([(image, mask)], (32, 32), seed=1)
    dataset.files = [
        (image.with_name(f"{number * 7919}.jpg"), mask.with_name(f"{number}.png")) for number in range(4000)]
    pickled = pickle.dumps(dataset)  # what `spawn` hands to a worker; larger than a pipe, it waits until that one reads
    assert len(pickled) < 65536 < len(pickle.dumps(dataset.files))
    assert pickle.loads(pickled).files == dataset.files


def test_validation_sheets_come_once_in_order_and_letterboxed(data):
    dataset = SheetDataset(data.files("val"), (64, 64), seed=0)
    images, masks = epoch(dataset, 7)
    assert images.shape == (3, 64, 64, 3)
    assert (images[:, :, :10] == 128).all() and (masks[:, :, :10] == 255).all()  # bars: 64 x 43 in 64 x 64
    expected, _ = sheet(5)
    inner = images[0, 4:, 12:52].float().mean().item()
    assert abs(inner - cv2.resize(expected, (43, 64))[4:, 2:42].mean()) < 3


@pytest.mark.parametrize(("shuffle", "expected"), [(False, [[0, 3, 6], [1, 4], [2, 5]]), (True, None)])
def test_sampler_over_processes(shuffle, expected):
    parts = []
    for rank in range(3):
        sampler = EpochSampler([Part(7, 7)], shuffle, seed=1, rank=rank, world_size=3)
        sampler.epoch = 2
        indices = list(sampler)
        assert len(indices) == len(sampler) and {number for number, _ in indices} == {2}
        parts.append([number for _, number in indices])
    if expected:
        assert parts == expected
    else:  # as many for each process, every sheet, two of them twice
        assert [len(part) for part in parts] == [3, 3, 3]
        assert sorted(set(sum(parts, []))) == list(range(7))


def test_training_is_shuffled_and_validation_is_not(data):
    in_order = SheetDataset(data.files("train"), (64, 48), 3)
    for dataset, shuffled in ((training_set(data), True), (in_order, False)):
        loader = make_loader(dataset, 2, 0, ONE)
        orders = []
        for loader.sampler.epoch in range(5):
            orders.append([number for _, number in loader.sampler])
            assert sorted(orders[-1]) == [0, 1, 2, 3, 4]
        assert (orders != 5 * [[0, 1, 2, 3, 4]]) == shuffled


def test_shuffling_changes_from_epoch_to_epoch():
    sampler = EpochSampler([Part(50, 50)], True, seed=1)
    first = [number for _, number in sampler]
    sampler.epoch = 1
    second = [number for _, number in sampler]
    assert sorted(first) == sorted(second) == list(range(50)) and first != second and first != sorted(first)


def test_sheet_box_is_the_largest_size_that_is_made():
    assert sheet_box((512, 384), (0.25, 2.0)) == (1024, 768) and sheet_box((448, 320), (0.9, 1.9)) == (852, 608)
    assert sheet_box((640, 640), None) == (640, 640)  # the letterbox


def test_the_dataset_pastes_on_its_share_of_the_samples(data, monkeypatch):
    calls = []
    real = dataloader.paste_objects
    monkeypatch.setattr(dataloader, "paste_objects", lambda *args: calls.append(args) or real(*args))
    dataset = SheetDataset(data.files("train"), (64, 48), 3, (0.5, 1.0), paste=0.3)
    for number in range(300):
        image, mask = dataset[number // 5, number % 5]
        assert image.shape == (64, 48, 3) and set(mask.unique().tolist()) <= {0, 1, 2, 3, 4, 255}
    assert abs(len(calls) / 300 - 0.3) < 0.08


def test_object_gap_reaches_training_masks_and_not_validation(data, monkeypatch):
    calls = []
    real = dataloader.separate_objects
    monkeypatch.setattr(dataloader, "separate_objects", lambda mask, gap: calls.append(gap) or real(mask, gap))
    options = {"paste": 1.0, "object_gap": 5}
    SheetDataset(data.files("train"), (64, 48), 3, (0.5, 1.0), **options)[0, 0]
    assert calls == [5, 5]  # the sheet, and the one that objects are taken from
    SheetDataset(data.files("val"), (64, 48), 3, **options)[0, 0]
    SheetDataset(data.files("train"), (64, 48), 3, (0.5, 1.0), paste=1.0)[0, 0]
    assert calls == [5, 5]


def test_the_share_of_degraded_samples(data, monkeypatch):
    calls = []
    monkeypatch.setattr(augmentation, "degrade", lambda image, rng: calls.append(image.shape) or image)
    plain, dataset = training_set(data), SheetDataset(
        data.files("train"), (64, 48), 3, augment_scale=(0.25, 2.0), degraded=0.3)
    for number in range(500):
        dataset[number, number % 5]
        plain[number, number % 5]
    assert abs(len(calls) / 500 - 0.3) < 0.06
