"""Cards that are only reckoned with: the real scheduler and the real placement, over seconds and memory of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.execution.attempt import Finished
from benchmark.execution.placement.devices import Device
from benchmark.execution.placement.needs import CONTEXT_MB
from benchmark.execution.placement.placement import Placement
from benchmark.identity import job_id
from benchmark.planning.job import Job, PluginSource
from benchmark.vocabulary import JobKind

ATTACKS = Path(__file__).parents[2] / "attacks"
START_SECONDS = 5.0  # that the first job of a process takes longer
Speed = Callable[[int], float]  # what a card gets done with so many jobs that train, one alone being 1


def work(
    number: int, kind: JobKind = "null", seconds: float = 10.0, mb: float = 1000.0, steps: int = 100, name: str = "",
    architecture: str = "net",
) -> Job:  # fmt: skip
    """A job that alone takes so long and so much of a card; jobs of one `name` are alike."""
    stages = [{"name": name, "parameters": {}}] if name else []
    world = {"task": "none", "architecture": architecture}
    payload = {"kind": kind, "number": number, "stages": stages, "mb": mb, "steps": steps, "world": world}
    file = "finetune.py" if steps else "prune.py"
    sources = {"stage0": PluginSource(str(ATTACKS / file), "Attack", "")} if kind == "attacked" else {}
    return Job(job_id(payload), kind, "owner", f"{kind} {name} {number}", payload, sources=sources, seconds=seconds)


@dataclass(frozen=True)
class Card(Device):
    """held: what its processes hold just now, in megabytes; they keep it until the run is over."""

    held: dict[str, float] = field(default_factory=dict, hash=False)

    def free_mb(self) -> float:
        return (self.memory_mb or 0.0) - sum(self.held.values())


@dataclass
class _Running:
    job: Job
    attempt: int
    card: Card
    warm: bool
    left: float  # seconds that it would take alone
    took: float = 0.0


class SimulatedExecutor:
    """Stands in for the local executor: `wait` passes the time until the next job ends.

    Jobs that train share what their card gets done; the others run beside them at full speed. A job for which its card
    has too little memory runs out of it at once. peaks: by card, the most that trained at a time; overlapped: how often
    a job that trains nothing began beside as many that train as were allowed; ran_out: the jobs that ran out of memory.
    """

    def __init__(self, placement: Placement, cards: Sequence[Card], speed: Speed) -> None:
        self.placement, self.speed = placement, speed
        self.cards = {card.name: card for card in cards}
        self.running: list[_Running] = []
        self.started: set[str] = set()  # cards' places with a process
        self.clock, self.overlapped = 0.0, 0
        self.peaks = dict.fromkeys(self.cards, 0)
        self.ran_out: list[Job] = []

    @property
    def free_slots(self) -> int:
        return len(self.placement.devices) - len(self.running)

    def trains(self, job: Job) -> bool:
        return self.placement.trains(job)

    def free_for(self, job: Job, attempt: int = 1) -> bool:
        return self._place(job, attempt) is not None

    def _place(self, job: Job, attempt: int) -> str | None:
        free = {
            name: 0.0
            for name in self.cards
            if self._on(name) < [device.name for device in self.placement.devices].count(name)
        }
        return self.placement.choose(job, free, attempt > 1)

    def _on(self, card: str) -> int:
        return sum(one.card.name == card for one in self.running)

    def submit(self, job: Job, attempt: int) -> None:
        name = self._place(job, attempt)
        assert name is not None
        place = f"{name} {self._on(name)}"
        warm = place in self.started
        self.started.add(place)
        card = self.cards[name]
        self.placement.began(job, name, attempt > 1)
        self.overlapped += not job.payload["steps"] and self._training(name) > 0
        self.running.append(_Running(job, attempt, card, warm, job.seconds + (0.0 if warm else START_SECONDS)))
        self.peaks[name] = max(self.peaks[name], self._training(name))
        card.held[job.id] = CONTEXT_MB + job.payload["mb"]

    def _training(self, card: str) -> int:
        return sum(one.card.name == card and bool(one.job.payload["steps"]) for one in self.running)

    def _rate(self, one: _Running) -> float:
        beside = self._training(one.card.name)
        return self.speed(beside) / beside if one.job.payload["steps"] else 1.0

    def wait(self, timeout: float) -> list[Finished]:
        if out := next((one for one in self.running if one.card.free_mb() < 0), None):
            newest = next(one for one in reversed(self.running) if one.card is out.card)
            self.ran_out.append(newest.job)
            return [self._end(newest, "oom")]
        passed = min(one.left / self._rate(one) for one in self.running)
        rates = [self._rate(one) for one in self.running]
        for one, rate in zip(self.running, rates, strict=True):
            one.left -= passed * rate
            one.took += passed
        self.clock += passed
        return [self._end(one, "ok") for one in list(self.running) if one.left < 1e-6]

    def _end(self, one: _Running, status: str) -> Finished:
        self.running.remove(one)
        del one.card.held[one.job.id]
        result = {"utility": {"correct": "1"}, "cost": {"steps": one.job.payload["steps"]}, "artefacts": {}}
        run = {"seconds": one.took, "device": "cuda", "peak_memory_mb": one.job.payload["mb"]}
        run |= {"hardware": "simulated", "versions": {}}
        self.placement.ended(one.job, one.card.name, status, result, run, one.warm)
        if status == "oom":
            return Finished(one.job, one.attempt, "oom", "out of memory", {}, run)
        return Finished(one.job, one.attempt, "ok", None, result, run)

    def close(self) -> None:
        self.running.clear()
