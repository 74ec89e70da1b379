"""Who started whom, and ending a process with everything that it started."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from contextlib import suppress
from pathlib import Path


def _children() -> dict[int, set[int]]:
    """Every process's children, from /proc; empty where there is none."""
    found: dict[int, set[int]] = defaultdict(set)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            parent = path.read_bytes().rpartition(b")")[2].split()[1]  # a name may hold any character but its last ")"
            found[int(parent)].add(int(path.parent.name))
    return found


def own_children() -> set[int]:
    return _children()[os.getpid()]


def _below(pid: int) -> set[int]:
    """A process and all that descend from it, by who is whose parent now."""
    children, found, waiting = _children(), {pid}, [pid]
    while waiting:
        new = children[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def end_tree(pid: int) -> None:
    """Kill a child of this process with all that descends from it, also what left its session or its group.

    They are stopped first, until no new one appears: a process that stands still starts no other.
    """
    stopped: set[int] = set()
    while new := _below(pid) - stopped:
        for one in new:
            _send(one, signal.SIGSTOP)
        stopped |= new
    for one in stopped:
        _send(one, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
