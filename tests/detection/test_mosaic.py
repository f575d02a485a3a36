"""Random views: boxes lie where the painted objects are, and only those that can be seen are kept."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from boxed import make_boxes
from utils.dataloader import make_loader
from utils.detection.boxes import DETECTION_CLASSES
from utils.detection.data import mosaic
from utils.detection.data.layouts import open_boxes
from utils.detection.data.mosaic import Sample, around, paste, view, visible, whole
from utils.detection.data.samples import Boxed, BoxDataset, box_sizes, collate, read_boxes
from utils.network.distributed import Processes
from utils.training.mixing import Part

SHAPE = (96, 64)
ONE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours stay as they are."""
    monkeypatch.setattr(mosaic, "jitter_colour", lambda image, gain: image)


def painted(index: int) -> Sample:
    """A dark image with one box in a colour of its own: channel `index` alone is 250."""
    size = ((90, 60), (50, 120), (64, 64), (150, 70))[index]
    image = np.full((*size, 3), 40, np.uint8)
    y1, y2, x1, x2 = size[0] // 5, size[0] * 3 // 5, size[1] // 4, size[1] * 4 // 5
    image[y1:y2, x1:x2] = np.array([(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)][index])
    shares = np.array([[index, x1 / size[1], y1 / size[0], x2 / size[1], y2 / size[0]]], np.float32)
    return image, shares


def extent(picture: np.ndarray, index: int) -> np.ndarray | None:
    """The box of the pixels that have the colour of `painted(index)`; None if there are none."""
    colours = np.array([(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)])
    rows, columns = np.nonzero(np.abs(picture.astype(int) - colours[index]).max(2) < 90)
    return None if not len(rows) else np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


@pytest.mark.parametrize("count", [1, 4])
def test_boxes_lie_on_the_pixels(plain: None, count: int) -> None:
    samples, seen, cut = [painted(index) for index in range(count)], 0, 0
    for seed in range(60):
        picture, boxes = view(samples, SHAPE, (0.5, 1.5), np.random.default_rng(seed))
        assert picture.shape == (*SHAPE, 3) and picture.dtype == np.uint8 and boxes.dtype == np.float32
        for index, *box in boxes:
            np.testing.assert_allclose(box, extent(picture, int(index)), atol=1.0)
            seen += 1
            cut += box[0] == 0 or box[1] == 0 or box[2] == SHAPE[1] or box[3] == SHAPE[0]
        assert len(boxes) <= count
    assert seen > 20 * count and (cut > 5 or count == 1)


def test_a_view_is_flipped_half_of_the_time_and_no_two_are_alike(plain: None) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :32] = 255
    views = [view([(image, np.zeros((0, 5), np.float32))], (64, 64), (1.0, 1.0), np.random.default_rng(seed))[0]
             for seed in range(40)]
    bright_left = sum(picture[:, :32].mean() > picture[:, 32:].mean() for picture in views)
    assert 10 < bright_left < 30 and len({picture.tobytes() for picture in views}) > 30


def test_four_tiles_meet_in_the_centre() -> None:
    # canvas 200 x 120; 100 x 50 fits (100, 60) as it is, 50 x 60 too, 200 x 60 is halved, 25 x 15 is 4 times as large
    tiles = around((70, 90), [(100, 50), (50, 60), (200, 60), (25, 15)], (100, 60))
    assert [tile.place for tile in tiles] == [
        (20, -10, 70, 90), (70, 40, 130, 90), (40, 90, 70, 190), (70, 90, 130, 190)]
    assert [tile.window for tile in tiles] == [(0, 0, 70, 90), (70, 0, 120, 90), (0, 90, 70, 200), (70, 90, 120, 200)]
    assert whole((50, 60), (100, 60)) == ((0, 25, 60, 75), (0, 0, 60, 100))


def test_what_is_kept_by_hand() -> None:
    boxes = np.array([
        [0, -10, 0, 10, 10],      # half of it is within the window
        [1, -90, 0, 10, 10],      # a tenth is, which is not more than a tenth
        [2, 97, 10, 99, 40],      # 2 pixels wide
        [3, 0, 20, 100, 21.5],    # 1.5 high
        [4, 200, 200, 220, 220],  # outside
        [5, 97.5, 0, 140, 300],   # 2.5 x 100 of 42.5 x 300 is less than a tenth
    ], np.float32)
    np.testing.assert_array_equal(visible(boxes, (0, 0, 100, 100)), [[0, 0, 0, 10, 10]])
    assert len(visible(np.array([[0, 0, 0, 2.5, 260]], np.float32), (0, 0, 9, 999))) == 0  # 104 times as high as wide
    assert len(visible(np.array([[0, 0, 0, 2.5, 240]], np.float32), (0, 0, 9, 999))) == 1


