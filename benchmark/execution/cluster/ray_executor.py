"""Running single jobs on the nodes of a Ray cluster, with the interface of the local executor.

The driver keeps the store and writes all of it. Each node has a server for keyholders, one for thieves, and one for
insiders where there are any (`node.StepServer`); what a step needs travels to it, and what the step leaves comes back.
A node that is lost costs the steps that run there, and each of these is begun again on another.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from benchmark import __version__
from benchmark.digest.code_digest import engine_hash
from benchmark.errors import BenchError
from benchmark.execution.attempt import Attempt, Finished, fresh_attempt
from benchmark.execution.cluster.connection import Head
from benchmark.execution.cluster.node import StepServer
from benchmark.execution.cluster.orders import Orders, Report
from benchmark.execution.walls import FOLDERS, Side, side_of, side_of_step
from benchmark.planning.job import Job
from benchmark.store.records import RecordStore

START_SECONDS = 120.0  # for the servers of a node to start
END_SECONDS = 20.0  # for them to end what runs there
MOST_LOSSES = 3  # of a job's nodes, and of a node's servers: then neither is tried again
JOBS_PER_GPU = 6  # at a time, where --workers does not say it
_GRAIN = 10_000  # parts of a CPU or GPU that Ray can share out


@dataclass(eq=False)
class _Place:
    """A node, or one GPU of it, with the servers that share it. losses: how often they were lost."""

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


@dataclass
class _Way:
    """An attempt on its way through its steps. left: what the last of them left, by role."""

    attempt: Attempt
    left: Mapping[str, bytes] = field(default_factory=dict)
    losses: int = 0


class RayExecutor:
    """The nodes of a cluster as one executor: as many slots as they have CPUs, or `workers` on each.

    context, entry: those of `LocalExecutor`. jobs: all that may be submitted. say: tells the person a sentence.
    Raises BenchError where the cluster can't be used.
    """

    def __init__(
        self,
        address: str | None,
        workers: int | None,
        context: Mapping[str, Any],
        jobs: Iterable[Job],
        say: Callable[[str], None],
        entry: str = "benchmark.execution.job_runner:execute",
    ) -> None:
        self._store = RecordStore(Path(context["root"]))
        for name, mode in FOLDERS.items():
            (self._store.root / name).mkdir(mode, parents=True, exist_ok=True)
        self._context = {"data": {}, "hidden": [], "device": "auto", **context}
        self._entry, self._say, self._token = entry, say, secrets.token_hex(8)
        insiders = any(side_of(job.role) == "insider" for job in jobs)
        self._sides: tuple[Side, ...] = ("keyholder", "thief", "insider") if insiders else ("keyholder", "thief")
        self._ways: dict[Any, tuple[_Place, _Way]] = {}  # by the reference of the report to come
        self._homeless: list[_Way] = []  # whose nodes were lost
        self._places: list[_Place] = []
        self._versions: Mapping[str, str] = {}
        self._head = Head(address)
        try:
            self._orders = Orders(self._store.root, self._context["data"])
            self._names: list[str] = []
            places = _places(ray.nodes(), self._context["device"], workers)
            self._names = [f"{place.name}-{side}" for place in places for side in self._sides]
            self._open(places)
            self._places = places
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def free_slots(self) -> int:
        return max(0, sum(place.free for place in self._places) - len(self._homeless))

    def submit(self, job: Job, attempt: int) -> None:
        """Start a job; only while `free_slots` is positive. See `LocalExecutor.submit`."""
        self._homeless.append(_Way(fresh_attempt(job, attempt)))
        self._house()

    def wait(self, timeout: float) -> list[Finished]:
        """The jobs that ended, at the latest after `timeout` seconds; none while nothing has.

        Raises BenchError where the head is gone, or every node.
        """
        self._head.watch()
        reports = list(self._ways)
        ready, _ = ray.wait(reports, num_returns=1, timeout=timeout) if reports else ([], [])
        if ready:
            ready, _ = ray.wait(reports, num_returns=len(reports), timeout=0)
        ended = [finished for one in ready if (finished := self._look(one))]
        self._house()
        return ended

    def close(self) -> None:
        """Abandon what is running and free everything. Safe to call twice."""
        with suppress(RayError, BenchError):
            servers = [server for place in self._places for server in place.servers.values()]
            if servers:
                self._head.look()
                ray.wait([one.close.remote() for one in servers], num_returns=len(servers), timeout=END_SECONDS)
        self._places, self._ways = [], {}
        self._head.leave()

    def _house(self) -> None:
        """Begin what waits for a place, while there is one."""
        if not self._places:
            raise BenchError("the last node of the Ray cluster is lost; everything finished is kept: run it again")
        while self._homeless and (place := max(self._places, key=lambda one: one.free)).free > 0:
            way = self._homeless.pop(0)
            place.running += 1
            if way.attempt.number > 1:
                self._rest(place)
            self._begin(place, way)

    def _rest(self, place: _Place) -> None:
        """Free the memory that idle processes hold beside a job that needs all of it."""
        servers = [server for one in self._places if one.node == place.node for server in one.servers.values()]
        ray.wait([one.rest.remote() for one in servers], num_returns=len(servers), timeout=END_SECONDS)

    def _begin(self, place: _Place, way: _Way) -> None:
        server = place.servers[side_of_step(way.attempt.job, way.attempt.step)]
        self._ways[server.run.remote(self._orders.order(way.attempt, way.left))] = place, way

    def _look(self, reference: Any) -> Finished | None:
        """Take the report on a step: begin the next one, or return how the job ended."""
        place, way = self._ways.pop(reference)
        try:
            report: Report = ray.get(reference)
        except RayError as error:
            cause = error.cause if isinstance(error, RayTaskError) else error
            if isinstance(cause, BenchError | OSError):
                raise BenchError(f"node {place.address}: {cause}") from error
            if not isinstance(cause, RayError):
                raise
            place.running -= 1
            self._lose(place)
            return self._begin_again(way)
        attempt, step, ended = way.attempt, way.attempt.step, report.finished
        outcome = {"status": ended.status, "reason": ended.reason, "result": ended.result, "damaged": ended.damaged}
        run = {**ended.run, "log": self._keep_log(place, report)}
        finished = attempt.settle({**outcome, "run": run}, attempt.left - ended.left)
        if finished is None:
            way.left = report.left
            self._begin(place, way)
            return None
        place.running -= 1
        return self._kept(finished, report) if step == "answer" and finished.status == "ok" else finished

    def _kept(self, finished: Finished, report: Report) -> Finished:
        """Put what a job made in its place; a crash where it is not what the job says that it made."""
        made: Mapping[str, str] = finished.result.get("artefacts", {})
        for role, digest in made.items():
            if role not in report.left or not self._store.settle(finished.job.id, role, report.left[role], digest):
                reason = f"its {role} is not what the job made: its checksum differs"
                return replace(finished, status="crashed", reason=reason, result={})
        return finished

    def _keep_log(self, place: _Place, report: Report) -> str:
        name = f"{place.name}-{report.finished.run['log']}"
        if report.log:
            with suppress(OSError), (self._store.root / "logs" / name).open("ab") as file:
                file.write(report.log)
        return name

    def _begin_again(self, way: _Way) -> Finished | None:
        """Let a step whose node was lost wait for another, unless it was so too often."""
        way.losses += 1
        if way.losses < MOST_LOSSES:
            self._homeless.insert(0, way)
            return None
        attempt, reason = way.attempt, f"The node that it ran on was lost, {MOST_LOSSES} times."
        return Finished(attempt.job, attempt.number, "killed", reason, run=attempt.run)

    def _open(self, places: Sequence[_Place]) -> None:
        """Start the servers of places. Raises BenchError where one can't, or computes otherwise than the others."""
        for place in places:
            for side in self._sides:
                place.servers[side] = self._server(place).remote(self._token, f"{place.name}-{side}", self._names)
        self._compare(places, _answers([(one, server.versions.remote()) for one, server in _servers(places)]))
        descriptions = self._orders.descriptions()
        ready = [
            (one, server.open.remote(one.slots, self._context, self._entry, descriptions))
            for one, server in _servers(places)
        ]
        _answers(ready)

    def _server(self, place: _Place) -> Any:
        share = math.floor(place.slots / len(self._sides) * _GRAIN) / _GRAIN
        return ray.remote(StepServer).options(
            num_cpus=share,
            num_gpus=math.floor(_GRAIN / len(self._sides)) / _GRAIN if place.gpu else 0,
            max_concurrency=place.slots + 2,
            scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=False),
        )

    def _compare(self, places: Sequence[_Place], found: Sequence[Mapping[str, str]]) -> None:
        """Raise BenchError where two nodes have different versions, or one has other code than this machine."""
        own = {"watermark-bench": __version__, "engine": engine_hash()}
        for (place, _), versions in zip(_servers(places), found, strict=True):
            if other := next((name for name in own if versions[name] != own[name]), None):
                what = "another version" if other == "watermark-bench" else "other code"
                raise BenchError(
                    f"node {place.address} has {what} of watermark-bench than this machine: install the same on both"
                )
            self._versions = self._versions or versions
            if other := next((name for name in versions if versions[name] != self._versions[name]), None):
                raise BenchError(
                    f"node {place.address} has {other} {versions[other]}, and another has {self._versions[other]}: "
                    "install the same versions on every node"
                )

    def _lose(self, place: _Place) -> None:
        """Do without a place, or start its servers again where its node is still there. Raises BenchError."""
        self._head.look()
        if place not in self._places:
            return  # another step that ran there has said so
        self._places.remove(place)
        for server in place.servers.values():
            ray.kill(server)
        there = any(one["NodeID"] == place.node and one["Alive"] for one in ray.nodes())
        if there and place.losses + 1 < MOST_LOSSES:
            again = replace(place, servers={}, running=0, losses=place.losses + 1)
            with suppress(BenchError):
                self._open([again])
                self._places.append(again)
        left = f"{len(self._places)} of {len(self._names) // len(self._sides)} left"
        self._say(f"node {place.address} was lost ({left}): what ran there runs again")


