"""Crops of the objects: upright, with the sheet's own pixels where they are; names; what an earlier run left."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from coloured import ColourModel, run, save_16bit, sheet
from helpers import csv_rows
from pictures import SRGB, noise
from utils.objects.regions import Region, find_regions
from utils.predicting.crops import cut_out, deskewed, is_turned
from utils.utils import UserError

NAMES = ["_background_", "Barcode", "Label"]
COLOURS = np.array([(220, 30, 30), (30, 200, 30), (30, 30, 220), (210, 210, 40)], np.uint8)


def crops_in(folder: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def only_region(mask: np.ndarray) -> Region:
    (region,) = find_regions(mask, NAMES)
    return region


def on_sheet(matrix: np.ndarray, x: float, y: float) -> np.ndarray:
    return matrix @ (x, y, 1)


def turned_card(angle: float) -> tuple[np.ndarray, np.ndarray]:
    """A white sheet of 300 x 400 pixels and its mask: a card of 160 x 80 with four coloured quarters.

    Its centre is x = 210, y = 140, and it is turned clockwise by so many degrees.
    """
    y, x = np.mgrid[:300, :400] + 0.5
    along, across = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    u, v = (x - 210) * along + (y - 140) * across, (y - 140) * along - (x - 210) * across
    card = (abs(u) < 80) & (abs(v) < 40)
    pixels = np.where(card[..., None], COLOURS[(u > 0) + 2 * (v > 0)], np.uint8(255))
    return pixels, card * np.uint8(2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_straight_objects_keep_their_pixels(dtype):
    """A margin of 2 pixels, but not beyond the edge of the sheet."""
    pixels = noise(400, 300, 3, dtype=dtype)
    mask = np.zeros((400, 300), np.uint8)
    mask[390:, 280:], mask[100:130, 50:70] = 1, 2
    barcode, label = (cut_out(pixels, region) for region in find_regions(mask, NAMES))
    np.testing.assert_array_equal(barcode.pixels, pixels[388:, 278:])
    np.testing.assert_array_equal(label.pixels, pixels[98:132, 48:72])
    np.testing.assert_array_equal(label.to_sheet, [[1, 0, 48], [0, 1, 98]])
    assert (barcode.name, label.name) == ("Barcode", "Label")


@pytest.mark.parametrize("angle", [10, -10, 44, -44, 0.7])
def test_turned_objects_become_upright(angle):
    pixels, mask = turned_card(angle)
    cut = cut_out(pixels, only_region(mask), margin=10)
    height, width = cut.pixels.shape[:2]
    assert abs(width - 180) <= 2 and abs(height - 100) <= 2
    middle_x, middle_y = width / 2, height / 2
    for number, colour in enumerate(COLOURS):  # each quarter is where it was drawn, up to 3 pixels from its edges
        x, y = (middle_x - 77, middle_x + 3)[number % 2], (middle_y - 37, middle_y + 3)[number // 2]
        quarter = cut.pixels[round(y):round(y) + 34, round(x):round(x) + 74]
        assert abs(quarter.astype(int) - colour).max() <= 2
    assert (cut.pixels[:7] > 250).all() and (cut.pixels[:, :7] > 250).all() and (cut.pixels[:, -7:] > 250).all()
    along, across = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    for u, v in ((0, 0), (80, 40), (-80, 40)):
        expected = 210 + u * along - v * across, 140 + u * across + v * along
        np.testing.assert_allclose(on_sheet(cut.to_sheet, middle_x + u, middle_y + v), expected, atol=1)
    np.testing.assert_array_equal(deskewed(pixels, only_region(mask), 10), cut.pixels)


def test_a_turned_16_bit_object_is_that_of_8_bits():
    pixels, mask = turned_card(10)
    cut, deep = (cut_out(image, only_region(mask)) for image in (pixels, pixels.astype(np.uint16) * 257))
    assert deep.pixels.dtype == np.uint16
    assert abs(deep.pixels / 257 - cut.pixels).max() <= 1


def test_quarter_turns_are_clockwise():
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    region = only_region(np.full((2, 3), 2, np.uint8))
    one, two, three = (cut_out(pixels, region, turn=turn) for turn in (1, 2, 3))
    assert one.pixels[..., 0].tolist() == [[9, 0], [12, 3], [15, 6]]
    assert two.pixels[..., 0].tolist() == [[15, 12, 9], [6, 3, 0]]
    assert three.pixels[..., 0].tolist() == [[6, 15], [3, 12], [0, 9]]
    corners = [on_sheet(cut.to_sheet, 0.5, 0.5).tolist() for cut in (one, two, three)]
    assert corners == [[0.5, 1.5], [2.5, 1.5], [2.5, 0.5]]  # of the pixels 9, 15 and 6


def test_objects_of_which_it_is_not_clear_how_they_lie_are_not_turned():
    circle = cv2.circle(np.zeros((100, 100), np.uint8), (50, 50), 30, 2, -1)
    region = only_region(circle)
    assert not is_turned(region._replace(rectangle=region.rectangle._replace(angle=30.0)))
    assert not is_turned(only_region(turned_card(0.3)[1])) and is_turned(only_region(turned_card(1)[1]))
    long = only_region(np.full((2, 33_000), 2, np.uint8))  # OpenCV could not turn it
    long = long._replace(rectangle=long.rectangle._replace(angle=1.0))
    assert cut_out(np.zeros((2, 33_000, 3), np.uint8), long, 0).pixels.shape == (2, 33_000, 3)


def test_beyond_the_edge_of_the_sheet_its_pixels_are_repeated():
    pixels, mask = turned_card(10)
    pixels, mask = pixels[100:, 160:], mask[100:, 160:]  # the sheet ends within the card
    region = only_region(mask)
    cut = cut_out(pixels, region, margin=10)
    assert region.touches_border and is_turned(region)
    assert set(map(tuple, cut.pixels[30:40, 0].tolist())) <= set(map(tuple, COLOURS.tolist()))
    single = np.zeros((9, 9), np.uint8)
    single[0, 8] = 2
    assert cut_out(noise(9, 9, 3), only_region(single), margin=3).pixels.shape == (4, 4, 3)


def test_crops_of_a_tiff_are_jpegs_of_8_bits(folder):
    """Two labels and a barcode on a sheet whose diagonal is 500 pixels: a margin of 2."""
    pixels = np.full((400, 300, 3), 60 * 257, np.uint16)
    pixels[100:130, 50:70] = pixels[200:230, 10:30] = (0, 65535, 0)
    pixels[390:, 280:] = (65535, 0, 0)
    Path("img/a").mkdir()
    save_16bit(Path("img/a/x_1.tif"), pixels)
    Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save("img/nothing.png")
    assert run(crops=True, count=True, recursive=True) == 0
    expected = {
        "a/x_1_Barcode_1.jpg": np.s_[388:400, 278:300], "a/x_1_Label_1.jpg": np.s_[98:132, 48:72],
        "a/x_1_Label_2.jpg": np.s_[198:232, 8:32],
    }
    assert crops_in("img_out/crops") == list(expected)
    for name, box in expected.items():
        with Image.open(f"img_out/crops/{name}") as crop:
            assert crop.format == "JPEG" and crop.layer[0][1:3] == (1, 1)  # full resolution of the colours
            assert np.abs(np.asarray(crop) - pixels[box] / 257).max() < 16
    header, *rows = csv_rows(Path("img_out/objects.csv"))
    assert [row[header.index("crop")] for row in rows] == [f"crops/{name}" for name in expected]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_profile_and_resolution_of_png_and_tiff(folder, suffix):
    Image.fromarray(sheet()).save(f"img/a.{suffix}", dpi=(600, 600), icc_profile=SRGB)
    assert run(crops=True) == 0
    with Image.open("img_out/crops/a_Label_1.jpg") as crop:
        assert crop.info["icc_profile"] == SRGB and crop.info["dpi"] == (600, 600)


def test_a_jpegs_crop_keeps_colour_and_resolution_but_no_thumbnail(folder):
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    Image.fromarray(sheet()).save("img/a.JPG", quality=97, dpi=(600, 600), icc_profile=SRGB, exif=exif)
    assert run(crops=True) == 0
    with Image.open("img/a.JPG") as whole, Image.open("img_out/crops/a_Label_1.jpg") as crop:
        assert crop.format == "JPEG" and crop.size == (8, 8)  # the margin is less than half a pixel
        assert crop.info["icc_profile"] == SRGB and crop.info["dpi"] == (600, 600)
        assert crop.quantization == whole.quantization and not crop.getexif()
        assert np.abs(np.asarray(crop).astype(int) - (0, 255, 0)).max() < 60
    with Image.open("img_out/a.JPG") as overlay:
        assert overlay.getexif()[0x010F] == "a camera"


def test_crops_of_an_earlier_run_do_not_outlive_their_objects(folder):
    two = sheet()
    two[20:28, 20:28] = (0, 255, 0)
    for stem, pixels in (("a", two), ("a_Label_2", sheet()), ("b", two)):
        Image.fromarray(pixels).save(f"img/{stem}.png")
    assert run(crops=True) == 0
    others = ["a_Label_2_Barcode_1.jpg", "a_Label_2_Label_1.jpg"]
    assert crops_in("img_out/crops") == [
        "a_Barcode_1.jpg", "a_Label_1.jpg", "a_Label_2.jpg", *others,
        "b_Barcode_1.jpg", "b_Label_1.jpg", "b_Label_2.jpg"]
    Image.fromarray(sheet()).save("img/a.png")
    Image.new("RGB", (30, 40)).save("img/b.png")
    assert run(crops=True) == 0
    assert crops_in("img_out/crops") == ["a_Barcode_1.jpg", "a_Label_1.jpg", *others]


def test_class_names_that_are_no_file_names(folder, monkeypatch):
    Image.fromarray(sheet()).save("img/a.png")
    monkeypatch.setattr(ColourModel, "name_classes", ["_background_", "1D/2D: code?\n", "Étiquette" * 30])
    assert run(crops=True) == 0
    assert crops_in("img_out/crops") == ["a_1D_2D__code___1.jpg", "a_" + ("Étiquette" * 30)[:40] + "_1.jpg"]


def test_classes_that_look_alike_are_counted_together(folder, monkeypatch):
    Image.fromarray(sheet()).save("img/a.png")
    monkeypatch.setattr(ColourModel, "name_classes", ["_background_", "a/b", "A:B"])
    assert run(crops=True) == run(crops=True) == 0
    assert crops_in("img_out/crops") == ["a_A_B_2.jpg", "a_a_b_1.jpg"]


def test_names_of_sheets_that_are_too_long_are_cut_and_stay_different(folder):
    for end in "xy":
        Image.fromarray(sheet()).save("img/" + "é" * 125 + end + ".png")
    assert run(crops=True) == 0
    names = crops_in("img_out/crops")
    assert len(names) == 4 and all(len(name.encode()) <= 255 and name.startswith("é" * 100) for name in names)
    assert len({name.split("~")[1][:8] for name in names}) == 2


def test_two_crops_of_one_name_are_refused_before_any_work(folder, monkeypatch):
    monkeypatch.setattr(ColourModel, "name_classes", ["_background_", "b_Label", "Label"])
    for stem in ("a", "a_B"):
        Image.fromarray(sheet()).save(f"img/{stem}.png")
    with pytest.raises(UserError, match="a.png and .*a_B.png would both be written to .*Label_1.jpg"):
        run(crops=True)
    assert not Path("img_out").exists()
    assert run() == 0


def test_a_crop_never_overwrites_a_sheets_picture(folder):
    Path("img/crops").mkdir()
    Image.fromarray(sheet()).save("img/a.png")
    for number in (1, 12):
        Image.fromarray(sheet()).save(f"img/crops/b_Label_{number}.jpg")
    assert run(crops=True, recursive=True) == 0
    Image.fromarray(sheet()).save("img/crops/a_Label_12.jpg")
    with pytest.raises(UserError, match="a.png and .*a_Label_12.jpg would both"):
        run(crops=True, recursive=True)


def test_a_crop_that_cannot_be_written_or_removed(folder, capsys):
    Image.fromarray(sheet()).save("img/a.png")
    Path("img_out/crops/a_Label_1.jpg").mkdir(parents=True)
    assert run(crops=True) == 1
    assert "a_Label_1.jpg cannot be written" in capsys.readouterr().err
    Path("img_out/crops/a_Label_1.jpg").rmdir()
    Path("img_out/crops/a_Label_2.jpg").mkdir()
    assert run(crops=True) == 1
    assert "a_Label_2.jpg cannot be written" in capsys.readouterr().err
