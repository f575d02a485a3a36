"""Clocks and fresh processes."""

import sys
import time
from multiprocessing import Pipe
from threading import Thread

import numpy as np
import pytest
import torch

from utils.benchmark import processes
from utils.benchmark.processes import in_fresh_process, timed
from utils.utils import UserError


def allocate(megabytes):
    print("not to be seen")
    return np.ones(megabytes * 2**20, np.uint8).size, torch.get_num_threads()


def test_a_fresh_process_tells_its_own_memory_and_one_that_gets_no_work_ends(capfd):
    here = np.ones(600 * 2**20, np.uint8)  # memory of this process does not count
    (size, threads), memory = in_fresh_process(allocate, 300, threads=1)
    assert size == 300 * 2**20 and threads == 1 and len(here) > size
    if sys.platform == "linux":
        assert 300 * 2**20 < memory < processes.peak_memory() - 200 * 2**20  # both have imported the same
    assert "not to be seen" not in capfd.readouterr().out
    (idle, connection), *_ = processes._waiting  # started along with the first; it would serve the next call
    assert processes._next_process() == (idle, connection) and not processes._waiting
    thread, other = waiting_thread()
    processes._waiting.extend([(idle, connection), (thread, other)])
    processes.end_waiting_processes()
    assert idle.exitcode == 0 and connection.closed and not thread.is_alive() and not processes._waiting


def waiting_thread():
    """What `_next_process` gives, but a thread of this process: starting another takes seconds."""
    connection, other_end = Pipe()

    def work():
        with other_end:  # the end of a process would close it
            processes._work(other_end)

    thread = Thread(target=work, daemon=True)
    thread.start()
    assert connection.recv() == "ready"
    return thread, connection


def test_work_that_fails_says_why():
    thread, connection = waiting_thread()
    processes._waiting.append((thread, connection))
    with pytest.raises(UserError, match="(?s)int failed: .*Traceback.*invalid literal"):
        in_fresh_process(int, "x", plain=True)
    assert not thread.is_alive() and connection.closed and not processes._waiting


def test_timed_measures_each_call():
    seconds = timed(lambda: time.sleep(0.01), 3)
    assert len(seconds) == 3 and all(0.009 < each < 5 for each in seconds)
