"""The fork server: a process that has imported everything and run nothing, of which every worker is a fork.

It has one thread, no device context, no key and no job, so a fork of it takes milliseconds and finds torch as a fresh
import left it. It lives outside the driver's session, where Ctrl-C does not reach, and ends when the driver does, by
whatever means. Every process that a worker started, and that left it, comes to it and is killed.
"""

from __future__ import annotations

import faulthandler
import gc
import glob
import importlib
import io
import json
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.execution.processes.kernel import DEATH_SIGNAL, DUMPABLE, SUBREAPER, set_option
from benchmark.execution.processes.landlock import confine
from benchmark.execution.processes.lease import socket_of
from benchmark.execution.processes.namespaces import SHARED_MEMORY, can_separate, separate
from benchmark.execution.processes.process_tree import end_tree, own_children
from benchmark.execution.processes.silence import silence

LONGEST_LOG, KEPT_HEAD, KEPT_TAIL = 16 << 20, 8 << 20, 4 << 20  # bytes
_LOOK_SECONDS = 0.1
_PREFIX = "bench-"  # of temporary folders


@dataclass
class _Fork:
    pid: int
    line: socket.socket
    log: Path
    folder: str | None  # its own temporary one


def main(descriptor: str, modules: str) -> None:
    """The fork server's whole life."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # it ends when the driver does
        signal.signal(one, signal.SIG_IGN)
    set_option(DUMPABLE, 0)  # nobody else of this user reads the memory of a keyholder
    set_option(SUBREAPER, 1)
    for module in modules.split(","):
        try:
            importlib.import_module(module)
        except Exception:
            traceback.print_exc()  # and again in the log of the worker that needs it
    gc.collect()
    gc.freeze()  # a fork's collector would copy every page
    server = _Server(Connection(int(descriptor)))
    try:
        server.run()
    finally:
        server.end_all()


class _Server:
    def __init__(self, control: Connection) -> None:
        self.control = control
        self.forks: dict[int, _Fork] = {}
        self.separable = can_separate()

    def run(self) -> None:
        while True:
            lines = {fork.line: fork for fork in self.forks.values()}
            ready = connection.wait([self.control, *lines], _LOOK_SECONDS if lines else None)
            for line in lines.keys() & set(ready):
                self._end(lines[line])
            for fork in list(self.forks.values()):
                pid, status = os.waitpid(fork.pid, os.WNOHANG)
                if pid:
                    self._gone(fork, status)
                else:
                    cut(fork.log)
            if self.control in ready:
                try:
                    order = json.loads(self.control.recv_bytes())
                except (EOFError, ConnectionError):
                    return
                with socket_of(self.control) as passage:
                    descriptors = socket.recv_fds(passage, 1, 2)[1]
                try:
                    self._fork(order, *descriptors)
                except (OSError, TypeError):  # no process, folder or descriptor is to be had: the lease ends
                    traceback.print_exc()
                    for one in descriptors:
                        os.close(one)

    def _fork(self, order: dict[str, Any], pipe_end: int, line_end: int) -> None:
        folder = tempfile.mkdtemp(prefix=_PREFIX) if order["walls"] else None
        server, pid = os.getpid(), os.fork()
        pipe, line = Connection(pipe_end), socket.socket(fileno=line_end)
        if pid:
            pipe.close()
            self.forks[pid] = _Fork(pid, line, Path(order["log"]), folder)
            return
        code = 1
        try:
            self.control.close()
            for held in (line, *(fork.line for fork in self.forks.values())):
                held.close()
            _become(order, pipe, folder, server, self.separable)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(BaseException):
                sys.stdout.flush()
            os._exit(code)  # nothing that was registered to run at the end

    def _end(self, fork: _Fork) -> None:
        end_tree(fork.pid)
        self._gone(fork, os.waitpid(fork.pid, 0)[1])

    def _gone(self, fork: _Fork, status: int) -> None:
        """A worker has ended: so do the processes that it left, which are this one's children now."""
        del self.forks[fork.pid]
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(fork.pid, signal.SIGKILL)
        while strays := own_children() - self.forks.keys():
            for pid in strays:
                end_tree(pid)
                os.waitpid(pid, 0)
        cut(fork.log)
        if fork.folder:
            shutil.rmtree(fork.folder, ignore_errors=True)
        with suppress(OSError):
            fork.line.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        fork.line.close()

    def end_all(self) -> None:
        for fork in list(self.forks.values()):
            self._end(fork)


def _become(order: dict[str, Any], pipe: Connection, folder: str | None, server: int, separable: bool) -> None:
    """Turn a fresh fork into the process that was ordered; separable: with walls, it can leave no note."""
    os.setsid()
    for one in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_DFL)
    set_option(SUBREAPER, 1)
    set_option(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != server:  # it ended before the call
        return
    _redirect(Path(order["log"]))
    faulthandler.enable()
    if order["memory_mb"]:
        limit = _own_data() + order["memory_mb"] * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    if folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        walls, own = order["walls"], [os.path.realpath(folder)]
        others = glob.glob(os.path.join(os.path.dirname(own[0]), f"{_PREFIX}*"))  # whose keys may lie there
        if separable:
            own.append(SHARED_MEMORY)
            separate([*walls["writable"], *own], network=not walls["silent"])
        confine([*walls["denied"], *others], walls["readable"], [*walls["writable"], *own])
        if walls["silent"]:
            silence()
    module, _, name = order["call"].partition(":")
    getattr(importlib.import_module(module), name)(pipe, **order["arguments"])


def _redirect(log: Path) -> None:
    """Send what the job prints, native code included, to the log and away from the driver's display."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a killed process flushes nothing


def cut(log: Path) -> None:
    """Keep the head and the tail of a log that grew too long; what is printed meanwhile is added behind."""
    with suppress(OSError):
        if log.stat().st_size <= LONGEST_LOG:
            return
        with open(log, "r+b") as file:
            file.seek(-KEPT_TAIL, os.SEEK_END)
            tail = file.read(KEPT_TAIL)
            file.truncate(KEPT_HEAD)
        with open(log, "ab") as file:
            file.write(b"\n[... what was printed here was cut ...]\n" + tail)


def _own_data() -> int:
    """Bytes of private memory that this process has asked for, as RLIMIT_DATA counts them; 0 where nobody tells."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0
