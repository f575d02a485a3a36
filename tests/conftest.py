"""What all tests have: one thread a network, and a data set to train on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from helpers import make_dataset
from utils import callbacks

torch.set_num_threads(1)  # networks this small gain nothing from more, and wait for each other on a busy machine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of six small sheets to train on; tests of other folders have a fixture of this name of their own."""
    return make_dataset(tmp_path / "demo")


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """Curves are not drawn: for a network this small, that takes longer than the training. test_callbacks.py does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks, "plot_curves", lambda *args: None)
        yield
