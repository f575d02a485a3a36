"""The page of serve.py, served and used in headless Chromium."""

import base64
import io
import json
import queue
from pathlib import Path

import numpy as np
import pytest
from flask import Flask, Response, request
from PIL import Image

import served
from browser import browsing, needs_browser
from digitised import BOXES, HEIGHT, WIDTH, sheet
from utils.web.app import make_app
from utils.web.problems import MEDIA_TYPE

pytestmark = needs_browser
TOKEN, WRONG = "correct horse", "battery"
HOSTILE = "<img src=x onerror=alert(1)>\u202e.png"
SCRIPT = (Path(__file__).parent / "page_check.js").read_text(encoding="utf-8")


def encoded(image: np.ndarray, suffix: str, **options: object) -> str:
    """The file of an image, as base64."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, suffix, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def photographs() -> dict[str, str]:
    """Files by name: usual ones, one that lies on its side and says so, a TIFF, a broken one, one that is too large."""
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned a quarter clockwise
    return {
        "K000123.jpg": encoded(sheet(), "JPEG", quality=95),
        "turned.jpg": encoded(np.rot90(sheet()), "JPEG", quality=95, exif=turned),
        "K.1.tif": encoded(sheet(), "TIFF"),
        HOSTILE: encoded(sheet("<b>&", without=(4,)), "PNG"),
        "broken.jpg": base64.b64encode(b"\xff\xd8\xff").decode(),
        "large.jpg": base64.b64encode(bytes(2_000_001)).decode(),
        "image.png": encoded(sheet(without=(1, 2, 3, 4)), "PNG"),
    }


def with_check(app: Flask, results: queue.Queue, answers: list[str], asked: list[str | None]) -> Flask:
    """The app with page_check.js on its page.

    Args:
        app: the app.
        results: gets what page_check.js notes.
        answers: gets the JSON of each sheet.
        asked: gets the header Authorization of each request for a sheet; the second one is told to come back.
    """
    app.get("/check.js", endpoint="check")(lambda: Response(SCRIPT, mimetype="text/javascript"))
    app.get("/given.json")(photographs)

    @app.post("/result")
    def take_result() -> str:
        results.put(request.get_json())
        return ""

    @app.before_request
    def be_busy() -> Response | None:
        if request.path != "/api/v1/sheets" or len(asked) != 1:
            return None
        return Response('{"detail": "No place is free."}', 503, {"Retry-After": "4"}, mimetype=MEDIA_TYPE)

    @app.after_request
    def change(response: Response) -> Response:
        if request.path == "/":
            response.set_data(response.get_data(as_text=True).replace(
                "</body>", '<script type="module" src="check.js"></script></body>'))
        if request.path == "/api/v1/sheets":
            asked.append(request.headers.get("Authorization"))
            if response.mimetype == "application/json":
                answers.append(response.get_data(as_text=True))
        return response

    return app


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What page_check.js notes, what the server answered and was asked with, and what the browser wrote."""
    folder = tmp_path_factory.mktemp("page")
    results, answers, asked = queue.Queue(), [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHEETS", TOKEN)
        patch.setattr(served, "make_app", lambda *values: with_check(make_app(*values), results, answers, asked))
        with (served.served(token_variable="SHEETS", max_upload_mb=2.0) as server,
              browsing(server.url, folder, "--window-size=1300,900") as log):
            result = results.get(timeout=60)
    assert "error" not in result, result["error"]
    return result, answers, asked, log.read_text(encoding="utf-8", errors="replace")


def test_photographs_are_sent_and_their_objects_drawn(seen):
    result, _, asked, _ = seen
    assert result["asks for the token"] is True
    assert asked[0] == f"Bearer {WRONG}" and set(asked[1:]) == {f"Bearer {TOKEN}"}
    assert result["after the wrong token"] == "The token is missing or wrong: send it in the header Authorization: " \
                                              "Bearer <token>."
    assert result["while the server is busy"] == "The server is busy. Next try in 4 s."
    assert result["states"] == {
        "K000123.jpg": "done 4 objects", "turned.jpg": "done 4 objects", "K.1.tif": "done 4 objects",
        HOSTILE.replace("\u202e", "\\u202e"): "done 3 objects, 1 problem", "broken.jpg": "failed",
        "large.jpg": "failed", "pasted_1.png": "done 0 objects, 6 problems",
    }
    assert result["status"] == "5 of 7 photographs done, 2 failed."
    assert result["shown first"] == "K000123.jpg"
    boxes = {f"{left},{top} {left + width},{top + height}" for top, left, height, width in BOXES.values()}
    assert set(result["outlines"]) == boxes


def test_photographs_lie_upright_under_the_outlines(seen):
    result, *_ = seen
    for name in ("K000123.jpg", "turned.jpg"):
        size, card, paper, apart = result[f"picture of {name}"]
        assert size == [WIDTH, HEIGHT]
        assert min(card) > 230 and max(paper) < 222  # blue of cards: 241, of paper: 214
        assert max(apart) < 1  # pixels of the screen, at two zooms
    assert result["picture of K.1.tif"][0] == [WIDTH, HEIGHT] and result["note of K.1.tif"] is True
    assert result["thumbnail"] == [94, 132]  # 12 544 pixels or a few less, and the shape of the sheet


def test_classes_zoom_and_moves(seen):
    result, *_ = seen
    assert result["label switched off"] == [["Label"], ["Label"]]
    fit, closer, wheel, back = result["zooms"]
    assert fit < closer < wheel and back == fit
    assert result["least and most"] == [fit, 800]
    assert result["dragged"] == [30, 20]
    assert result["pinched"] == pytest.approx(2, abs=0.02)
    assert result["arrow"] == [60, 0]


def test_table_and_picture_point_at_each_other(seen):
    result, *_ = seen
    assert result["rows"][0] == "1|BarcodeK000123|100%|300 × 130 px15.0 × 6.5 cm"
    assert result["barcodes"] == "K000123 Code 128"
    assert result["hover"] == ["2 Label, >99%", "2"]
    assert result["outline clicked"] == ["2", "2", "true"]
    assert result["row clicked"] == ["3", "true"]
    assert result["Enter on an outline"] == "1"
    assert result["clicked beside"] == 0


def test_what_is_saved_is_what_the_server_said(seen):
    result, answers, *_ = seen
    name, saved = result["json"]
    assert name == "K000123_sheet.json" and saved in answers
    assert len(json.loads(saved)["objects"]) == 4
    name, saved = result["all"]
    assert name == "sheets.json"
    assert [item["name"] for item in json.loads(saved)][:3] == ["K000123.jpg", "turned.jpg", "K.1.tif"]
    assert result["labelme"][0] == "K000123.json" and len(json.loads(result["labelme"][1])["shapes"]) == 4
    assert result["mask"] == ["K000123.png", "image/png"] and result["crops"] == ["K000123.zip", "application/zip"]
    assert result["saved"] == "Saved as K000123.zip."


def test_errors_are_sentences_and_names_are_text(seen):
    result, *_, log = seen
    assert "broken.jpg" in result["broken"] and result["broken"].endswith(".")
    assert result["may be tried again"] == ["Try broken.jpg again"] and result["tried again"] == result["broken"]
    assert result["large"] == "The file has 2.1 MB. This server takes up to 2 MB."
    assert result["name"] == HOSTILE.replace("\u202e", "\\u202e")
    assert result["hostile barcode"] == "<b>&"
    assert result["elements from names"] == 0 and result["alerts"] == 0
    messages = [line for line in log.splitlines() if "CONSOLE" in line and "Failed to load resource" not in line]
    assert not messages


def test_lines_can_be_removed_and_nothing_is_wider_than_the_page(seen):
    result, *_ = seen
    assert result["removed"] == ["turned.jpg", 6]
    assert result["cleared"] == [0, True, ""]
    assert result["overflow"] == 0
    assert result["unlabelled"] == []
