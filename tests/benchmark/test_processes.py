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
    (idle, connection), *_ = processes._waiting  # started along with the first; it serves the second call
    with pytest.raises(UserError, match="(?s)int failed: .*invalid literal"):
        in_fresh_process(int, "x")
    assert idle.exitcode == 0 and connection.closed and not processes._waiting


def test_processes_that_get_no_work_end():
    started = processes._next_process()
    other, _ = processes._waiting[0]
    processes._waiting.append(started)
    processes.end_waiting_processes()
    assert started[0].exitcode == other.exitcode == 0 and not processes._waiting


def test_timed_measures_each_call():
    seconds = timed(lambda: time.sleep(0.01), 3)
    assert len(seconds) == 3 and all(0.009 < each < 5 for each in seconds)
