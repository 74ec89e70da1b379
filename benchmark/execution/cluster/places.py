"""The places of a cluster where steps are carried out: a node or one of its GPUs, with the servers that share it."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from benchmark import __version__
from benchmark.digest.code_digest import engine_hash
from benchmark.errors import BenchError
from benchmark.execution.cluster.node import StepServer
from benchmark.execution.cluster.orders import Parcel
from benchmark.execution.walls import Side

SERVER_SECONDS = 300.0  # for the servers of all nodes to start, on busy machines
JOBS_PER_GPU = 6  # at a time, where --workers does not say it and there are as many CPUs
AGAIN = "run the same command again"  # what a person does once a node is mended
_GRAIN = 10_000  # parts of a CPU or GPU that Ray can share out


@dataclass(eq=False)
class Place:
    """A node, or one GPU of it, with the servers that share it. losses: how often these were lost."""

    name: str
    node: str
    address: str
    slots: int
    gpu: bool
    servers: dict[Side, Any] = field(default_factory=dict)
    running: int = 0
    losses: int = 0

    @property
    def free(self) -> int:
        return self.slots - self.running


def find_places(nodes: Iterable[Mapping[str, Any]], device: str, workers: int | None) -> list[Place]:
    """Every node that has CPUs, or its GPUs, as many of them as jobs may run there at a time.

    nodes: as `ray.nodes()` describes them. workers: on each node; None: one for each CPU, and at most JOBS_PER_GPU for
    each GPU where there are any. Raises BenchError where there is no such node.
    """
    found = []
    for number, node in enumerate(one for one in nodes if one["Alive"]):
        cpus, gpus = (int(node["Resources"].get(name, 0)) for name in ("CPU", "GPU"))
        gpus = 0 if device == "cpu" else gpus
        if not cpus or (device == "cuda" and not gpus):
            continue
        parts = min(gpus, cpus, workers or gpus) or 1
        most = workers or (JOBS_PER_GPU * gpus if gpus else cpus)
        slots = min(cpus, most) // parts
        for part in range(parts):
            name = f"node-{number}" + (f"-gpu-{part}" if gpus else "")
            found.append(Place(name, node["NodeID"], node["NodeManagerAddress"], slots, gpus > 0))
    if not found:
        what = "a GPU and CPUs: use --device auto" if device == "cuda" else "CPUs for jobs: start one with --num-cpus"
        raise BenchError(f"no node of the Ray cluster has {what}")
    return found


class Servers:
    """Starts the servers of places, one for each of `sides`, and sees that all compute the same.

    context, entry: those of `LocalExecutor`. descriptions: `Orders.descriptions`.
    """

    def __init__(
        self, sides: Sequence[Side], places: Sequence[Place], context: Mapping[str, Any], entry: str,
        descriptions: Mapping[str, Parcel],
    ) -> None:  # fmt: skip
        self._sides, self._context, self._entry, self._descriptions = sides, context, entry, descriptions
        self._token, self._names = secrets.token_hex(8), [f"{one.name}-{side}" for one in places for side in sides]
        self._versions: Mapping[str, str] = {}  # of the first

    def start(self, places: Sequence[Place], seconds: float = SERVER_SECONDS) -> None:
        """Start all servers of these places, within so many seconds.

        Raises BenchError where one does not start, or computes otherwise than the others; then none is left.
        """
        end = time.monotonic() + seconds
        servers = []
        try:
            for place in places:
                for side in self._sides:
                    server = self._actor(place).remote(self._token, f"{place.name}-{side}", self._names)
                    servers.append((place, server))
                    place.servers[side] = server
            found = _answers([(place, server.versions.remote()) for place, server in servers], end)
            for (place, _), versions in zip(servers, found, strict=True):
                self._compare(place, versions)
            given = self._context, self._entry, self._descriptions
            _answers([(place, server.open.remote(place.slots, *given)) for place, server in servers], end)
        except BaseException:
            for place, server in servers:
                ray.kill(server)  # else it keeps its share of the node
                place.servers.clear()
            raise

    def _actor(self, place: Place) -> Any:
        share = math.floor(place.slots / len(self._sides) * _GRAIN) / _GRAIN
        return ray.remote(StepServer).options(
            num_cpus=share,
            num_gpus=math.floor(_GRAIN / len(self._sides)) / _GRAIN if place.gpu else 0,
            max_concurrency=place.slots + 2,
            scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=False),
        )

    def _compare(self, place: Place, versions: Mapping[str, str]) -> None:
        """Raise BenchError where a node has other code than this machine, or other packages than the first one."""
        own = {"watermark-bench": __version__, "engine": engine_hash()}
        if any(versions[name] != own[name] for name in own):
            raise BenchError(
                f"node {place.address} has another version of watermark-bench than this machine: install the same on "
                "every node"
            )
        self._versions = self._versions or versions
        for name, known in self._versions.items():
            if versions[name] != known:
                raise BenchError(
                    f"node {place.address} has {name} {versions[name]}, and another node {known}: install the same "
                    "version on every node"
                )


def _answers(asked: Sequence[tuple[Place, Any]], end: float) -> list[Any]:
    """What servers that were just started say until `end`. Raises BenchError for the first that says nothing."""
    _, silent = ray.wait([one for _, one in asked], num_returns=len(asked), timeout=max(0.0, end - time.monotonic()))
    found = []
    for place, one in asked:
        if one in silent:
            raise BenchError(
                f"node {place.address} started nothing in time: others may have taken its CPUs or GPUs (`ray status` "
                "shows it)"
            )
        try:
            found.append(ray.get(one))
        except RayError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            # Ray gives no exception of its own to code that a server could not import: only its text names it.
            missing = any(name in str(error) for name in ("ImportError", "ModuleNotFoundError"))
            cure = "install the same version on every node" if missing else f"mend this there and {AGAIN}"
            raise BenchError(f"node {place.address} can't start watermark-bench ({reason}): {cure}") from error
    return found
