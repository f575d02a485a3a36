"""The processes that torchrun started: what they agree on between two runs."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from torch.distributed import Store
from torch.distributed.rendezvous import rendezvous

from utils.experiments.process import RunFailed
from utils.utils import UserError

FOREVER = timedelta(days=30)  # a run may take as long as it likes
STOPPED = "Stopped, as another process of the run failed."


@dataclass(frozen=True)
class Ranks:
    """This process, number `rank` of `world_size`. All of them go through the same runs in step.

    They do not compute: each starts a process of its own for each run, and these find each other at an address that is
    new for each run. So a run that fails leaves nothing behind.
    """

    rank: int = 0
    world_size: int = 1
    store: Store | None = None

    @property
    def is_main(self) -> bool:
        """Whether this is the process that evaluates and writes."""
        return self.rank == 0

    def share(self, key: str, value: Any) -> Any:
        """The value, plain types, that the main process gives, in every process, once the main one has got here."""
        if self.store is None:
            return value
        if self.is_main:
            self.store.set(key, json.dumps(value))
        return json.loads(self.store.get(key))

    def environment(self, run: int) -> dict[str, str]:
        """The environment variables by which the processes of run number `run` find each other."""
        if self.store is None:
            return {}
        with socket.socket() as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        return {"MASTER_PORT": str(self.share(f"port {run}", port)), "TORCHELASTIC_USE_AGENT_STORE": "False"}

    def require_others(self, run: int) -> None:
        """Raises RunFailed when another process has failed in run number `run`, which would wait for it for ever."""
        if self.store is not None and self.store.check([f"failed {run}"]):
            raise RunFailed(STOPPED)

    def agree(self, run: int, problem: str) -> str:
        """Why run number `run` failed in any of the processes, or "", once all have got here. Call it with each's own.

        A process that fails calls this at once, and with it stops the others.
        """
        if self.store is None:
            return problem
        if problem:
            self.store.set(f"failed {run}", "")
        self.store.set(f"end {run} of {self.rank}", problem)
        problems = [self.store.get(f"end {run} of {rank}").decode() for rank in range(self.world_size)]
        return first_cause(problems)


def first_cause(problems: Sequence[str]) -> str:
    """One text for the problems of all processes, without those that were only stopped; "" when there are none."""
    return " ".join(f"Process {rank}: {problem}" for rank, problem in enumerate(problems)
                    if problem not in ("", STOPPED))


def join_ranks(distributed: bool) -> Ranks:
    """The processes as torchrun's environment variables say, or this one alone.

    Raises UserError when `distributed` does not match how the script was started.
    """
    if not distributed:
        if int(os.environ.get("WORLD_SIZE", 1)) > 1:
            raise UserError("torchrun started several processes and distributed is False: set distributed = True.", 2)
        return Ranks()
    if "LOCAL_RANK" not in os.environ:
        raise UserError(
            "distributed is True and torchrun did not start this process: run `torchrun --nproc_per_node=2 "
            "experiments.py --distributed=true`, or set distributed = False.", 2)
    store, rank, world_size = next(rendezvous("env://"))
    store.set_timeout(FOREVER)
    return Ranks(rank, world_size, store)
