"""Two hundred damaged uploads: each is refused with a sentence or read, none hurts the server or reaches a disk."""

import http.client
import os
import random
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from digitised import sheet
from helpers import wait_for
from served import AnySheet, encoded, form, served

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
watched: list[list[object]] = []  # lists that get the name of each file that this process opens to write


def _see(event, arguments):
    if watched and event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        watched[-1].append(arguments[0])


sys.addaudithook(_see)  # cannot be taken away again; it does nothing while nobody watches


@pytest.fixture
def written(tmp_path):
    """The files that were opened to be written during the test."""
    watched.append([])
    yield watched[-1]
    watched.pop()


def pictures():
    small = sheet()[::6, ::6]
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a sheet"
    return [
        encoded(small, quality=90, exif=exif), encoded(small, "PNG"),
        encoded(small[..., 0].astype(np.uint16) * 257, "PNG"), encoded(small, "TIFF"),
        encoded(small, "TIFF", compression="tiff_lzw"), encoded(small, "TIFF", compression="jpeg"),
    ]


def damaged(data, dice):
    """`data` with some bytes changed, cut out, put in, or cut off; mostly near the start, where headers are."""
    data = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 30))):
        at = dice.randrange(min(len(data), dice.choice((40, 400, len(data)))))
        kind = dice.randrange(5)
        if kind == 0:
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[at:at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\1"))
        elif kind == 2:
            del data[at:at + dice.choice((1, 2, 100))]
        elif kind == 3:
            data[at:at] = dice.randbytes(dice.choice((1, 2, 100)))
        else:
            del data[max(at, 1):]
        if not data:
            break
    return bytes(data)


def test_two_hundred_malformed_uploads(written):
    dice, files, statuses = random.Random(33), pictures(), Counter()
    with served(AnySheet(), max_upload_mb=2.0, max_megapixels=2.0) as one:
        connection = http.client.HTTPConnection(*one.address, timeout=20)
        for number in range(200):
            picture = files[number % len(files)]
            if number % 4:
                body, kind = damaged(picture, dice), "application/octet-stream"
            else:
                body, kind = form(("file", f"K{number}.jpg", picture))
                border = body.index(picture)
                body = damaged(body[:border], dice) + body[border:] if number % 8 else damaged(body, dice)
                kind = kind if number % 12 else damaged(kind.encode(), dice).decode("latin-1").translate(
                    {code: "_" for code in (*range(32), *range(127, 256))})
            accept = ("application/json", "image/png", "image/jpeg", "application/zip")[number % 5 % 4]
            connection.request("POST", "/api/v1/sheets", body, {"Content-Type": kind, "Accept": accept})
            response = connection.getresponse()
            content = response.read()
            statuses[response.status] += 1
            assert response.status < 500, (number, content)
            if response.status != 200:
                assert b'"detail"' in content and b"Traceback" not in content and b"/tmp" not in content
        assert one.post(files[0]).status == 200
        assert wait_for(lambda: one.server.limits.memory.taken == 0, 10)  # it is given back behind the last answer
        connection.close()
    assert sum(statuses.values()) == 200 and {200, 400, 415, 422} <= set(statuses)
    assert written == []


def test_a_large_upload_does_not_reach_a_disk_either(written, tmp_path):
    """Three megabytes, which both waitress and Werkzeug would write to temporary files if they were let."""
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    data = encoded(noise, "PNG", compress_level=0)
    with served(AnySheet()) as one:
        body, kind = form(("file", "K1.png", data))
        assert len(body) > 3_000_000
        for answer in (one.post(body, Content_Type=kind), one.post(body, "?include=crops", Content_Type=kind),
                       one.post(data, Accept="image/jpeg"), one.post(iter([data[:9], data[9:]]))):
            assert answer.status == 200
    assert written == []
    (tmp_path / "seen").write_bytes(b"")  # what would have been seen
    assert [str(name) for name in written] == [str(tmp_path / "seen")]
