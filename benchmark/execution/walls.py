"""Which files a process may not read, and where it may write: who is shut out of whose things."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.data.prepared import source_files, split_files
from benchmark.data.tasks import find_task
from benchmark.planning.job import Job

Side = Literal["keyholder", "thief", "insider", "suspect"]
FOLDERS = {"records": 0o755, "artefacts": 0o755, "keys": 0o700, "work": 0o755, "logs": 0o755}  # of a store, and modes
TaskFiles = Mapping[str, Mapping[str, Iterable[str]]]  # by task: the files of each split, and its raw ones as "source"


@dataclass(frozen=True)
class Walls:
    """Absolute paths without symbolic links. denied: not to be read; readable: exceptions inside of those."""

    denied: tuple[str, ...]
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()


def task_files(jobs: Iterable[Job]) -> TaskFiles:
    """The files of every task of a plan's jobs, as they lie prepared."""
    found = {}
    for name in sorted({job.payload["world"]["task"] for job in jobs}):
        task = find_task(name)
        files = {**split_files(task), "source": source_files(task)}
        found[name] = {role: [str(path) for path in paths] for role, paths in files.items()}
    return found


def own_images(job: Job) -> str:
    """The split that a thief's images come from."""
    return "owner" if job.payload.get("thief", {}).get("pool") == "owner" else "thief"


def walls(side: Side, root: Path, data: TaskFiles, job: Job | None) -> Walls | None:
    """The walls of a process that serves `side` for the store `root`; None for keyholders.

    `job`: the only one that it will carry out, None where there will be many, all of the benchmark's own code. A thief
    is left his own images of his own task, the models that his job starts from, and a folder for what it makes; a
    suspect is left nothing. The raw files of other tasks stay readable: a scheme may draw on them, as KeyNet does on
    photographs.
    """
    if side == "keyholder":
        return None
    root = root.resolve()
    keys, work, models = (root / name for name in ("keys", "work", "artefacts"))
    runs = [found.parent for found in root.parent.glob("*/run.json")]
    denied, readable, writable = [root / "records", root / "logs", keys, *runs], [], [work]
    task = None
    if job is None and side == "insider":
        denied[2] = keys / "secret"
    elif job is not None:
        task = job.payload.get("world", {}).get("task")
        denied += [work, models]
        writable = [work / job.id]
        readable = [models / one[:2] / f"{one}.service.safetensors" for one in job.parents]
        if side == "insider" and (key := job.payload.get("key")):
            readable.append(keys / key[:2] / f"{key}.key.safetensors")
    if side == "suspect":
        readable, writable = [], []
    for name, files in data.items():
        free = set() if name == task else {"source"}
        if side != "suspect" and (job is None or name == task):
            free.add(own_images(job) if job is not None else "thief")
        denied += [Path(path).resolve() for role, paths in files.items() if role not in free for path in paths]
    return Walls(*(tuple(map(str, paths)) for paths in (denied, readable, writable)))
