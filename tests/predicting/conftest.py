"""What the tests of this folder share."""

from pathlib import Path

import pytest

from coloured import working_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sheets to work in, with a model that sees colours."""
    return working_folder(tmp_path, monkeypatch)
