"""digitise.py with a detector: specimens in every file, runs with another detector or none, boxes as pixels."""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO

import digitise
import yolo
from boxed import yolo_settings
from digitised import DETECTOR_PATH, PAPER, PLANT, LayoutDetector, LayoutModel, digitised, save, sheet, working_folder
from helpers import ROOT, csv_rows, randomise
from nets.yolov5 import yolov5
from test_run import done, files, table
from utils import config
from utils.detection.boxes import Box
from utils.detection.checkpoint import DetectionCheckpoint
from utils.digitise import run
from utils.digitise.reading.specimens import SHIPPED, all_classes, find_specimens
from utils.digitise.record import from_json, to_json
from utils.network.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from utils.utils import NAME_CLASSES, UserError

with_specimens = partial(digitised, detector_path=DETECTOR_PATH)
# Left, top, width and height of digitised.SPECIMENS in whole pixels, by hand; the upper one first.
UPPER, LOWER = (210, 280, 190, 176), (200, 460, 191, 240)
OFF = dict.fromkeys(
    ("report", "coco", "audiovisual_core", "labelme", "masks", "crops", "collages", "plants", "scale", "charts"), False)
CROPS = ["specimens/K1_Specimen_1.jpg", "specimens/K1_Specimen_2.jpg"]


def load_detector(path: str, kind: type[Checkpoint] = Checkpoint) -> object:
    """In the place of `load_checkpoint`, for real detectors beside the stand-in for the other network."""
    return LayoutModel if kind is Checkpoint else load_checkpoint(path, kind)


