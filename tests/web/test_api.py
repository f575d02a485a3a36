"""The API over real HTTP: every route, every kind of answer, and the same as digitise.py finds."""

import io
import json
import re
import zipfile
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from digitised import BOXES, HEIGHT, PX_PER_CM, WIDTH, LayoutModel, digitised, save, sheet, working_folder
from served import ABOUT, encoded, form, served
from utils.digitise.record import from_json
from utils.digitise.report.look import SHARED_CSS
from utils.labels.formats.labelme import read_labelme
from utils.web.answers import sheet_json


def image_of(answer):
    with Image.open(io.BytesIO(answer.body)) as image:
        image.load()
        return image


def test_json_of_a_sheet(server, photograph):
    answer = server.post(photograph, "?name=K000123.jpg")
    found = answer.json()
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    assert (found["name"], found["height"], found["width"], found["format"]) == ("K000123.jpg", HEIGHT, WIDTH, "JPEG")
    assert found["sha256"] == sha256(photograph).hexdigest()
    assert found["model"] == {"id": ABOUT["id"], "name": "deeplabv3_plus", "backbone": "mobilenet", "detector": None}
    assert {item["class_index"]: tuple(item["box"].values()) for item in found["objects"]} == {
        index: (left, top, width, height) for index, (top, left, height, width) in BOXES.items()}
    assert [item["number"] for item in found["objects"]] == [1, 2, 3, 4]
    label = found["objects"][1]
    assert label["class"] == "Label" and label["area"] == 160 * 340
    assert sorted(label["polygon"]) == [[240, 660], [240, 820], [580, 660], [580, 820]]
    assert [(code["text"], code["object"]) for code in found["barcodes"]] == [("K000123", 1)]
    assert found["objects"][0]["barcodes"] == [0]
    assert found["px_per_cm"] == pytest.approx(PX_PER_CM, rel=0.02) and found["scale"]["object"] == 4
    assert found["charts"][0]["object"] == 3


def test_answers_are_those_of_digitise(server, tmp_path, monkeypatch):
    folder = working_folder(tmp_path, monkeypatch)
    sheets = {"whole.png": sheet(), "without_scale.png": sheet("K000124", without=(4,)),
              "empty.png": sheet(without=(1, 2, 3, 4))}
    for name, image in sheets.items():
        save(folder / "img" / name, image)
    digitised(report=False, plants=False, collages=False)
    for name in sheets:
        answer = server.post((folder / "img" / name).read_bytes(), f"?name={name}", Accept="application/json").json()
        record = from_json((folder / "digitised" / "records" / name).with_suffix(".json").read_text())
        expected = json.loads(json.dumps(sheet_json(record, answer["model"], answer["seconds"])))
        problems = answer.pop("problems")
        for item in expected["objects"]:
            del item["crop"]
        del expected["problems"]
        assert answer == expected
        if name == "without_scale.png":
            assert [problem["kind"] for problem in problems] == ["no_scale"]
        mask = np.array(image_of(server.post((folder / "img" / name).read_bytes(), Accept="image/png")))
        assert (mask == np.array(Image.open(folder / "digitised" / "masks" / name))).all()


def test_a_mask(server, photograph):
    image = image_of(server.post(photograph, Accept="image/png"))
    assert image.mode == "P" and image.size == (WIDTH, HEIGHT)
    assert (np.array(image) == LayoutModel().segment_with_probability(sheet())[0]).all()
    assert image.getpalette()[3:6] == [128, 0, 0]


def test_an_overlay_as_large_as_asked_for(server, photograph):
    whole = image_of(server.post(photograph, Accept="image/jpeg"))
    assert whole.format == "JPEG" and whole.size == (WIDTH, HEIGHT)
    assert image_of(server.post(photograph, "?max_side=5000", Accept="image/jpeg")).size == (WIDTH, HEIGHT)
    small = image_of(server.post(photograph, "?max_side=420", Accept="image/jpeg"))
    assert small.size == (300, 420)
    card = 0.5 * np.array([243, 243, 241]) + 0.5 * np.array([0, 128, 0])  # a label is tinted half with its green
    for image, scale in ((whole, 1), (small, 0.5)):
        assert np.abs(np.array(image)[int(800 * scale), int(560 * scale)] - card).max() < 6


def test_a_labelme_file_that_is_read_back(server, photograph, tmp_path):
    answer = server.post(photograph, "?name=K1.jpg", Accept="application/vnd.labelme+json")
    (tmp_path / "K1.json").write_bytes(answer.body)
    annotation = read_labelme(tmp_path / "K1.json")
    assert annotation.image_path == "K1.jpg" and annotation.size == (HEIGHT, WIDTH)
    assert sorted(shape.label for shape in annotation.shapes) == ["Barcode", "Color chart", "Label", "Scale"]


@pytest.mark.parametrize("how", [{"query": "&include=crops"}, {"query": "", "Accept": "application/zip"}])
def test_a_package_with_crops(server, photograph, how):
    answer = server.post(photograph, "?name=K1.jpg" + how.pop("query"), **how)
    assert answer.headers["Content-Type"] == "application/zip"
    package = zipfile.ZipFile(io.BytesIO(answer.body))
    found = json.loads(package.read("sheet.json"))
    crops = [item["crop"] for item in found["objects"]]
    assert crops == [f"crops/K1_{name}_1.jpg" for name in ("Barcode", "Label", "Color_chart", "Scale")]
    assert set(package.namelist()) == {"sheet.json", "mask.png", "labelme.json", *crops}
    with Image.open(package.open("crops/K1_Label_1.jpg")) as crop:
        margin = round(0.004 * np.hypot(HEIGHT, WIDTH))
        assert crop.size == (340 + 2 * margin, 160 + 2 * margin)


