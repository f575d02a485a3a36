"""What is done with every request: token, other origins, headers that browsers obey, the log and the counts."""

from __future__ import annotations

import hmac
import logging
import os
import sys
import time
from collections.abc import Collection

from flask import Flask, Response, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from utils.utils import UserError, printable
from utils.web.metrics import Metrics

PROTECTED = ("/api/", "/metrics")  # what needs the token; the page itself must load, so that it can ask for it
LONGEST_PATH = 200  # letters in the log
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ACCESS = logging.getLogger("serve.access")


def token_of(variable: str) -> str:
    """The token in an environment variable; "" when `variable` is "". Raises UserError when it is not set."""
    token = os.environ.get(variable, "").strip() if variable else ""
    if variable and not token:
        raise UserError(f'token_variable is "{variable}", and the environment has no such variable: set it to a long '
                        'random text, or token_variable to "".', 2)
    return token


def add_guards(app: Flask, metrics: Metrics, token: str, allowed_origins: Collection[str]) -> None:
    """Adds all of it to `app`.

    Args:
        app: the app.
        metrics: counts each request.
        token: what requests have to show; "": nothing.
        allowed_origins: whose pages may use the API from a browser, such as "https://herbarium.example.org".
    """

    @app.before_request
    def begin() -> Response | None:
        g.start = time.perf_counter()
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return Response(status=204)  # browsers ask without the token whether they may send it
        if token and request.path.startswith(PROTECTED) and not _shows(token):
            raise Unauthorized(
                "The token is missing or wrong: send it in the header Authorization: Bearer <token>.",
                www_authenticate=WWWAuthenticate("bearer"))
        return None

    @app.after_request
    def end(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if allowed_origins:
            response.vary.add("Origin")
        if request.headers.get("Origin") in allowed_origins:
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Expose-Headers"] = "Retry-After"
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        seconds = time.perf_counter() - g.get("start", time.perf_counter())
        metrics.add(request.url_rule.rule if request.url_rule else "other", request.method, response.status_code,
                    seconds)
        log(request.remote_addr or "-", request.method, request.path, response.status_code,
            response.content_length or response.calculate_content_length() or 0, seconds)
        return response


def log(client: str, method: str, path: str, status: int, size: int, seconds: float) -> None:
    """One line about a request. path: without its query, which may hold what is nobody's business."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ACCESS.info("%s %s %s %s %d %d %.0fms", now, printable(client), printable(method[:LONGEST_PATH]),
                printable(path[:LONGEST_PATH]).replace(" ", "%20"), status, size, 1000 * seconds)


def log_to_stderr() -> None:
    """Makes the lines appear, and waitress say nothing of requests that wait for a moment: the pool counts them."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    ACCESS.addHandler(handler)
    ACCESS.setLevel(logging.INFO)
    ACCESS.propagate = False


def _shows(token: str) -> bool:
    kind, _, shown = request.headers.get("Authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())
