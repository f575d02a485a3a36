"""How the process treats memory that it has freed."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # of mallopt(3)


def keep_freed_memory() -> bool:
    """Lets this process keep what it frees for its next arrays, instead of giving it back to the system; True if so.

    The system clears each page that it hands out. For an array of a sheet, and for the network's features, that takes
    longer than the work on them. The most memory that is needed at a time stays as it is. glibc's allocator
    (Linux) only, and before there are threads: they then all take from one heap.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another allocator, musl's
        return False
    return all([mallopt(M_ARENA_MAX, 1), mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, 2**31 - 1)])
