"""Many files, one after the other or in threads: a bad one is named, skipped and counted."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from utils.utils import DEBUG, UserError, list_files, printable, remove_abandoned

T, Item, Result = TypeVar("T"), TypeVar("Item"), TypeVar("Result")


class Job(NamedTuple):
    """One output file and how to make it; `work` raises UserError when the source is bad."""

    source: Path
    output: Path
    work: Callable[[], None]


def find_files(folder: str | Path, suffixes: Sequence[str] = (), recursive: bool = False) -> list[Path]:
    """As `list_files`. Raises UserError, too, when `folder` is not a folder or holds none of the files."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"input_dir is {folder}, which is not a folder: name the folder that holds the label files.")
    paths = []
    for path in list_files(folder, suffixes, recursive):
        if path.exists() and not path.is_file():
            warn(f"{path} is a pipe, a device or a socket: left out.")
        else:
            paths.append(path)
    if not paths:
        deeper = "" if recursive else " (set recursive = True to look into its subfolders)"
        raise UserError(f"{folder} holds no {' or '.join(suffixes) or 'file'}{deeper}: check input_dir.")
    return paths


def warn(message: object) -> None:
    """Prints a line on standard error beside a progress bar; with `--debug=true` the traceback of an error, too."""
    tqdm.write(printable(message, lines=True), file=sys.stderr)
    if DEBUG in sys.argv and isinstance(message, BaseException):
        tqdm.write("".join(traceback.format_exception(message)), file=sys.stderr)


def describe_fault(error: Exception, source: Path, done: str) -> str:
    """A sentence about an error that nobody foresaw; with `--debug=true`, its traceback is printed, too.

    Args:
        error: what was raised.
        source: the file in work.
        done: what could not be done with it: "digitised".
    """
    if DEBUG in sys.argv:
        traceback.print_exception(error)
    return (f"{printable(source)} could not be {done} ({type(error).__name__}: {printable(error)}). This is a fault of "
            f"the program: please report it, with what {DEBUG} prints.")


@lru_cache(1000)  # not all: a server reads files for months
def warn_once(message: str) -> None:
    """As `warn`, but not again for what is read again and again."""
    warn(message)


def read_each(paths: Sequence[Path], read: Callable[[Path], T]) -> tuple[list[T], int]:
    """What `read` gives for each file, and how many files raised UserError; these are named on standard error."""
    found, failed = [], 0
    for path in paths:
        try:
            found.append(read(path))
        except UserError as error:
            warn(error)
            failed += 1
    return found, failed


def run_jobs(jobs: Sequence[Job], title: str) -> int:
    """How many of the jobs failed; each failure is named on standard error and the others are finished.

    A file that cannot be written (OSError) is such a failure, too.
    """
    failed = 0
    for folder in {job.output.parent for job in jobs}:
        remove_abandoned(folder)
    for job in tqdm(jobs, title, unit="file"):
        try:
            job.work()
        except UserError as error:
            warn(error)
            failed += 1
        except OSError as error:
            warn(f"{job.source} cannot be converted to {job.output} ({error}): check the folder and the free space.")
            failed += 1
    return failed


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], num_workers: int) -> Iterator[Result]:
    """work(item) of each item, in their order, by up to `num_workers` threads: no more than there are CPU threads.

    Ends early (Ctrl-C, an error) by finishing the items in work and starting no other.
    """
    with worker_threads(num_workers) as pool:
        yield from pool.map(work, items)


@contextmanager
def worker_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Yields up to `count` threads that share the CPU's cores among them: no more than there are CPU threads.

    Decoding, the network and encoding do without Python's lock, so the threads overlap. NumPy's matrices are those of
    tiles: its own threads would only take the cores from the others. At the end, what is in work is finished, and what
    waits is dropped.
    """
    import torch  # not above: it takes two seconds, and scripts without a network do without

    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    count = max(min(count, threads), 1)
    torch.set_num_threads(max(threads // count, 1))
    cv2.setNumThreads(max(cv2_threads // count, 1))
    pool = ThreadPoolExecutor(count)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)
