"""Batches out of single images that threads hand in: a GPU is hardly busy with one sheet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import torch


class Batcher:
    """Calls `forward` for one thread at a time, with the images of all threads that wait, as far as they fit together.

    No image waits for others to come: a batch is what was handed in while the one before it was computed, at most
    `max_batch` images of one shape. One thread computes it for all, so no thread is needed besides the callers'.
    """

    def __init__(self, forward: Callable[[torch.Tensor], torch.Tensor], max_batch: int) -> None:
        """forward: (N, ...) to (N, ...), each result depending on its own image alone."""
        self.forward, self.max_batch = forward, max_batch
        self._busy = threading.Lock()
        self._waiting: dict[Future[torch.Tensor], torch.Tensor] = {}

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """`forward`'s result for one image, without the batch dimension; what it raises, for each of its images."""
        future: Future[torch.Tensor] = Future()
        self._waiting[future] = image
        with self._busy:
            if not future.done():  # else another thread has computed it
                self._compute(future)
        return future.result()

    def _compute(self, first: Future[torch.Tensor]) -> None:
        shape = self._waiting[first].shape
        waiting = list(self._waiting.items())  # a copy: others go on handing in
        others = [future for future, image in waiting if future is not first and image.shape == shape]
        batch = [first, *others[:self.max_batch - 1]]
        images = [self._waiting.pop(future) for future in batch]
        try:
            results = self.forward(torch.stack(images))
        except Exception as error:
            for future in batch:
                future.set_exception(error)
        else:
            for future, result in zip(batch, results):
                future.set_result(result)
