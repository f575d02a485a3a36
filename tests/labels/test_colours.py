"""Masks in colours to masks of class numbers."""

import numpy as np
from PIL import Image

from utils.files.masks import read_mask
from utils.utils import voc_palette


def test_colours_become_the_nearest_class_within_the_tolerance(tmp_path, labels, convert, capsys):
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[0] = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]
    pixels[1] = [(0, 0, 128), (224, 224, 192), (100, 28, 10), (255, 0, 255)]  # (28, 28, 10): distance 40.8
    Image.fromarray(pixels).save(labels / "K1_label.png")
    assert convert("colour_to_palette") == 0
    assert read_mask(tmp_path / "out/K1.png").tolist() == [[0, 1, 2, 3], [4, 255, 255, 255]]
    assert "K1_label.png: 25.00% of the pixels are near no colour" in capsys.readouterr().err
    assert convert("colour_to_palette", color_tolerance=41.0, overwrite=True) == 0
    assert read_mask(tmp_path / "out/K1.png").tolist() == [[0, 1, 2, 3], [4, 255, 1, 255]]
    with Image.open(tmp_path / "out/K1.png") as image:
        assert image.mode == "P" and image.getpalette("RGB")[:15] == voc_palette()[:5].ravel().tolist()


def test_adaptive_palettes_get_the_same_numbers(tmp_path, labels, convert):
    """Two files whose own palettes number the same colours differently."""
    for stem, order in (("K1", [(0, 128, 0), (128, 0, 0)]), ("K2", [(128, 0, 0), (0, 128, 0)])):
        image = Image.fromarray(np.array([[order.index((128, 0, 0)), order.index((0, 128, 0))]], np.uint8))
        image.putpalette(np.ravel(order).tolist())
        image.save(labels / f"{stem}.png")
    assert convert("colour_to_palette") == 0
    assert [read_mask(tmp_path / f"out/{stem}.png").tolist() for stem in ("K1", "K2")] == [[[1, 2]], [[1, 2]]]


def test_bad_file_is_named_and_the_others_finished(tmp_path, labels, convert, capsys):
    Image.new("RGB", (3, 2), (0, 128, 0)).save(labels / "K2.png")
    (labels / "K1.png").touch()
    assert convert("colour_to_palette") == 1
    out, err = capsys.readouterr()
    assert "K1.png is empty" in err and "1 files written" in out and "1 skipped" in out
    assert (read_mask(tmp_path / "out/K2.png") == 2).all()
