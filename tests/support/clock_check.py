"""What the clocks of `bench plan` expect, against what jobs took: processor time, by kind of job.

    python tests/support/clock_check.py records RECORDS.jsonl[.gz] [--own-rate]
    python tests/support/clock_check.py host PROFILE SHARE

`records` compares the records of a run with what would have been expected of its jobs from the probe of this device,
or, with `--own-rate`, from what a null took there: for records of another machine. `host` trains one host of a profile
with a share of its epochs.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmark.files import json_value, lines
from benchmark.planning.clocks.rates import Rates
from benchmark.planning.clocks.work import overhead, trained_images
from benchmark.planning.profile import load_profile

Job = Mapping[str, Any]  # a payload
Speed = Callable[[Job], float]  # trained images of the job's house net in a second


def probed(jobs: list[Job]) -> Speed:
    """The speeds that `bench plan` would take on this machine's CPU."""
    worlds = {(job["world"]["task"], job["world"]["architecture"]): job["world"] for job in jobs}
    rates = Rates(list(worlds.values()), "cpu")
    for world in worlds.values():
        rates.of(world)
    print(rates.said())
    return lambda job: rates.of(job["world"]).images_per_second


def of_nulls(records: list[dict[str, Any]]) -> Speed:
    """The speeds of the nulls of a run."""
    took = defaultdict(list)
    for one in records:
        if one["kind"] == "null":
            images = one["result"]["cost"]["samples"]
            took[one["job"]["world"]["task"]].append(images / (one["run"]["cpu_seconds"] - overhead("null")))
    return lambda job: median(took[job["world"]["task"]])


def compare(path: Path, own_rate: bool) -> None:
    records = [one for line in lines(path) if (one := json_value(line))["status"] == "ok"]
    speed = of_nulls(records) if own_rate else probed([one["job"] for one in records])
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in records:
        expected = overhead(one["kind"]) + trained_images(one["job"]) / speed(one["job"])
        for row in (one["kind"], "all"):
            rows[row].append((expected, one["run"]["cpu_seconds"]))
    for row in sorted(rows, key=lambda row: (row == "all", row)):
        expected, took = map(sum, zip(*rows[row], strict=True))
        print(
            f"{row:<9}{len(rows[row]):>6} jobs, expected {expected:>8.1f} s, took {took:>8.1f} s: {expected / took:.2f}"
        )


def host(name: str, share: float) -> None:
    """Train one host of a profile with `share` of its epochs."""
    import torch._dynamo  # noqa: F401 - the first step of an optimiser imports it, for seconds

    from benchmark.data.splits import load_split
    from benchmark.execution.job_context import context_of
    from benchmark.protocol.parties import Party, stream
    from benchmark.protocol.steps import train_unmarked
    from benchmark.training.device import device_of

    world = load_profile(name).world()
    speed = probed([{"world": world}])
    epochs = max(1, round(share * world["training"]["epochs"]))
    world["training"] = {**world["training"], "epochs": epochs}
    job = {"kind": "host", "world": world}
    context = context_of(world, device_of("cpu"))
    data = load_split(context.task, "owner")
    began = time.process_time()
    train_unmarked(Party(context, data, stream("clock check")))
    took, expected = time.process_time() - began, trained_images(job) / speed(job)
    print(f"{name}, {epochs} epochs: expected {expected:.1f} s, took {took:.1f} s: {expected / took:.2f}")


if __name__ == "__main__":
    what, name, *rest = sys.argv[1:]
    host(name, float(rest[0])) if what == "host" else compare(Path(name), "--own-rate" in rest)
