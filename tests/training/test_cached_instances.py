"""Sheets with instances, and sheets without labels: what is read and cached of them."""

import numpy as np
import pytest
from PIL import Image

from helpers import make_dataset
from utils.files.masks import read_mask, write_instances, write_mask
from utils.files.voc import VocDataset, instance_file
from utils.objects.panoptic import classes_of, instances_of
from utils.training import cache as cache_module
from utils.training.cache import Request, SheetCache, find_entry, read_sheet
from utils.training.mixing import unlabelled_files
from utils.training.preflight import preflight
from utils.utils import UserError

BOX = (48, 48)  # half the height of the sheets


@pytest.fixture
def data(tmp_path):
    """Three sheets; the first has an instance mask in which its label is two objects, numbered 900 and 7."""
    data = VocDataset(make_dataset(tmp_path / "demo", train=3, val=1).parent, "demo")
    mask = read_mask(data.mask("K.0000"))
    numbers = np.where((mask > 0) & (mask < 255), 100 + mask.astype(np.uint16), 0)
    rows, columns = np.nonzero(mask == 2)
    numbers[mask == 2] = np.where(columns < (columns.min() + columns.max()) / 2, 900, 7)
    write_instances(data.instances("K.0000"), numbers.astype(np.uint16))
    return data


def fill(folder, *requests):
    cache = SheetCache(folder, 1.0)
    cache.make_room(requests)
    return [cache.add(request) for request in requests]


def same(first, second):
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(first, second, strict=True))


def test_instances_come_from_the_instance_mask(data):
    request = Request(*data.files("train")[0], BOX, True)
    sheet, plain = read_sheet(request), read_sheet(request._replace(panoptic=False))
    assert np.array_equal(sheet.image, plain.image) and np.array_equal(sheet.pixels, plain.pixels)
    assert np.array_equal(classes_of(sheet.mask), plain.mask) and sheet.mask.shape == (48, 32)
    # numbered anew in order: 7 and 900 of class 2 are 1 and 5, 101, 103 and 104 are between
    found = instances_of(sheet.mask)
    assert {*zip(found.ravel().tolist(), plain.mask.ravel().tolist())} == {
        (0, 0), (0, 255), (1, 2), (2, 1), (3, 3), (4, 4), (5, 2)}
    assert np.argwhere(found == 5)[:, 1].max() < np.argwhere(found == 1)[:, 1].min()


def test_without_one_every_component_is_an_instance(data):
    sheet = read_sheet(Request(*data.files("train")[1], BOX, True))
    assert {*zip(instances_of(sheet.mask).ravel().tolist(), classes_of(sheet.mask).ravel().tolist())} == {
        (0, 0), (0, 255), (1, 1), (2, 2), (3, 3), (4, 4)}


def test_a_sheet_without_labels_is_all_ignored(data):
    for panoptic, kind in ((False, np.uint8), (True, np.uint16)):
        image, labelled = data.files("train")[1]
        sheet = read_sheet(Request(image, None, BOX, panoptic))
        assert sheet.mask.dtype == kind and sheet.mask.shape == (48, 32) and (sheet.mask == 255).all()
        assert not sheet.pixels.any()
        assert np.array_equal(sheet.image, read_sheet(Request(image, labelled, BOX)).image)


def test_all_kinds_are_cached_side_by_side(data, tmp_path, monkeypatch):
    files = data.files("train")[:2]
    requests = [Request(image, mask, BOX, panoptic) for image, labelled in files for mask in (labelled, None)
                for panoptic in (False, True)]
    plain = [read_sheet(request) for request in requests]
    assert all(map(same, fill(tmp_path / "cache", *requests), plain))
    assert len(list((tmp_path / "cache").iterdir())) == 8
    monkeypatch.setattr(cache_module, "_read_files", None)  # would fail
    assert all(map(same, [read_sheet(request, tmp_path / "cache") for request in requests], plain))


def test_the_cache_is_never_stale_when_an_instance_mask_changes(data, tmp_path):
    request, folder = Request(*data.files("train")[1], BOX, True), tmp_path / "cache"
    ordinary = request._replace(panoptic=False)
    before, kept = find_entry(folder, request), find_entry(folder, ordinary)
    path, mask = instance_file(request.mask), read_mask(request.mask)
    write_instances(path, np.where((mask > 0) & (mask < 255), 3, 0).astype(np.uint16))
    fill(folder, request, ordinary)
    made = find_entry(folder, request)
    assert made != before and find_entry(folder, ordinary) == kept  # ordinary runs do not care
    write_instances(path, np.where(mask == 1, 4, mask).astype(np.uint16))
    assert find_entry(folder, request) != made
    path.unlink()
    assert find_entry(folder, request) == before


