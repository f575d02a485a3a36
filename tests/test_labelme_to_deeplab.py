"""labelme_to_deeplab.py from JSON files and images on disk to a data set."""

import base64
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelme_to_deeplab
from utils import config
from utils.files.images import read_image
from utils.files.masks import read_instances, read_mask
from utils.utils import UserError, voc_palette

REPOSITORY = Path(labelme_to_deeplab.__file__).parent
LABEL = {"label": "Label", "points": [[2, 1], [6, 5]], "group_id": None, "shape_type": "rectangle", "flags": {}}
SIZE = (30, 40)  # height, width


def sheet(height: int = SIZE[0], width: int = SIZE[1]) -> Image.Image:
    """A smooth picture without any symmetry: red falls to the right, green grows downwards."""
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([200 - 4 * columns, 40 + 5 * rows, 0 * rows + 90], axis=2).astype(np.uint8))


def write_json(path: Path, shapes: list[dict], **changes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{path.stem}.jpg", "imageData": None,
            "imageHeight": SIZE[0], "imageWidth": SIZE[1], **changes}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@pytest.fixture
def before(tmp_path: Path) -> Path:
    folder = tmp_path / "before"
    folder.mkdir()
    return folder


@pytest.fixture
def convert(tmp_path: Path, before: Path):
    """Runs the script on `before` into tmp_path / "out"."""
    def run(**changes) -> int:
        folders = {"input_dir": str(before), "output_dir": str(tmp_path / "out")}
        return labelme_to_deeplab.main(config.read(labelme_to_deeplab, **{**folders, **changes}))

    return run


def test_upright_rgb_jpeg_is_copied_byte_for_byte(tmp_path, before, convert, capsys):
    sheet().save(before / "K.000123.jpeg", quality=40, comment="the original")
    shapes = [LABEL, {**LABEL, "label": "Color_chart", "points": [[10, 10], [12, 14]]},
              {**LABEL, "label": "__ignore__", "points": [[20, 0], [21, 3]]},
              {**LABEL, "label": "_ignore_", "points": [[30, 0], [31, 3]]}]
    write_json(before / "K.000123.json", shapes, imagePath="K.000123.jpeg")
    assert convert() == 0
    assert (tmp_path / "out/JPEGImages/K.000123.jpg").read_bytes() == (before / "K.000123.jpeg").read_bytes()
    mask = read_mask(tmp_path / "out/SegmentationClass/K.000123.png")
    expected = np.zeros(SIZE, np.uint8)
    expected[1:5, 2:6], expected[10:14, 10:12], expected[:3, 20], expected[:3, 30] = 2, 3, 255, 255
    np.testing.assert_array_equal(mask, expected)
    with Image.open(tmp_path / "out/SegmentationClass/K.000123.png") as image:
        assert image.mode == "P" and image.getpalette("RGB")[:15] == voc_palette()[:5].ravel().tolist()
    out = capsys.readouterr().out
    assert "Sheets converted: 1, files skipped: 0" in out
    rows = [line.split() for line in out.splitlines()[3:]]  # read, written, cut, ignored, without a pixel
    assert rows == [["Barcode", *"00000"], ["Label", *"11000"], ["Color", "chart", *"11000"], ["Scale", *"00000"],
                    ["_ignore_", *"20020"]]


@pytest.mark.parametrize("kind", ["grey.jpg", "cmyk.jpg", "rgba.png", "16-bit.png", "rgb.TIFF"])
def test_other_images_become_rgb_jpegs(tmp_path, before, convert, kind):
    picture, source = sheet(), before / f"K1{Path(kind).suffix}"
    pixels = np.asarray(picture)
    if kind == "grey.jpg":
        picture = picture.convert("L")
        pixels = np.repeat(np.asarray(picture)[..., None], 3, 2)
        picture.save(source, quality=95)
    elif kind == "cmyk.jpg":
        picture.convert("CMYK").save(source, quality=95)
    elif kind == "rgba.png":
        picture.putalpha(255)
        picture.save(source)
    elif kind == "16-bit.png":
        pixels = np.repeat(pixels[..., :1], 3, 2)
        Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(source)
    else:
        picture.save(source)
    write_json(before / "K1.json", [LABEL], imagePath=source.name)
    assert convert() == 0
    with Image.open(tmp_path / "out/JPEGImages/K1.jpg") as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", SIZE[::-1])
        np.testing.assert_allclose(np.asarray(image).astype(int), pixels, atol=6)


