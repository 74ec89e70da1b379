"""What of this machine the process may use: cores, and memory; and how many workers that carries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmark.errors import BenchError

WORKER_MB = 400  # what a worker's processes take beyond what they share (docs/workers.md)


def workers(wanted: int | None, limit_mb: int | None = None, root: Path = Path("/")) -> int:
    """How many jobs may run at a time: `wanted`, or with None one a core, as far as memory reaches and at least one.

    limit_mb: what each worker may take at most, for which there is room if nobody says how many; None: no limit.
    Raises BenchError where memory does not hold as many as are wanted.
    """
    free = memory_mb_free(root)
    if wanted is None:
        most = cores(root)
        return most if free is None else min(most, max(1, int(free // (limit_mb or WORKER_MB))))
    if free is not None and wanted > (fit := max(1, int(free // WORKER_MB))):
        raise BenchError(too_many(wanted, fit, "memory", wanted * WORKER_MB, free))
    return wanted


def too_many(wanted: int, fit: int, of_what: str, needed_mb: float, free_mb: float) -> str:
    """The sentence on more workers than memory holds."""
    needed, free = (f"{one / 1024:.1f} GB" for one in (needed_mb, free_mb))
    return f"--workers {wanted} need about {needed} of {of_what} and {free} are free: at most {fit} fit"


def cores(root: Path = Path("/")) -> int:
    """The cores that this process may keep busy: those it may run on, or fewer where a cgroup has a quota."""
    most = float(len(os.sched_getaffinity(0)))
    for group in _groups(root, "cpu"):
        with suppress(OSError, ValueError):
            quota, period = (group / "cpu.max").read_text().split()  # "max" for none is no number
            most = min(most, int(quota) / int(period))
        with suppress(OSError, ValueError):
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
            most = min(most, int(quota) / int(period)) if int(quota) > 0 else most
    return max(1, int(most))


def memory_mb_free(root: Path = Path("/")) -> float | None:
    """Megabytes that can still be taken, of the machine and of every cgroup around this process; None: nobody tells.

    What a cgroup holds of files that it could drop counts as free.
    """
    found = []
    with suppress(OSError, ValueError):
        found.append(_numbers(root / "proc/meminfo")["MemAvailable:"] * 1024)
    for group in _groups(root, "memory"):
        for most, used, dropped in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            with suppress(OSError, ValueError):  # "max" for none is no number
                limit, taken = (int((group / name).read_text()) for name in (most, used))
                found.append(limit - taken + _numbers(group / "memory.stat").get(dropped, 0))
    return max(0, min(found)) / 2**20 if found else None


class MemoryKills:
    """Whether the kernel killed a process of anybody's because memory ran out."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._file = root / "proc/vmstat"
        self._before = self._ever()

    def happened(self) -> bool:
        """Since this was asked before, or this was made."""
        before, self._before = self._before, self._ever()
        return self._before > before

    def _ever(self) -> int:
        with suppress(OSError):
            return _numbers(self._file).get("oom_kill", 0)
        return 0


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of the cgroups around this process that may limit it, of version 2 and of version 1."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            number, names, path = line.split(":", 2)
            top = root / "sys/fs/cgroup" / ("" if number == "0" else controller)
            if number == "0" or controller in names.split(","):
                own = top / path.lstrip("/")
                yield from (own, *(one for one in own.parents if one == top or top in one.parents))


def _numbers(path: Path) -> dict[str, int]:
    """The first number of each line of a file, by the word in front of it."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}
