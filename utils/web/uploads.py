"""The photograph in a request: of a form, or the body itself. Nothing of it is written to a disk."""

from __future__ import annotations

import io
import re
import unicodedata
from pathlib import PurePosixPath
from typing import IO, Any

from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from utils.files.source import Upload
from utils.utils import UNPRINTABLE

FIELD = "file"
FORM = "multipart/form-data"
RAW = ("image/jpeg", "image/png", "image/tiff", "application/octet-stream")
NAMELESS = "photograph"
FORBIDDEN = re.compile(r'[<>:"/\\|?*]')  # by some file system
LONGEST_NAME, LONGEST_SUFFIX = 200, 10  # bytes of a name, of its suffix
MB = 1_000_000


class InMemory(Request):
    """A request whose files stay in memory; Werkzeug writes large ones to temporary files."""

    max_form_memory_size = 100_000  # bytes of all fields that are no files
    max_form_parts = 20

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        return io.BytesIO()


def read_upload(request: Request, max_upload_mb: float) -> Upload:
    """The photograph in a request, with a name that is safe as a file name.

    Raises an HTTPException: 400 when there is none, 413 when it is too large, 415 when the body is of another kind.
    """
    if request.mimetype == FORM:
        files = request.files.getlist(FIELD)
        if len(files) != 1 or len(list(request.files.values())) != 1:
            raise BadRequest(
                f'The form has {len(files)} files in its field "{FIELD}" and {len(list(request.files.values()))} in '
                f"all, or is cut short: send one photograph in it.")
        name, data = files[0].filename or "", files[0].stream.getvalue()
    elif request.mimetype in RAW or not request.mimetype:
        name, data = "", request.get_data(cache=False)
    else:
        raise UnsupportedMediaType(
            f"The Content-Type is {request.mimetype[:100]}: send {FORM} with the photograph in the field "
            f'"{FIELD}", or the photograph alone as {", ".join(RAW)}.')
    if len(data) > max_upload_mb * MB:
        raise RequestEntityTooLarge(f"The photograph has {len(data) / MB:.1f} MB: up to {max_upload_mb:g} are allowed.")
    if not data:
        raise BadRequest("There is no photograph in the request, or it is empty (0 bytes).")
    return Upload(plain_name(request.args.get("name", name)), data)


def plain_name(text: str) -> str:
    """`text` as the name of a file without folders, which no system misunderstands; never empty."""
    name = unicodedata.normalize("NFC", text.encode(errors="replace").decode()).replace("\\", "/").rpartition("/")[2]
    name = "".join("_" if unicodedata.category(letter) in UNPRINTABLE else letter for letter in name)
    name = FORBIDDEN.sub("_", name).strip(" .")
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > LONGEST_SUFFIX:
        suffix = ""
    stem = name[:len(name) - len(suffix)].encode()[:LONGEST_NAME - len(suffix.encode())].decode(errors="ignore")
    return f"{stem.rstrip(' .')}{suffix}" if stem.strip(" .") else NAMELESS + suffix
