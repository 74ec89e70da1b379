"""Running single jobs on the nodes of a Ray cluster, with the interface of the local executor.

The driver keeps the store and writes all of it. Each node has a server for keyholders, one for thieves, and one for
insiders where there are any (`node.StepServer`); what a step needs travels to it, and what the step leaves comes back.
A node that is lost costs the steps that run there, and each of these is begun again on another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from benchmark.errors import BenchError
from benchmark.execution.attempt import Attempt, Executor, Finished, Trouble, fresh_attempt
from benchmark.execution.cluster.connection import Head
from benchmark.execution.cluster.orders import Orders, Report
from benchmark.execution.cluster.places import AGAIN, Place, Servers, find_places
from benchmark.execution.walls import FOLDERS, side_of_step
from benchmark.planning.job import Job
from benchmark.store.records import RecordStore

CLOSE_SECONDS = 20.0  # for the servers to end what runs there
PAUSE_SECONDS = 30.0  # until a node that is gone is known to be, as Ray checks it
RESTART_SECONDS = 60.0  # for the servers of a lost place to start again, while no report is taken
MOST_LOSSES = 3  # of a job's places, and of a place's servers: then neither is tried again


@dataclass
class _Way:
    """An attempt on its way through its steps. left: what the last of them left, by role."""

    attempt: Attempt
    left: Mapping[str, bytes] = field(default_factory=dict)
    losses: int = 0


class RayExecutor(Executor):
    """The nodes of a cluster as one executor, with the slots that `find_places` finds there.

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
        self._say = say
        needed = {side_of_step(job, step) for job in jobs for step in job.steps}
        self._ways: dict[Any, tuple[Place, _Way]] = {}  # by the reference of the report to come
        self._homeless: list[_Way] = []  # whose nodes were lost
        self._places: list[Place] = []
        self._lost: list[tuple[float, Place]] = []  # each with the time at which to look whether its node is there
        self._trouble = Trouble()
        self._head = Head(address)
        try:
            self._context["hidden"] = [*self._context["hidden"], *self._head.spill_folders()]
            self._orders = Orders(self._store.root, self._context["data"])
            places = find_places(ray.nodes(), self._context["device"], workers)
            descriptions = self._orders.descriptions()
            self._servers = Servers(sorted(needed), places, self._context, entry, descriptions)
            self._servers.start(places)
            self._places = places
        except BaseException:
            self.close()
            raise

    @property
    def free_slots(self) -> int:
        return max(0, sum(place.free for place in self._places) - len(self._homeless))

    def free_for(self, job: Job, attempt: int = 1) -> bool:
        """Whether a place is free; for what ran out of memory, whether nothing runs."""
        return self.free_slots > 0 and (attempt == 1 or not (self._ways or self._homeless))

    def trains(self, job: Job) -> bool:
        """Never: a node takes as many jobs of any sort as it has places."""
        return False

    def submit(self, job: Job, attempt: int) -> None:
        """Start a job; only while `free_for` says so. See `LocalExecutor.submit`."""
        self._homeless.append(_Way(fresh_attempt(job, attempt)))
        self._house()

    def wait(self, timeout: float) -> list[Finished]:
        """The jobs that ended, at the latest after `timeout` seconds; none while nothing has.

        Raises BenchError where the head is gone, or every node, or a node can't start processes: once what has ended
        was returned.
        """
        self._head.watch()
        self._come_back()
        self._house()
        reports, ready = list(self._ways), list[Any]()
        if not reports:
            time.sleep(timeout)  # what is to run waits for a place
        elif ray.wait(reports, num_returns=1, timeout=timeout)[0]:
            ready, _ = ray.wait(reports, num_returns=len(reports), timeout=0)
        return self._trouble.ended(partial(self._look, one) for one in ready)

    def close(self) -> None:
        """Abandon what is running and free everything. Safe to call twice."""
        with suppress(RayError, BenchError):
            servers = [server for place in self._places for server in place.servers.values()]
            if servers:
                self._head.look()
                ray.wait([one.close.remote() for one in servers], num_returns=len(servers), timeout=CLOSE_SECONDS)
        self._places, self._ways = [], {}
        self._head.leave()

    def _house(self) -> None:
        """Begin what waits for a place, while there is one. Raises BenchError where the run can't go on."""
        self._trouble.tell()
        if not self._places and not self._lost:
            raise BenchError("the last node of the Ray cluster is lost; everything finished is kept: run it again")
        while self._homeless and self._places and (place := max(self._places, key=lambda one: one.free)).free > 0:
            way = self._homeless.pop(0)
            place.running += 1
            if way.attempt.number > 1:
                self._rest(place)
            self._begin(place, way)

    def _rest(self, place: Place) -> None:
        """Free the memory that idle processes hold beside a job that needs all of it."""
        servers = [server for one in self._places if one.node == place.node for server in one.servers.values()]
        ray.wait([one.rest.remote() for one in servers], num_returns=len(servers), timeout=CLOSE_SECONDS)

    def _begin(self, place: Place, way: _Way) -> None:
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
                reason = str(cause).rstrip(".")
                raise BenchError(
                    f"node {place.address}: {reason}; everything finished is kept: mend the node and {AGAIN}"
                ) from error
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

    def _keep_log(self, place: Place, report: Report) -> str:
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

    def _lose(self, place: Place) -> None:
        """Do without a place, at least for a while. Raises BenchError where it was the head that went."""
        self._head.look()
        if place not in self._places:
            return  # another step that ran there has said so
        self._places.remove(place)
        for server in place.servers.values():
            ray.kill(server)
        if place.losses + 1 < MOST_LOSSES:
            again = replace(place, servers={}, running=0, losses=place.losses + 1)
            self._lost.append((time.monotonic() + PAUSE_SECONDS, again))
        if self._places:
            self._say(f"node {place.address} was lost: what ran there runs again, on the nodes that are left")
        elif self._lost:  # else the run ends, which says enough
            back = f"when it is back: it is looked for after {PAUSE_SECONDS:g} s"
            self._say(f"node {place.address} was lost: what ran there runs again, {back}")

    def _come_back(self) -> None:
        """Start the servers of lost places again, where their node is still there: only they had died."""
        while self._lost and self._lost[0][0] < time.monotonic():
            place = self._lost.pop(0)[1]
            if any(one["NodeID"] == place.node and one["Alive"] for one in ray.nodes()):
                with suppress(BenchError):
                    self._servers.start([place], RESTART_SECONDS)
                    self._places.append(place)
