"""Clocks and fresh processes."""

import sys
import time

import numpy as np
import pytest
import torch

from utils.benchmark import processes
from utils.benchmark.processes import in_fresh_process, timed
from utils.utils import UserError


def allocate(megabytes):
    print("not to be seen")
    return np.ones(megabytes * 2**20, np.uint8).size, torch.get_num_threads()


def test_a_fresh_process_tells_its_own_memory(capfd):
    here = np.ones(600 * 2**20, np.uint8)  # memory of this process does not count
    (size, threads), memory = in_fresh_process(allocate, 300, threads=1)
    assert size == 300 * 2**20 and threads == 1 and len(here) > size
    if sys.platform == "linux":
        assert 300 * 2**20 < memory < processes._peak_memory() - 200 * 2**20  # both have imported the same
    assert "not to be seen" not in capfd.readouterr().out
    with pytest.raises(UserError, match="(?s)int failed: .*invalid literal"):
        in_fresh_process(int, "x")


def test_timed_measures_each_call():
    seconds = timed(lambda: time.sleep(0.01), 3)
    assert len(seconds) == 3 and all(0.009 < each < 5 for each in seconds)
