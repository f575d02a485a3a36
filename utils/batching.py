"""Batches out of single images that threads hand in: a GPU is hardly busy with one sheet."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch


class _Request:
    def __init__(self, image: torch.Tensor) -> None:
        self.image = image
        self.result: torch.Tensor | None = None
        self.error: Exception | None = None


class Batcher:
    """Calls `forward` for one thread at a time, with the images of all threads that wait, as far as they fit together.

    No image waits for others to come: a batch is what was handed in while the one before it was computed, at most
    `max_batch` images of one shape. One thread computes it for all, so no thread is needed besides the callers'.
    """

    def __init__(self, forward: Callable[[torch.Tensor], torch.Tensor], max_batch: int) -> None:
        """forward: (N, ...) to (N, ...), each result depending on its own image alone."""
        self.forward, self.max_batch = forward, max_batch
        self._busy = threading.Lock()
        self._waiting: list[_Request] = []

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """`forward`'s result for one image, without the batch dimension; what it raises, for each of its images."""
        request = _Request(image)
        self._waiting.append(request)  # lists change under Python's own lock
        with self._busy:
            if request in self._waiting:  # else another thread has computed it
                self._compute(request)
        if request.error is not None:
            raise request.error
        return request.result

    def _compute(self, first: _Request) -> None:
        others = [r for r in self._waiting if r is not first and r.image.shape == first.image.shape]
        batch = [first, *others[:self.max_batch - 1]]
        for request in batch:
            self._waiting.remove(request)
        try:
            for request, result in zip(batch, self.forward(torch.stack([request.image for request in batch]))):
                request.result = result
        except Exception as error:
            for request in batch:
                request.error = error
