"""Joins single images from several threads into batches, because one sheet hardly keeps a GPU busy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import torch


class Batcher:
    """Calls `forward` for one thread at a time, with the images of all threads that wait.

    A batch holds the images that arrived while the batch before it was computed: at most `max_batch` images of one
    shape. No image waits for later ones. One of the calling threads computes the batch for all of them, so no extra
    thread is needed.
    """

    def __init__(self, forward: Callable[[torch.Tensor], torch.Tensor], max_batch: int) -> None:
        """forward: (N, ...) to (N, ...); each result may depend only on its own image."""
        self.forward, self.max_batch = forward, max_batch
        self._busy = threading.Lock()
        self._waiting: dict[Future[torch.Tensor], torch.Tensor] = {}

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """The result for one image, without the batch dimension. An error of `forward` is raised for all its images."""
        future: Future[torch.Tensor] = Future()
        self._waiting[future] = image
        with self._busy:
            if not future.done():  # otherwise another thread has already computed it
                self._compute(future)
        return future.result()

    def _compute(self, first: Future[torch.Tensor]) -> None:
        """Computes the batch that `first` belongs to, and sets the result of each of its images."""
        shape = self._waiting[first].shape
        waiting = list(self._waiting.items())  # a copy, because other threads may add images
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
