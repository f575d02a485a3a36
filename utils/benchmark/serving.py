"""Measures serve.py: a request over HTTP, beside the same work on the same file without a server."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from utils.benchmark.predicting import expected_seconds
from utils.benchmark.setup import CPU_MODES, Model, Setup
from utils.benchmark.table import Row
from utils.config import Settings
from utils.digitise.sheet import Models, analyse
from utils.files.images import read_image
from utils.files.jobs import worker_threads
from utils.files.masks import encode_mask
from utils.web.answers import JSON, PNG
from utils.web.app import make_app
from utils.web.server import serving

UNLIMITED = {"max_upload_mb": 1000.0, "max_megapixels": 700.0, "request_seconds": 3600.0, "token_variable": ""}


def measure_serve(setup: Setup) -> Iterator[Row]:
    """Seconds of requests, beside the same work on the same file without a server.

    For a mask, that is reading the file, `segment` and encoding; for JSON, reading it and what digitise.py measures.
    """
    s = setup.settings
    for title, threads in CPU_MODES:
        sheets = 4 * (s.repeats + 1) * len(setup.files) * (2 if threads == 1 else 1)
        seconds = sheets * expected_seconds(setup.megapixels)
        values, memory = setup.measure(f"Serving sheets, {title}", seconds, request_seconds, threads=threads)
        for name, what, reference in (
            (PNG, "a mask", "read + segment + encode"), (JSON, "JSON", "read + what digitise.py does"),
        ):
            yield Row(f"request for {what}, {title}", "s", values[name], reference, values[f"{name} directly"], memory)


def request_seconds(setup: Setup, repeats: int | None = None) -> dict[str, list[float]]:
    """Seconds a sheet, for each repeat, of what is measured: media type -> by request; "<media type> directly".

    Requests and direct work take turns, so that a machine that slows down slows both.
    """
    model = setup.make_model()
    files = [image for image, _ in setup.files]
    s = Settings(**{**setup.serving.to_dict(), **UNLIMITED, "host": "127.0.0.1", "port": 0, "threads": 1})
    values: dict[str, list[float]] = {}
    with worker_threads(1) as executor:
        app = make_app(
            Models(model), s, setup.digitising, executor, {"id": "", "name": "", "backbone": "", "detector": None})
        with serving(app, s) as server:
            work = _ways(model, setup.digitising, (server.effective_host, int(server.effective_port)))
            for repeat in range((repeats or setup.settings.repeats) + 1):
                for name, do in work.items():
                    start = time.perf_counter()
                    for path in files:
                        executor.submit(do, path).result() if name.endswith("directly") else do(path)
                    if repeat:  # the first one warms up
                        values.setdefault(name, []).append((time.perf_counter() - start) / len(files))
    return values


def _ways(model: Model, digitising: Settings, address: tuple[str, int]) -> dict[str, Callable[[Path], object]]:
    """What is measured, each for one file.

    Args:
        model: finds the objects.
        digitising: constants of digitise.py.
        address: host and port of the server.
    """
    def ask(path: Path, media_type: str) -> None:
        connection = http.client.HTTPConnection(*address)
        connection.request("POST", "/api/v1/sheets", path.read_bytes(), {"Accept": media_type})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert response.status == 200, body

    return {
        PNG: lambda path: ask(path, PNG),
        f"{PNG} directly": lambda path: encode_mask(model.segment(read_image(path)), model.colors),
        JSON: lambda path: ask(path, JSON),
        f"{JSON} directly": lambda path: analyse(Models(model), read_image(path), None, digitising),
    }
