"""What the tests of this folder share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from converting import converter


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., int]:
    """convert_labelled.py from labels/ (images in images/) to out/."""
    return converter(tmp_path)


@pytest.fixture
def labels(tmp_path: Path, convert: Callable[..., int]) -> Path:
    """The folder of the labels."""
    return tmp_path / "labels"