def box_of(row: dict[str, str]) -> tuple[int, ...]:
    return tuple(int(row[side]) for side in ("left", "top", "width", "height"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        root = working_folder(tmp_path_factory.mktemp("made"), patch)
        save(Path("img/K1.jpg"), sheet("K1"))
        assert with_specimens() == 0
    return root


@pytest.fixture
def package(made, monkeypatch):
    """The folder of a run on one sheet."""
    monkeypatch.chdir(made)
    return made


def test_specimens_are_in_every_file(package):
    assert {name for name in files() if name.startswith(("specimens", "plants"))} == {"plants/K1.jpg", *CROPS}
    (row,) = table("sheets.csv")
    assert row["count Specimen"] == "2" and row["lowest_confidence"] == "0.99"  # of the mask
    rows = table("objects.csv")
    assert [(row["object"], row["class"], row["confidence"], row["crop"]) for row in rows[4:]] == [
        ("5", "Specimen", "0.5", CROPS[0]), ("6", "Specimen", "0.9", CROPS[1])]
    assert [box_of(row) for row in rows[4:]] == [UPPER, LOWER]
    first = rows[4]
    assert first["polygon"] == "210,280 400,280 400,456 210,456" and first["area"] == str(190 * 176)
    assert (first["rectangle_x"], first["rectangle_y"], first["angle"]) == ("305.0", "368.0", "0.0")
    assert (first["centroid_x"], first["centroid_y"], first["touches_border"]) == ("305.0", "368.0", "no")
    assert float(first["width_cm"]) == pytest.approx(190 / 20, rel=0.01) and first["text"] == first["instance"] == ""
    assert [tuple(row.values())[2:] for row in table("roi.csv")[4:]] == [  # by a pocket calculator
        ("0.35000", "0.33333", "0.31667", "0.20953", "Specimen"),
        ("0.33333", "0.54762", "0.31834", "0.28571", "Specimen")]
    assert [row["dcterms:identifier"] for row in table("media.csv")[5:]] == CROPS
    record = from_json(Path("digitised/records/K1.json").read_text(encoding="utf-8"))
    assert from_json(to_json(record)) == record and len(record.specimens) == 2 and set(CROPS) <= set(record.files)
    shapes = json.loads(Path("digitised/labelme/K1.json").read_text(encoding="utf-8"))["shapes"]
    assert [shape["points"] for shape in shapes if shape["label"] == "Specimen"] == [
        [[210, 280], [400, 456]], [[200, 460], [391, 700]]]


def test_coco_readers_find_them(package):
    coco = COCO("digitised/objects.json")
    (category,) = coco.getCatIds(["Specimen"])
    found = coco.loadAnns(coco.getAnnIds(catIds=[category]))
    assert category == 5 and [entry["object"] for entry in found] == [6, 5]  # the larger one first
    assert [tuple(entry["bbox"]) for entry in found] == [LOWER, UPPER] and found[0]["score"] == 0.9
    shown = coco.annToMask(found[0])
    assert shown.sum() == found[0]["area"] == 191 * 240 and shown[460:700, 200:391].all()


def test_a_specimen_is_cut_out_with_paper_in_the_place_of_objects(folder):
    save(Path("img/K1.jpg"), sheet("K1"))
    with_specimens(**OFF)
    assert files() == {"records/K1.json", "sheets.csv", "objects.csv", "barcodes.csv", *CROPS}
    upper, lower = (np.asarray(Image.open(Path("digitised", name))).astype(int) for name in CROPS)
    assert upper.shape[:2] == (176 + 8, 190 + 8) and lower.shape[:2] == (240 + 8, 191 + 8)  # 0.4% of the diagonal: 4
    left, top = 200 - 4, 460 - 4
    assert abs(lower[500 - top, 300 - left] - PLANT).max() <= 6
    label = lower[665 - top:700 - top, 250 - left:385 - left]  # its card is 27 from paper, its letters are 200
    assert abs(label - PAPER).max() <= 6


def test_the_report_draws_and_counts_them(package):
    text = Path("digitised/report.html").read_text(encoding="utf-8")
    assert '<polygon class="c5 box" points="210,280 400,280 400,456 210,456"><title>Specimen, 50%</title>' in text
    assert '<i class="swatch c5"></i>Specimen <b>2</b>' in text and f'href="{CROPS[0]}"' in text
    assert ".c5 { --line: rgb(10 20 30); }" in text  # the detector's colour
    assert text.count(' box"') == 2 and ".outlines .box { fill: none; }" in text


def test_a_sheet_without_a_plant_needs_attention_if_it_was_looked_for(folder):
    save(Path("img/K1.jpg"), sheet("K1"))
    save(Path("img/K2.jpg"), sheet("K2", (5,)))
    assert with_specimens() == 3
    assert [(row["count Specimen"], row["problems"], row["review"]) for row in table("sheets.csv")] == [
        ("2", "", ""), ("0", "no_specimen", "No specimen was found.")]
    assert Path("digitised/to_correct.txt").read_text().split() == ["labelme/K2.json", "labelme/K1.json"]
    assert "<span>No specimen</span> <b>1</b>" in Path("digitised/report.html").read_text(encoding="utf-8")
    assert with_specimens(required_classes=("Label",), report=False) == 0
    assert digitised(detector_path="", report=False) == 0
    assert "count Specimen" not in table("sheets.csv")[0] and len(table("objects.csv")) == 8
    assert Path("digitised/to_correct.txt").read_text().split() == ["labelme/K1.json", "labelme/K2.json"]
    assert len(COCO("digitised/objects.json").cats) == 4


def test_who_looks_for_what():
    s = config.read(digitise)
    assert s.detector_path == config.read(ROOT / "serve.py").detector_path == SHIPPED
    assert s.required_classes == (*NAME_CLASSES[1:], "Specimen")
    assert run.checked(s, NAME_CLASSES, True).required_classes == s.required_classes
    assert run.checked(s, NAME_CLASSES, False).required_classes == NAME_CLASSES[1:]
    assert run.checked(s, (*NAME_CLASSES, "Specimen"), False).required_classes == s.required_classes  # in the masks


def test_sheets_are_done_again_with_another_detector(folder, monkeypatch):
    save(Path("img/K1.jpg"), sheet("K1"))
    again = partial(done, monkeypatch, **OFF)
    assert again(detector_path="") == ["K1.jpg"]
    assert again() == []                                         # the file that may be missing is missing
    assert again(detector_path=DETECTOR_PATH) == ["K1.jpg"]
    Path(DETECTOR_PATH).rename("moved.pth")
    assert again(detector_path="moved.pth") == []
    assert again(detector_path="moved.pth", specimen_confidence=0.1) == ["K1.jpg"]
    Path("moved.pth").write_bytes(b"other weights")
    assert again(detector_path="moved.pth", specimen_confidence=0.1) == ["K1.jpg"]
    Path("digitised", CROPS[1]).unlink()
    assert again(detector_path="moved.pth", specimen_confidence=0.1) == ["K1.jpg"]
    assert table("sheets.csv")[0]["count Specimen"] == "2"


def test_crops_of_specimens_that_are_no_longer_found_are_removed(folder, monkeypatch):
    save(Path("img/K1.jpg"), sheet("K1"))
    with_specimens(**OFF)
    real = LayoutDetector.detect
    monkeypatch.setattr(LayoutDetector, "detect", lambda self, image: real(self, image)[:2])
    with_specimens(**OFF, skip_done=False)
    assert {name for name in files() if name.startswith("specimens")} == {CROPS[0]}
    with_specimens(**OFF, specimens=False)
    assert [row["crop"] for row in table("objects.csv")[4:]] == [""]


def test_the_detector_that_may_be_missing_and_others(folder, monkeypatch, capsys):
    save(Path("img/K1.jpg"), sheet("K1"))
    digitised(**OFF)
    assert f"{SHIPPED} is not there, so specimens are not looked for." in capsys.readouterr().out
    digitised(**OFF, detector_path="")
    assert "specimens" not in capsys.readouterr().out
    Path("model_data").mkdir()
    Path(SHIPPED).write_bytes(b"weights")
    digitised(**OFF)
    assert table("sheets.csv")[0]["count Specimen"] == "2"
    monkeypatch.setattr(run, "load_checkpoint", load_detector)
    with pytest.raises(UserError, match="nowhere.pth does not exist"):
        digitised(detector_path="nowhere.pth")
    save_checkpoint("masks.pth", DetectionCheckpoint({}, [], [], "deeplabv3_plus", "mobilenet", 16, [64, 64]))
    with pytest.raises(UserError, match="masks.pth holds deeplabv3_plus, which gives each pixel a class"):
        digitised(detector_path="masks.pth")


def test_networks_that_do_not_fit_each_other(folder, monkeypatch):
    assert all_classes(LayoutModel, None, "Plant") == (LayoutModel.name_classes, LayoutModel.colors)
    assert all_classes(LayoutModel, LayoutDetector, "Specimen")[1][5] == (10, 20, 30)
    save(Path("img/K1.jpg"), sheet("K1"))
    with pytest.raises(UserError, match='specimen_class is "Plant".* it finds Barcode, Specimen.'):
        with_specimens(specimen_class="Plant", required_classes=())
    with pytest.raises(UserError, match='specimen_class is "Barcode", which is also a class of the masks'):
        with_specimens(specimen_class="Barcode", required_classes=())
    with pytest.raises(UserError, match="whole_classes has Specimen"):
        with_specimens(whole_classes=("Specimen",))
    monkeypatch.setattr(LayoutDetector, "name_classes", ["Plant"])
    with pytest.raises(UserError, match="required_classes has Specimen, which the model does not find"):
        with_specimens(specimen_class="Plant")
    assert not Path("digitised").exists()


def test_boxes_become_whole_pixels_within_the_photograph():
    class Corners(LayoutDetector):
        def detect(self, image: np.ndarray) -> list[Box]:
            return [Box("Specimen", 1, 0.5, *sides) for sides in (
                (0.0, 0.0, 100.0, 80.0), (99.9, 79.9, 100.0, 80.0), (5.0, 3.0, 6.0, 4.0), (1.2, 3.0, 1.4, 70.0))]

    found = find_specimens(Corners(), np.zeros((80, 100, 3), np.uint8), "Specimen", 5)
    regions = [item.region for item in found]
    assert [(each.left, each.top, each.width, each.height) for each in regions] == [
        (0, 0, 100, 80), (1, 3, 1, 67), (5, 3, 1, 1), (99, 79, 1, 1)]
    assert [each.touches_border for each in regions] == [True, False, False, True]
    assert regions[2].centroid == (3.0, 5.0) and {each.index for each in regions} == {5}  # of one pixel: itself
    assert find_specimens(Corners(), np.zeros((80, 100, 3), np.uint8), "Barcode", 5) == ()


def test_boxes_of_a_real_network_in_two_threads(folder, monkeypatch):
    """Random weights find something everywhere; digitise.py has the boxes that yolo.Detector gives."""
    torch.manual_seed(3)
    model = randomise(yolov5("n", 5))
    for conv in model.head:
        torch.nn.init.normal_(conv.weight, 0.0, 0.05)
        torch.nn.init.zeros_(conv.bias)
    settings = yolo_settings(folder, save_dir="").to_dict()
    save_checkpoint("n.pth", DetectionCheckpoint.of_run(settings, model=model.state_dict()))
    monkeypatch.setattr(digitise, "Detector", yolo.Detector)
    monkeypatch.setattr(run, "load_checkpoint", load_detector)
    for number in range(2):
        save(Path(f"img/K{number}.png"), sheet(f"K{number}"))
    detector = yolo.Detector("n.pth", device="cpu")
    expected = {}
    for number in range(2):
        boxes = detector.detect(sheet(f"K{number}"))
        expected[f"K{number}.png"] = sorted(
            (math.floor(box.x1), math.floor(box.y1), math.ceil(box.x2) - math.floor(box.x1),
             math.ceil(box.y2) - math.floor(box.y1)) for box in boxes if box.name == "Specimen")
    digitised(**OFF, detector_path="n.pth", device="cpu", num_workers=2)
    header, *rows = csv_rows(Path("digitised/objects.csv"))
    found = [dict(zip(header, row)) for row in rows]
    assert all(expected.values())
    for name, boxes in expected.items():
        assert sorted(box_of(row) for row in found if row["sheet"] == name and row["class"] == "Specimen") == boxes
