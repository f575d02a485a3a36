"""What the server refuses, and how: one sentence as RFC 9457's JSON, and nothing of the server in it."""

import http.client
import io
import logging
import socket
import threading
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from helpers import wait_for
from served import AnySheet, Answer, encoded, form, served
from utils.utils import UserError
from utils.web.uploads import plain_name

TINY = encoded(np.full((48, 64, 3), 200, np.uint8))


def require_problem(answer, status, *words):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    content = answer.json()
    assert set(content) == {"type", "title", "status", "detail"} and content["type"] == "about:blank"
    assert content["status"] == status
    for word in words:
        assert word in content["detail"]
    assert "/tmp" not in content["detail"] and "Traceback" not in content["detail"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def raw(server, data):
    """The answer to bytes that need not be HTTP."""
    with socket.create_connection(server.address, timeout=20) as connection:
        connection.sendall(data)
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        return Answer(response.status, response.headers, response.read())


def test_photographs_that_cannot_be_used(server, photograph):
    wide = encoded(np.zeros((1, 2_000_001), np.uint8), "PNG")
    lab = io.BytesIO()
    Image.new("F", (9, 9)).save(lab, "TIFF")
    for data, status, words in (
        (b"", 400, ["empty (0 bytes)"]),
        (b"not an image", 415, ["K1.jpg is no readable JPEG, PNG or TIFF image"]),
        (b"GIF89a" + bytes(50), 415, ["K1.jpg is no readable"]),
        (photograph[:20_000], 422, ["K1.jpg cannot be read", "damaged or cut short"]),
        (encoded(np.zeros((60, 60), np.uint8), "PNG")[:-30], 422, ["K1.jpg cannot be read"]),
        (lab.getvalue(), 422, ["K1.jpg has pixels of the kind"]),
        (wide, 413, ["K1.jpg has more than 2 megapixels"]),
    ):
        require_problem(server.post(data, "?name=K1.jpg"), status, *words)


def test_a_decompression_bomb_is_refused_by_its_header(server):
    """A PNG that says it has 900 megapixels, and TIFFs whose bytes cannot hold their pixels."""
    bomb = bytearray(encoded(np.zeros((8, 8), np.uint8), "PNG"))
    bomb[16:24] = (30_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    require_problem(server.post(bytes(bomb)), 413, "megapixels")
    tiff = bytearray(encoded(np.zeros((1000, 1000), np.uint8), "TIFF"))
    require_problem(server.post(bytes(tiff[:2000])), 422, "cannot hold")


def test_bodies_that_are_no_upload(server):
    for body, kind, status, words in (
        (b"a=1", "application/x-www-form-urlencoded", 415, ["multipart/form-data"]),
        (b"{}", "application/json", 415, ["Content-Type is application/json"]),
        (*form(("photo", "a.jpg", TINY)), 400, ['0 files in its field "file"']),
        (*form(("file", "a.jpg", TINY), ("file", "b.jpg", TINY)), 400, ["2 files"]),
        (*form(("file", "a.jpg", TINY), ("other", "b.jpg", TINY)), 400, ["2 in all"]),
        (*form(("file", "a.jpg", b"")), 400, ["empty (0 bytes)"]),
        (b"--border\r\nnonsense", "multipart/form-data; boundary=border", 400, ["0 files"]),
        (TINY, "multipart/form-data", 400, ["0 files"]),
        (*form(*[("file", "a.jpg", b"x")] * 30), 413, ["more than 2 MB, or its form"]),
    ):
        require_problem(server.post(body, Content_Type=kind), status, *words)


def test_parameters_that_do_not_fit(server):
    for query, word in (
        ("?max_side=0", "max_side is 0"), ("?max_side=-5", "max_side"), ("?max_side=1e3", "max_side"),
        ("?max_side=" + "9" * 5000, "whole number"), ("?max_side=%D9%A3", "max_side"),
        ("?include=all", "include is all"), ("?sides=3", "sides is no parameter"),
    ):
        require_problem(server.post(TINY, query), 400, word)
    require_problem(server.post(TINY, Accept="text/html"), 406, "application/json or image/png")
    require_problem(server.post(TINY, "?include=crops", Accept="image/png"), 406, "application/zip")


def test_addresses_and_methods_that_there_are_not(server):
    for path in ("/nowhere", "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%5capp.py", "/api/v1/sheets/1"):
        require_problem(server.ask("GET", path), 404, "/docs")
    for method, path in (("GET", "/api/v1/sheets"), ("DELETE", "/api/v1/model"), ("POST", "/health")):
        answer = server.ask(method, path)
        require_problem(answer, 405)
        assert answer.headers["Allow"]


def test_uploads_that_are_too_large(server):
    """By Content-Length, before any of it is sent; in chunks without end; as a photograph a little too large."""
    head = b"POST /api/v1/sheets HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
    require_problem(raw(server, head + b"Content-Length: 99999999999\r\n\r\n"), 413, "more than 2 MB")
    require_problem(raw(server, head + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n"), 413)
    require_problem(server.post(bytes(2_000_001)), 413, "up to 2 are allowed")
    chunk = b"80000\r\n" + bytes(0x80000) + b"\r\n"
    with socket.create_connection(server.address, timeout=20) as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        with pytest.raises((ConnectionError, AssertionError)):
            while True:
                sent += 1
                assert sent < 200
                connection.sendall(chunk)
        assert sent < 200  # of half a megabyte
    assert wait_for(lambda: server.server.limits.memory.taken == 0, 10)


def test_requests_that_are_no_http(server):
    for data, status in (
        (b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nno header\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /api/v1/sheets HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 40_000, 431),
    ):
        require_problem(raw(server, data), status)


def test_faults_of_the_program_say_so_in_the_log_alone(caplog, monkeypatch):
    class Broken(AnySheet):
        def segment_with_probability(self, image):
            raise ZeroDivisionError("in /secret/place")

    with served(Broken()) as one:
        answer = one.post(TINY)
        assert one.ask("GET", "/health").status == 200
    require_problem(answer, 500, "fault of the program")
    assert b"secret" not in answer.body and "in /secret/place" in caplog.text


def test_a_token(monkeypatch, photograph):
    monkeypatch.setenv("SHEETS_TOKEN", "a secret")
    with served(AnySheet(), token_variable="SHEETS_TOKEN") as one:
        for shown in (None, "Bearer", "Bearer wrong", "a secret", "Basic a secret", "Bearer a secret2", "Bearer \xe9"):
            for method, path in (("POST", "/api/v1/sheets"), ("GET", "/api/v1/model"), ("GET", "/metrics")):
                answer = one.ask(method, path, **({"Authorization": shown} if shown else {}))
                require_problem(answer, 401, "Authorization: Bearer")
                assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")
        assert one.post(photograph, Authorization="Bearer a secret").status == 200
        assert one.ask("GET", "/metrics", Authorization="bearer a secret").status == 200
        for path in ("/", "/docs", "/openapi.json", "/health", "/static/page.css", "/static/shared.css"):
            assert one.ask("GET", path).status == 200
        document = one.ask("GET", "/openapi.json").json()
        assert document["paths"]["/api/v1/sheets"]["post"]["security"] == [{"token": []}]
    monkeypatch.delenv("SHEETS_TOKEN")
    with pytest.raises(UserError, match='token_variable is "SHEETS_TOKEN", and the environment has no such'):
        served(token_variable="SHEETS_TOKEN").__enter__()


def test_pages_of_other_origins(server):
    with served(AnySheet(), allowed_origins=("https://herbarium.example.org",)) as one:
        asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
        for origin, allowed in (("https://herbarium.example.org", True), ("https://evil.example.org", False)):
            for answer in (one.post(TINY, Origin=origin), one.post(b"", Origin=origin),
                           one.ask("OPTIONS", "/api/v1/sheets", Origin=origin, **asked)):
                assert answer.headers["Access-Control-Allow-Origin"] == (origin if allowed else None)
                assert ("Authorization" in answer.headers.get("Access-Control-Allow-Headers", "")) == allowed
                assert "Origin" in answer.headers["Vary"]
    answer = server.ask("OPTIONS", "/api/v1/sheets", Origin="https://herbarium.example.org", **asked)
    assert answer.headers["Access-Control-Allow-Origin"] is None


def test_headers_that_browsers_obey(server):
    for path in ("/", "/docs", "/static/main.js", "/openapi.json", "/nowhere"):
        headers = server.ask("GET", path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer" and headers["X-Content-Type-Options"] == "nosniff"


def test_the_log_has_one_line_a_request_and_no_secrets(server, caplog):
    with caplog.at_level(logging.INFO, "serve.access"):
        server.ask("GET", "/health?token=hidden", Authorization="Bearer hidden")
        server.post(b"x", "?name=hidden.jpg")
        server.ask("GET", "/a%0Ab%1b%20c")
        raw(server, b"nonsense\r\n\r\n")
        style = server.ask("GET", "/static/page.css")
    lines = [record.getMessage() for record in caplog.records if record.name == "serve.access"]
    assert [line.split(" ")[1:5] for line in lines[:3]] == [
        ["127.0.0.1", "GET", "/health", "200"], ["127.0.0.1", "POST", "/api/v1/sheets", "415"],
        ["127.0.0.1", "GET", "/a\\nb\\x1b%20c", "404"]]
    assert len(lines) == 5 and " 400 " in lines[3]
    assert int(lines[4].split(" ")[5]) == len(style.body) > 100
    assert "hidden" not in caplog.text and "\x1b" not in caplog.text


@pytest.mark.parametrize(("trusted", "client"), [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.9")])
def test_the_log_has_the_client_that_a_trusted_proxy_tells(caplog, trusted, client):
    with served(AnySheet(), trusted_proxy=trusted) as one, caplog.at_level(logging.INFO, "serve.access"):
        assert one.ask("GET", "/health", X_Forwarded_For="198.51.100.1, 203.0.113.9").status == 200
    assert caplog.records[-1].getMessage().split(" ")[1] == client


@pytest.mark.parametrize(("sent", "name"), [
    ("K000123.jpg", "K000123.jpg"), ("../../etc/passwd", "passwd"), ("C:\\scans\\K 1.tif", "K 1.tif"),
    ("/", "photograph"), ("..", "photograph"), ("", "photograph"), (".jpg", "jpg"),
    ("a\0b\n\x1b[31m.jpg", "a_b__[31m.jpg"),
    ("a<b>:\"c|?*.png", "a_b___c___.png"),
    ("植物 ñ.jpg", "植物 ñ.jpg"), ("e\u0301.jpg", "é.jpg"),
    ("\u202egpj.exe", "_gpj.exe"), ("\ud800.jpg", "_.jpg"), ("x" * 300 + ".jpg", "x" * 196 + ".jpg"),
    ("x." + "y" * 300, "x." + "y" * 198), ("植" * 300, "植" * 66),
])
def test_names_are_data(sent, name):
    assert plain_name(sent) == name


def test_names_in_forms_and_packages(server, photograph):
    body, kind = form(("file", "..\\..\\K<1>.jpg", photograph))
    answer = server.post(body, "?include=crops", Content_Type=kind)
    names = zipfile.ZipFile(io.BytesIO(answer.body)).namelist()
    assert "crops/K_1__Label_1.jpg" in names and not [name for name in names if ".." in name or "\\" in name]


def test_one_bad_client_does_not_stop_the_others(server):
    """Connections that send half a request and go, while others ask."""
    def leave(data):
        with socket.create_connection(server.address, timeout=5) as connection:
            connection.sendall(data)

    half = b"POST /api/v1/sheets HTTP/1.1\r\nContent-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n" + TINY
    threads = [threading.Thread(target=leave, args=(half[:size],)) for size in range(5, len(half), 60)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert server.ask("GET", "/health").status == 200
    for thread in threads:
        thread.join()