@pytest.mark.parametrize(("accept", "kind"), [
    (None, "application/json"), ("*/*", "application/json"), ("application/*", "application/json"),
    ("image/*", "image/png"), ("image/jpeg, image/png;q=0.9", "image/jpeg"),
    ("text/html, */*;q=0.1", "application/json"),
    ("application/json;q=0.1, application/vnd.labelme+json", "application/vnd.labelme+json"),
    ("application/json;q=0, image/png;q=0.001", "image/png"),
])
def test_accept_chooses_the_answer(server, photograph, accept, kind):
    answer = server.post(photograph, **({"Accept": accept} if accept else {}))
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    assert answer.headers["Vary"] == "Accept"


def test_all_kinds_of_photographs_are_read_as_by_the_scripts(server):
    """Turned by EXIF, 16 bits, grey, CMYK, a small page in front: always the same objects."""
    upright = sheet(without=(1,))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    grey = np.array(Image.fromarray(upright).convert("L"))
    pages = io.BytesIO()
    Image.fromarray(upright[::10, ::10]).save(
        pages, "TIFF", save_all=True, append_images=[Image.fromarray(upright)], compression="tiff_lzw")
    cmyk = io.BytesIO()
    Image.fromarray(upright).convert("CMYK").save(cmyk, "JPEG", quality=95)
    files = {
        "turned": encoded(np.ascontiguousarray(np.rot90(upright)), quality=95, exif=exif),
        "16 bits": encoded(grey.astype(np.uint16) * 257, "PNG"), "grey": encoded(grey, "PNG"),
        "pages": pages.getvalue(), "CMYK": cmyk.getvalue(),
        "alpha": encoded(np.array(Image.fromarray(upright).convert("RGBA")), "PNG"),
    }
    for name, data in files.items():
        found = server.post(data, Content_Type="application/octet-stream").json()
        assert (found["height"], found["width"]) == (HEIGHT, WIDTH), name
        grey_paper = ["Barcode"] * (name in ("16 bits", "grey"))  # is not the paper that the stand-in knows
        assert [item["class"] for item in found["objects"]] == [*grey_paper, "Label", "Color chart", "Scale"], name


def test_forms_and_bodies_give_the_same(server, photograph):
    body, kind = form(("file", "K7.jpg", photograph))
    of_form = server.post(body, Content_Type=kind).json()
    for content_type in ("image/jpeg", "image/tiff", "application/octet-stream", ""):
        of_body = server.post(photograph, "?name=K7.jpg", Content_Type=content_type).json()
        assert of_body | {"seconds": 0} == of_form | {"seconds": 0}
    assert server.post(photograph).json()["name"] == "photograph"


def test_lists_of_classes_and_the_model(server):
    classes = server.ask("GET", "/api/v1/classes").json()["classes"]
    assert classes[0] == {"index": 0, "name": "_background_", "color": "#000000"}
    assert classes[4] == {"index": 4, "name": "Scale", "color": "#000080"}
    assert server.ask("GET", "/api/v1/model").json() == ABOUT
    assert server.ask("GET", "/health").json() == {"status": "ok", "model": ABOUT["id"]}


def test_pages_need_nothing_from_elsewhere(server):
    for path in ("/", "/docs"):
        answer = server.ask("GET", path)
        text = answer.body.decode()
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/html")
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text)
        assert not re.search(r"<style|<script(?![^>]*src=)|\sstyle=|\son\w+=", text)  # the policy forbids them
        for local in re.findall(r'(?:src|href)="(static/[^"]+)"', text):
            assert server.ask("GET", f"/{local}").status == 200, local
        assert 'href="static/shared.css"' in text
    assert server.ask("GET", "/static/shared.css").body == SHARED_CSS.read_bytes()  # the report's look
    assert "POST /api/v1/sheets" in text


def test_metrics_count_what_was_asked_for(server, photograph):
    def value(name):
        text = server.ask("GET", "/metrics").body.decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])

    posts = 'herbarium_requests_total{route="/api/v1/sheets",method="POST",status="200"}'
    count = 'herbarium_request_seconds_count{route="/api/v1/sheets"}'
    server.post(photograph)
    before, counted = value(posts), value(count)
    server.post(photograph)
    server.post(photograph, Accept="text/html")
    assert value(posts) == before + 1 and value(count) == counted + 2
    assert value('herbarium_request_seconds_bucket{route="/api/v1/sheets",le="+Inf"}') == counted + 2
    assert value("herbarium_sheets_waiting") == value("herbarium_sheets_in_work") == 0
    answer = server.ask("GET", "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    sample = r'\w+(\{\w+="[^"\n]*"(,\w+="[^"\n]*")*\})? [0-9.e+-]+'
    for line in answer.body.decode().splitlines():
        assert re.fullmatch(rf"# HELP \w+ .+|# TYPE \w+ (counter|gauge|histogram)|{sample}", line), line


def test_constants_of_digitise_can_be_changed_for_the_server(photograph):
    with served(digitise={"scale": False, "barcodes": False, "required_classes": ("Label",)}) as one:
        found = one.post(photograph).json()
    assert found["px_per_cm"] is None and found["barcodes"] == []
    assert found["problems"] == []
