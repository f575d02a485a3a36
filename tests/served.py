"""serve.py over real HTTP, with a model that needs no network."""

from __future__ import annotations

import http.client
import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from flask import Flask
from PIL import Image

from digitised import LayoutModel
from helpers import ROOT
from utils import config
from utils.digitise.reading.specimens import Detector
from utils.digitise.sheet import Model, Models
from utils.files.jobs import worker_threads
from utils.web.app import make_app
from utils.web.looked_for import read_looked_for
from utils.web.server import Server, serving

ABOUT = {"id": "0123456789ab", "name": "deeplabv3_plus", "backbone": "mobilenet", "classes": LayoutModel.name_classes,
         "input_shape": [512, 512], "min_confidence": 0.0, "device": "cpu", "detector": None}

DETECTOR = {"id": "abcdef012345", "name": "yolov5", "backbone": "n", "classes": ["Barcode", "Specimen"],
            "input_shape": [640, 640], "min_confidence": 0.25, "device": "cpu"}


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Served(NamedTuple):
    server: Server

    @property
    def address(self) -> tuple[str, int]:
        return self.server.effective_host, int(self.server.effective_port)

    @property
    def url(self) -> str:
        return self.server.url

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """The answer to one request. headers: names with _ for -."""
        connection = http.client.HTTPConnection(*self.address, timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(self, body: Any, query: str = "", **headers: str) -> Answer:
        """The answer for a photograph, the body of the request."""
        return self.ask("POST", f"/api/v1/sheets{query}", body, **{"Content_Type": "image/jpeg", **headers})


def app_of(model: Model, s: config.Settings, executor: Executor, detector: Detector | None = None) -> Flask:
    """The app. Arguments: see `make_app`."""
    looked_for = read_looked_for(ROOT / "digitise.py", s.digitise, model.name_classes, detector is not None)
    about = {**ABOUT, "detector": detector and DETECTOR}
    return make_app(Models(model, detector), s, looked_for, executor, about)


@contextmanager
def served(model: Model | None = None, detector: Detector | None = None, **changes: Any) -> Iterator[Served]:
    """A server on a free port, for as long as the block lasts.

    Args:
        model: None: a LayoutModel.
        detector: None: there is none.
        changes: constants of serve.py.
    """
    model = model or LayoutModel()
    s = config.read(ROOT / "serve.py", **{"port": 0, **changes})
    with worker_threads(s.threads) as executor:
        with serving(app_of(model, s, executor, detector), s) as server:
            yield Served(server)


class AnySheet(LayoutModel):
    """Finds a label in the middle of any photograph, however small."""

    def segment_with_probability(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mask = np.zeros(image.shape[:2], np.uint8)
        height, width = mask.shape
        mask[height // 4:-(-3 * height // 4), width // 4:-(-3 * width // 4)] = 2
        return mask, np.full((8, 8), 0.9, np.float32)


class Blocked(AnySheet):
    """Says when it has begun, and goes on when it is told to."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Semaphore(0), threading.Event()

    def segment_with_probability(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.begun.release()
        assert self.go_on.wait(20)
        return super().segment_with_probability(image)


def encoded(image: np.ndarray, kind: str = "JPEG", **options: Any) -> bytes:
    """An image file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def form(*parts: tuple[str, str, bytes]) -> tuple[bytes, str]:
    """The body of a form with (field, file name, content) of each file, and its Content-Type."""
    head = '--border\r\nContent-Disposition: form-data; name="{}"; filename="{}"\r\n\r\n'
    pieces = [head.format(field, name).encode() + data + b"\r\n" for field, name, data in parts]
    return b"".join(pieces) + b"--border--\r\n", "multipart/form-data; boundary=border"
