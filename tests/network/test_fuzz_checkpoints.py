"""Checkpoints and lists of sheets with random damage: read, or refused with the project's own error."""

import io
import os
import random

import pytest
import torch

from helpers import refused
from utils.files.voc import read_stems
from utils.network.checkpoint import load_checkpoint

LOOPS = int(os.environ.get("FUZZ_LOOPS", 150))


def checkpoint(legacy: bool) -> bytes:
    """A small checkpoint, in PyTorch's file format of today or the one before."""
    file = io.BytesIO()
    torch.save({
        "model": {"a.weight": torch.arange(6.0).view(2, 3), "a.count": torch.tensor(3)},
        "name_classes": ["_background_", "B"], "colors": [[0, 0, 0], [128, 0, 0]], "model_name": "deeplabv3_plus",
        "backbone": "mobilenet", "downsample_factor": 8, "input_shape": [64, 64], "options": {"decoder": True},
        "min_confidence": 0.5, "calibration": [[1.0, 0.0]] * 2, "settings": {"seed": 1}, "epoch": 2, "best_miou": 0.5,
    }, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def damaged(content: bytes, rng: random.Random) -> bytes:
    """`content` with one to four bytes or pieces changed, cut out or doubled."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(data)), rng.randint(1, 60)
        way = rng.randrange(4)
        if way == 0:
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif way == 1:
            del data[at:at + length]
        elif way == 2:
            data[at:at] = data[at:at + length]
        elif rng.random() < 0.2:
            del data[at:]
        if not data:
            break
    return bytes(data)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_damaged_checkpoints_are_read_or_refused(tmp_path, legacy):
    path, whole, rng = tmp_path / "weights.pth", checkpoint(legacy), random.Random(0)
    path.write_bytes(whole)
    assert load_checkpoint(path).epoch == 2
    assert sum(refused(load_checkpoint, path, damaged(whole, rng)) for _ in range(LOOPS)) > LOOPS / 10


def test_damaged_lists_are_read_or_refused(tmp_path):
    path, rng = tmp_path / "train.txt", random.Random(0)

    def read(path):
        assert all(isinstance(stem, str) and stem == stem.strip() and stem for stem in read_stems(path, {"BM_000123"}))

    for encoding in ("utf-8", "utf-16", "gb18030"):
        whole = "BM_000123\nK.000123.jpg\n标本 1\n".encode(encoding)
        for _ in range(LOOPS // 3):
            refused(read, path, damaged(whole, rng))
