"""How long jobs take and how much they leave on the disk, before they are run.

What the store's own records say of the same work on the same hardware comes first; all other work is counted, and
divided by the rate of this device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from statistics import median
from typing import Any

from benchmark.planning.clocks.rates import Hardware, Rates, hardware
from benchmark.planning.clocks.work import overhead, trained_images
from benchmark.planning.profile import Profile
from benchmark.store.records import RecordStore
from benchmark.vocabulary import JobKind

TYPICAL_MEGABYTES: dict[JobKind, float] = {
    "host": 0.1, "null": 0.1, "marked": 0.3, "twin": 0.1, "attacked": 0.1, "judged": 0.01, "drawn": 0.5,
}  # fmt: skip
MOST_READ = 2_000  # records of a store that are read for their times


@dataclass(frozen=True)
class Estimate:
    """seconds: expected on one worker of this device. records: how many say so; 0 where the work was counted."""

    seconds: float
    records: int = 0


class Estimates:
    """What each job of a plan takes here. One look-up for a job whose kind of work was asked for before."""

    def __init__(self, profile: Profile, store: RecordStore, device: str) -> None:
        self._store, self._hardware = store, hardware(device)
        self._rates = Rates([track.world() for track in profile.tracks], device)
        self._known: dict[str, Estimate] = {}

    def of(self, payload: Mapping[str, Any]) -> Estimate:
        key = work_key(payload)
        if (found := self._known.get(key)) is None:
            found = self._known[key] = self._timed.get(key) or self._counted(payload)
        return found

    def basis(self, estimates: Sequence[Estimate]) -> str:
        """What these rest on, in words; "" where there are none."""
        if not estimates:
            return ""
        known = [one for one in estimates if one.records]
        records = sum(one.records for one in {id(one): one for one in known}.values())  # jobs of one kind share theirs
        by_records = f"from what {records:,} such jobs took here"
        if len(known) == len(estimates):
            return by_records
        counted = f"from counted operations at {self._rates.said()}, where no other program runs"
        return f"{len(known)} jobs {by_records}, {len(estimates) - len(known)} {counted}" if known else counted

    def _counted(self, payload: Mapping[str, Any]) -> Estimate:
        rate = self._rates.of(payload["world"])
        return Estimate(overhead(payload["kind"]) + trained_images(payload) / rate.images_per_second)

    @cached_property
    def _timed(self) -> Mapping[str, Estimate]:
        return timed(self._store, self._hardware)


def timed(store: RecordStore, here: Hardware) -> dict[str, Estimate]:
    """Median seconds by `work_key` over the store's jobs that ended ok on this hardware.

    Of a large store a sample is read: ids are hashes, so any of their folders will do. Damaged records are passed over;
    the store itself names and sets aside what is damaged.
    """
    seconds: dict[str, list[float]] = {}
    for record in islice(store.readable(), MOST_READ):
        run = record["run"]
        if record["status"] != "ok" or Hardware(run.get("device", ""), run.get("hardware", "")) != here:
            continue
        try:
            key, took = work_key(record["job"]), float(run["seconds"])
        except (KeyError, TypeError, ValueError):
            continue  # of an earlier form
        seconds.setdefault(key, []).append(took)
    return {key: Estimate(median(values), len(values)) for key, values in seconds.items()}


def work_key(payload: Mapping[str, Any]) -> str:
    """What decides how long a job takes: engine, kind, plug-ins, parameters, net and images, not parents or seed."""
    world, training, scheme = payload["world"], payload["world"]["training"], payload.get("scheme")
    key = f"{payload['engine']} {payload['kind']} {world['task']} {world['architecture']} {world['precision']}"
    key += f" {world.get('engine', 'auto')} {training['epochs']} {training['batch']} {training['optimiser']}"
    if scheme:
        key += f" {scheme['name']}{scheme['parameters']}"
    for stage in payload.get("stages", ()):
        key += f"+{stage['name']}{stage['parameters']}"
    return f"{key} {payload.get('thief')} x{len(payload.get('suspects', ()))} {payload.get('draws', '')}"
