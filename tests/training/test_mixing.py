"""Several data sets in one run: the share of each, and that all their sheets are seen alike."""

import numpy as np
import pytest
import torch

import train
from helpers import make_dataset, train_settings
from utils import config
from utils.dataloader import EpochSampler, SheetDataset, make_loader
from utils.files.voc import VocDataset
from utils.network.distributed import Processes
from utils.training.loss import balanced_weights
from utils.training.mixing import Part, epoch_samples, mix, random_sheet, times_an_epoch, training_files
from utils.utils import UserError


def test_parts_by_hand():
    assert mix(88, 1, []) == [Part(88, 88)]
    # 88 are 44% of 200; 40% are 80 and 16% are 32
    assert mix(88, 1, [(3600, 0.4), (20, 0.16)]) == [Part(88, 88), Part(3600, 80), Part(20, 32)]
    assert mix(44, 2, [(3600, 0.4), (20, 0.16)]) == [Part(44, 88), Part(3600, 80), Part(20, 32)]
    assert mix(3, 1, [(50, 0.01)]) == [Part(3, 3), Part(50, 1)]


def test_an_epoch_has_what_the_parts_say_and_each_sheet_comes_in_turn():
    parts = [Part(4, 4), Part(10, 3), Part(2, 5)]
    samples = [epoch_samples(parts, epoch, seed=1) for epoch in range(10)]
    epochs = [numbers for _, numbers in (each.T for each in samples)]
    for numbers in epochs:
        own, second, third = numbers[:4], numbers[4:7], numbers[7:]
        assert sorted(own) == [0, 1, 2, 3] and len(third) == 5
        assert len(set(second.tolist())) == 3 and set(second.tolist()) <= set(range(4, 14))
    counts = np.bincount(np.concatenate(epochs), minlength=16)
    assert counts.tolist() == [10] * 4 + [3] * 10 + [25] * 2  # 10 epochs: each of the ten 3 times, of the two 25 times
    assert times_an_epoch(parts).tolist() == [1.0] * 4 + [0.3] * 10 + [2.5] * 2
    assert not np.array_equal(epochs[0][4:7], epochs[1][4:7])
    assert np.array_equal(epoch_samples(parts, 3, seed=1), samples[3])
    assert not np.array_equal(epoch_samples(parts, 3, 2), samples[3])
    assert len({tuple(sample) for sample in np.concatenate(samples).tolist()}) == 120  # no view comes twice


def test_a_data_set_alone_is_passed_once_an_epoch():
    passes, numbers = epoch_samples([Part(6, 6)], 3, seed=1).T
    assert passes.tolist() == [3] * 6 and sorted(numbers) == list(range(6))


def test_one_sheet_is_of_a_part_as_often_as_an_epoch_has_it():
    parts, rng = [Part(2, 2), Part(100, 6)], np.random.default_rng(0)
    counts = np.bincount([random_sheet(parts, rng) for _ in range(4000)], minlength=102)
    assert abs(counts[:2].sum() / 4000 - 0.25) < 0.03 and counts[:2].min() > 400
    assert (counts[2:] > 0).all()


def test_every_process_trains_on_the_whole_epoch():
    parts, seen = [Part(5, 5), Part(40, 3)], []
    for rank in range(2):
        sampler = EpochSampler(parts, True, seed=1, rank=rank, world_size=2)
        sampler.epoch = 4
        seen += sampler
    assert sorted(seen) == sorted(map(tuple, epoch_samples(parts, 4, 1)))


@pytest.fixture
def both(tmp_path):
    make_dataset(tmp_path / "demo", train=2, val=1)
    make_dataset(tmp_path / "drawn", train=5, val=3)
    return tmp_path / "demo"


def settings(folder, **changes):
    return train_settings(folder, mixed_in={"drawn": 0.6}, **changes)


def test_files_of_several_data_sets(both):
    s = settings(both)
    files, parts = training_files(s, VocDataset(both.parent, "demo"))
    assert [(image.parents[1].name, mask.stem) for image, mask in files] == (
        [("demo", f"K.000{number}") for number in (0, 1)] + [("drawn", f"K.000{number}") for number in range(5)])
    assert parts == [Part(2, 2), Part(5, 3)]  # the val sheets of `drawn` are not used
    dataset = SheetDataset(files, (64, 48), 0, (0.5, 1.0), parts=parts)
    images = torch.cat([images for images, _ in make_loader(dataset, 2, 0, Processes(0, 1, torch.device("cpu")))])
    assert len(dataset) == len(images) == 5


def test_a_run_says_what_it_trains_on_and_counts_pixels_alike(both, monkeypatch, capsys):
    counted = []
    monkeypatch.setattr("utils.training.loss.balanced_weights", lambda pixels: counted.append(pixels) or (1.0,) * 5)
    assert train.main(settings(both, cls_weights="auto")) == 0
    assert "2 samples per epoch from 2 sheets and 3 from 5 of drawn, 1 validation sheets" in capsys.readouterr().out
    (pixels,) = counted
    assert len(pixels) == 7 and np.allclose(pixels.sum(1), [93 * 64] * 2 + [0.6 * 93 * 64] * 5)  # 3 rows are IGNORE
    assert np.isfinite(balanced_weights(pixels)).all()


def test_several_passes_an_epoch(both):
    files, parts = training_files(settings(both, passes=3), VocDataset(both.parent, "demo"))
    assert parts == [Part(2, 6), Part(5, 9)]
    dataset = SheetDataset(files, (64, 48), 0, (0.5, 1.0), parts=parts)
    images = torch.cat([images for images, _ in make_loader(dataset, 2, 0, Processes(0, 1, torch.device("cpu")))])
    assert len({image.numpy().tobytes() for image in images}) == 15  # each sample is another view
    with pytest.raises(UserError, match="passes is 0: it has to be 1 or more"):
        train.main(train_settings(both, passes=0))


@pytest.mark.parametrize("shares", [{"drawn": 0.0}, {"drawn": 1.0}, {"drawn": 0.5, "demo": 0.5}, {"drawn": -0.1}])
def test_shares_that_do_not_fit(both, shares):
    with pytest.raises(UserError, match="mixed_in is .* above 0, and below 1 together"):
        train.main(train_settings(both, mixed_in=shares))


def test_a_data_set_that_is_not_there_and_a_bad_sheet_in_one(both):
    with pytest.raises(UserError, match="nowhere"):
        train.main(train_settings(both, mixed_in={"nowhere": 0.5}))
    (both.parent / "drawn" / "SegmentationClass" / "K.0003.png").unlink()
    with pytest.raises(UserError, match=r"(?s)1 of 8 sheets cannot be used.*drawn.*K\.0003\.png is missing"):
        train.main(settings(both))


def test_on_the_command_line():
    assert config.parse("{'synthetic': 0.4}", dict[str, float]) == {"synthetic": 0.4}
