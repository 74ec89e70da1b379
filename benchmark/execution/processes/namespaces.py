"""A process apart, where the kernel gives it namespaces: it has shared memory of its own, and outside of its folders it
changes nothing, not even the times or attributes of a file.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from benchmark.execution.processes.kernel import DUMPABLE, checked, set_option

SHARED_MEMORY = os.path.realpath("/dev/shm")
# unshare: mounts; System V's and message queues; users; the network
_MOUNTS, _IPC, _USER, _NETWORK = 0x00020000, 0x08000000, 0x10000000, 0x40000000
_NO_SETUID, _NO_DEVICES, _BIND, _RECURSIVE, _SLAVE = 1 << 1, 1 << 2, 1 << 12, 1 << 14, 1 << 19  # mount
_MOUNT_SETATTR, _HERE, _AND_BELOW, _READ_ONLY = 442, -100, 1 << 15, 1  # from Linux 5.12 on, the same on every processor


def separate(writable: Collection[str] = (), network: bool = True) -> None:
    """Give this process and its descendants an empty /dev/shm, System V memory and message queues, which end with them,
    and leave them `writable` alone of all files: elsewhere nothing can be written, nor a mode, an owner, a time or an
    attribute changed. network: whether they keep the machine's.

    Paths are absolute, without symbolic links; what isn't there is left out. Root needs no more than its rights; others
    need the kernel's leave to have users of their own, and stay who they are. Call it before the process has a second
    thread. Raises OSError where the kernel refuses.
    """
    if sys.platform != "linux":
        raise OSError("no namespaces")
    libc, user, group = ctypes.CDLL(None, use_errno=True), os.geteuid(), os.getegid()
    spaces = _MOUNTS | _IPC | (0 if network else _NETWORK)
    if libc.unshare(spaces) < 0:
        checked(libc.unshare(spaces | _USER))
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
    own = [path.encode() for path in {*writable, f"/proc/{os.getpid()}"} - {SHARED_MEMORY} if os.path.exists(path)]
    for path in own:
        checked(libc.mount(path, path, None, _BIND | _RECURSIVE, None))
    _set_read_only(libc, b"/", True)
    for path in (*own, SHARED_MEMORY.encode()):
        _set_read_only(libc, path, False)


def _set_read_only(libc: ctypes.CDLL, path: bytes, value: bool) -> None:
    """Whether what is mounted at `path` and, if so, below it can only be read. Devices can be written all the same."""
    attributes = struct.pack("4Q", *((_READ_ONLY, 0) if value else (0, _READ_ONLY)), 0, 0)
    below = _AND_BELOW if value else 0
    checked(libc.syscall(_MOUNT_SETATTR, _HERE, path, below, attributes, len(attributes)))


def can_separate() -> bool:
    """Whether `separate` works here: tried in a fork, for half of it is worse than none."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    code = 1
    with suppress(BaseException):
        separate(network=False)
        code = 0
    os._exit(code)