def test_turned_jpeg_is_saved_upright(tmp_path, before, convert):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    sheet(SIZE[1], SIZE[0]).save(before / "K1.jpg", quality=95, exif=exif)
    write_json(before / "K1.json", [LABEL])  # labelme shows and stores it upright: 30 high, 40 wide
    assert convert() == 0
    with Image.open(tmp_path / "out/JPEGImages/K1.jpg") as image:
        assert image.size == SIZE[::-1] and image.getexif().get(0x0112, 1) == 1
        expected = np.rot90(np.asarray(sheet(SIZE[1], SIZE[0])), -1)
        np.testing.assert_allclose(np.asarray(image).astype(int), expected, atol=6)


def test_embedded_image_is_used_when_there_is_no_other(tmp_path, before, convert):
    sheet().save(tmp_path / "elsewhere.jpg")
    data = (tmp_path / "elsewhere.jpg").read_bytes()
    write_json(before / "K1.json", [LABEL], imageData=base64.b64encode(data).decode())
    assert convert() == 0
    assert (tmp_path / "out/JPEGImages/K1.jpg").read_bytes() == data


def test_bad_files_are_named_and_the_others_finished(tmp_path, before, convert, capsys):
    for stem in ("good", "other_size", "turned"):
        sheet().save(before / f"{stem}.jpg")
    (before / "cut_off.jpg").write_bytes((before / "good.jpg").read_bytes()[:400])
    for stem in ("good", "cut_off", "no_image"):
        write_json(before / f"{stem}.json", [LABEL])
    write_json(before / "other_size.json", [LABEL], imageHeight=300, imageWidth=400)
    write_json(before / "turned.json", [LABEL], imageHeight=SIZE[1], imageWidth=SIZE[0])
    write_json(before / "no_base64.json", [LABEL], imageData="%%%")
    write_json(before / "no_embedded_image.json", [LABEL], imageData="AAAA")
    (before / "no_json.json").write_text("{", encoding="utf-8")
    assert convert() == 1
    out, err = capsys.readouterr()
    assert "Sheets converted: 1, files skipped: 7" in out
    for message in (
        "cut_off.jpg cannot be read", 'no_image.json: its image "no_image.jpg" is missing',
        "other_size.json was labelled on an image of 400 x 300 pixels and other_size.jpg has 40 x 30",
        "turned.jpg has 40 x 30 when upright. It seems to have been turned since.",
        "no_base64.json: imageData is not base64", f"imageData of {before / 'no_embedded_image.json'} ",
        "no_json.json is not a labelme file",
    ):
        assert message in err
    assert {path.name for path in (tmp_path / "out").rglob("*.*")} == {"good.jpg", "good.png"}


def test_unknown_labels_are_all_named_before_anything_is_written(tmp_path, before, convert):
    for number in range(5):
        sheet().save(before / f"K{number}.jpg")
        write_json(before / f"K{number}.json", [LABEL, {**LABEL, "label": "label"}])
    write_json(before / "K0.json", [{**LABEL, "label": "Stamp"}, {**LABEL, "label": "label"}])
    with pytest.raises(UserError) as error:
        convert()
    assert '"label" (5 x in K0.json, K1.json, K2.json and 2 more files, perhaps "Label")' in str(error.value)
    assert '"Stamp" (1 x in K0.json)' in str(error.value)
    assert not (tmp_path / "out").exists()


