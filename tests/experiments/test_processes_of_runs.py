"""Work in a process of its own: what it gives, and every way in which it fails."""

import json
import os
import sys
import time

import pytest
from PIL import Image
from torch import nn

from utils.experiments.process import RunFailed, in_process
from utils.experiments.stages import count_flops, noted_time, prediction_seconds
from utils.utils import UserError


def work(what):
    print(f"prints {what}", flush=True)
    if what == "user error":
        raise UserError("A sentence.")
    if what == "error":
        raise ValueError("odd")
    if what == "kill":
        os.kill(os.getpid(), 9)
    if what == "wait":
        time.sleep(600)
    return what, os.getpid(), os.environ.get("MASTER_PORT")


def test_a_process_of_its_own(tmp_path):
    def run(what, **options):
        log = tmp_path / "run" / "log.txt"
        return in_process(work, what, log=log, preload=("utils.experiments.stages", "pytest"), **options)

    answer, process, port = run("done", environment={"MASTER_PORT": "7"})
    assert answer == "done" and process != os.getpid() and port == "7" and "MASTER_PORT" not in os.environ
    with pytest.raises(RunFailed, match=r"^A sentence\.$"):
        run("user error")
    with pytest.raises(RunFailed, match=r"^ValueError: odd \(.*log.txt says where\)$"):
        run("error")
    text = (tmp_path / "run" / "log.txt").read_text()
    assert "prints done" in text and "Traceback" in text
    if sys.platform != "win32":
        with pytest.raises(RunFailed, match=r"was killed \(SIGKILL\)"):
            run("kill")

    def stop():
        if "prints wait" in (tmp_path / "run" / "log.txt").read_text():
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run("wait", watch=stop)
    assert time.monotonic() - start < 60


def test_operations_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 1, groups=4, stride=2))
    # 3 x 3 x 3 x 8 at 16 x 12 places, then 2 x 8 at 8 x 6; two for each multiplication with its addition
    assert count_flops(network, (16, 12)) == 2 * (216 * 16 * 12 + 16 * 8 * 6)


def test_the_time_of_all_parts_of_a_run(tmp_path):
    path = tmp_path / "times.json"
    with pytest.raises(KeyboardInterrupt):
        with noted_time(path):
            assert path.read_text() == "[null]"
            raise KeyboardInterrupt
    with noted_time(path):
        time.sleep(0.02)
    first, second = json.loads(path.read_text())
    assert 0 <= first < 0.02 <= second < 5


def test_the_time_of_a_prediction_is_without_reading(tmp_path):
    class Model:
        def segment(self, image):
            time.sleep(0.02)
            assert image.shape == (4, 6, 3)

    Image.new("RGB", (6, 4)).save(tmp_path / "a b.png")
    assert 0.02 <= prediction_seconds(Model(), tmp_path / "a b.png") < 1
