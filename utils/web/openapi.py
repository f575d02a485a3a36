"""The API described as an OpenAPI 3.1 document, which /openapi.json and /docs show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from utils.web.answers import JPEG, JSON, LABELME, PNG, ZIP
from utils.web.metrics import MEDIA_TYPE as METRICS
from utils.web.problems import MEDIA_TYPE as PROBLEM
from utils.web.schemas import SCHEMAS, ref
from utils.web.uploads import FIELD, FORM, RAW

VERSION = "1.1.0"
BINARY = {"type": "string", "contentEncoding": "binary"}
ERRORS = {
    "400": "The request is not understood: there is no photograph, or a parameter does not fit.",
    "401": "The token is missing or wrong.",
    "406": "None of the media types in Accept can be had.",
    "408": "The request took too long to arrive.",
    "413": "The upload has too many megabytes, or the photograph too many megapixels.",
    "415": "The file is no JPEG, PNG or TIFF, or the body is of another kind than allowed.",
    "422": "The photograph is damaged, or has pixels of another kind.",
    "500": "A fault of the server.",
    "503": "Too many photographs wait. Try again after the seconds that Retry-After tells.",
    "504": "The photograph took too long.",
}


def make_document(limits: Mapping[str, Any]) -> dict[str, Any]:
    """The document. limits: of an upload, upload_mb and megapixels, and whether a token is asked for."""
    secured = {"security": [{"token": []}]} if limits["token"] else {}
    codes = [code for code in ERRORS if limits["token"] or code != "401"]
    light = ["401"] if limits["token"] else []
    paths = {
        "/api/v1/sheets": {"post": {
            "operationId": "findObjects", "summary": "What is on a photograph of a herbarium sheet",
            "description": (
                f"Send one JPEG, PNG or TIFF of up to {limits['upload_mb']} MB and {limits['megapixels']} megapixels. "
                "Accept chooses the answer. Nothing is kept."),
            "parameters": [
                _parameter("name", "File name for the answer. It is only repeated.", {"type": "string"}),
                _parameter("include", "crops: a package, with the objects cut out.", {"const": "crops"}),
                _parameter("max_side", "Longer side of an image/jpeg in pixels, if it is larger.",
                           {"type": "integer", "minimum": 1, "maximum": 100_000}),
            ],
            "requestBody": {"required": True, "content": {
                FORM: {"schema": {"type": "object", "required": [FIELD], "properties": {FIELD: BINARY}}},
                **{media_type: {"schema": BINARY} for media_type in RAW}}},
            "responses": {"200": {
                "description": "What was found.",
                "content": {
                    JSON: {"schema": ref("Sheet")},
                    PNG: _binary("The mask: a palette image, the value of a pixel is the number of its class."),
                    JPEG: _binary("The photograph with tinted objects."),
                    LABELME: {"schema": ref("Labelme")},
                    ZIP: _binary("sheet.json, mask.png, labelme.json; crops/, the objects cut out and upright; "
                                 "specimens/, the specimens cut out, with paper in the place of objects."),
                }}, **_errors(codes)},
            **secured}},
        "/api/v1/classes": _get("listClasses", "The classes of masks", JSON, ref("Classes"), light, secured),
        "/api/v1/model": _get("describeModel", "The networks that are used", JSON, ref("Model"), light, secured),
        "/health": _get("health", "Whether the server works", JSON, ref("Health"), [], {}),
        "/metrics": _get("metrics", "Requests, seconds and the queue, for Prometheus", METRICS, {"type": "string"},
                         light, secured),
        "/openapi.json": _get("openapi", "This document", JSON, {"type": "object"}, [], {}),
    }
    paths["/health"]["get"]["responses"]["503"] = {
        "description": "The server is about to stop.", "content": {JSON: {"schema": ref("Health")}}}
    scheme = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Herbarium sheets", "version": VERSION, "license": {"name": "MIT", "identifier": "MIT"},
                 "description": "Finds objects on photographs of herbarium sheets, reads barcodes, measures scales."},
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": SCHEMAS, **({"securitySchemes": scheme} if limits["token"] else {})},
    }


def _get(
    name: str, summary: str, media_type: str, schema: dict[str, Any], errors: list[str], secured: dict[str, Any]
) -> dict[str, Any]:
    """A path that is read.

    Args:
        name: of the operation, for programs that write clients.
        summary: for people.
        media_type, schema: of the answer.
        errors: keys of ERRORS.
        secured: what operations that need a token have.
    """
    responses = {"200": {"description": summary + ".", "content": {media_type: {"schema": schema}}}, **_errors(errors)}
    return {"get": {"operationId": name, "summary": summary, "responses": responses, **secured}}


def _errors(codes: list[str]) -> dict[str, Any]:
    return {code: {"description": ERRORS[code], "content": {PROBLEM: {"schema": ref("Problem")}}} for code in codes}


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _binary(description: str) -> dict[str, Any]:
    return {"schema": {**BINARY, "description": description}}
