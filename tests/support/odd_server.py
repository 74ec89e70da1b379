"""Servers of a cluster's nodes that have another numpy, or a full disk. Nodes import them as the driver does."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.errors import BenchError
from benchmark.execution.attempt import Finished
from benchmark.execution.cluster import node
from benchmark.execution.cluster.node import StepServer
from benchmark.execution.cluster.orders import Parcel
from benchmark.execution.executor import LocalExecutor


class OddServer(StepServer):
    """Has another numpy where it serves any node but the first."""

    def __init__(self, token: str, name: str, servers: Sequence[str]) -> None:
        super().__init__(token, name, servers)
        self.odd = name.startswith("node-1")

    def versions(self) -> dict[str, str]:
        return super().versions() | ({"numpy": "1.0"} if self.odd else {})


class FullServer(StepServer):
    """Has no room to say anything."""

    def versions(self) -> dict[str, str]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FillingServer(StepServer):
    """Has no room left once its first step has begun, where it serves any node but the first."""

    def open(self, slots: int, context: Mapping[str, Any], entry: str, descriptions: Mapping[str, Parcel]) -> str:
        if not self._folder.name.startswith("node-0"):
            node.LocalExecutor = _Filling  # type: ignore[misc]
        return super().open(slots, context, entry, descriptions)


class _Filling(LocalExecutor):
    def wait(self, timeout: float) -> list[Finished]:
        raise BenchError(f"A worker process can't be started: {os.strerror(errno.ENOSPC)}.")
