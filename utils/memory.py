"""What the process does with memory that it has freed."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # options of mallopt(3)


def keep_freed_memory() -> bool:
    """Makes this process keep freed memory for its next arrays. Returns True if that worked.

    Otherwise freed memory goes back to the system, which clears each page before it hands it out again. For the arrays
    of a sheet and the features of the network this takes longer than the work on them. Peak memory does not change.
    It works only with glibc's allocator (Linux). Call it before threads start, so that all share one heap.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another allocator, such as musl's
        return False
    return all([mallopt(M_ARENA_MAX, 1), mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, 2**31 - 1)])
