"""The cache of scaled sheets: what it gives, when it is right, how large it gets, and what disturbs it."""

import os
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from helpers import sheet
from utils.files.images import read_image
from utils.files.masks import read_mask, write_mask
from utils.training import cache as cache_module
from utils.training.cache import Request, SheetCache, find_entry, read_sheet
from utils.utils import UserError

BOX = (100, 100)


def smooth_sheet(seed=0, size=(600, 400)):
    """A sheet without noise finer than what remains of it, as that would tell nothing of the scaling."""
    image, mask = sheet(seed, *size)
    return cv2.GaussianBlur(image, (0, 0), 2), mask


@pytest.fixture
def files(tmp_path):
    image, mask = smooth_sheet()
    Image.fromarray(image).save(tmp_path / "K.jpg", quality=95)
    write_mask(tmp_path / "K.png", mask)
    return tmp_path / "K.jpg", tmp_path / "K.png"


def fill(folder, files, boxes=(BOX,), gigabytes=1.0):
    cache = SheetCache(folder, gigabytes)
    cache.make_room([Request(*files, box) for box in boxes])
    return [cache.add(Request(*files, box)) for box in boxes]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


# --- what it gives --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("box", "size"), [
    ((100, 100), (100, 67)), ((300, 100), (150, 100)), ((599, 800), (599, 399)), ((800, 800), (600, 400)),
])
def test_a_sheet_is_scaled_to_fit_and_never_enlarged(files, box, size):
    found = read_sheet(Request(*files, box))
    assert found.image.shape == (*size, 3) and found.mask.shape == size
    assert found.image.dtype == found.mask.dtype == np.uint8
    full, mask = read_image(files[0]), read_mask(files[1])
    expected = cv2.resize(full, size[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(found.image.astype(int) - expected).mean() < 1.5
    assert abs(found.image.mean() - expected.mean()) < 0.5
    assert np.array_equal(found.mask, cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT))
    assert found.pixels.tolist() == [(mask == value).sum() for value in range(256)]


def kinds():
    """(name, suffix, picture, options to save it with) of each kind of file."""
    image, _ = smooth_sheet(1, (480, 320))
    rgb = Image.fromarray(image)
    exif = Image.Exif()
    for orientation in range(1, 9):
        exif[0x0112] = orientation
        yield f"orientation {orientation}", "jpg", rgb, {"exif": exif.tobytes(), "quality": 95}
    yield "grey", "jpg", rgb.convert("L"), {"quality": 95}
    yield "cmyk", "jpg", rgb.convert("CMYK"), {"quality": 95}
    yield "png", "png", rgb, {}
    yield "tiff", "tif", rgb, {}


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind[0])
def test_every_kind_of_image_as_read_image_has_it(tmp_path, kind):
    _, suffix, picture, options = kind
    path, mask_path = tmp_path / f"image.{suffix}", tmp_path / "mask" / "image.png"
    picture.save(path, **options)
    full = read_image(path)
    mask_path.parent.mkdir()
    write_mask(mask_path, np.zeros(full.shape[:2], np.uint8))
    found = read_sheet(Request(path, mask_path, (60, 60))).image
    height, width = (60, 40) if full.shape[0] > full.shape[1] else (40, 60)
    assert found.shape == (height, width, 3)
    assert np.abs(found.astype(int) - cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA)).mean() < 1.5


def test_a_16_bit_image_and_a_grey_mask(tmp_path):
    image, mask = smooth_sheet(2, (120, 80))
    cv2.imwrite(str(tmp_path / "i.png"), cv2.cvtColor(image.astype(np.uint16) * 257, cv2.COLOR_RGB2BGR))
    Image.fromarray(mask).save(tmp_path / "m.png")
    found = read_sheet(Request(tmp_path / "i.png", tmp_path / "m.png", (200, 200)))
    assert np.array_equal(found.image, image) and np.array_equal(found.mask, mask)


# --- when it is right -----------------------------------------------------------------------------------------------

def test_it_is_read_instead_of_the_files(files, tmp_path, monkeypatch):
    fill(tmp_path / "cache", files)
    plain = read_sheet(Request(*files, BOX))
    monkeypatch.setattr(cache_module, "_read_files", None)  # would fail
    assert same(read_sheet(Request(*files, BOX), tmp_path / "cache"), plain)
    assert same(fill(tmp_path / "cache", files)[0], plain)


@pytest.mark.parametrize("change", ["image", "mask", "time", "box"])
def test_it_is_never_stale(files, tmp_path, change):
    fill(tmp_path / "cache", files)
    old, box = find_entry(tmp_path / "cache", Request(*files, BOX)), BOX
    if change == "image":
        Image.fromarray(smooth_sheet(5)[0]).save(files[0], quality=95)
    elif change == "mask":
        write_mask(files[1], smooth_sheet(5)[1])
    elif change == "time":  # another picture of the same number of bytes
        os.utime(files[0], ns=(1, files[0].stat().st_mtime_ns + 1))
    else:
        box = (50, 100)
    assert find_entry(tmp_path / "cache", Request(*files, box)) != old
    assert same(read_sheet(Request(*files, box), tmp_path / "cache"), read_sheet(Request(*files, box)))


