"""Clocks, and processes that each measurement has to itself."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
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

    threads: 1 keeps it to one CPU thread, where the system can bind a process to a core; None lets it use all.
    plain: without `keep_freed_memory`, which the scripts set (`config.run`) and the usual code does not.
    Memory is 0 where the system does not tell it. Raises UserError when the work fails.
    """
    receiver, sender = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_work, args=(sender, threads, plain, work, arguments))
    process.start()
    sender.close()
    try:
        result, memory, error = receiver.recv()
    except EOFError:
        result, memory, error = None, 0.0, "the process was killed, maybe for want of memory"
    process.join()
    if error:
        raise UserError(f"{work.__name__} failed: {error}")
    return result, memory


def _work(
    sender: Connection, threads: int | None, plain: bool, work: Callable[..., Any], arguments: Sequence[Any]
) -> None:
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
        sender.send((result, _peak_memory(), ""))
    except Exception:  # whatever it was, the parent prints it
        sender.send((None, 0.0, traceback.format_exc()))


def _peak_memory() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return float(lines["VmHWM"].split()[0]) * 1024  # getrusage counts what the parent had, too
    if sys.platform == "darwin":
        import resource  # not on Windows

        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return 0.0
