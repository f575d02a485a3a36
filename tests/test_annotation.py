"""get_annotation.py: the lists, and what it says of the masks."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import get_annotation
from utils import config
from utils.files.masks import write_mask
from utils.labels.splits import split_stems
from utils.utils import UserError

INSTITUTIONS = {"BM": 40, "NY": 20, "P": 10, "E": 10, "L": 1, "B": 1, "F": 1, "K": 1, "H": 1, "G": 1, "S": 1, "W": 1}
STEMS = [f"{name}_{number}" for name, count in INSTITUTIONS.items() for number in range(count)]  # 88


def split(stems=STEMS, trainval=1.0, train=0.9, seed=1, **more) -> dict[str, list[str]]:
    return split_stems(stems, trainval_percent=trainval, train_percent=train, seed=seed, **more)


def institutions(stems: list[str]) -> Counter:
    return Counter(stem.split("_")[0] for stem in stems)


@pytest.mark.parametrize("how", ["mixed", "stratified", "apart"])
@pytest.mark.parametrize("trainval, train", [(1.0, 0.9), (0.75, 0.5)])
def test_every_sheet_is_in_one_split_and_the_seed_repeats_it(how, trainval, train):
    first = split(trainval=trainval, train=train, institutions=how)
    assert sorted(sum(first.values(), [])) == sorted(STEMS)
    assert first == split(STEMS[::-1], trainval, train, institutions=how)  # not the order of the file system
    assert first != split(trainval=trainval, train=train, seed=2, institutions=how)


@pytest.mark.parametrize("how", ["mixed", "stratified"])
def test_numbers_of_sheets(how):
    sizes = {name: len(stems) for name, stems in split(trainval=0.75, train=0.5, institutions=how).items()}
    assert sizes == {"train": 33, "val": 33, "test": 22}
    assert {name: len(stems) for name, stems in split(institutions=how).items()} == {"train": 79, "val": 9, "test": 0}


@pytest.mark.parametrize("seed", range(10))
def test_stratified_gives_each_institution_its_share_to_within_one(seed):
    found = split(trainval=0.75, train=0.5, seed=seed, institutions="stratified")
    for name, count in INSTITUTIONS.items():
        assert abs(institutions(found["test"])[name] - count * 0.25) < 1
        assert abs(institutions(found["val"])[name] - count * 0.375) < 2


def test_stratified_leaves_small_institutions_their_chance():
    chosen = Counter()
    for seed in range(200):
        chosen.update(institutions(split(seed=seed, institutions="stratified")["val"]))
    for name, count in INSTITUTIONS.items():  # 9 of 88 sheets, 200 times
        assert chosen[name] == pytest.approx(200 * count * 9 / 88, rel=0.7)


@pytest.mark.parametrize("seed", range(10))
def test_apart_never_divides_an_institution(seed):
    found = split(trainval=0.8, train=0.75, seed=seed, institutions="apart")
    parts = [set(institutions(stems)) for stems in found.values()]
    assert sum(map(len, parts)) == len(INSTITUTIONS) and all(parts)


def test_apart_takes_the_smallest_when_all_are_too_large():
    stems = [f"{name}_{number}" for name, count in (("A", 30), ("B", 20), ("C", 25)) for number in range(count)]
    found = split(stems, train=0.95, institutions="apart")
    assert set(institutions(found["val"])) == {"B"}


def test_named_institutions_make_up_val():
    found = split(trainval=0.75, val_institutions=("NY", "E", "NY"))
    assert institutions(found["val"]) == {"NY": 20, "E": 10}
    assert (len(found["test"]), len(found["train"])) == (15, 43)  # a quarter of the other 58, rounded up


def test_names_without_the_separator_are_of_one_institution():
    stems = [f"K.{number}" for number in range(20)]
    assert len(split(stems, institutions="stratified")["val"]) == 2
    with pytest.raises(UserError, match='train would be empty: .*institutions = "apart"'):
        split(stems, institutions="apart")
    assert len(split(stems, institutions="mixed", separator="")["val"]) == 2


@pytest.mark.parametrize("arguments, message", [
    ({"trainval": 0.0}, "trainval_percent is 0.0: it has to be above 0 and at most 1"),
    ({"train": 1.1}, "train_percent is 1.1"),
    ({"train": float("nan")}, "train_percent is nan"),
    ({"stems": STEMS[:4], "trainval": 0.9, "train": 0.5}, "test would be empty: trainval_percent = 0.9"),
    ({"stems": STEMS[:4]}, "val would be empty: trainval_percent = 1.0, train_percent = 0.9"),
    ({"stems": STEMS[:1], "train": 0.4}, "train would be empty"),
    ({"val_institutions": tuple(INSTITUTIONS)}, "train would be empty"),
    ({"val_institutions": ("NY", "XX", "ny")}, "val_institutions names XX, ny, of which there are no sheets"),
    ({"institutions": "apart", "separator": ""}, 'separator is ""'),
])
def test_no_split_is_left_empty_unasked(arguments, message):
    with pytest.raises(UserError, match=message):
        split(**arguments)


# the script

@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Ten sheets of two institutions, each with class 2 on 8 of 48 pixels."""
    for folder in ("JPEGImages", "SegmentationClass"):
        (tmp_path / "mine" / folder).mkdir(parents=True)
    for number in range(10):
        add(tmp_path / "mine", f"{'AB'[number % 2]}_{number}", {2: 8})
    return tmp_path / "mine"


