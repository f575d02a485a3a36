"""A server with a detector: specimens in the answers, which are those of digitise.py."""

import io
import json
import zipfile

import jsonschema
import numpy as np
import pytest
from PIL import Image

import serve
from digitised import DETECTOR_PATH, PAPER, LayoutDetector, digitised, save, sheet, working_folder
from helpers import ROOT
from served import DETECTOR, encoded, served
from utils import config
from utils.digitise.record import from_json
from utils.labels.formats.labelme import read_labelme
from utils.utils import UserError
from utils.web.answers import sheet_json

UPPER, LOWER = (210, 280, 190, 176), (200, 460, 191, 240)  # digitised.SPECIMENS in whole pixels: left, top, ...


@pytest.fixture(scope="module")
def finder():
    """A server whose detector knows the specimens of `digitised`."""
    with served(detector=LayoutDetector()) as one:
        yield one


@pytest.fixture(scope="module")
def fits(finder):
    """Raises unless a content is what the document says of a schema."""
    document = finder.ask("GET", "/openapi.json").json()
    return lambda name, content: jsonschema.Draft202012Validator(
        {**document, "$ref": f"#/components/schemas/{name}"}).validate(content)


def test_they_are_the_last_objects_and_those_of_digitise(finder, fits, tmp_path, monkeypatch):
    folder = working_folder(tmp_path, monkeypatch)
    save(folder / "img" / "K1.png", sheet())
    answer = finder.post((folder / "img" / "K1.png").read_bytes(), "?name=K1.png").json()
    fits("Sheet", answer)
    assert answer["model"]["detector"] == DETECTOR["id"] and answer["problems"] == []
    assert [(item["number"], item["class"], item["class_index"], item["confidence"], tuple(item["box"].values()))
            for item in answer["objects"][4:]] == [
        (5, "Specimen", None, 0.5, UPPER), (6, "Specimen", None, 0.9, LOWER)]
    digitised(detector_path=DETECTOR_PATH, report=False, plants=False, specimens=False, crops=False, collages=False)
    record = from_json((folder / "digitised" / "records" / "K1.json").read_text())
    expected = json.loads(json.dumps(sheet_json(record, answer["model"], answer["seconds"])))
    assert answer == expected


def test_a_sheet_without_a_plant(finder, fits):
    answer = finder.post(encoded(sheet(without=(5,)), quality=95)).json()
    fits("Sheet", answer)
    assert [problem["text"] for problem in answer["problems"]] == ["No specimen was found."]
    assert len(answer["objects"]) == 4


def test_a_package_has_their_crops_without_objects(finder, fits, photograph):
    package = zipfile.ZipFile(io.BytesIO(finder.post(photograph, "?name=K1.jpg&include=crops").body))
    found = json.loads(package.read("sheet.json"))
    fits("Sheet", found)
    crops = [item["crop"] for item in found["objects"]]
    assert crops[4:] == ["specimens/K1_Specimen_1.jpg", "specimens/K1_Specimen_2.jpg"]
    assert set(package.namelist()) == {"sheet.json", "mask.png", "labelme.json", *crops}
    with Image.open(package.open(crops[5])) as crop:
        assert crop.size == (191 + 8, 240 + 8)
        assert abs(np.asarray(crop)[210:240, 60:180].astype(int) - PAPER).max() <= 6  # the label was there
    with Image.open(package.open(crops[1])) as crop:  # which is a crop of its own
        assert abs(np.asarray(crop)[20:40, 200:300].astype(int) - PAPER).max() > 20


def test_a_labelme_file_has_them_as_rectangles(finder, photograph, tmp_path):
    (tmp_path / "K1.json").write_bytes(finder.post(photograph, Accept="application/vnd.labelme+json").body)
    shapes = read_labelme(tmp_path / "K1.json").shapes
    assert [shape.points.tolist() for shape in shapes if shape.label == "Specimen"] == [
        [[210, 280], [400, 456]], [[200, 460], [391, 700]]]
    assert [shape.kind for shape in shapes] == ["rectangle"] * 2 + ["polygon"] * 4


def test_the_classes_of_masks_and_those_on_the_page(finder, fits):
    classes = finder.ask("GET", "/api/v1/classes").json()
    fits("Classes", classes)
    assert [item["name"] for item in classes["classes"]] == [
        "_background_", "Barcode", "Label", "Color chart", "Scale"]
    about = finder.ask("GET", "/api/v1/model").json()
    fits("Model", about)
    assert about["detector"] == DETECTOR
    assert 'data-class="Specimen" data-colour="#0a141e"' in finder.ask("GET", "/").body.decode()


def test_serve_py_with_a_detector(monkeypatch, capsys):
    class Found(LayoutDetector):
        checkpoint = type("Description", (), {"model_name": "yolov5", "backbone": "n", "min_confidence": 0.3})
        input_shape, device = (640, 640), "cpu"

    monkeypatch.chdir(ROOT)
    apps = []
    monkeypatch.setattr(serve, "serve", lambda app, s: apps.append(app) or 0)
    monkeypatch.setattr(serve, "Detector", Found)
    own = {"device": "cpu", "detector_path": "model_data/README.md"}
    assert serve.main(config.read(serve, **own)) == 0
    about = apps[0].test_client().get("/api/v1/model").json
    assert (about["name"], about["detector"]["name"], about["detector"]["min_confidence"]) == (
        "deeplabv3_plus", "yolov5", 0.3)
    with pytest.raises(UserError, match='specimen_class is "Plant", which the detector does not find'):
        serve.main(config.read(serve, **own, digitise={"specimen_class": "Plant", "required_classes": ()}))
    assert serve.main(config.read(serve, device="cpu", detector_path="")) == 0
    assert apps[-1].test_client().get("/api/v1/model").json["detector"] is None
