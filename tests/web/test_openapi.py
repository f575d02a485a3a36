"""The OpenAPI document: valid, complete, and true for what the server answers."""

import jsonschema
import pytest
from openapi_spec_validator import validate

from digitised import sheet
from served import encoded
from utils.web.openapi import ERRORS


@pytest.fixture(scope="module")
def document(server):
    return server.ask("GET", "/openapi.json").json()


def test_it_is_valid(document):
    assert document["openapi"].startswith("3.1")
    validate(document)


def require_fits(document, path, method, answer):
    """Fails unless the document says that this path may give this answer."""
    responses = document["paths"][path][method]["responses"]
    content = responses[str(answer.status)]["content"]
    media_type = answer.headers["Content-Type"]
    assert media_type in content, (path, answer.status, media_type)
    if media_type.endswith("json"):
        schema = {**document, **content[media_type]["schema"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json())


def test_answers_are_what_it_says(server, document, photograph):
    for path, methods in document["paths"].items():
        if "get" in methods:
            require_fits(document, path, "get", server.ask("GET", path))
    for data, headers in (
        (photograph, {}), (photograph, {"Accept": "image/png"}), (photograph, {"Accept": "image/jpeg"}),
        (photograph, {"Accept": "application/zip"}), (photograph, {"Accept": "application/vnd.labelme+json"}),
        (encoded(sheet(without=(1, 2, 3, 4))), {}), (photograph[:9000], {}), (b"", {}), (b"x", {}),
        (photograph, {"Accept": "text/html"}), (bytes(2_000_001), {}), (b"x", {"Content_Type": "text/plain"}),
    ):
        require_fits(document, "/api/v1/sheets", "post", server.post(data, **headers))


def test_schemas_refuse_what_is_not_in_them(server, document, photograph):
    """So that the test above can fail: a missing, a further and a wrong value."""
    validator = jsonschema.Draft202012Validator({**document, "$ref": "#/components/schemas/Sheet"})
    found = server.post(photograph).json()
    assert validator.is_valid(found)
    assert not validator.is_valid({name: value for name, value in found.items() if name != "objects"})
    assert not validator.is_valid({**found, "colour": 1}) and not validator.is_valid({**found, "px_per_cm": "118"})
    found["objects"][0]["confidence"] = 1.5
    assert not validator.is_valid(found)


def test_all_routes_are_in_it(server, document):
    pages = {"/", "/docs", "/static/<path:filename>", "/static/shared.css"}
    routes = {rule.rule for rule in server.server.app.url_map.iter_rules()} - pages
    assert routes == set(document["paths"])
    assert set(document["paths"]["/api/v1/sheets"]["post"]["responses"]) == {"200", *ERRORS} - {"401"}

