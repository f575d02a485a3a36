"""What the tests of this folder share."""

from pathlib import Path

import pytest

from digitised import working_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sheets to work in, with a model that knows them."""
    return working_folder(tmp_path, monkeypatch)
