"""Which mishaps are the machine's and not the plug-in's: out of memory, a full disk, a passing fault."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator

from benchmark.errors import message_of

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_PASSING = (
    errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EIO, errno.EINTR, errno.ETIMEDOUT, errno.ESTALE, errno.ECONNRESET,
    errno.ECONNABORTED, errno.EPIPE, errno.EBUSY, errno.ENOLCK,
)  # fmt: skip
# what allocators say in a plain RuntimeError: torch's on the CPU, C++'s, cuBLAS's
_NO_MEMORY = re.compile(r"can't allocate|not enough memory|out of memory|bad_alloc|_ALLOC_FAILED")


class Passing(Exception):
    """Something that another run may not meet; the message is a sentence for the user."""


def mishap(error: BaseException) -> tuple[str, str] | None:
    """The status and the reason of a job that ended so, to be tried again by the next run; None for a plain crash."""
    for one in _causes(error):
        if isinstance(one, Passing):
            return "killed", str(one)
        if isinstance(one, OSError) and one.errno in _DISK_FULL:
            return "killed", "the disk is full: free some space and run the same command again"
        if isinstance(one, OSError) and one.errno in _PASSING:
            return (
                "killed",
                f"the machine could not do it just now ({os.strerror(one.errno)}): run the same command again",
            )
        if (
            isinstance(one, MemoryError)
            or (isinstance(one, OSError) and one.errno == errno.ENOMEM)
            or (isinstance(one, RuntimeError) and _NO_MEMORY.search(str(one)))  # torch.OutOfMemoryError is one
        ):
            return "oom", f"out of memory: {message_of(one, 500) or type(one).__name__}"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__
