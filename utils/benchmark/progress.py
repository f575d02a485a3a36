"""What a benchmark says on stderr while it runs: what it measures, how long that will take, how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Lines such as `Predicting 10 sheets: about 40 s ... 37 s`.

    An estimate is what the caller says, times how much slower than said all earlier measurements were.
    """

    def __init__(self) -> None:
        self.said = 0.0
        self.taken = 0.0

    @contextmanager
    def line(self, title: str, seconds: float) -> Iterator[None]:
        """One line about the work inside `with`, which is expected to take `seconds`."""
        pace = self.taken / self.said if self.said else 1.0
        print(f"{title}: about {in_words(seconds * pace)} ... ", end="", file=sys.stderr, flush=True)
        start, took = time.perf_counter(), "failed"
        try:
            yield
            self.said += seconds
            self.taken += time.perf_counter() - start
            took = in_words(time.perf_counter() - start)
        finally:
            print(took, file=sys.stderr, flush=True)


def in_words(seconds: float) -> str:
    """Seconds as a short text: `7 s`, `12 min`; never less than a second."""
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{max(seconds, 1):.0f} s"
