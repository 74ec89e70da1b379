"""Makes `work.json` from the records of runs, such as those that published boards keep.

    python -m benchmark.planning.clocks.measure_work RECORDS.jsonl[.gz] ...

Where several files have a setting, the first counts. What a job took is compared with what the nulls of the same file
and net took, so the machine cancels out, and with a cell of the attack `none`, for what a model costs beside work.
Processor time, since the clock also counts what else the machine did.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmark.data.tasks import find_task
from benchmark.description import read
from benchmark.errors import BenchError
from benchmark.files import json_value, lines, write_whole
from benchmark.planning.clocks.work import FORWARD, MEASURED, REPEATS, MeasuredWork, Per, amount
from benchmark.store.records import Record

COMMAND = "python -m benchmark.planning.clocks.measure_work"
_SCALES = ("epochs", *REPEATS)  # parameters that the amount of work already counts


@dataclass(frozen=True)
class _Base:
    """What one net took in one file. image: seconds for a trained image."""

    image: float
    overhead: float


def main() -> None:
    """Write `work.json` from the files that the command line names. Raises BenchError."""
    paths = [Path(word) for word in sys.argv[1:]]
    if not paths:
        raise BenchError(f"name files of records: {COMMAND} leaderboard/published/quick/records.jsonl.gz")
    found: dict[tuple[Any, ...], MeasuredWork] = {}
    overheads = []
    for path in paths:
        records = [record for line in lines(path) if (record := read(Record, json_value(line)))["status"] == "ok"]
        bases = _bases(records)
        overheads += [base.overhead for base in bases.values()]
        for key, one in _measured(records, bases).items():
            found.setdefault(key, one)
    work = [vars(one) for one in _distinct(sorted(found.values(), key=lambda one: (one.kind, one.plugin, one.scheme)))]
    head = {"made": " ".join([COMMAND, *map(str, paths)]), "seconds": round(overheads[0], 3)}
    text = json.dumps(head)[:-1] + ', "work": [\n' + ",\n".join(map(json.dumps, work)) + "\n]}\n"
    write_whole(MEASURED, text.encode())


def _distinct(work: Sequence[MeasuredWork]) -> list[MeasuredWork]:
    """The same with the parameters alone in which settings of a plug-in differ."""
    values: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in work:
        for name, value in one.parameters.items():
            values[one.kind, one.plugin, name].add(json.dumps(value))
    differ = {key for key, some in values.items() if len(some) > 1}
    return [
        replace(one, parameters={n: v for n, v in one.parameters.items() if (one.kind, one.plugin, n) in differ})
        for one in work
    ]


def _net(record: Record) -> tuple[str, str]:
    world = record["job"]["world"]
    return world["task"], world["architecture"]


def _took(records: Iterable[Record]) -> float:
    """The median of their seconds of processor time."""
    return median(float(one["run"]["cpu_seconds"]) for one in records)


def _bases(records: Sequence[Record]) -> dict[tuple[str, str], _Base]:
    """By task and net, those of classification first; only nets of which the file has nulls."""
    nulls, untouched = defaultdict(list), defaultdict(list)
    for one in records:
        if one["kind"] == "null":
            nulls[_net(one)].append(one)
        elif [stage["name"] for stage in one["job"].get("stages", ())] == ["none"]:
            untouched[_net(one)].append(one)
    bases = {}
    for net, some in sorted(nulls.items(), key=lambda entry: find_task(entry[0][0]).kind):
        images = some[0]["result"]["cost"]["samples"]
        least = _took(untouched[net]) if untouched[net] else 0.0
        image = (_took(some) - least) / images
        bases[net] = _Base(image, max(0.0, least - FORWARD * find_task(net[0]).test * image))
    return bases


def _measured(records: Sequence[Record], bases: Mapping[tuple[str, str], _Base]) -> dict[tuple[Any, ...], MeasuredWork]:
    """The settings of a file by what tells them apart."""
    groups: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for one in records:
        job = one["job"]
        plugins = job["stages"] if one["kind"] == "attacked" else [job["scheme"]] if job.get("scheme") else []
        if len(plugins) == 1 and _net(one) in bases:
            knows = job["scheme"]["name"] if one["kind"] == "attacked" and job["scheme"] else ""
            kept = {name: value for name, value in plugins[0]["parameters"].items() if name not in _SCALES}
            groups[one["kind"], plugins[0]["name"], knows, json.dumps(kept, sort_keys=True)].append(one)
    return {key: _setting(key, some, bases) for key, some in groups.items()}


def _setting(
    key: tuple[Any, ...], records: Sequence[Record], bases: Mapping[tuple[str, str], _Base]
) -> MeasuredWork:  # fmt: skip
    kind, plugin, knows, parameters = key
    per = _per(records[0])
    costs = []
    for one in records:
        base, task, job = bases[_net(one)], find_task(_net(one)[0]), one["job"]
        beside = base.overhead + FORWARD * task.test * base.image if kind in ("marked", "attacked") else 0.0
        images = max(0.0, float(one["run"]["cpu_seconds"]) - beside) / base.image
        blank = MeasuredWork(kind, plugin, knows, {}, per, 0.0)
        own = next(iter(job["stages"] if kind == "attacked" else [job["scheme"]]))["parameters"]
        costs.append(images / amount(blank, job, task, own))
    return MeasuredWork(kind, plugin, knows, json.loads(parameters), per, float(f"{median(costs):.3g}"))


def _per(record: Record) -> Per:
    """What the cost of a job grows with, by what it counted."""
    kind, cost = record["kind"], record["result"].get("cost", {})
    if kind in ("judged", "drawn"):
        return "suspect" if kind == "judged" else "draw"
    if kind == "marked":
        return "image"
    if record["job"]["target"] is None:  # whoever trains anew takes as many steps as the owner
        return "host"
    return "image" if cost["unlabelled"] else "label" if cost["labelled"] else "once"


if __name__ == "__main__":
    main()
