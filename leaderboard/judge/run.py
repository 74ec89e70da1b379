"""A run as it was written: `run.json` and the records it names."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from benchmark.description import read
from benchmark.errors import BenchError
from benchmark.files import MOST_DESCRIBED, json_value, lines, read_json
from benchmark.store.gc_pause import paused
from benchmark.store.records import Record, RecordStore, fault
from benchmark.store.results import check_record
from benchmark.store.run_description import RUN_FILE, RunDescription

T = TypeVar("T")

NOT_RUN = "not-run"
RECORDS = "records.jsonl"
_RESTORE = "restore it from where it was published"
ANOTHER_VERSION = "if it was written by another version, run the benchmark again to rewrite it"


@dataclass(frozen=True)
class Run:
    """What was planned, and the records there are. described: `run.json` as it was written, which is published."""

    described: Mapping[str, Any]
    records: Mapping[str, Record]
    kept: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def description(self) -> RunDescription:
        """What was planned, with types and units."""
        return self.once("description", lambda: read(RunDescription, self.described, "run.json"))

    @property
    def profile(self) -> Mapping[str, Any]:
        profile: Mapping[str, Any] = self.described["profile"]
        return profile

    def once(self, name: Hashable, find: Callable[[], T]) -> T:
        """What `find` finds, found once: records don't change. The name says what it is and of which jobs."""
        if name not in self.kept:
            self.kept[name] = find()
        found: T = self.kept[name]
        return found

    def result(self, job: str | None) -> Mapping[str, Any] | None:
        """What a job found, or None where it did not end ok."""
        record = self.records.get(job) if job else None
        return record["result"] if record is not None and record["status"] == "ok" else None

    def ancestors(self, job: str) -> Iterator[str]:
        """The job itself, its parents, theirs, and so on: nearest first, each once."""
        queue, seen, jobs = deque([job]), {job}, self.described["jobs"]
        while queue:
            yield (one := queue.popleft())
            for parent in jobs[one]["parents"] if one in jobs else ():
                if parent not in seen:
                    seen.add(parent)
                    queue.append(parent)

    def fault(self, job: str | None) -> tuple[str, str | None] | None:
        """Why a job has no result, as (status, reason); None where it has one.

        The fault is the job's own or that of its nearest ancestor that failed; `not-run` where none did.
        """
        if self.result(job) is not None:
            return None
        jobs = self.described["jobs"]
        for one in self.ancestors(job) if job else ():
            record = self.records.get(one)
            if record is not None and record["status"] != "ok":
                where = "" if one == job else f"{jobs[one]['label'] if one in jobs else one[:8]}: "
                return record["status"], f"{where}{record['reason'] or record['status']}"
        return NOT_RUN, "the job was not run in this run"

    def state(self, job: str) -> str:
        """What became of a job: the status of its record, or `to do`.

        One behind a job that did not end ok is never run: it is `not-applicable`, too, or `blocked`.
        """
        if (record := self.records.get(job)) is not None:
            return record["status"]
        status, _ = self.fault(job) or (NOT_RUN, None)
        return {NOT_RUN: "to do", "not-applicable": status}.get(status, "blocked")


def run_names(results: Path) -> list[str]:
    """The runs in a results folder, sorted."""
    return sorted({path.parent.name for name in (RUN_FILE, f"{RUN_FILE}.gz") for path in results.glob(f"*/{name}")})


def newest_run(results: Path) -> str | None:
    """The run of a results folder that was started last; None where there is none that can be read."""
    written = {}
    for name in run_names(results):
        with suppress(BenchError, OSError):
            written[name] = (described_run(results / name)["created"], name)
    return max(written, key=written.__getitem__, default=None)


@paused()
def read_run(folder: Path, store: RecordStore | None = None) -> Run:
    """The run of a results folder, with every record that `store` holds for it.

    Without a store the records are those of the folder's own `records.jsonl`: a published run. Either file may be
    compressed, with `.gz` at its end. Raises BenchError where one is missing or not what it should be.
    """
    described, description = _described(folder)
    kept: dict[Hashable, Any] = {"description": description}
    if store is None:
        return Run(described, _published_records(_plain_or_packed(folder / RECORDS), described["jobs"]), kept)
    records = {}
    for job, planned in described["jobs"].items():
        if (record := store.read(job)) is not None:
            check_record(record, planned["kind"], str(store.record_path(job)), "remove it and run the benchmark again")
            records[job] = record
    return Run(described, records, kept)


def find_run(folder: Path, store: RecordStore | None = None) -> Run:
    """The run of a results folder with the records of its store, or of a published folder with its own records.

    Where the store is gone, or lacks a record that the folder's own `records.jsonl` has, that one serves. store: by
    default the one beside the folder.
    """
    beside, own = store or RecordStore(folder.absolute().parent / "store"), _plain_or_packed(folder / RECORDS)
    if not (beside.root / "records").is_dir() and (store is None or own.exists()):
        return read_run(folder)
    run = read_run(folder, beside)
    missing = run.described["jobs"].keys() - run.records.keys()
    if not missing or not own.exists():
        return run
    kept = {id: record for id, record in _published_records(own, run.described["jobs"]).items() if id in missing}
    return replace(run, records={**run.records, **kept})


def described_run(folder: Path) -> Mapping[str, Any]:
    """What `run.json` holds, after a check of its form. Raises BenchError where there is none, or it is damaged."""
    return _described(folder)[0]


def _described(folder: Path) -> tuple[Mapping[str, Any], RunDescription]:
    path = _plain_or_packed(folder / RUN_FILE)
    if not path.exists():
        raise BenchError(f"{folder} holds no {RUN_FILE}: give the folder of a run")
    described = read_json(path, ANOTHER_VERSION, MOST_DESCRIBED)
    return described, read(RunDescription, described, str(path), ANOTHER_VERSION)


def _plain_or_packed(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.is_file() and not path.exists() else path


def _published_records(path: Path, jobs: Mapping[str, Mapping[str, Any]]) -> dict[str, Record]:
    """The records in a file; those of jobs that the run does not name count for nothing."""
    records: dict[str, Record] = {}
    try:
        for number, line in enumerate(lines(path), 1):
            where = f"{path}, line {number}"
            record = read(Record, json_value(line), where, _RESTORE)
            if wrong := fault(record, line):
                raise BenchError(f"{where}: {wrong}: {_RESTORE}")
            if record["id"] in jobs:
                check_record(record, jobs[record["id"]]["kind"], where, _RESTORE)
                records[record["id"]] = record
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BenchError(f"{path} can't be read as records ({reason}): {_RESTORE}") from error
    return records