def test_an_image_only_fills_its_window() -> None:
    picture = np.full((10, 12, 3), 128, np.uint8)
    sample = np.full((4, 4, 3), 9, np.uint8), np.array([[1, 0, 0, 1, 0.5]], np.float32)
    boxes = paste(picture, sample, (2.2, -3.6, 10.4, 4.4), (0, 0, 6.4, 20))
    assert boxes.shape == (0, 5)  # y from -4 to 0: it is above the picture
    assert (picture == 9).all(2).nonzero()[0].max() == 3 and (picture[:4, 2:6] == 9).all()
    assert (picture == 9).all(2).sum() == 16
    assert paste(picture, sample, (20, 0, 30, 10), (0, 0, 12, 10)).shape == (0, 5)
    np.testing.assert_array_equal(paste(picture, sample, (4, 2, 8, 10), (0, 0, 12, 10)), [[1, 4, 2, 8, 6]])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Boxed]:
    """Four training sheets with their boxes."""
    folder = make_boxes(tmp_path_factory.mktemp("data") / "set")
    return read_boxes(open_boxes(folder.parent, "set", DETECTION_CLASSES, {}), "train")


def test_validation_samples_are_letterboxed_as_for_prediction(files: list[Boxed]) -> None:
    image, boxes = BoxDataset(files, (64, 96), 0)[0, 0]
    assert image.shape == (64, 64, 3) and image.dtype == torch.uint8  # 96 columns would hold 32 of grey
    # 96 x 64 becomes 64 x 43, with bars of 10 on the left; the plant is at x 36 to 60 of 64, y 60 to 90 of 96
    plant = boxes[boxes[:, 0] == 4]
    torch.testing.assert_close(plant, torch.tensor([[4, 10 + 36 * 43 / 64, 40, 10 + 60 * 43 / 64, 60]]))
    inside = image[42:58, 36:48].float()
    assert (inside[..., 1] > inside[..., 0] + 60).all() and (image[:, :10] == 128).all()


def test_batches(files: list[Boxed]) -> None:
    images, targets = collate([BoxDataset(files, SHAPE, 0)[0, number] for number in (0, 1)])
    assert images.shape == (2, *SHAPE, 3) and targets.dtype == torch.float32
    for number in (0, 1):
        torch.testing.assert_close(targets[targets[:, 0] == number, 1:], BoxDataset(files, SHAPE, 0)[0, number][1])
    empty = collate([(images[0], torch.zeros(0, 5)), (images[1], torch.ones(1, 5))])[1]
    assert empty.tolist() == [[1, 1, 1, 1, 1, 1]]
    assert collate([(images[0], torch.zeros(0, 5))])[1].shape == (0, 6)


def test_images_of_other_sizes_are_filled_up_with_grey() -> None:
    high, wide = torch.full((64, 32, 3), 1, dtype=torch.uint8), torch.full((32, 96, 3), 2, dtype=torch.uint8)
    images, targets = collate([(high, torch.ones(1, 5)), (wide, torch.ones(1, 5))])
    assert images.shape == (2, 64, 96, 3) and targets[:, 1:].eq(1).all()
    assert torch.equal(images[0, :, :32], high) and torch.equal(images[1, :32], wide)
    assert images[0, :, 32:].eq(128).all() and images[1, 32:].eq(128).all()


def test_workers_and_cache_change_nothing(files: list[Boxed], tmp_path: Path) -> None:
    def first(num_workers: int, cache_dir: str) -> list[torch.Tensor]:
        dataset = BoxDataset(files, SHAPE, 3, (0.5, 1.5), mosaic=0.7, degraded=0.5, cache_dir=cache_dir)
        loader = make_loader(dataset, 2, num_workers, ONE, collate)
        loader.sampler.epoch = 1
        return [part for batch in loader for part in batch]

    plain = first(0, "")
    assert all(torch.equal(*pair) for pair in zip(plain, first(1, str(tmp_path)), strict=True))
    other = BoxDataset(files, SHAPE, 4, (0.5, 1.5), mosaic=0.7)
    assert not torch.equal(other[0, 1][0], BoxDataset(files, SHAPE, 3, (0.5, 1.5), mosaic=0.7)[0, 1][0])
    again = pickle.loads(pickle.dumps(other))
    assert all(torch.equal(*pair) for pair in zip(other[2, 1], again[2, 1]))


def test_a_mosaic_takes_sheets_of_every_part(files: list[Boxed], monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    dataset = BoxDataset(files, SHAPE, 0, (1.0, 1.0), mosaic=1.0, parts=[Part(3, 1), Part(1, 3)])
    original = BoxDataset._read
    monkeypatch.setattr(BoxDataset, "_read", lambda self, number: read.append(number) or original(self, number))
    for passed in range(40):
        dataset[passed, 0]
    assert len(read) == 160
    others = np.bincount(read, minlength=4) - (40, 0, 0, 0)
    assert 70 < others[3] < 110 and min(others) > 3  # three quarters of 120


def test_sizes_of_boxes_in_the_letterbox(tmp_path: Path) -> None:
    Image.new("RGB", (200, 100)).save(tmp_path / "a.png")
    sheet = Boxed(tmp_path / "a.png", np.array([[0, 0, 0, 0.5, 0.1], [1, 0.2, 0.2, 0.3, 1]], np.float32), (100, 200))
    np.testing.assert_allclose(box_sizes([sheet], (64, 64)), [[32, 3.2], [6.4, 25.6]], rtol=1e-5)
    assert box_sizes([], (64, 64)).shape == (0, 2)
