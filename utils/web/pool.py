"""Work that few threads do, a bounded number of others waits for, and all the rest is refused."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

Result = TypeVar("Result")
MEMORY = 0.8  # how much of the mean time of a job is the past


class Busy(Exception):
    """There is no place, or none became free in time. `retry_after`: seconds after which to ask again."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooSlow(Exception):
    """A job was in work for so long that nobody waits for its result any longer."""


class Pool:
    """Runs jobs on an executor.

    Attributes:
        waiting: jobs that wait for a thread.
        working: jobs in work. One that nobody waits for any longer still counts, as it cannot be stopped.
    """

    def __init__(self, executor: futures.Executor, threads: int, queue_length: int, seconds: float) -> None:
        """Args:
            executor: its threads do the work.
            threads: how many it has.
            queue_length: most jobs that wait for a thread.
            seconds: longest time from asking to the result.
        """
        self.executor, self.threads, self.places, self.seconds = executor, threads, threads + queue_length, seconds
        self.waiting = self.working = 0
        self._mean = 1.0  # seconds of a job
        self._lock = threading.Lock()

    def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises.

        Raises Busy at once when all places are taken, or when the time is over before the work has begun, and TooSlow
        when the time is over later.
        """
        with self._lock:
            if self.waiting + self.working >= self.places:
                raise Busy("All places are taken", self._retry_after())
            self.waiting += 1
        job = _Job(work)
        future = self.executor.submit(self._do, job)
        try:
            return future.result(self.seconds)
        except futures.TimeoutError:
            with self._lock:
                if job.work is None:
                    raise TooSlow(f"The result was not there within {self.seconds:g} seconds") from None
                job.work = None  # what was uploaded does not stay in memory until a thread comes to it
                self.waiting -= 1
                raise Busy(f"No place became free within {self.seconds:g} seconds", self._retry_after()) from None

    def _do(self, job: _Job) -> object:
        with self._lock:
            work, job.work = job.work, None
            if work is None:
                return None
            self.waiting -= 1
            self.working += 1
        start = time.perf_counter()
        try:
            return work()
        finally:
            with self._lock:
                self.working -= 1
                self._mean = MEMORY * self._mean + (1 - MEMORY) * (time.perf_counter() - start)

    def _retry_after(self) -> int:
        """Seconds until a place will be free: those that wait and work take so long, on average."""
        return max(1, math.ceil(self._mean * (self.waiting + self.working) / self.threads / 2))


class _Job:
    """Something to do; None as soon as it is begun or nobody waits for it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work: Callable[[], object] | None = work
