"""Where the bytes of a picture come from: a file on disk, or an upload that is held in memory."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True)
class Upload:
    """A file in memory. Its name is what the sender called it, for messages alone."""

    name: str
    data: bytes = field(repr=False)

    def __str__(self) -> str:
        return self.name


Source = str | Path | Upload


def open_source(source: Source) -> BinaryIO:
    """The bytes of a file or an upload, to be read from the start. Raises OSError for a file that cannot be opened."""
    return io.BytesIO(source.data) if isinstance(source, Upload) else open(source, "rb")


def read_source(source: Source) -> bytes:
    """All bytes of a file or an upload. Raises OSError for a file that cannot be read."""
    return source.data if isinstance(source, Upload) else Path(source).read_bytes()


def source_size(source: Source) -> int:
    """The number of bytes. Raises OSError for a file that is not there."""
    return len(source.data) if isinstance(source, Upload) else Path(source).stat().st_size
