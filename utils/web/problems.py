"""Errors as RFC 9457 describes them: JSON with a title, a status and one sentence that says what to do."""

from __future__ import annotations

import json
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge

from utils.files.images import NoPicture, TooLarge
from utils.utils import UserError, printable

MEDIA_TYPE = "application/problem+json"
OWN_WORDS = {  # status -> the sentence, where Flask knows only its own
    404: "There is no such address: /docs lists those that there are.",
    405: "This address does not take this method: /docs says which.",
}
OF_CODE = "The server failed at this request, which is a fault of the program: its log says more."


def problem(status: int, detail: str) -> bytes:
    """The JSON of an error."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return json.dumps(content, ensure_ascii=False).encode()


def status_of(error: UserError) -> int:
    """The status for a photograph that cannot be used."""
    return 413 if isinstance(error, TooLarge) else 415 if isinstance(error, NoPicture) else 422


def add_problems(app: Flask, most_mb: float) -> None:
    """Makes `app` answer all errors as problems. most_mb: the largest upload."""

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        if isinstance(error, RequestEntityTooLarge) and error.description == RequestEntityTooLarge.description:
            detail = f"The upload has more than {most_mb:g} MB, or its form more than a few short fields: send less."
        else:
            detail = OF_CODE if isinstance(error, InternalServerError) else OWN_WORDS.get(
                status, error.description or HTTPStatus(status).description)
        headers = [(name, value) for name, value in error.get_headers() if name.lower() != "content-type"]
        return Response(problem(status, printable(detail)), status, headers, mimetype=MEDIA_TYPE)

    @app.errorhandler(UserError)
    def user_error(error: UserError) -> Response:
        status = status_of(error)
        return Response(problem(status, str(error)), status, mimetype=MEDIA_TYPE)
