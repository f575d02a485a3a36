"""Counts of requests and their times, in Prometheus' text format (version 0.0.4)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

from utils.web.pool import Pool

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds
METHODS = ("GET", "HEAD", "POST", "OPTIONS")


class Metrics:
    """What was asked for and how long it took. Several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._within: Counter[tuple[str, float]] = Counter()
        self._count: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts one request. route: as the app calls it, not what was asked for, of which there is no end."""
        method = method if method in METHODS else "other"
        with self._lock:
            self._requests[route, method, status] += 1
            self._count[route] += 1
            self._seconds[route] += seconds
            for bucket in BUCKETS:
                self._within[route, bucket] += seconds <= bucket

    def text(self, pool: Pool) -> str:
        """All of it. pool: whose queue is told, too."""
        with self._lock:
            return "".join(f"{line}\n" for line in self._lines(pool))

    def _lines(self, pool: Pool) -> Iterator[str]:
        yield from _head("herbarium_requests_total", "counter", "Requests by route, method and status.")
        for (route, method, status), count in sorted(self._requests.items()):
            yield f'herbarium_requests_total{{route="{route}",method="{method}",status="{status}"}} {count}'
        yield from _head("herbarium_request_seconds", "histogram", "Seconds from the whole request to its answer.")
        for route in sorted(self._count):
            for bucket in BUCKETS:
                within = self._within[route, bucket]
                yield f'herbarium_request_seconds_bucket{{route="{route}",le="{bucket}"}} {within}'
            yield f'herbarium_request_seconds_bucket{{route="{route}",le="+Inf"}} {self._count[route]}'
            yield f'herbarium_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}'
            yield f'herbarium_request_seconds_count{{route="{route}"}} {self._count[route]}'
        for name, value, what in (
            ("waiting", pool.waiting, "Photographs that wait."),
            ("in_work", pool.working, "Photographs in work."),
            ("places", pool.places, "Photographs that may wait or be in work; more are refused."),
        ):
            yield from _head(f"herbarium_sheets_{name}", "gauge", what)
            yield f"herbarium_sheets_{name} {value}"


def _head(name: str, kind: str, what: str) -> tuple[str, str]:
    return f"# HELP {name} {what}", f"# TYPE {name} {kind}"
