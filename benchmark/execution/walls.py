"""Which files a process may not read, and where it may write: who is shut out of whose things."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.data.prepared import description_file, source_files, split_files
from benchmark.data.tasks import find_task
from benchmark.execution.processes.compiler_cache import cache_folder
from benchmark.execution.processes.namespaces import SHARED_MEMORY
from benchmark.planning.job import Job
from benchmark.vocabulary import JobRole, JobStep

Side = Literal["keyholder", "thief", "insider", "suspect"]
# of a store, and their modes
FOLDERS = {"records": 0o755, "artefacts": 0o755, "keys": 0o700, "work": 0o755, "logs": 0o755, "compiled": 0o700}
# by task: the files of each split, raw ones as "source", all prepared folders as "prepared", and what is in its own
TaskFiles = Mapping[str, Mapping[str, Iterable[str]]]


@dataclass(frozen=True)
class Walls:
    """Absolute paths without symbolic links. denied: not to be read; readable: exceptions inside of those.

    silent: whether it may neither use the network nor leave a note in a file's attributes or times, as far as the
    kernel can see to that.
    """

    denied: tuple[str, ...]
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    silent: bool = False


def close_keys(root: Path) -> None:
    """Take from others what a plug-in may have granted them, whose walls don't hold back changes of modes.

    Raises OSError.
    """
    _restore(root, "keys", 0o700)
    for folder, folders, files in os.walk(root / "keys"):
        for names, mode in ((folders, 0o700), (files, 0o600)):
            for name in names:
                _restore(Path(folder), name, mode)


def _restore(folder: Path, name: str, mode: int) -> None:
    path = folder / name
    if path.exists() and not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def side_of(role: JobRole) -> Side:
    return role if role in ("thief", "insider") else "keyholder"


def side_of_step(job: Job, step: JobStep) -> Side:
    """Who carries out a step: whoever makes a model, and the court whatever comes after."""
    return side_of(job.role) if step == "make" else "keyholder"


def has_own_process(job: Job, step: JobStep) -> bool:
    """Whether a step has a process that serves no other.

    It runs somebody else's code there (the court: that of the scheme alone), or a thief may have the owner's images,
    which the walls of lasting thieves are around.
    """
    if step == "make":
        return job.foreign or (side_of(job.role) != "keyholder" and own_images(job) == "owner")
    return "scheme" in job.sources and not job.sources["scheme"].trusted


def has_foreign_suspect(job: Job, step: JobStep) -> bool:
    """Whether the court may meet a model that needs somebody else's code, which then runs in a process beside it."""
    return step != "make" and any(role != "scheme" and not one.trusted for role, one in job.sources.items())


def task_files(names: Iterable[str]) -> TaskFiles:
    """The files of these tasks, as they lie prepared."""
    found = {}
    for task in map(find_task, sorted(set(names))):
        files = {**split_files(task), "source": source_files(task), "prepared": task.shelf.folders}
        files["description"] = [description_file(task)]
        found[task.name] = {role: [str(path) for path in paths] for role, paths in files.items()}
    return found


def files_of_step(job: Job, step: JobStep) -> list[str]:
    """What of a store a step may read beside what it makes, as paths below the root, whether they are there or not.

    Whoever makes a model may read the models that his job starts from, with the secret where he is its owner and the
    key where he is an insider; the court also what it judges by. A twin's owner reads how long others were trained.
    """
    side, parents = side_of_step(job, step), job.parents
    if job.kind == "twin":
        return [f"records/{one[:2]}/{one}.json" for one in parents] if step == "make" else []
    found = [f"artefacts/{one[:2]}/{one}.service.safetensors" for one in parents]
    if side == "insider" and (key := job.payload.get("key")):
        found.append(f"keys/{key[:2]}/{key}.key.safetensors")
    if side == "keyholder" and "secret" in job.payload:
        found.append("keys/secret")
    if step != "make":
        found += [f"keys/{one[:2]}/{one}.answers.safetensors" for one in parents]
    if step == "judge":
        found += [f"keys/{one[:2]}/{one}.key.safetensors" for one in parents]
        found += [f"records/{one[:2]}/{one}.json" for one in parents]
    return found


def splits_of_step(job: Job, step: JobStep) -> set[str]:
    """Whose images of its task a step may read."""
    if step == "make":
        return {"owner" if side_of_step(job, step) == "keyholder" else own_images(job)}
    return {"test"} if step == "answer" else {"test", "thief", "owner"}


def own_images(job: Job) -> str:
    """The split that a thief's images come from."""
    return "owner" if job.payload.get("thief", {}).get("pool") == "owner" else "thief"


def walls(
    side: Side, root: Path, data: TaskFiles, job: Job | None, step: JobStep = "make", hidden: Iterable[Path] = ()
) -> Walls | None:
    """The walls of a process that serves `side` for the store `root`; None for keyholders with no code of others.

    job: the only one that it will carry out, in this `step`; None where there will be many, all of the benchmark's own
    code. hidden: more that nobody may read. Whoever makes a model is left the images that are his, the models that his
    job starts from, and a folder for what he makes; a court also what it judges by; a suspect nothing. A suspect is
    silent, too: it is asked in two processes, and the first could tell the second which images are not the key's. The
    raw files of other tasks stay readable: a scheme may draw on them, as KeyNet does on photographs.
    """
    if side == "keyholder" and job is None:
        return None
    root = root.resolve()
    keys, work, models, records = (root / name for name in ("keys", "work", "artefacts", "records"))
    readable, writable = [], [] if side == "suspect" else [work]
    denied = [records, root / "logs", root / "compiled", *(found.parent for found in root.parent.glob("*/run.json"))]
    denied += [path.resolve() for path in hidden]
    denied.append(keys / "secret" if side == "insider" and job is None else keys)
    if side == "suspect":
        denied += [work, models]
    elif job is not None:
        denied += [work, models]
        writable = [] if step == "judge" else [work / job.id]
        readable = [root / name for name in files_of_step(job, step)]
        if step == "make" and job.weights:
            readable.append(Path(job.weights).resolve())
        if step == "answer":
            writable += [models / job.id[:2], keys / job.id[:2]]
    if step == "make" and side in ("keyholder", "thief") and (job is None or own_images(job) == "thief"):
        writable.append(Path(SHARED_MEMORY))  # for loaders of data, where there is none of its own
    if compiled := cache_folder(root, side, job):
        writable.append(compiled)
    shut: set[Path] = set()  # also where another task is made of the same files
    for name, files in data.items():
        free, own = _free(side, job, step, name), job is None or name == _task_of(job)
        for role, paths in files.items():
            found = [Path(path).resolve() for path in paths]
            (readable if role in free else denied).extend(found)
            shut.update(found if own and role not in free else ())
    readable = [path for path in readable if path not in shut]
    shut_out, exceptions, own_folders = (tuple(map(str, paths)) for paths in (denied, readable, writable))
    return Walls(shut_out, exceptions, own_folders, silent=side == "suspect")


def _free(side: Side, job: Job | None, step: JobStep, task: str) -> set[str]:
    """Which of a task's files a process may read."""
    if side == "suspect":
        return set()
    if job is None:
        return {"description", "thief", "source"}
    if task != _task_of(job):
        return {"source"}
    return {"description", *splits_of_step(job, step)}


def _task_of(job: Job) -> str | None:
    name: str | None = job.payload.get("world", {}).get("task")
    return name