def test_it_can_be_deleted_at_any_time(files, tmp_path):
    fill(tmp_path / "cache", files)
    plain = read_sheet(Request(*files, BOX))
    find_entry(tmp_path / "cache", Request(*files, BOX)).unlink()
    assert same(read_sheet(Request(*files, BOX), tmp_path / "cache"), plain)
    (tmp_path / "cache").rmdir()
    assert same(read_sheet(Request(*files, BOX), tmp_path / "cache"), plain)


@pytest.mark.parametrize("keep", [0, 40, 200, -1])
def test_an_entry_that_is_cut_short_is_made_again(files, tmp_path, keep):
    plain = read_sheet(Request(*files, BOX))
    fill(tmp_path / "cache", files)
    entry = find_entry(tmp_path / "cache", Request(*files, BOX))
    whole = entry.read_bytes()
    entry.write_bytes(whole[:keep])
    assert same(read_sheet(Request(*files, BOX), tmp_path / "cache"), plain)
    fill(tmp_path / "cache", files)
    assert entry.read_bytes() == whole


def test_bad_files_are_named(files, tmp_path):
    with pytest.raises(UserError, match="nothing.jpg is not there"):
        read_sheet(Request(tmp_path / "nothing.jpg", files[1], BOX), tmp_path / "cache")
    write_mask(files[1], np.zeros((60, 40), np.uint8))
    with pytest.raises(UserError, match=r"K.png is 40 x 60 pixels and K.jpg is 400 x 600: make the mask"):
        fill(tmp_path / "cache", files)
    files[1].write_bytes(b"")
    with pytest.raises(UserError, match="K.png is empty"):
        read_sheet(Request(*files, BOX))
    files[0].write_bytes(files[0].read_bytes()[:3000])
    with pytest.raises(UserError, match="K.jpg cannot be read"):
        read_sheet(Request(*files, BOX))


# --- how large it gets ----------------------------------------------------------------------------------------------

def test_no_folder_keeps_nothing(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = entries(tmp_path)
    assert same(fill("", files)[0], read_sheet(Request(*files, BOX))) and entries(tmp_path) == before


def test_the_limit_holds(files, tmp_path):
    boxes = [(side, side) for side in (60, 61, 62, 63)]
    sizes = [4 * image.shape[0] * image.shape[1] for image in (sheet.image for sheet in fill("", files, boxes))]
    room = sum(sizes[:2]) + 3 * 3000  # an entry has some 2.4 kB beside its pixels
    fill(tmp_path / "cache", files, boxes, room / 1e9)
    assert len(entries(tmp_path / "cache")) == 2
    assert sum(path.stat().st_size for path in (tmp_path / "cache").iterdir()) <= room


def test_the_longest_unused_make_room(files, tmp_path):
    folder, boxes = tmp_path / "cache", [(90, 90), (91, 91), (92, 92)]
    fill(folder, files, boxes)
    names = [find_entry(folder, Request(*files, box)) for box in boxes]
    for path, age in zip(names, (30, 20, 10)):
        os.utime(path, (time.time() - age,) * 2)
    fill(folder, files, [(90, 90)])  # used again: now the youngest
    new = (93, 93)
    fill(folder, files, [new], (4 * 93 * 93 + 2 * (4 * 92 * 62 + 3000)) / 1e9)
    names[1] = find_entry(folder, Request(*files, new))
    assert entries(folder) == sorted(path.name for path in names)


def test_processes_share_the_room(files, tmp_path):
    cache = SheetCache(tmp_path / "cache", 1.0, processes=4)
    cache.make_room([Request(*files, BOX)])
    assert cache.room == 0.25e9


# --- what disturbs it -----------------------------------------------------------------------------------------------

def test_what_interrupted_runs_left_is_removed_and_other_files_are_not(files, tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    for name, age in ((".tmp_old.sheet", 7200), (".tmp_new.sheet", 5), ("mine.txt", 7200)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (time.time() - age,) * 2)
    fill(folder, files)
    assert set(entries(folder)) == {".tmp_new.sheet", "mine.txt", find_entry(folder, Request(*files, BOX)).name}
    fill(folder, files, gigabytes=1e-9)  # no room, but another process may be writing the new one
    assert set(entries(folder)) >= {".tmp_new.sheet", "mine.txt"}


def test_an_interruption_leaves_no_entry(files, tmp_path, monkeypatch):
    def interrupt(file, array):
        file.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(np, "save", interrupt)
        fill(tmp_path / "cache", files)
    assert entries(tmp_path / "cache") == []


def test_a_full_disk_costs_the_cache_and_not_the_run(files, tmp_path, monkeypatch, capsys):
    def no_space(file, array):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", no_space)
    boxes = [(60, 60), (70, 70)]
    found = fill(tmp_path / "cache", files, boxes)
    assert [each.image.shape[0] for each in found] == [60, 70] and entries(tmp_path / "cache") == []
    assert capsys.readouterr().err.count("takes no more sheets") == 1


def test_a_folder_that_cannot_be_made(files, tmp_path):
    with pytest.raises(UserError, match="cache_dir is .*K.jpg, which cannot be made"):
        fill(files[0], files)
