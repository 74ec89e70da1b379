"""Calls of the Linux kernel by ctypes: options of this process, and how a call ended."""

from __future__ import annotations

import ctypes
import os
import sys

DEATH_SIGNAL, DUMPABLE, SUBREAPER, NO_NEW_PRIVILEGES = 1, 4, 36, 38  # options of prctl


def checked(result: int) -> int:
    """What a call returned. Raises OSError where that says that it failed; the library must be one that keeps errno."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def set_option(option: int, value: int) -> None:
    """Set an option of this process (prctl); nothing where the system is not Linux. Raises OSError."""
    if sys.platform == "linux":
        checked(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0))
