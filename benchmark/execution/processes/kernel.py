"""How a call of the kernel by ctypes ended."""

from __future__ import annotations

import ctypes
import os


def checked(result: int) -> int:
    """What a call returned. Raises OSError where that says that it failed; the library must be one that keeps errno."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
