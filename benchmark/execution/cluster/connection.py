"""Finding a Ray cluster, seeing that its head is there, and leaving it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

import ray

from benchmark.errors import BenchError, message_of

_CALL_SECONDS = 5.0  # for a head to take a call
_STATUS_SECONDS = 12.0  # for a head to say how its cluster is, the start of Python included
_LOOK_SECONDS = 5.0  # between two calls
_GONE = "everything finished is kept: start Ray again, and run the same command again"


class Head:
    """The head of the cluster that this process belongs to, and starts where nobody did."""

    def __init__(self, address: str | None) -> None:
        """address: HOST:PORT of the head; None: of $RAY_ADDRESS, of this machine's cluster, or of one of its own.

        Raises BenchError.
        """
        where = address or os.environ.get("RAY_ADDRESS", "")
        if "://" in where:
            raise BenchError(f"{where!r} is no HOST:PORT of a Ray head: run the command on a machine of the cluster")
        if where not in ("", "auto", "local"):
            _check(where)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")  # in a cluster of its own; Ray's choice is 15
        try:
            with _own_signals():
                joined: Any = ray.init(address=where or None, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, OSError, RuntimeError, ValueError, SystemExit) as error:
            reason = message_of(error, 300)
            raise BenchError(f"the Ray cluster {where or 'of this machine'} can't be joined: {reason}") from error
        self.address: str = ray.get_runtime_context().gcs_address
        self._session = joined.address_info["session_dir"]
        self._seen = time.monotonic()
        self._stdout = sys.stdout
        sys.stdout = cast(TextIO, _WithoutRay(sys.stdout))

    def watch(self) -> None:
        """Raise BenchError where the head is gone; asks it now and then."""
        if time.monotonic() - self._seen < _LOOK_SECONDS:
            return
        if not _answers(self.address):
            raise BenchError(f"the Ray head {self.address} is gone; {_GONE}")
        self._seen = time.monotonic()

    def look(self) -> None:
        """Raise BenchError where the head is gone; asks it at once."""
        self._seen = -_LOOK_SECONDS
        self.watch()

    def spill_folders(self) -> list[str]:
        """Where each node writes what its object store has no room for, unless its `ray start` named another folder."""
        return [f"{self._session}/ray_spilled_objects_{node['NodeID']}" for node in ray.nodes()]

    def leave(self) -> None:
        """Leave the cluster; it ends where this process started it. Safe to call twice."""
        with _own_signals():
            ray.shutdown()
        sys.stdout = self._stdout


class _WithoutRay:
    """An output without what Ray's own threads print there, such as the last words of a node: what befalls the cluster
    is said in one sentence.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        return len(text) if threading.current_thread().name.startswith("ray_") else self._stream.write(text)


def _check(address: str) -> None:
    """Raise BenchError unless a Ray head answers at HOST:PORT. Joining would try for longer than a person waits."""
    mend = "give the address that `ray start --head` printed"
    if not _answers(address):
        raise BenchError(f"nobody answers at --address {address}: {mend}")
    command = [sys.executable, "-m", "ray.scripts.scripts", "status", "--address", address]
    with suppress(subprocess.TimeoutExpired):
        if subprocess.run(command, capture_output=True, timeout=_STATUS_SECONDS, check=False).returncode == 0:
            return
    raise BenchError(f"no Ray head answers at --address {address}: {mend}")


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _CALL_SECONDS):
            return True
    except (OSError, ValueError, OverflowError):
        return False


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does at signals, which Ray sets its own way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {sign: signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
