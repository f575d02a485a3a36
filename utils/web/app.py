"""The app: what is at each address. It keeps nothing between two requests."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

from flask import Flask, Response, jsonify, render_template, request, send_file
from werkzeug.exceptions import BadRequest, GatewayTimeout, NotAcceptable, ServiceUnavailable

from utils.config import Settings
from utils.digitise.reading.specimens import all_classes
from utils.digitise.report.look import SHARED_CSS
from utils.digitise.sheet import Models
from utils.web.answers import ANSWERS, ZIP, Work
from utils.web.guard import add_guards, token_of
from utils.web.metrics import MEDIA_TYPE, Metrics
from utils.web.openapi import make_document
from utils.web.pool import Busy, Pool, TooSlow
from utils.web.problems import add_problems
from utils.web.uploads import MB, InMemory, read_upload

OF_FORM = 100_000  # bytes of an upload that are not the photograph: names and borders of a form
MAX_SIDE = 100_000
PARAMETERS = ("include", "max_side", "name")


def make_app(
    models: Models,
    settings: Settings,
    looked_for: Settings,
    executor: Executor,
    about: Mapping[str, Any],
) -> Flask:
    """The app, which a WSGI server runs in many threads.

    Args:
        models: find objects and specimens; shared by all threads.
        settings: the constants of serve.py.
        looked_for: the constants of digitise.py: what is looked for on a sheet.
        executor: has as many threads as `settings.threads`; they do the work on the photographs.
        about: what /api/v1/model says: id, name, backbone, detector and more, plain values.

    Raises:
        UserError: the environment has no token, or the networks do not fit each other.
    """
    s = settings
    app = Flask(__name__)
    app.request_class = InMemory
    app.json.sort_keys = False
    app.config["MAX_CONTENT_LENGTH"] = int(s.max_upload_mb * MB) + OF_FORM
    pool, token = Pool(executor, s.threads, s.queue_length, s.request_seconds), token_of(s.token_variable)
    metrics = app.extensions["metrics"] = Metrics()
    stopping = app.extensions["stopping"] = threading.Event()
    classes = [{"index": index, "name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
               for index, (name, color) in enumerate(zip(*all_classes(*models, looked_for.specimen_class)))]
    limits = {"upload_mb": f"{s.max_upload_mb:g}", "megapixels": f"{s.max_megapixels:g}", "token": bool(token)}
    document = make_document(limits)
    in_mask = len(models.segmenter.name_classes)
    detector = about["detector"] and about["detector"]["id"]
    short = {**{name: about[name] for name in ("id", "name", "backbone")}, "detector": detector}
    add_problems(app, s.max_upload_mb)
    add_guards(app, metrics, token, s.allowed_origins)

    @app.post("/api/v1/sheets")
    def sheets() -> Response:
        media_type, max_side = _wanted_type(), _max_side()
        if stopping.is_set():
            raise ServiceUnavailable("The server is about to stop: try again in a while.", retry_after=10)
        work = Work(read_upload(request, s.max_upload_mb), models, short, looked_for, int(s.max_megapixels * 1e6),
                    max_side)
        try:
            body = pool.run(lambda: work.answer(media_type))
        except Busy as error:
            raise ServiceUnavailable(
                f"{error}: try again in {error.retry_after} seconds.", retry_after=error.retry_after) from error
        except TooSlow as error:
            raise GatewayTimeout(f"{error}: send a smaller photograph.") from error
        response = Response(body, mimetype=media_type)
        response.vary.add("Accept")
        return response

    @app.get("/api/v1/classes")
    def list_classes() -> Response:
        return jsonify(classes=classes[:in_mask])

    @app.get("/api/v1/model")
    def describe_model() -> Response:
        return jsonify(about)

    @app.get("/health")
    def health() -> tuple[Response, int]:
        status = "stopping" if stopping.is_set() else "ok"
        return jsonify(status=status, model=about["id"]), 503 if stopping.is_set() else 200

    @app.get("/metrics")
    def count() -> Response:
        return Response(metrics.text(pool), content_type=MEDIA_TYPE)

    @app.get("/static/shared.css")
    def style() -> Response:
        return send_file(SHARED_CSS)

    @app.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(document)

    @app.get("/docs")
    def docs() -> str:
        return render_template("docs.html", document=document)

    @app.get("/")
    def page() -> str:
        return render_template("index.html", classes=classes[1:], limits=limits)

    return app


def _wanted_type() -> str:
    """The media type to answer with. Raises BadRequest or NotAcceptable."""
    unknown = set(request.args) - set(PARAMETERS)
    if unknown:
        raise BadRequest(f"{min(unknown)[:50]} is no parameter of this address: take {', '.join(PARAMETERS)}.")
    include = request.args.get("include", "")
    if include not in ("", "crops"):
        raise BadRequest(f"include is {include[:50]}: it has to be crops.")
    offered = [ZIP] if include else list(ANSWERS)
    found = request.accept_mimetypes.best_match(offered) if request.accept_mimetypes else offered[0]
    if found is None:
        raise NotAcceptable(f"Accept is {request.headers['Accept'][:200]}: it has to allow {' or '.join(offered)}.")
    return found


def _max_side() -> int:
    """The largest side of an overlay, 0 for as large as the photograph. Raises BadRequest."""
    text = request.args.get("max_side", "")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= MAX_SIDE):
        raise BadRequest(f"max_side is {text[:50]}: it has to be a whole number of pixels, 1 to {MAX_SIDE}.")
    return int(text)