def add(root: Path, stem: str, pixels: dict[int, int]) -> None:
    """One sheet of 6 x 8 pixels with so many pixels of each value."""
    values = [value for value, count in pixels.items() for _ in range(count)]
    mask = np.array(values + [0] * (48 - len(values)), np.uint8).reshape(6, 8)
    write_mask(root / "SegmentationClass" / f"{stem}.png", mask)
    Image.new("RGB", (8, 6)).save(root / "JPEGImages" / f"{stem}.jpg")


def run(dataset: Path, **changes) -> int:
    return get_annotation.main(config.read(
        get_annotation, dataset_path=str(dataset.parent), dataset=dataset.name, **changes
    ))


def listed(dataset: Path) -> dict[str, list[str]]:
    folder = dataset / "ImageSets" / "Segmentation"
    return {path.stem: path.read_bytes().decode().split("\n")[:-1] for path in folder.glob("*.txt")}


def test_lists_and_table(dataset, capsys):
    assert run(dataset, trainval_percent=0.8, train_percent=0.75) == 0
    lists = listed(dataset)
    assert {name: len(stems) for name, stems in lists.items()} == {"trainval": 8, "train": 6, "val": 2, "test": 2}
    assert lists["trainval"] == sorted(lists["train"] + lists["val"])
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()]
    assert ["0", "_background_", "400", "83.333%", "6", "2", "2"] in rows
    assert ["2", "Label", "80", "16.667%", "6", "2", "2"] in rows
    assert ["4", "Scale", "0", "0.000%", "0", "0", "0"] in rows
    assert ["val", "2", "sheets", "A,", "B"] in rows  # stratified: one of each
    assert "No mask of train.txt holds Barcode, Color chart, Scale: it cannot be learned." in err
    assert "No mask of val.txt holds Barcode, Color chart, Scale: it cannot be scored." in err


def test_empty_splits_are_said(dataset, capsys):
    assert run(dataset, train_percent=1.0) == 0
    out = capsys.readouterr().out
    assert "test.txt is empty, as trainval_percent = 1 asks for." in out
    assert "val.txt is empty, as train_percent = 1 asks for." in out
    assert listed(dataset)["val"] == listed(dataset)["test"] == [] and len(listed(dataset)["train"]) == 10


def test_sheets_without_image_or_mask_are_named_and_not_listed(dataset, capsys):
    (dataset / "JPEGImages/A_0.jpg").unlink()
    for number in range(12):
        Image.new("RGB", (8, 6)).save(dataset / f"JPEGImages/X_{number:02}.PNG")
    assert run(dataset) == 0
    err = capsys.readouterr().err
    assert "12 images without a mask are not listed: X_00, X_01" in err and "X_09 and 2 more." in err
    assert "1 masks without an image are not listed: A_0." in err
    assert len(listed(dataset)["trainval"]) == 9


def test_masks_that_cannot_be_used_are_named(dataset, capsys):
    add(dataset, "A_1", {9: 4, 200: 1, 255: 3})
    Image.new("RGB", (8, 6)).save(dataset / "SegmentationClass/A_2.png")
    Image.fromarray(np.zeros((6, 8), np.uint16)).save(dataset / "SegmentationClass/A_4.png")
    for stem in ("A_2", "A_4"):
        Image.new("RGB", (8, 6)).save(dataset / f"JPEGImages/{stem}.jpg")
    assert run(dataset) == 1
    out, err = capsys.readouterr()
    assert "A_1.png has the values 9, 200: allowed are 0 to 4 and 255" in err
    assert "A_2.png is a 24-bit colour image" in err and "A_4.png is a PNG of the kind I;16" in err
    assert "3 of 11 masks cannot be used" in err
    assert any(line.split()[:3] == ["9", "unknown", "4"] for line in out.splitlines())


def test_masks_of_only_0_and_255_are_the_well_known_trap(dataset, capsys):
    for number in range(5):
        add(dataset, f"A_{number * 2}", {255: 8})
    assert run(dataset) == 0
    assert "only 0 and 255" not in capsys.readouterr().err  # half of them: sheets with nothing but what is ignored
    add(dataset, "B_1", {255: 8})
    assert run(dataset) == 0
    assert "6 of 10 masks are only 0 and 255: 255 is never learned" in capsys.readouterr().err


def test_lists_that_cannot_be_written(dataset):
    (dataset / "ImageSets").touch()  # a file where the folder should be
    with pytest.raises(UserError, match="cannot be written to"):
        run(dataset)


def test_no_sheets_at_all(dataset):
    for path in (dataset / "SegmentationClass").iterdir():
        path.rename(path.with_suffix(".jpg"))  # masks saved as JPEG
    with pytest.raises(UserError, match="has no image with a mask"):
        run(dataset)
    with pytest.raises(UserError, match="is not a folder"):
        run(dataset.parent / "none")
