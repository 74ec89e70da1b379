"""The lasting processes on this machine's devices, and how they make room for each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmark.execution.processes.lease import Lease
from benchmark.execution.walls import Side


class Slot:
    """A place for one job at a time on one device, with the lasting processes that serve it: at most one per side."""

    def __init__(self, number: int, device: str) -> None:
        self.number, self.device = number, device
        self.workers: dict[Side, Lease] = {}
        self.held: dict[Side, float] = {}  # megabytes of the device that each of these may hold
        self.busy: Side | None = None  # whose process works now

    def idle(self) -> dict[Side, float]:
        """The processes that do nothing now, and what each may hold."""
        return {side: self.held[side] for side in self.workers if side != self.busy}

    def take(self, side: Side) -> Lease | None:
        """The idle process of a side, out of its place; None where there is none that lives."""
        found = self.workers.pop(side, None)
        if found is not None and (found.ended() or found.pipe.poll()):  # it died, or said what nobody asked
            found.end()
            return None
        return found

    def put(self, side: Side, worker: Lease, held_mb: float) -> None:
        """Give a process its place, where it works now."""
        self.workers[side], self.held[side], self.busy = worker, held_mb, side

    def end(self, side: Side) -> None:
        self.workers.pop(side).end()


def idle_mb(slots: Sequence[Slot], device: str) -> float:
    """What the idle processes of a device may hold, in megabytes."""
    return sum(sum(slot.idle().values()) for slot in slots if slot.device == device)


def make_room(slots: Sequence[Slot], device: str, is_short: Callable[[float], bool]) -> None:
    """End idle processes of a device, those that may hold most first, while it `is_short` with what the rest holds."""
    while is_short(idle_mb(slots, device)):
        idle = [(mb, slot, side) for slot in slots if slot.device == device for side, mb in slot.idle().items()]
        if not idle:
            return
        _, slot, side = max(idle, key=lambda entry: entry[0])
        slot.end(side)