def test_panoptic_sheets_need_more_room(data, tmp_path):
    request = Request(*data.files("train")[0], BOX, True)
    (sheet,) = fill("", request)
    size = sum(array.nbytes for array in sheet)
    assert size == 48 * 32 * 5 + 256 * 8
    for room, kept in ((size - 1, 0), (size, 1)):
        cache = SheetCache(tmp_path / "cache", room / 1e9)
        cache.make_room([request])
        cache.add(request)
        assert len(list((tmp_path / "cache").iterdir())) == kept


@pytest.mark.parametrize(("spoil", "words"), [
    (lambda path: path.write_bytes(b""), "K.0000.png is empty"),
    (lambda path: write_mask(path, np.zeros((96, 64), np.uint8)), "InstanceClass.K.0000.png is a PNG of the kind P"),
    (lambda path: write_instances(path, np.ones((9, 8), np.uint16)), "InstanceClass.K.0000.png is 8 x 9 pixels and"),
    (lambda path: write_instances(path, np.zeros((96, 64), np.uint16)), "InstanceClass.K.0000.png has no number for"),
])
def test_a_bad_instance_mask_is_named_before_training(data, spoil, words):
    spoil(data.instances("K.0000"))
    files = data.files("train")
    with pytest.raises(UserError, match=rf"(?s)1 of 3 sheets cannot be used.*{words}"):
        preflight(files, 5, False, panoptic=[True] * 3)
    assert preflight(files, 5, False).shape == (3, 5)  # nobody reads it


def test_preflight_checks_and_caches_sheets_without_labels(data, tmp_path):
    (tmp_path / "more").mkdir()
    image, _ = data.files("train")[0]
    for name in ("a.jpg", "b.JPG"):
        (tmp_path / "more" / name).write_bytes(image.read_bytes())
    more = unlabelled_files(str(tmp_path / "more"))
    assert more == [(tmp_path / "more" / "a.jpg", None), (tmp_path / "more" / "b.JPG", None)]
    files = data.files("train") + more
    cache = SheetCache(tmp_path / "cache", 1)
    pixels = preflight(files, 5, False, [BOX] * 5, cache, panoptic=[True] * 5)
    assert pixels[:3].sum() > 0 and not pixels[3:].any() and len(list((tmp_path / "cache").iterdir())) == 5
    more[0][0].write_bytes(b"")
    with pytest.raises(UserError, match=r"(?s)1 of 5 sheets cannot be used.*a\.jpg is empty"):
        preflight(files, 5, False, [BOX] * 5, cache, panoptic=[True] * 5)


def test_folders_without_images_are_named(tmp_path):
    assert unlabelled_files("") == []
    with pytest.raises(UserError, match="nowhere is not a folder"):
        unlabelled_files(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="unlabelled is .*, which holds no image"):
        unlabelled_files(str(tmp_path))


def test_sheets_with_too_many_objects_are_said(tmp_path, capsys):
    data = VocDataset(make_dataset(tmp_path / "demo", train=2, val=1).parent, "demo")
    mask = np.zeros((96, 64), np.uint8)
    mask[::4, ::4] = 1  # 24 x 16 specks
    write_mask(data.mask("K.0001"), mask)
    files = data.files("train")
    pixels = preflight(files, 5, True, [(96, 96)] * 2, panoptic=[True] * 2)
    assert pixels[1].tolist() == [96 * 64 - 384, 384, 0, 0, 0]
    assert "1 of 2 sheets have more than 255 objects at the size for training (K.0001.jpg): the smallest are" in (
        capsys.readouterr().err)
    preflight(files, 5, True)
    preflight(files, 5, False, panoptic=[True] * 2)  # not the main process
    assert "objects" not in capsys.readouterr().err


def test_sheets_without_instance_masks_are_said_when_others_have_one(data):
    (sentence,) = data.instance_faults("train")
    assert sentence.startswith("2 of 3 sheets in train.txt have no instance mask") and "(K.0001, K.0002)" in sentence
    assert data.instance_faults("val") == []
    data.instances("K.0000").unlink()
    assert data.instance_faults("train") == []


def test_an_instance_mask_lies_beside_its_mask(data):
    assert data.instances("K.0000") == data.root / "InstanceClass" / "K.0000.png"
    data.instances("K.0000").rename(data.root / "InstanceClass" / "K.0000.PNG")
    assert data.instances("K.0000").exists()
    Image.new("I;16", (64, 96)).save(data.root / "InstanceClass" / "K.0000.png")
    assert instance_file(data.mask("K.0000")).name == "K.0000.png"
