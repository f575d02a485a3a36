"""Clocks, and processes that each measurement has to itself."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import cv2
import torch

from utils.memory import keep_freed_memory
from utils.utils import UserError


def timed(work: Callable[[], Any], repeats: int) -> list[float]:
    """Seconds that each call of `work` took."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def in_fresh_process(
    work: Callable[..., Any], *arguments: Any, threads: int | None = None, plain: bool = False
) -> tuple[Any, float]:
    """What `work(*arguments)` gives in a new process, and the most memory that process had at a time, in bytes.

    Memory is 0 where the system does not tell it. What `work` prints is not shown.

    Args:
        work: a function at the top level of a module.
        arguments: for `work`.
        threads: 1 keeps it to one CPU thread, where the system can bind a process to a core; None lets it use all.
        plain: without `keep_freed_memory`, which the scripts call and the usual code does not.

    Raises:
        UserError: the work fails.
    """
    try:
        process, connection = _next_process()
        connection.send((threads, plain, work, arguments))
        result, memory, error = connection.recv()
    except (EOFError, BrokenPipeError):
        raise UserError(f"{work.__name__} failed: the process was killed, maybe for want of memory") from None
    connection.close()
    process.join()
    if error:
        raise UserError(f"{work.__name__} failed: {error}")
    return result, memory


def _next_process() -> tuple[BaseProcess, Connection]:
    """A new process that has imported everything and waits for work.

    They are started in pairs, as importing takes seconds and one core. The second one waits, idle, for the next call.
    """
    context = get_context("spawn")
    if not _waiting:
        for _ in range(2):
            connection, other_end = context.Pipe()
            process = context.Process(target=_work, args=(other_end,))
            process.start()
            other_end.close()
            _waiting.append((process, connection))
        for _, connection in _waiting:
            connection.recv()  # both: none may be importing while the other measures
    return _waiting.pop(0)


def end_waiting_processes() -> None:
    """Ends the processes that wait for work which does not come."""
    while _waiting:
        process, connection = _waiting.pop()
        connection.close()
        process.join()


_waiting: list[tuple[BaseProcess, Connection]] = []
atexit.register(end_waiting_processes)  # before multiprocessing, which would wait for them for ever: last in, first out


def _work(connection: Connection) -> None:
    try:
        connection.send("ready")
        threads, plain, work, arguments = connection.recv()
    except (EOFError, BrokenPipeError):
        return  # not needed
    if not plain:
        keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            result = work(*arguments)
        connection.send((result, peak_memory(), ""))
    except Exception:  # whatever it was, the parent prints it
        connection.send((None, 0.0, traceback.format_exc()))


def peak_memory() -> float:
    """The most memory that this process has had at a time, in bytes; 0 where the system does not tell it."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return float(lines["VmHWM"].split()[0]) * 1024  # getrusage counts what the parent had, too
    if sys.platform == "darwin":
        import resource  # not on Windows

        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return 0.0
