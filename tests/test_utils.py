"""What all parts share: palette, files, devices."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from utils.utils import (
    UserError, atomic_path, default_colors, find_images, pick_device, require_distinct, seed_everything, voc_palette,
)


def test_palette_is_pascal_vocs():
    palette = voc_palette()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    # the published colours of aeroplane, bicycle, bird, boat, bottle, person, tvmonitor and void
    known = {1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128), 5: (128, 0, 128), 15: (192, 128, 128),
             20: (0, 64, 128), 255: (224, 224, 192)}
    assert {index: tuple(palette[index]) for index in known} == known
    assert default_colors(3) == [(0, 0, 0), (128, 0, 0), (0, 128, 0)]


def test_find_images(tmp_path):
    names = ["b.JPG", "a.tiff", "c.png", "d.e.jpeg", "标本 1.Tif", "notes.txt", "._a.jpg"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    assert [path.name for path in find_images(tmp_path)] == ["a.tiff", "b.JPG", "c.png", "d.e.jpeg", "标本 1.Tif"]
    assert tmp_path / "sub" / "x.jpg" in find_images(tmp_path, recursive=True)
    with pytest.raises(UserError, match="nothing is not a folder"):
        find_images(tmp_path / "nothing")


def test_a_subfolder_that_cannot_be_read_is_no_empty_one(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.jpg").touch()
    real = os.scandir

    def scandir(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert find_images(tmp_path) == [tmp_path / "a.jpg"]
    with pytest.raises(PermissionError, match="closed"):
        find_images(tmp_path, recursive=True)


def test_require_distinct_disregards_letter_case(tmp_path):
    pairs = [(tmp_path / "a.jpg", tmp_path / "out" / "a.png"), (tmp_path / "b.jpg", tmp_path / "out" / "b.png")]
    require_distinct(pairs)
    with pytest.raises(UserError, match=r"a\.jpg and .*A\.tif would both be written to .*A\.png"):
        require_distinct([*pairs, (tmp_path / "A.tif", tmp_path / "out" / "A.png")])


def test_atomic_path_replaces_only_when_all_went_well(tmp_path):
    path = tmp_path / "new folder" / "x.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("first")
        assert not path.exists() and temporary.suffix == ".txt"
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text("sec")
        raise KeyboardInterrupt
    assert path.read_text() == "first" and list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_atomic_path_gives_the_mode_of_an_ordinary_file(tmp_path):
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "atomic"):
        pass
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_seed_everything():
    drawn = []
    for seed in (1, 1, 2):
        seed_everything(seed)
        drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert drawn[0] == drawn[1] != drawn[2]


def test_pick_device():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(UserError, match='device is "gpu": use "auto"'):
        pick_device("gpu")


@pytest.mark.parametrize(("cuda", "mps", "name", "sentence"), [
    (False, False, "cuda", "finds no CUDA GPU"),
    (False, False, "mps", "finds no Apple GPU"),
    (True, False, "cuda:3", "only 2 CUDA GPUs are there"),
])
def test_a_device_that_is_not_there(monkeypatch, cuda, mps, name, sentence):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    with pytest.raises(UserError, match=sentence) as error:
        pick_device(name)
    assert error.value.exit_status == 2


@pytest.mark.parametrize(("cuda", "mps", "expected"), [
    (True, True, "cuda"), (False, True, "mps"), (False, False, "cpu"),
])
def test_auto_takes_the_best_device(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto").type == expected
