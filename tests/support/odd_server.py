"""A server of a cluster's node that has another numpy than the nodes before it. Nodes import it as the driver does."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.execution.cluster.node import StepServer


class OddServer(StepServer):
    def __init__(self, token: str, name: str, servers: Sequence[str]) -> None:
        super().__init__(token, name, servers)
        self.odd = name.startswith("node-1")

    def versions(self) -> dict[str, str]:
        return super().versions() | ({"numpy": "1.0"} if self.odd else {})
