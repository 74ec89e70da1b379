"""Landlock: what a process gives up for good, for itself and for all that it starts (Linux 5.13 or later).

It needs no privilege and binds root, too. Its rules can only grant, so what is not denied is granted: whatever lies
beside the way from / to a denied path. Names of files may be listed everywhere, contents may not be read.
"""

from __future__ import annotations

import ctypes
import glob
import os
import struct
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from benchmark.execution.processes.kernel import NO_NEW_PRIVILEGES, checked, set_option

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every processor
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE  # the rights that a rule on a file may grant
_RIGHTS = {1: 13, 2: 14}  # how many the first versions know; later ones 15, all but those of devices
_SCOPED = 0b11  # no abstract sockets and no signals to processes outside: from version 6
_KEPT_CAPABILITIES = 1 << 1 | 1 << 3  # of root: to write in folders of another user, as in a container's volume
# of /dev, where the disks are
_DEVICES = ("null", "zero", "full", "random", "urandom", "nvidia*", "dri", "kfd")


def version() -> int:
    """The version of the kernel's Landlock; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, 1))


def confine(denied: Collection[str], readable: Collection[str] = (), writable: Collection[str] = ()) -> None:
    """Shut this process out of the files and folders `denied`, and let it write below `writable` alone.

    All are absolute paths without symbolic links; `readable` lists exceptions inside of `denied`. Nothing happens
    where the kernel has no Landlock. Call it before the process has a second thread. Raises OSError.
    """
    known = version()
    if not known:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    every = (1 << _RIGHTS.get(known, 15)) - 1
    ruleset = checked(libc.syscall(_CREATE_RULESET, struct.pack("QQQ", every, 0, _SCOPED if known >= 6 else 0), 24, 0))
    devices = [path for name in _DEVICES for path in glob.glob(f"/dev/{name}")]
    reading = _EXECUTE | _READ_FILE | _READ_DIR
    own = f"/proc/{os.getpid()}"  # where CUDA names its threads
    rules = [("/", _READ_DIR), *((path, every) for path in (*writable, *devices, own))]
    rules += ((path, reading) for path in (*_beside({*denied, "/dev"}), *readable))
    for path, rights in rules:
        with suppress(OSError):  # gone, or not ours to open
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
            granted = rights & every & (-1 if os.path.isdir(path) else _OF_FILES)
            libc.syscall(_ADD_RULE, ruleset, 1, struct.pack("=Qi", granted, descriptor), 0)
            os.close(descriptor)
    set_option(NO_NEW_PRIVILEGES, 1)
    _drop_capabilities(libc)
    checked(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _beside(denied: Collection[str]) -> Iterator[str]:
    """The outermost paths that neither are denied nor lead to what is denied."""
    ways = {str(parent) for path in denied for parent in Path(path).parents}

    def walk(folder: str) -> Iterator[str]:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.path in ways:
                    yield from walk(entry.path)
                elif entry.path not in denied and not entry.is_symlink():  # a link's target has a place of its own
                    yield entry.path

    return walk("/")


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Take from root what would read other processes, the kernel's memory and disks."""
    version_and_pid = struct.pack("Ii", 0x20080522, 0)
    sets = ctypes.create_string_buffer(24)  # effective, permitted and inheritable, twice 32 bits each
    checked(libc.capget(version_and_pid, sets))
    effective, permitted, *_ = struct.unpack("6I", sets.raw)
    kept = (effective & _KEPT_CAPABILITIES, permitted & _KEPT_CAPABILITIES, 0, 0, 0, 0)
    checked(libc.capset(version_and_pid, struct.pack("6I", *kept)))
