"""A process that can leave no note and call nobody, by a filter of system calls (seccomp), which needs no privilege.

Landlock says what may be written, and not who may change a file's attributes, times, owner or mode; a read-only mount
doesn't bind files that were open before, nor /proc/self/exe. Both leave room for a few bytes, which another process
of the same plug-in would find.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys

from benchmark.execution.processes.kernel import checked

_SET_SECCOMP, _FILTER = 22, 2  # of prctl
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # of the filter's little machine
_NUMBER, _PROCESSOR, _FIRST, _SECOND = 0, 4, 16, 24  # where it finds the call and its arguments
_ALLOWED, _REFUSED = 0x7FFF0000, 0x00050000 | errno.EPERM
_UNIX = 1  # the family of sockets between processes of one machine
_OTHER_CALLS = 0x40000000  # x86_64's calls with 32-bit pointers: the same under other numbers
_FLAGS = (0x40086602, 0x401C5820, 0x40087602)  # of ioctl: FS_IOC_SETFLAGS, FSSETXATTR, SETVERSION
# setxattrat, removexattrat, file_setattr, fchmodat2, io_uring_setup (whose ring carries out what no filter sees)
_NEW = (463, 466, 469, 452, 425)
# by processor: its name for the filter, the numbers of ioctl and socket, and those of the other calls that change
# attributes, modes, owners and times
_CALLS = {
    "x86_64": (0xC000003E, 16, 41, (188, 189, 190, 197, 198, 199, 90, 91, 268, 92, 93, 94, 260, 132, 235, 261, 280)),
    "aarch64": (0xC00000B7, 29, 198, (5, 6, 7, 14, 15, 16, 52, 53, 54, 55, 88)),
}


def can_be_silenced() -> bool:
    """Whether the numbers of this processor's system calls are known here."""
    return sys.platform == "linux" and platform.machine() in _CALLS


def silence() -> None:
    """Take from this process and its descendants, for good, every call that changes a file's attributes, times, owner
    or mode, and sockets but those between processes of this machine; they fail with EPERM.

    Nothing happens where `can_be_silenced` says no. Privileges must have been given up (NO_NEW_PRIVILEGES). Raises
    OSError where the kernel has no filters.
    """
    if not can_be_silenced():
        return
    processor, ioctl, socket, calls = _CALLS[platform.machine()]
    refuse, allow = (_RETURN, 0, 0, _REFUSED), (_RETURN, 0, 0, _ALLOWED)
    steps = [(_LOAD, 0, 0, _PROCESSOR), (_EQUAL, 1, 0, processor), refuse, (_LOAD, 0, 0, _NUMBER)]
    steps += [(_AT_LEAST, 0, 1, _OTHER_CALLS), refuse]
    for number in (*calls, *_NEW):
        steps += [(_EQUAL, 0, 1, number), refuse]
    steps += [(_EQUAL, 0, 4, socket), (_LOAD, 0, 0, _FIRST), (_EQUAL, 1, 0, _UNIX), refuse, allow]
    steps += [(_EQUAL, 0, 2 + 2 * len(_FLAGS), ioctl), (_LOAD, 0, 0, _SECOND)]
    for flags in _FLAGS:
        steps += [(_EQUAL, 0, 1, flags), refuse]
    steps += [allow, allow]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    described = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(program)))
    checked(ctypes.CDLL(None, use_errno=True).prctl(_SET_SECCOMP, _FILTER, described, 0, 0))
