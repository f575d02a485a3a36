"""Training with instances, and with sheets that are not labelled: the samples, and which come when."""

import numpy as np
import pytest
import torch

from helpers import make_dataset
from utils.dataloader import EpochSampler, SheetDataset, make_loader, sheet_box
from utils.files.masks import read_mask, write_instances
from utils.files.voc import VocDataset
from utils.network.distributed import Processes
from utils.training import cache as cache_module
from utils.training.cache import SheetCache
from utils.training.mixing import Part, epoch_samples
from utils.training.preflight import preflight

ONE = Processes(0, 1, torch.device("cpu"))
OPTIONS = {"paste": 0.7, "object_gap": 3, "degraded": 0.3, "turned": 0.5}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five sheets. The label of the first is two objects in its instance mask."""
    data = VocDataset(make_dataset(tmp_path_factory.mktemp("instances") / "demo", train=5, val=2).parent, "demo")
    mask = read_mask(data.mask("K.0000"))
    numbers = np.where(mask < 255, mask, 0).astype(np.uint16)
    numbers[:, 20:][mask[:, 20:] == 2] = 9
    write_instances(data.instances("K.0000"), numbers)
    return data


def samples(dataset, passes=6):
    return [dataset[passed, number] for passed in range(passes) for number in range(len(dataset.files))]


def test_images_and_masks_are_the_same_with_instances_and_each_instance_has_one_class(data):
    files, several = data.files("train"), 0
    plain = samples(SheetDataset(files, (64, 48), 3, (0.5, 2.0), **OPTIONS))
    for expected, (image, mask, instances) in zip(
            plain, samples(SheetDataset(files, (64, 48), 3, (0.5, 2.0), panoptic=True, **OPTIONS)), strict=True):
        assert torch.equal(image, expected[0]) and torch.equal(mask, expected[1])
        assert mask.dtype == instances.dtype == torch.uint8 and mask.shape == instances.shape == (64, 48)
        objects = (mask > 0) & (mask < 254)
        assert torch.equal(instances > 0, objects)
        pairs = {*zip(instances[objects].tolist(), mask[objects].tolist())}
        assert len(pairs) == len(instances[objects].unique())
        several += len(pairs) > 5  # pasted objects have numbers of their own
    assert several > 5


def test_unlabelled_samples_are_the_same_views_all_ignored(data):
    files = data.files("train")
    options = {"degraded": 0.3, "turned": 0.5}
    labelled = SheetDataset(files, (64, 48), 3, (0.5, 2.0), **options)
    bare = SheetDataset([*files[:2], *((image, None) for image, _ in files[2:])], (64, 48), 3, (0.5, 2.0),
                        panoptic=True, **options)
    for passed in range(6):
        for number in range(2, 5):
            image, mask, instances = bare[passed, number]
            assert torch.equal(image, labelled[passed, number][0])
            assert (mask == 255).all() and not instances.any()


def test_nothing_is_pasted_on_unlabelled_sheets(data):
    files = [*data.files("train")[:2], (data.files("train")[2][0], None)]
    dataset = SheetDataset(files, (64, 48), 3, (0.5, 2.0), paste=1.0, object_gap=3)
    assert all((dataset[passed, 2][1] == 255).all() for passed in range(10))


def test_the_cache_changes_no_sample(data, tmp_path, monkeypatch):
    files = [*data.files("train")[:3], (data.files("train")[3][0], None)]
    plain = samples(SheetDataset(files, (64, 48), 3, (0.5, 1.0), panoptic=True, **OPTIONS), 2)
    boxes = [sheet_box((64, 48), (0.5, 1.0))] * 4
    preflight(files, 5, False, boxes, SheetCache(tmp_path, 1), panoptic=[True] * 4)
    monkeypatch.setattr(cache_module, "_read_files", None)  # would fail
    cached = SheetDataset(files, (64, 48), 3, (0.5, 1.0), cache_dir=str(tmp_path), panoptic=True, **OPTIONS)
    for first, second in zip(plain, samples(cached, 2), strict=True):
        assert all(map(torch.equal, first, second))


def epochs(world_size, count, parts=(Part(5, 5),), unlabelled=7, batch_size=2):
    """The batches of each process in each epoch, each a list of (pass, number)."""
    found = []
    for epoch in range(count):
        found.append([])
        for rank in range(world_size):
            sampler = EpochSampler(parts, True, 1, rank, world_size, unlabelled=unlabelled, batch_size=batch_size)
            sampler.epoch = epoch
            indices = list(sampler)
            assert len(indices) == len(sampler)
            found[-1].append([indices[start:start + batch_size] for start in range(0, len(indices), batch_size)])
    return found


@pytest.mark.parametrize(("world_size", "sizes"), [(1, [2, 2, 2, 2, 2, 1]), (2, [2, 2, 2, 1])])
def test_batches_alternate(world_size, sizes):
    for epoch, processes in enumerate(epochs(world_size, 3)):
        labelled, others = [], []
        for batches in processes:
            assert [len(batch) for batch in batches] == sizes
            others += sum(batches[::2], [])
            labelled += sum(batches[1::2], [])
        assert {number for _, number in others} <= set(range(5, 12)) and len(set(others)) == 5
        assert set(labelled) == {(epoch, number) for number in range(5)}


def test_labelled_samples_are_those_of_a_run_without_unlabelled_sheets():
    parts = (Part(4, 8), Part(9, 3))
    with_others, without = epochs(2, 3, parts), epochs(2, 3, parts, unlabelled=0)
    assert [[batches[1::2] for batches in each] for each in with_others] == without


def test_unlabelled_sheets_take_turns_over_the_epochs():
    order = [sample for (batches,) in epochs(1, 14, batch_size=5) for sample in sum(batches[::2], [])]
    assert len(order) == 70 and len(set(order)) == 70  # no view comes twice
    assert [passed for passed, _ in order] == [turn for turn in range(10) for _ in range(7)]
    turns = [[number for _, number in order[start:start + 7]] for start in range(0, 70, 7)]
    assert all(sorted(turn) == list(range(5, 12)) for turn in turns) and len(set(map(tuple, turns))) > 5


def test_the_order_repeats_for_a_seed_and_does_not_depend_on_the_batch_size():
    assert epochs(2, 3) == epochs(2, 3)
    firsts = [[sum(batches[::2], [])[:5] for (batches,) in epochs(1, 4, batch_size=size)] for size in (2, 3, 5)]
    assert firsts[0] == firsts[1] == firsts[2]
    assert firsts[0][3] == list(map(tuple, epoch_samples([Part(5, 5), Part(7, 5)], 3, 1)[5:].tolist()))


def test_loaded_batches_alternate(data):
    files = data.files("train")
    files = [*files[:3], *((image, None) for image, _ in files[3:])]
    dataset = SheetDataset(files, (64, 48), 3, (0.9, 1.0), panoptic=True)
    assert len(dataset) == 3 and (dataset.labelled, dataset.unlabelled) == (3, 2)
    for rank in range(2):
        loader = make_loader(dataset, 2, 0, Processes(rank, 2, torch.device("cpu")))
        batches = list(loader)
        assert len(batches) == len(loader) == 4
        assert [(mask == 255).all().item() for _, mask, _ in batches] == [True, False] * 2
    loader = make_loader(dataset, 2, 0, ONE)
    assert [tuple(image.shape) for image, _, _ in loader] == [(2, 64, 48, 3)] * 3 + [(1, 64, 48, 3)]
