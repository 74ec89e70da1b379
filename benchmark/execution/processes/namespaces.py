"""Shared memory of a process's own, where the kernel gives it namespaces: what it leaves there nobody else finds."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

from benchmark.execution.processes.kernel import DUMPABLE, checked, set_option

SHARED_MEMORY = os.path.realpath("/dev/shm")
_MOUNTS, _IPC, _USER = 0x00020000, 0x08000000, 0x10000000  # unshare: mounts; System V's and message queues; users
_NO_SETUID, _NO_DEVICES, _RECURSIVE, _SLAVE = 1 << 1, 1 << 2, 1 << 14, 1 << 19  # mount


def own_shared_memory() -> None:
    """Give this process and its descendants an empty /dev/shm, System V memory and message queues, which end with them.

    Root needs no more than its rights; others need the kernel's leave to have users of their own, and stay who they
    are. Call it before the process has a second thread. Raises OSError where the kernel refuses.
    """
    if sys.platform != "linux":
        raise OSError("no namespaces")
    libc, user, group = ctypes.CDLL(None, use_errno=True), os.geteuid(), os.getegid()
    if libc.unshare(_MOUNTS | _IPC) < 0:
        checked(libc.unshare(_MOUNTS | _IPC | _USER))
        set_option(DUMPABLE, 1)  # or these files would be root's
        try:
            for name, line in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {user} 1"),
                ("gid_map", f"{group} {group} 1"),
            ):
                Path("/proc/self", name).write_text(line)
        finally:
            set_option(DUMPABLE, 0)
    checked(libc.mount(b"none", b"/", None, _RECURSIVE | _SLAVE, None))
    checked(libc.mount(b"tmpfs", SHARED_MEMORY.encode(), b"tmpfs", _NO_SETUID | _NO_DEVICES, b"mode=0700"))


def has_own_shared_memory() -> bool:
    """Whether `own_shared_memory` works here: tried in a fork, for half of it is worse than none."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    code = 1
    with suppress(BaseException):
        own_shared_memory()
        code = 0
    os._exit(code)
