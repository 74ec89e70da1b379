"""Where a job runs, and when: on the device with most room, as soon as what it needs is free there.

The rule is told in docs/workers.md. Nothing here starts a process or asks a device but for its free memory, so a
simulated card can stand in for a real one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError
from benchmark.execution.placement import host
from benchmark.execution.placement.allowance import Allowance
from benchmark.execution.placement.devices import Device, devices
from benchmark.execution.placement.needs import CONTEXT_MB, Need, Needs
from benchmark.planning.job import Job

USABLE = 0.95  # of a device's memory: allocators round up
_NOTHING = Need(0.0, False)


@dataclass(frozen=True)
class _Running:
    """A job on a card. training, allowed: how many trained when it began, itself included, and how many might."""

    need: Need
    alone: bool
    training: int
    allowed: int


@dataclass
class _Card:
    device: Device
    allowance: Allowance
    memory_mb: float = field(init=False)  # what this run may hold of it
    running: dict[str, _Running] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memory_mb = USABLE * self.device.room_mb()

    @property
    def training(self) -> int:
        return sum(one.need.trains for one in self.running.values())

    @property
    def room_mb(self) -> float:
        return self.memory_mb - sum(one.need.memory_mb for one in self.running.values())

    def admits(self, need: Need, alone: bool, idle_mb: float) -> bool:
        """Whether a job may start: always where none runs, so that none waits for ever."""
        if not self.running:
            return True
        if alone or any(one.alone for one in self.running.values()):
            return False
        if need.trains and self.training >= self.allowance.now:
            return False
        free = self.device.free_mb()
        return need.memory_mb <= self.room_mb and (free is None or need.memory_mb <= free + idle_mb)


def place_jobs(device: str, wanted: int | None, limit_mb: int | None, store: Path) -> Placement:
    """The placement of a run on what `device` stands for: auto, cpu, cuda (every GPU) or cuda:N.

    wanted: jobs at a time, None for as many as the machine carries. limit_mb: see `host.workers`. store: whose records
    say what jobs take. Raises BenchError for a device that isn't there or has no memory left, and for more workers than
    fit.
    """
    found, workers = devices(device), host.workers(wanted, limit_mb)
    if found[0].memory_mb is None:
        return Placement(found, workers)
    free = {one.name: one.room_mb() for one in found}
    usable = [one for one in found if free[one.name] >= CONTEXT_MB]
    if not usable:
        held = ", ".join(f"{name} has {mb / 1024:.1f} GB free" for name, mb in free.items())
        cure = "end what holds the rest, or choose another with --device"
        raise BenchError(f"{held} and a worker takes {CONTEXT_MB / 1024:.1f} GB of it: {cure}")
    room = sum(free[one.name] for one in usable)
    fit = int(room // CONTEXT_MB)
    if wanted is not None and wanted > fit:
        raise BenchError(host.too_many(wanted, fit, "the GPU's memory", wanted * CONTEXT_MB, room))
    return Placement(usable, min(workers, fit), Needs.of_store(store), adapts=wanted is None)


class Placement:
    """The books on devices: which jobs run where and what they declared. Jobs on a CPU declare nothing.

    workers: jobs at a time, dealt out evenly over the devices. adapts: the number that train at a time is found by
    trying, else it is as many as there are workers.
    """

    def __init__(
        self, devices: Sequence[Device], workers: int, needs: Needs | None = None, adapts: bool = False
    ) -> None:
        self.devices = [devices[number % len(devices)] for number in range(workers)]  # of each worker
        self._needs = Needs() if needs is None else needs
        self._bounded = any(device.memory_mb is not None for device in devices)
        self._cards: dict[str, _Card] = {}
        for device in devices[:workers]:
            most = self.devices.count(device)
            adapting = adapts and device.memory_mb is not None
            self._cards[device.name] = _Card(device, Allowance(most) if adapting else Allowance(most, most))

    def choose(self, job: Job, idle_mb: Mapping[str, float], alone: bool = False) -> str | None:
        """The name of the device where `job` may start now, the one with most room; None where it has to wait.

        idle_mb: for each device with a free worker, what idle processes could give back. alone: it ran out of memory,
        and shares its device with no other job.
        """
        cards = [self._cards[name] for name in idle_mb]
        fit = [card for card in cards if card.admits(self._need(job, card), alone, idle_mb[card.device.name])]
        best = max(fit, key=lambda card: (card.room_mb, -len(card.running)), default=None)
        return best.device.name if best else None

    def trains(self, job: Job) -> bool:
        """Whether a job counts among those that train, so that where one has to wait the others have to, too."""
        return self._bounded and self._needs.of(job).trains

    def began(self, job: Job, device: str, alone: bool = False) -> None:
        card = self._cards[device]
        need = self._need(job, card)
        card.running[job.id] = _Running(need, alone, card.training + need.trains, card.allowance.now)

    def holds(self, job: Job, device: str) -> float:
        """Megabytes that the process of a running job may hold of its device."""
        return self._cards[device].running[job.id].need.memory_mb

    def is_short(self, job: Job, device: str, idle_mb: float, own_mb: float) -> bool:
        """Whether a running job's next process won't fit unless idle ones, which hold `idle_mb`, make room.

        own_mb: what the process that it will use holds already.
        """
        card = self._cards[device]
        free = card.device.free_mb()
        return card.room_mb < idle_mb or (free is not None and free + own_mb < self.holds(job, device))

    def ended(
        self, job: Job, device: str, status: str, result: Mapping[str, Any], run: Mapping[str, Any], warm: bool
    ) -> None:
        """A job is over, as its record will say it. warm: no process was started for it."""
        card = self._cards[device]
        training, one = card.training, card.running.pop(job.id)
        if card.device.memory_mb is None:
            return
        if status == "oom":
            self._needs.ran_out(job)
        elif status == "ok":
            self._needs.learn(job.payload, result, run)
            full = max(one.training, training) == one.allowed == card.allowance.now
            if warm and one.need.trains and full:  # a warm process is the benchmark's own, which says how long it took
                card.allowance.ended(job.seconds, run["seconds"])

    def _need(self, job: Job, card: _Card) -> Need:
        return _NOTHING if card.device.memory_mb is None else self._needs.of(job)
