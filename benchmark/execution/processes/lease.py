"""The driver's hold on its fork server and on the processes that are forked from it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.execution.walls import Walls

# One thread each, so that a sum has one order; one hash seed, so that a set of names has one order. Torch's compiler
# reads its own when it is first imported; its pool of processes would outlive a job.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
}  # fmt: skip
LONGEST_MESSAGE = 64 << 20  # bytes
END_SECONDS = 60.0  # for a killed process to be gone
_BOOT = """import sys
control, modules, *sys.path = sys.argv[1:]
from benchmark.execution.processes.zygote import main
main(control, modules)"""


class Lease:
    """A forked process as the driver holds it: ending the lease ends the process and all that it started."""

    def __init__(self, pipe: Connection, line: socket.socket, log: Path) -> None:
        self.pipe, self.line, self.log = pipe, line, log
        self.exitcode: int | None = None  # negative for a signal; None also where nobody can tell
        self._over, self._inbox = False, bytearray()

    def ended(self) -> bool:
        """Whether the process is gone, and everything that it started."""
        with suppress(BlockingIOError):
            while not self._over:
                self._hear(socket.MSG_DONTWAIT)
        return self._over

    def _hear(self, flags: int) -> None:
        word = self.line.recv(16, flags)
        if word:
            self.exitcode = int(word)
        else:
            self._over = True

    def read(self) -> bytes | None:
        """The next whole line that the process sent, without waiting; None where there is none yet.

        Raises EOFError where it hung up, OverflowError where a line is longer than LONGEST_MESSAGE.
        """
        start = 0
        with socket_of(self.pipe) as mailbox, suppress(BlockingIOError, ConnectionError):
            while (end := self._inbox.find(b"\n", start)) < 0:
                start = len(self._inbox)
                if start > LONGEST_MESSAGE:
                    raise OverflowError(f"a message of more than {LONGEST_MESSAGE >> 20} MB")
                more = mailbox.recv(1 << 20, socket.MSG_DONTWAIT)
                if not more:
                    raise EOFError
                self._inbox += more
            line = bytes(self._inbox[:end])
            del self._inbox[: end + 1]
            return line
        return None

    def end(self) -> None:
        """Kill it and whatever it started, and wait until they are gone."""
        with suppress(OSError):  # it has ended, or the fork server has
            self.line.shutdown(socket.SHUT_WR)
            self.line.settimeout(END_SECONDS)
            while not self._over:
                self._hear(0)
        self.line.close()
        self.pipe.close()


class Zygote:
    """The driver's hold on its fork server, which starts with the first fork and again if it died.

    `modules` are imported once, before any fork; what it prints itself goes to `log`.
    """

    def __init__(self, modules: Sequence[str], log: Path) -> None:
        self._modules, self._log = modules, log
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Connection | None = None

    def fork(
        self,
        call: str,
        arguments: Mapping[str, Any],
        log: Path,
        walls: Walls | None = None,
        memory_mb: int | None = None,
    ) -> Lease:
        """A process that calls `call`, `module:function`, with its end of a pipe and `arguments`, which are JSON.

        Its output is added to `log`. memory_mb: what it may take beyond what the imports hold. Raises OSError.
        """
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._start()
        control: Connection = self._control  # type: ignore[assignment]
        ours, theirs = Pipe()
        line, far = socket.socketpair()
        order = {"call": call, "arguments": arguments, "log": str(log), "memory_mb": memory_mb}
        with theirs, far, suppress(ConnectionError):  # it died just now: the lease is over at once
            control.send_bytes(json.dumps({**order, "walls": walls and asdict(walls)}).encode())
            with socket_of(control) as passage:
                socket.send_fds(passage, [b"2"], [theirs.fileno(), far.fileno()])
        return Lease(ours, line, log)

    def _start(self) -> None:
        self._control, theirs = Pipe()
        arguments = [sys.executable, "-c", _BOOT, str(theirs.fileno()), ",".join(self._modules), *sys.path]
        with theirs, open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                arguments, env=os.environ | WORKER_ENVIRONMENT, pass_fds=[theirs.fileno()], start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def close(self) -> None:
        """End it and every process that was forked from it. Safe to call twice."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.wait(END_SECONDS)
        self._control = self._process = None


@contextmanager
def socket_of(pipe: Connection) -> Iterator[socket.socket]:
    """The socket that a pipe is."""
    found = socket.socket(fileno=pipe.fileno())
    try:
        yield found
    finally:
        found.detach()