def test_label_names_map_to_classes_and_to_ignore(tmp_path, before, convert):
    sheet().save(before / "K1.jpg")
    stamp = {**LABEL, "label": "Stamp", "points": [[9, 9], [11, 11]]}
    write_json(before / "K1.json", [{**LABEL, "label": "label"}, stamp])
    assert convert(label_names={"label": "Label", "Stamp": "_ignore_"}) == 0
    mask = read_mask(tmp_path / "out/SegmentationClass/K1.png")
    assert (mask == 2).sum() == 16 and (mask == 255).sum() == 4


def test_shapes_of_one_group_are_one_object(before, convert, capsys):
    sheet().save(before / "K1.jpg")
    write_json(before / "K1.json", [{**LABEL, "group_id": 7}, {**LABEL, "group_id": 7}, {**LABEL, "group_id": 8}, LABEL,
                                    {**LABEL, "label": "Scale", "group_id": 7}])
    assert convert() == 0
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["Label", "3"] in rows and ["Scale", "1"] in rows


@pytest.mark.parametrize("seam", [{}, {"seam": 0.05}])  # 0.06 and 1.5 of 30 rows: 2 pixels each
def test_a_seam_is_kept_between_touching_objects(tmp_path, before, convert, seam):
    sheet().save(before / "K1.jpg")
    write_json(before / "K1.json", [LABEL, {**LABEL, "points": [[6, 1], [12, 5]]}])
    assert convert(seam=0.0) == 0
    mask = read_mask(tmp_path / "out" / "SegmentationClass" / "K1.png")
    assert (mask[1:5, 2:12] == 2).all()
    assert convert(**seam) == 0
    mask = read_mask(tmp_path / "out" / "SegmentationClass" / "K1.png")
    assert (mask[1:5, 5:7] == 255).all() and (mask == 255).sum() == 8 and (mask == 2).sum() == 32


def test_instance_masks_number_the_objects_of_each_sheet(tmp_path, before, convert, capsys):
    for stem in ("K1", "K2"):
        sheet().save(before / f"{stem}.jpg")
    write_json(before / "K1.json", [LABEL, {**LABEL, "points": [[6, 1], [12, 5]]},
                                    {**LABEL, "label": "Scale", "points": [[20, 9], [24, 11]]}])
    write_json(before / "K2.json", [])
    assert convert(seam=0.0) == 0 and not (tmp_path / "out/InstanceClass").exists()
    assert convert(seam=0.0, instances=True) == 0
    expected = np.zeros(SIZE, np.uint16)
    expected[1:5, 2:6], expected[1:5, 6:12], expected[9:11, 20:24] = 1, 2, 3
    np.testing.assert_array_equal(read_instances(tmp_path / "out/InstanceClass/K1.png"), expected)
    assert not read_instances(tmp_path / "out/InstanceClass/K2.png").any()
    assert "earlier conversion" not in capsys.readouterr().err
    assert convert() == 0
    assert "InstanceClass has 2 instance masks of an earlier conversion, which may not fit" in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["SegmentationClass", "InstanceClass"])
def test_originals_are_not_overwritten_by_masks(tmp_path, before, convert, folder, capsys):
    source = tmp_path / "out" / folder / "K1.png"
    source.parent.mkdir(parents=True)
    sheet().save(source)
    write_json(before / "K1.json", [LABEL], imagePath=f"../out/{folder}/K1.png")
    assert convert(instances=True) == 1
    assert "K1.png would be overwritten by a mask" in capsys.readouterr().err
    assert np.array_equal(read_image(source), np.asarray(sheet())) and not (tmp_path / "out/JPEGImages").exists()


def test_more_shapes_than_numbers(before, convert, monkeypatch, capsys):
    monkeypatch.setattr(labelme_to_deeplab, "MAX_OBJECTS", 2)
    sheet().save(before / "K1.jpg")
    write_json(before / "K1.json", [LABEL, LABEL, LABEL])
    assert convert() == 1 and "K1.json has 3 shapes: up to 2 are allowed." in capsys.readouterr().err


