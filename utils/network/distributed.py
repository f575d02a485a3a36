"""Runs with one process or with several that `torchrun` starts, and what they exchange."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from utils.utils import UserError, pick_device


@dataclass(frozen=True)
class Processes:
    """This process, number `rank` of `world_size`; it computes on `device`."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this is the process that prints, logs and saves."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of `values` over all processes, on the CPU of each process."""
        if self.world_size > 1:
            values = values.to(self.device)
            dist.all_reduce(values)
        return values.cpu()

    def gather(self, values: list[Any]) -> list[Any]:
        """The lists of all processes joined, in the order of the processes. The items must fit into a pickle."""
        if self.world_size == 1:
            return values
        parts: list[Any] = [None] * self.world_size
        dist.all_gather_object(parts, values)
        return [value for part in parts for value in part]

    def wait(self) -> None:
        """Waits until every process has called this."""
        self.sum(torch.zeros(1))

    def align_buffers(self, model: nn.Module) -> None:
        """Copies the main process's BatchNorm statistics to all processes, each of which has seen other batches."""
        if self.world_size > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)

    def wrap(self, model: nn.Module) -> nn.Module:
        """`model` for training steps. If there are several processes, it averages the gradients over them."""
        if self.world_size == 1:
            return model
        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices)


@contextmanager
def processes(distributed: bool, device: str) -> Iterator[Processes]:
    """Yields the processes that `torchrun` started, as its environment variables say, or this one alone.

    They use NCCL on CUDA, with one GPU per process, and gloo on the CPU. Raises UserError when `distributed` does not
    match how the script was started, or when there are fewer GPUs than processes.
    """
    if not distributed:
        if int(os.environ.get("WORLD_SIZE", 1)) > 1:
            raise UserError("torchrun started several processes and distributed is False: set distributed = True.", 2)
        yield Processes(0, 1, pick_device(device))
        return
    if "LOCAL_RANK" not in os.environ:
        raise UserError(
            "distributed is True and torchrun did not start this process: run "
            "`torchrun --nproc_per_node=2 train.py --distributed=true`, or set distributed = False.", 2
        )
    picked = pick_device(device)
    if picked.type == "cuda":
        picked = pick_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(picked)
    dist.init_process_group("nccl" if picked.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), picked)
    finally:
        dist.destroy_process_group()
