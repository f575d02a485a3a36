"""Crops of the objects: the sheet's own pixels, names, what an earlier run left."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from coloured import ColourModel, run, save_16bit, sheet


def crops_in(folder: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


@pytest.mark.parametrize("mix_type", [0, 1, 2])
def test_crops_are_the_sheets_own_pixels(folder, mix_type):
    """Two labels on a sheet whose diagonal is 500 pixels: a margin of 2."""
    pixels = np.random.default_rng(0).integers(0, 100, (400, 300, 3)).astype(np.uint16) * 257
    pixels[100:130, 50:70] = pixels[200:230, 10:30] = (0, 65535, 0)
    pixels[390:, 280:] = (65535, 0, 0)  # a barcode in the corner
    Path("img/a").mkdir()
    save_16bit(Path("img/a/x_1.tif"), pixels)
    Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save("img/nothing.png")
    assert run(crops=True, count=True, recursive=True, mix_type=mix_type) == 0
    expected = {
        "1_Barcode/a/x_1_1.tif": np.s_[388:400, 278:300], "2_Label/a/x_1_1.tif": np.s_[98:132, 48:72],
        "2_Label/a/x_1_2.tif": np.s_[198:232, 8:32],
    }
    assert crops_in("img_out/crops") == list(expected)
    for name, box in expected.items():
        crop = cv2.imdecode(np.fromfile(f"img_out/crops/{name}", np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(crop[..., ::-1], pixels[box])
    with open("img_out/objects.csv", encoding="utf-8-sig", newline="") as file:
        assert [row[-1] for row in csv.reader(file)] == ["crop", *(f"crops/{name}" for name in expected)]


def test_a_jpegs_crop_keeps_colour_and_resolution_but_no_thumbnail(folder):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    Image.fromarray(sheet()).save("img/a.JPG", quality=97, dpi=(600, 600), icc_profile=profile, exif=exif)
    assert run(crops=True) == 0
    with Image.open("img/a.JPG") as whole, Image.open("img_out/crops/2_Label/a_1.JPG") as crop:
        assert crop.format == "JPEG" and crop.size == (8, 8)  # the margin is less than half a pixel
        assert crop.info["icc_profile"] == profile and crop.info["dpi"] == (600, 600)
        assert crop.quantization == whole.quantization and not crop.getexif()
        assert np.abs(np.asarray(crop).astype(int) - (0, 255, 0)).max() < 60
    with Image.open("img_out/a.JPG") as overlay:
        assert overlay.getexif()[0x010F] == "a camera"


def test_crops_of_an_earlier_run_do_not_outlive_their_objects(folder):
    two = sheet()
    two[20:28, 20:28] = (0, 255, 0)
    for stem, pixels in (("a", two), ("a_2", sheet()), ("b", two)):
        Image.fromarray(pixels).save(f"img/{stem}.png")
    assert run(crops=True) == 0
    labels = ["2_Label/a_1.png", "2_Label/a_2.png", "2_Label/a_2_1.png", "2_Label/b_1.png", "2_Label/b_2.png"]
    assert crops_in("img_out/crops")[3:] == labels
    Image.fromarray(sheet()).save("img/a.png")
    Image.new("RGB", (30, 40)).save("img/b.png")
    assert run(crops=True) == 0
    assert crops_in("img_out/crops") == ["1_Barcode/a_1.png", "1_Barcode/a_2_1.png", labels[0], labels[2]]


def test_class_names_that_are_no_folder_names(folder, monkeypatch):
    monkeypatch.setattr(ColourModel, "name_classes", ["_background_", "1D/2D: code?", "Étiquette"])
    Image.fromarray(sheet()).save("img/a.png")
    assert run(crops=True) == 0
    assert crops_in("img_out/crops") == ["1_1D_2D__code_/a_1.png", "2_Étiquette/a_1.png"]


def test_a_crop_that_cannot_be_written(folder, capsys):
    Image.fromarray(sheet()).save("img/a.png")
    Path("img_out/crops").mkdir(parents=True)
    Path("img_out/crops/2_Label").write_text("no folder", encoding="utf-8")
    assert run(crops=True) == 1
    assert "a_1.png cannot be written" in capsys.readouterr().err
