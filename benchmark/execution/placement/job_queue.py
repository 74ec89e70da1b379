"""Which job is next: of those that wait and whose parents all ended ok, the one with the longest way to the end."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Set
from graphlib import TopologicalSorter

from benchmark.planning.job import Job


class JobQueue:
    """The jobs of a run that wait, and how many parents each of them waits for.

    Nothing is searched: a job that ends touches its own children, and a turn takes the top of a heap. So a run costs
    time in proportion to its jobs and the links between them, apart from the logarithm of the heap.

    jobs: of the whole plan, by id, in its order. trains: parts them into two sorts; where a job finds no room, those of
    the other sort may go before it. Raises ValueError where a job names a parent that is not among them, and
    graphlib.CycleError for a circle.
    """

    def __init__(self, jobs: Mapping[str, Job], trains: Callable[[Job], bool] = lambda _: False) -> None:
        self.children: dict[str, list[str]] = {id: [] for id in jobs}
        for job in jobs.values():
            for parent in dict.fromkeys(job.parents):
                if parent not in self.children:
                    raise ValueError(f"{job.label} needs the job {parent}, which is not in the plan")
                self.children[parent].append(job.id)
        self._jobs, self._trains = jobs, trains
        self._place = {id: number for number, id in enumerate(jobs)}
        self._way: dict[str, float] = {}  # seconds from the start of a job to the end of the longest way behind it
        self._missing = {id: len(set(job.parents)) for id, job in jobs.items()}  # parents that have not ended ok
        self._waiting: set[str] = set()
        # a heap for each sort; what no longer waits, or no longer can, is passed over
        self._ready: dict[bool, list[tuple[float, int, str]]] = {True: [], False: []}

    def __contains__(self, id: object) -> bool:
        return id in self._waiting

    def begin(self, unfinished: Set[str]) -> None:
        """Let these jobs wait, the others being finished."""
        for id in TopologicalSorter(self.children).static_order():  # children before parents
            own = self._jobs[id].seconds if id in unfinished else 0.0
            self._way[id] = own + self._behind(id)
        for id in unfinished:
            self._wait(id)

    def add(self, id: str) -> None:
        """Let a job wait that was finished or has been started."""
        self._way[id] = self._jobs[id].seconds + self._behind(id)
        self._wait(id)

    def discard(self, id: str) -> None:
        """Let a job wait no longer."""
        self._waiting.discard(id)

    def ended_ok(self, id: str) -> None:
        """A job has ended ok: its children wait for one parent fewer."""
        for child in self.children[id]:
            self._missing[child] -= 1
            self._push(child)

    def forgotten(self, id: str) -> None:
        """A job that ended ok counts for nothing: its children wait for it again."""
        for child in self.children[id]:
            self._missing[child] += 1

    def is_ready(self, id: str) -> bool:
        """Whether all parents of a job ended ok."""
        return not self._missing[id]

    def take(self, fits: Callable[[Job], bool] = lambda _: True) -> str | None:
        """The next job, which waits no longer; None where none is ready, or none `fits`. Ties go by plan order.

        Only the most urgent of each sort is asked for: none overtakes one of its own.
        """
        heads = [(heap[0], heap) for heap in self._ready.values() if self._trimmed(heap)]
        for (_, _, id), heap in sorted(heads):
            if fits(self._jobs[id]):
                heapq.heappop(heap)
                self._waiting.discard(id)
                return id
        return None

    def has_ready(self) -> bool:
        """Whether a job waits for nothing but room."""
        return any(map(self._trimmed, self._ready.values()))

    def _trimmed(self, heap: list[tuple[float, int, str]]) -> bool:
        """Take from the top of a heap what is passed over; whether anything is left."""
        while heap and not (heap[0][2] in self._waiting and self.is_ready(heap[0][2])):
            heapq.heappop(heap)
        return bool(heap)

    def _behind(self, id: str) -> float:
        return max((self._way[child] for child in self.children[id]), default=0.0)

    def _wait(self, id: str) -> None:
        self._waiting.add(id)
        self._push(id)

    def _push(self, id: str) -> None:
        if id in self._waiting and self.is_ready(id):
            sort = self._ready[self._trains(self._jobs[id])]
            heapq.heappush(sort, (-self._way[id], self._place[id], id))