def test_shapes_without_pixels_and_files_without_shapes_are_named(before, convert, capsys):
    for stem in ("K1", "K2"):
        sheet().save(before / f"{stem}.jpg")
    write_json(before / "K1.json", [LABEL, {**LABEL, "points": [[-9, -9], [-1, -1]]}])
    write_json(before / "K2.json", [])
    assert convert() == 0
    err = capsys.readouterr().err
    assert "K1.json: 1 x Label: without a pixel (shape 2, rectangle: outside the image)." in err
    assert "shape 1" not in err
    assert "K2.json: it has no shapes, so its mask is all background." in err


def test_one_output_for_two_inputs_is_refused_before_any_work(tmp_path, before, convert):
    for folder in ("a", "b"):
        write_json(before / folder / "K1.json", [LABEL])
        sheet().save(before / folder / "K1.jpg")
    with pytest.raises(UserError, match="would both be written to"):
        convert(recursive=True)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match=r"holds no \.json \(set recursive = True"):
        convert()


def test_originals_in_the_output_folder_stay_as_they_are(tmp_path, before, convert, capsys):
    images = tmp_path / "out/JPEGImages"
    images.mkdir(parents=True)
    sheet().save(images / "K1.jpg")
    sheet().save(images / "K2.png")
    sheet().save(images / "K3.jpeg")  # another name than that of the converted image
    sheet().convert("L").save(images / "K4.jpg")
    bytes_before = {path.name: path.read_bytes() for path in images.iterdir()}
    for name in bytes_before:
        write_json(before / Path(name).with_suffix(".json"), [LABEL], imagePath=f"../out/JPEGImages/{name}")
    assert convert() == 1
    err = capsys.readouterr().err
    for name in ("K1.jpg", "K2.png", "K3.jpeg", "K4.jpg"):
        assert (f"{name} would be converted in the folder of the originals" in err) == (name != "K1.jpg")
    assert {path.name: path.read_bytes() for path in images.iterdir()} == bytes_before
    assert (tmp_path / "out/SegmentationClass/K1.png").is_file()


def test_any_unicode_and_spaces_in_paths(tmp_path, convert):
    folder = tmp_path / "Schränke 标本 1.2"
    folder.mkdir()
    sheet().save(folder / "Müller №3.jpg")
    write_json(folder / "Müller №3.json", [LABEL])
    assert convert(input_dir=str(folder)) == 0
    assert (tmp_path / "out/JPEGImages/Müller №3.jpg").is_file()
    assert (read_mask(tmp_path / "out/SegmentationClass/Müller №3.png") == 2).sum() == 16


@pytest.mark.parametrize("changes, message", [
    ({"line_width": 0}, "line_width is 0: it has to be 1 to 1000"),
    ({"jpeg_quality": 101}, "jpeg_quality is 101: it has to be 1 to 100"),
    ({"seam": 0.2}, "seam is 0.2: it has to be 0 to 0.05 of the height"),
    ({"name_classes": ("bg", "Label", "Label")}, "name_classes names a class twice"),
    ({"input_dir": "no/such/folder"}, "not a folder"),
])
def test_constants_that_do_not_fit(convert, changes, message):
    with pytest.raises(UserError, match=message):
        convert(**changes)


def test_worked_example_of_the_repository(tmp_path, monkeypatch, capsys):
    """`python labelme_to_deeplab.py` as cloned makes what is committed in datasets/."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(sys, "argv", ["labelme_to_deeplab.py", f"--output_dir={tmp_path}"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path("labelme_to_deeplab.py", run_name="__main__")
    assert ended.value.code == 0
    for folder, suffix in (("JPEGImages", "jpg"), ("SegmentationClass", "png")):
        name = f"{folder}/EX_000123.{suffix}"
        read = read_mask if suffix == "png" else read_image
        np.testing.assert_array_equal(read(tmp_path / name), read(REPOSITORY / "datasets" / name))
    counts = np.bincount(read_mask(tmp_path / "SegmentationClass/EX_000123.png").ravel(), minlength=256)
    assert (counts[1], counts[3], counts[4]) == (108 * 40, 190 * 40, 320 * 30)  # the rectangles that were drawn
    assert abs(counts[255] - np.pi * 40**2) < 40  # the circle
