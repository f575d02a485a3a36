"""The sheets that a benchmark measures with."""

import numpy as np

from utils.benchmark import sheets
from utils.benchmark.sheets import draw_sheets, link_dataset, scale_sheets
from utils.files.images import read_image
from utils.files.masks import read_mask


def test_sheets_are_drawn_once_scaled_and_linked(tmp_path):
    files = draw_sheets(tmp_path / "drawn", 1, (320, 240))
    image, mask = read_image(files[0][0]), read_mask(files[0][1])
    assert image.shape == (320, 240, 3) and mask.shape == (320, 240) and len(np.unique(mask)) > 1
    written = files[0][1].stat().st_mtime_ns
    assert draw_sheets(tmp_path / "drawn", 1, (320, 240)) == files and files[0][1].stat().st_mtime_ns == written
    (larger,) = scale_sheets(files, tmp_path / "large", 0.3072)  # four times the pixels
    assert read_image(larger[0]).shape == (640, 480, 3)
    assert np.array_equal(read_mask(larger[1])[1::2, 1::2], mask)
    data = link_dataset(tmp_path / "linked", files, 3)
    assert data.stems("train") == data.stems("val") == ["sheet_0000", "sheet_0001", "sheet_0002"]
    assert all(np.array_equal(read_mask(data.mask(stem)), mask) for stem in data.stems("val"))


def test_linking_copies_where_links_are_not_to_be_had(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError("no links here")

    monkeypatch.setattr(sheets.os, "link", refuse)
    files = draw_sheets(tmp_path / "drawn", 1, (320, 240))
    data = link_dataset(tmp_path / "linked", files, 1)
    assert data.images()["sheet_0000"].read_bytes() == files[0][0].read_bytes()