def _servers(places: Iterable[_Place]) -> list[tuple[_Place, Any]]:
    return [(place, server) for place in places for server in place.servers.values()]


def _answers(asked: Sequence[tuple[_Place, Any]]) -> list[Any]:
    """What servers that were just started say. Raises BenchError for the first that says nothing."""
    _, silent = ray.wait([one for _, one in asked], num_returns=len(asked), timeout=START_SECONDS)
    found = []
    for place, one in asked:
        if one in silent:
            raise BenchError(
                f"node {place.address} started nothing within {START_SECONDS:g} s: others may have taken its CPUs or "
                "GPUs (`ray status` shows it)"
            )
        try:
            found.append(ray.get(one))
        except RayError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise BenchError(
                f"node {place.address} can't start watermark-bench ({reason}): install the same version on every node"
            ) from error
    return found


def _places(nodes: Iterable[Mapping[str, Any]], device: str, workers: int | None) -> list[_Place]:
    """Every node that has CPUs, or each of its GPUs. Raises BenchError where there is none."""
    found = []
    for number, node in enumerate(one for one in nodes if one["Alive"]):
        cpus, gpus = (int(node["Resources"].get(name, 0)) for name in ("CPU", "GPU"))
        gpus = 0 if device == "cpu" else gpus
        if not cpus or (device == "cuda" and not gpus):
            continue
        parts = gpus or 1
        most = workers or (JOBS_PER_GPU * gpus if gpus else cpus)
        slots = max(1, min(cpus, most) // parts)
        for part in range(parts):
            name = f"node-{number}" + (f"-gpu-{part}" if gpus else "")
            found.append(_Place(name, node["NodeID"], node["NodeManagerAddress"], slots, gpus > 0))
    if not found:
        what = "a GPU and CPUs: use --device auto" if device == "cuda" else "CPUs for jobs: start one with --num-cpus"
        raise BenchError(f"no node of the Ray cluster has {what}")
    return found
