"""Jobs that do one odd thing each, run by real worker processes in place of `benchmark.execution.job_runner`."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.identity import job_id
from benchmark.planning.job import Job, PluginSource
from benchmark.store.records import RecordStore
from benchmark.vocabulary import JobRole

MODEL = {"utility": {"correct": "1"}, "cost": {}, "artefacts": {}}  # the least that a job which makes one finds
ADMITTED = {"well_formed": True, "bound": True, "hash_bound": True, "committed": True, "reason": None}
JUDGED = {"observations": [], "admission": ADMITTED}
RAN = {"peak_memory_mb": 1.0, "device": "toy", "hardware": "toy", "versions": {}}


def job(
    label: str,
    do: str = "ok",
    parents: tuple[Job, ...] = (),
    role: JobRole = "owner",
    seconds: float = 1.0,
    timeout: float = 60.0,
    **payload: Any,
) -> Job:
    payload = {"label": label, "do": do, "world": {"task": "toy"}, **payload}
    return Job(
        id=job_id(payload),
        kind="attacked" if role == "thief" else "judged" if role == "court" else "host",
        role=role,
        label=label,
        payload=payload,
        parents=tuple(parent.id for parent in parents),
        sources={"toy": PluginSource(__file__, "Toy", "")},
        seconds=seconds,
        timeout=timeout,
    )


def alive(pid: int) -> bool:
    """Whether a process still runs; one that is dead but not yet reaped does not, once all its threads have ended."""
    try:
        zombie = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return not zombie or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids: set[int], seconds: float = 15.0) -> bool:
    """Whether all these processes end, waiting for it up to `seconds`."""
    end = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def journal(root: Path) -> list[dict[str, Any]]:
    """One entry per attempt at a job that came to its end: label, pid, begin and end."""
    return [json.loads(line) for line in (notes(root) / "journal").read_text().splitlines()]


def notes(root: Path) -> Path:
    """Where jobs leave traces: in the one folder of a store that every process may write to."""
    return root / "work"


def execute(
    job: Job, step: str, made: dict[str, Any], context: dict[str, Any], suspects: Connection | None
) -> dict[str, Any]:
    store = RecordStore(Path(context["root"]))
    if step == "answer":  # what is odd about a job happens once
        for role, digest in made["artefacts"].items() if job.payload["do"] == "model" else ():
            assert store.settle(job.id, role, store.work_path(job.id, role).read_bytes(), digest)
        return {"status": "ok"}
    root = notes(store.root)
    began = time.monotonic()
    (root / f"{job.label}.pid").write_text(str(os.getpid()))
    try:
        return _leave_model(job, store) if job.payload["do"] == "model" else _act(job, root)
    finally:
        entry = {"label": job.label, "pid": os.getpid(), "began": began, "ended": time.monotonic()}
        with open(root / "journal", "a") as file:
            file.write(json.dumps(entry) + "\n")


def _act(job: Job, root: Path) -> dict[str, Any]:
    result: dict[str, Any] = {**(JUDGED if job.kind == "judged" else MODEL), "pid": os.getpid()}
    first = _first_attempt(root, job)
    match job.payload["do"]:
        case "ok":
            time.sleep(job.payload.get("sleep", 0.0))
        case "hang":
            while True:
                time.sleep(0.05)
        case "hang once":
            while first:
                time.sleep(0.05)
        case "wait":  # until there is a file, and say beside it that this has begun
            until = Path(job.payload["until"])
            until.with_name(job.label).touch()
            while not until.exists():
                time.sleep(0.02)
        case "hang with a child":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            (root / "child.pid").write_text(str(child.pid))
            child.wait()
        case "raise":
            json.loads("nonsense")
        case "raise half a character":
            raise ValueError("\ud800")
        case "raise at length":
            raise ValueError("x" * 2**26)
        case "sys.exit":
            sys.exit(3)
        case "os._exit":
            os._exit(3)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "sigint":
            result["session"] = os.getsid(0)
            os.kill(os.getpid(), signal.SIGINT)
        case "memory":
            raise MemoryError("toy")
        case "nan":
            result["loss"] = float("nan")
        case "object":
            result["model"] = object()
        case "odd status":
            return {"status": "fine"}
        case "print":
            print("scribble from python")
            os.write(1, b"scribble from native code\n")
            os.write(2, b"scribble on stderr\n")
        case "environment":
            result["environment"] = dict(os.environ)
        case "big":
            result["bits"] = "01" * 500_000
        case "not-applicable":
            return {"status": "not-applicable", "reason": "nothing to attack"}
        case "oom":
            return {"status": "oom", "reason": "out of memory"}
        case "oom once":
            if first:
                return {"status": "oom", "reason": "out of memory"}
            time.sleep(0.2)
        case "artefact":  # leaves a file, and needs those of its parents
            time.sleep(job.payload.get("pause", 0.0))
            for parent in job.parents:
                path = root / f"{parent}.artefact"
                if not path.exists() or path.read_text() != parent:
                    return {"status": "damaged", "damaged": parent, "reason": "the checksum is wrong"}
            time.sleep(job.payload.get("sleep", 0.0))
            (root / f"{job.id}.artefact").write_text(job.id)
        case "artefact, then crash":
            if not first:
                raise RuntimeError("the second time fails")
            (root / f"{job.id}.artefact").write_text(job.id)
        case "ok, then exit":
            if not first:
                os._exit(3)
        case "count":
            result["count"] = _count(root, job)
        case "leave":
            result["artefacts"] = {"service": job.payload["value"]}
        case "leave counted":
            result["artefacts"] = {"service": str(_count(root, job))}
        case "given":
            result["given"] = dict(job.given)
        case "odd outcome":
            found, ran = json.loads(job.payload["odd"])
            return {"status": "ok", "result": result | found, "run": RAN | ran}
        case "damaged once":
            if first:
                return {"status": "damaged", "damaged": job.parents[0], "reason": "the checksum is wrong"}
        case "always damaged":
            return {"status": "damaged", "damaged": job.parents[0], "reason": "the checksum is wrong"}
        case "wrongly damaged":
            return {"status": "damaged", "damaged": "0" * 64, "reason": "whatever"}
    return {"status": "ok", "reason": None, "result": result, "run": RAN}


def _leave_model(job: Job, store: RecordStore) -> dict[str, Any]:
    """As jobs of the benchmark do: read the parents' models, leave one's own for the court to put in its place."""
    for parent in job.parents:
        path, digest = store.artefact_path(parent, "service"), job.given[parent]["service"]
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            return {"status": "damaged", "damaged": parent, "reason": "the checksum is wrong"}
    time.sleep(job.payload["sleep"])
    model, work = job.id.encode() * 1000, store.work_path(job.id, "service")
    work.parent.mkdir(exist_ok=True)
    work.write_bytes(model)
    left = {"service": hashlib.sha256(model).hexdigest()}
    return {"status": "ok", "reason": None, "result": {**MODEL, "pid": os.getpid(), "artefacts": left}, "run": RAN}


def _first_attempt(root: Path, job: Job) -> bool:
    try:
        (root / f"{job.id}.tried").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _count(root: Path, job: Job) -> int:
    """How many attempts at a job there have been."""
    with (root / f"{job.id}.count").open("a+") as file:
        file.write("x")
        return file.tell()
