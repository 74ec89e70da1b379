"""What a process may no longer do once it is silenced, and that nobody else of the user reads a command's memory."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from benchmark.execution.processes.kernel import NO_NEW_PRIVILEGES, set_option
from benchmark.execution.processes.silence import can_be_silenced, silence


@pytest.mark.skipif(not can_be_silenced(), reason="the numbers of this processor's system calls are not known")
def test_a_silenced_process_changes_no_attribute_and_calls_nobody(tmp_path: Path) -> None:
    (path := tmp_path / "file").write_text("x")
    descriptor = os.open(path, os.O_WRONLY)
    flags = 0x40086602  # FS_IOC_SETFLAGS
    refused: dict[str, Callable[[], object]] = {
        "attribute": lambda: os.setxattr(path, "user.note", b"x"),
        "attribute of what was open": lambda: os.setxattr(descriptor, "user.note", b"x"),
        "no attribute": lambda: os.removexattr(path, "user.note"),
        "times": lambda: os.utime(path),
        "times of the program": lambda: os.utime("/proc/self/exe"),
        "mode": lambda: path.chmod(0o600),
        "owner": lambda: os.chown(path, os.getuid(), os.getgid()),
        "flags": lambda: fcntl.ioctl(descriptor, flags, bytes(8)),
        "socket": socket.socket,
    }
    allowed: dict[str, Callable[[], object]] = {
        "write": lambda: os.write(descriptor, b"y"),
        "pair": socket.socketpair,
        "terminal?": lambda: os.isatty(descriptor),
    }
    if (pid := os.fork()) == 0:
        code = 1
        with suppress(BaseException):
            set_option(NO_NEW_PRIVILEGES, 1)
            silence()
            wrong = [name for name, act in refused.items() if _errno(act) != errno.EPERM]
            wrong += [name for name, act in allowed.items() if _errno(act) is not None]
            os.write(descriptor, "".join(wrong).encode())
            code = len(wrong)
        os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0, path.read_text()
    assert path.read_text() == "y"


def _errno(act: Callable[[], object]) -> int | None:
    try:
        act()
    except OSError as error:
        return error.errno
    return None


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says of each process whether others may read its memory")
def test_nobody_of_the_user_reads_the_memory_of_a_command() -> None:
    """Where it holds a key or the secret, as the driver of a run does while it plans."""
    get_dumpable = 3
    code = "import ctypes\nfrom benchmark.cli.output import prepare\nprepare()\n"
    code += f"print(ctypes.CDLL(None).prctl({get_dumpable}, 0, 0, 0, 0))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
