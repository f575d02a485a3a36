"""Every bad sheet is named with its mend before training starts; class weights by hand."""

import numpy as np
import pytest
from PIL import Image

from helpers import make_dataset, sheet
from utils.files.voc import VocDataset
from utils.training.loss import balanced_weights
from utils.training.preflight import preflight, require_teachable
from utils.utils import UserError


@pytest.fixture
def data(tmp_path):
    make_dataset(tmp_path / "demo", train=4, val=2)
    return VocDataset(tmp_path, "demo")


def test_counts_the_pixels_of_each_class(data):
    pixels = preflight(data.files("train"), 5)
    for row, seed in zip(pixels, range(4)):
        mask = sheet(seed)[1]
        assert row.tolist() == [(mask == index).sum() for index in range(5)]


def save(data, stem, array, mode=None):
    Image.fromarray(array, mode).save(data.mask(stem))


PROBLEMS = {
    "no image": (lambda data, stem: (data.image_dir / f"{stem}.jpg").unlink(), "is missing: add the image"),
    "no mask": (lambda data, stem: data.mask(stem).unlink(), "is missing: make it with labelme_to_deeplab.py"),
    "other size": (
        lambda data, stem: save(data, stem, np.zeros((10, 20), np.uint8)),
        r"is 20 x 10 pixels and K\.0001\.jpg is 64 x 96: make the mask from this image again",
    ),
    "colour mask": (
        lambda data, stem: save(data, stem, np.zeros((96, 64, 3), np.uint8)), "24-bit .* convert_labelled.py",
    ),
    "odd values": (
        lambda data, stem: save(data, stem, np.full((96, 64), 38, np.uint8)),
        "has the values 38: allowed are 0 to 4 and 255",
    ),
    "truncated image": (
        lambda data, stem: (data.image_dir / f"{stem}.jpg").write_bytes(
            (data.image_dir / f"{stem}.jpg").read_bytes()[:900]),
        "K.0001.jpg cannot be read",
    ),
    "empty mask file": (lambda data, stem: data.mask(stem).write_bytes(b""), "is empty"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_names_the_sheet_and_the_mend(data, problem):
    spoil, sentence = PROBLEMS[problem]
    spoil(data, "K.0001")
    with pytest.raises(UserError, match=sentence) as error:
        preflight(data.files("train"), 5)
    assert str(error.value).startswith("1 of 4 sheets") and "K.0001" in str(error.value)


def test_reports_all_problems_at_once(data):
    for number, (spoil, _) in enumerate(list(PROBLEMS.values())[:2]):
        spoil(data, f"K.000{number}")
    with pytest.raises(UserError) as error:
        preflight(data.files("train"), 5)
    assert [stem in str(error.value) for stem in ("K.0000", "K.0001", "K.0002")] == [True, True, False]


def test_lists_and_folders(data, tmp_path):
    with pytest.raises(UserError, match=r"test\.txt does not exist: run get_annotation\.py"):
        data.stems("test")
    (data.list_dir / "test.txt").write_text("\n")
    with pytest.raises(UserError, match=r"test\.txt is empty"):
        data.stems("test")
    with pytest.raises(UserError, match="dataset_path and dataset have to name"):
        VocDataset(tmp_path, "nothing")
    Image.new("RGB", (4, 4)).save(data.image_dir / "K.0001.TIF")
    with pytest.raises(UserError, match="have the same stem"):
        data.images()


def test_balanced_weights_by_hand():
    # class 0: 90 + 50 of 100 + 100; class 1: 10 of 100, absent from the second sheet; class 2: 50 of 100; 3 nowhere
    pixels = np.array([[90, 10, 0, 0], [50, 0, 50, 0]])
    frequency = np.array([0.7, 0.1, 0.5])
    expected = np.median(frequency) / frequency
    assert balanced_weights(pixels) == pytest.approx([*expected, 0.0])


NAMES = ("_background_", "Barcode", "Label")


@pytest.mark.parametrize(("rows", "sentence"), [
    ([[9, 0, 0], [9, 0, 0]], "The 2 training masks hold nothing but background: .* --mode=colour_to_palette"),
    ([[0, 0, 0], [0, 0, 0]], "The 2 training masks hold nothing but 255, which is ignored"),
    ([[9, 0, 3], [9, 0, 0]], "No training mask holds Barcode: label some, or take the names out of name_classes"),
])
def test_masks_that_cannot_teach_are_refused(rows, sentence):
    with pytest.raises(UserError, match=sentence):
        require_teachable(np.array(rows), np.ones((1, 3), int), NAMES)


def test_validation_masks_that_show_nothing_are_said():
    train = np.array([[9, 1, 3]])
    assert require_teachable(train, np.array([[9, 0, 0]]), NAMES) == []
    assert require_teachable(train, np.array([[9, 0, 0], [0, 0, 0]]), NAMES) == [
        "1 of 2 validation masks are 255 (ignored) throughout."]
    (warning,) = require_teachable(train, np.array([[0, 0, 0]]), NAMES)
    assert "their scores will be nan" in warning
