"""Work in a process of its own, which may fail or be killed without harm to this one."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any

from utils.config import stop
from utils.memory import keep_freed_memory
from utils.utils import UserError

PATIENCE = 20.0  # seconds that a process has to end when it is asked to


class RunFailed(Exception):
    """A run has failed; the message is a sentence that says why."""


def in_process(
    work: Callable[..., Any],
    *arguments: Any,
    log: Path,
    preload: Sequence[str] = (),
    environment: Mapping[str, str] = {},
    watch: Callable[[], None] = lambda: None,
) -> Any:
    """What `work(*arguments)` gives in a new process.

    The process ends when this one is stopped or killed. On Linux it is a copy of a small server process that has
    already imported `preload`; elsewhere it imports them itself, which takes some seconds.

    Args:
        work: a function at the top level of a module.
        arguments: for `work`.
        log: gets what the process prints, added at the end.
        preload: names of modules to import before the copy is made.
        environment: more environment variables.
        watch: called every second. What it raises stops the process, and is raised here.

    Raises:
        RunFailed: `work` fails, or the process is killed.
    """
    linux = sys.platform.startswith("linux")  # on macOS, a copy of a process that has loaded PyTorch may crash
    context = get_context("forkserver" if linux else "spawn")
    if linux:
        context.set_forkserver_preload(list(preload))
    log.parent.mkdir(parents=True, exist_ok=True)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, str(log), dict(environment), work, arguments))
    process.start()
    sender.close()
    try:
        while not receiver.poll(1.0):
            watch()
        result, problem = receiver.recv()
    except EOFError:
        process.join()
        raise RunFailed(f"The process was killed ({_ending(process)}), perhaps for want of memory: make input_shape or "
                        f"the batch sizes smaller; {log} is its log.") from None
    finally:
        _end(process)
        receiver.close()
    if problem:
        raise RunFailed(problem)
    return result


def _work(
    sender: Connection, log: str, environment: Mapping[str, str], work: Callable[..., Any], arguments: Sequence[Any]
) -> None:
    """Runs in the new process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops the first process, which stops this one
    signal.signal(signal.SIGTERM, stop)
    Thread(target=_end_with_parent, daemon=True).start()
    with open(log, "ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    os.environ.update(environment)
    keep_freed_memory()
    try:
        outcome = work(*arguments), ""
    except UserError as error:
        outcome = None, str(error)
    except Exception as error:  # whatever it is, it becomes a row of the table
        outcome = None, f"{type(error).__name__}: {error} ({log} says where)"
        traceback.print_exc()
    sender.send(outcome)


def _end_with_parent() -> None:
    """Ends this process once its parent has ended, however that came about."""
    parent_process().join()
    os._exit(1)


def _end(process: BaseProcess) -> None:
    """Ends a process: it is asked first."""
    if process.is_alive() and process.exitcode is None:
        process.join(0.5)  # it may have sent its result a moment ago
        process.terminate()
        process.join(PATIENCE)
        process.kill()
    process.join()


def _ending(process: BaseProcess) -> str:
    """How a process ended, in words."""
    code = process.exitcode
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit status {code}"
