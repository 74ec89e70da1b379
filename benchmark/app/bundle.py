"""A cell as a folder that a reviewer can replay on another machine: what it holds, and how it is written.

    MANIFEST.json        the SHA-256 of every other file, and one over them all
    bundle.json          the cell, its verdict, random streams, sources, data hash, versions
    run.json, records.jsonl     a published run with this one cell: every page command reads it
    artefacts/JOB.service.safetensors, JOB.key.safetensors    delivered and attacked model, opened keys
    code/*.py.txt        plug-in code as text: to be read and compared by hash, never executed

No absolute path is written.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmark.code_digest import source_hash
from benchmark.errors import BenchError
from benchmark.identity import canonical, stream_seed
from benchmark.plugins.parameters import Declaration
from benchmark.plugins.registry import Registry
from benchmark.store.records import Record, RecordStore
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.pages.reproduce_command import reproduce

SCHEMA = 1
MANIFEST, BUNDLE, RUN, RECORDS = "MANIFEST.json", "bundle.json", "run.json", "records.jsonl"
NO_VERDICT = ("crashed", "timeout", "oom", "not-run", "not-applicable")
README = """This folder replays one cell of watermark-bench: `bench replay FOLDER` (see bundle.json for the cell).

It examines the bundled models with the bundled keys under the installed scheme of the same name, derives the
verdict anew and says equal, within tolerance, or different. What the unmarked models showed is taken from
records.jsonl; the command in bundle.json trains them again. Nothing in this folder is executed: the code under
code/ is text, compared by hash. Compare the hash that `bench replay` prints with the one its author published.
"""


def bundle(board: Board, cell: Cell, store: RecordStore, registry: Registry, out: Path) -> dict[str, Any]:
    """Write the folder `out` for one cell and return its MANIFEST.

    Raises BenchError where the cell has no verdict, `out` is not empty, or an artefact is gone or damaged.
    """
    if cell.verdict.word in NO_VERDICT:
        raise BenchError(f"{cell.scheme} × {cell.attack} is {cell.verdict.word}: there is no verdict to replay")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchError(f"{out} exists already: choose another --out")
    files = dict(_files(board, cell, store, registry))
    manifest = seal(files)
    try:
        for name, data in {**files, MANIFEST: write_json(manifest)}.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise BenchError(f"{out} can't be written ({error.strerror}): choose another --out") from error
    return manifest


def seal(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest of files by name: each one's SHA-256, and the SHA-256 over all of these."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    return {"schema": SCHEMA, "files": hashes, "sha256": hashlib.sha256(canonical(hashes).encode()).hexdigest()}


def write_json(value: Any) -> bytes:
    """The one form in which a bundle's JSON is written, so that a manifest has one spelling."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _files(board: Board, cell: Cell, store: RecordStore, registry: Registry) -> Iterator[tuple[str, bytes]]:
    run = board.run
    jobs = list(dict.fromkeys(one for job in cell.jobs.values() for one in run.ancestors(job)))
    kept = {job: _portable(run.records[job]) for job in jobs if job in run.records}
    for job, role in _artefacts(cell, run.records):
        yield artefact_name(job, role), _artefact(store, job, role, run.records[job]["result"]["artefacts"][role])
    sources = []
    for described, declaration in plugins(cell, kept, registry):
        source = {**described, "file": None}
        if declaration is None:
            source["note"] = "the plug-in is not installed: name it with --plugin to have its code in the bundle"
        elif source_hash(declaration.source) != described["code"]:
            source["note"] = "the installed code is not the code that ran: it is left out"
        else:
            source["file"] = f"code/{described['role']}-{described['name']}.py.txt"
            yield source["file"], declaration.source.read_bytes()
        sources.append(source)
    yield BUNDLE, write_json(described_cell(board, cell, kept, sources))
    yield RUN, write_json(_one_cell(board, cell, jobs))
    lines = [json.dumps(record, sort_keys=True, separators=(",", ":")) for record in kept.values()]
    yield RECORDS, "".join(f"{line}\n" for line in sorted(lines)).encode()
    yield "README.txt", README.encode()


def artefact_name(job: str, role: str) -> str:
    """Where a job's artefact lies in a bundle."""
    return f"artefacts/{job}.{role}.safetensors"


def _artefacts(cell: Cell, records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """The cell's models, the keys they are examined with, as (job, role): delivered and suspect, each once."""
    seen = dict.fromkeys(cell.jobs[role] for role in ("marked", "attacked", "suspect") if role in cell.jobs)
    judged = {records[cell.jobs[role]]["job"]["key"] for role in ("judged", "fresh") if role in cell.jobs}
    for job in seen:
        if not (cell.innocent and job == cell.jobs["marked"]):  # an innocent's cell speaks of no marked model
            yield job, "service"
    for job in sorted(judged):
        yield job, "key"


def _artefact(store: RecordStore, job: str, role: str, checksum: str) -> bytes:
    path = store.artefact_path(job, role)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BenchError(f"{path.name} is no longer in the store: run the cell again with --fresh") from error
    if hashlib.sha256(data).hexdigest() != checksum:
        raise BenchError(f"{path.name} in the store is damaged: run the benchmark again, then bundle the cell")
    return data


def _portable(record: Record) -> Record:
    """A record without what names this machine's folders."""
    return {**record, "run": {name: value for name, value in record["run"].items() if name != "traceback"}}


def plugins(
    cell: Cell, records: Mapping[str, Record], registry: Registry
) -> Iterator[tuple[dict[str, Any], Declaration | None]]:
    """The scheme and the attack's stages, as their jobs name them, with their installed declarations."""
    payload = records[cell.jobs["judged"]]["job"]
    described = [{"role": "scheme", **payload["scheme"]}]
    attacked = records.get(cell.jobs.get("attacked", cell.jobs.get("suspect", "")))
    described += [{"role": "attack", **stage} for stage in (attacked or {"job": {}})["job"].get("stages", ())]
    for one in {(one["role"], one["name"]): one for one in described}.values():
        among = registry.schemes if one["role"] == "scheme" else registry.attacks
        yield one, next((found for found in among if found.name == one["name"]), None)


def described_cell(board: Board, cell: Cell, records: Mapping[str, Record], sources: list[Any]) -> dict[str, Any]:
    """bundle.json: all of it but `sources` follows from the run's description and the records of the cell."""
    judged = records[cell.jobs["judged"]]
    runs = [record["run"] for record in records.values()]
    return {
        "schema": SCHEMA,
        "cell": {"scheme": cell.scheme, "attack": cell.attack, "innocent": cell.innocent, "replicate": cell.replicate},
        "alpha": board.alpha,
        "budget_points": board.part_of(cell).budget,
        "verdict": stated(cell),
        "profile": board.run.profile,
        "data": _tracks(board, cell),
        "engine": judged["job"]["engine"],
        "streams": {" ".join(map(str, name)): stream_seed(*name) for name in _streams(records)},
        "sources": sources,
        "environment": {
            "watermark-bench": board.run.described["version"],
            "hardware": sorted({str(run.get("hardware")) for run in runs}),
            "device": sorted({str(run.get("device")) for run in runs}),
            "versions": judged["run"].get("versions", {}),
        },
        "command": command(board, cell),
    }


def _tracks(board: Board, cell: Cell) -> list[dict[str, Any]]:
    """The one track of the run that the cell's scheme runs on."""
    described = board.run.described
    (task,) = {one["task"] for one in described["schemes"] if one["label"] == cell.scheme}
    return [track for track in described["data"] if track["task"] == task]


def stated(cell: Cell) -> dict[str, Any]:
    """A cell's verdict in both courts and the p-values behind it, as a bundle states it."""
    return {
        "word": cell.verdict.word,
        "reason": cell.verdict.reason,
        "flags": list(cell.verdict.flags),
        "committed": asdict(cell.committed)["word"] if cell.committed else None,
        "log10_p": {
            name: None if found is None else round(found.log10_p, 9)
            for name, found in (("before", cell.before), ("after", cell.after))
        },
    }


def _streams(records: Mapping[str, Record]) -> Iterator[tuple[Any, ...]]:
    """The names of the random streams behind a cell, as the jobs draw from them; (replicate, role, ...)."""
    for record in records.values():
        payload, kind = record["job"], record["kind"]
        context = payload["world"]
        if kind in ("host", "null"):
            yield payload.get("index", payload["replicate"]), kind, context["task"], context["architecture"]
        elif kind == "marked":
            for role in ("owner", "owner-key"):
                yield payload["replicate"], role, payload["scheme"]["name"], context["task"]
        elif kind == "attacked":
            yield payload["replicate"], "thief-data", context["task"]
            for stage in payload["stages"]:
                yield payload["replicate"], "thief", stage["name"], context["task"]
        elif kind == "judged":
            yield payload["replicate"], "court", payload["scheme"]["name"], context["task"]


def _one_cell(board: Board, cell: Cell, jobs: list[str]) -> dict[str, Any]:
    """The run.json of a run that has this cell alone; the pages' path and command stay at home."""
    described = board.run.described
    planned = next(
        one for one in described["cells"]
        if (one["scheme"], one["attack"], bool(one["innocent"]), one["jobs"])
        == (cell.scheme, cell.attack, cell.innocent, cell.jobs) and one["replicate"] == cell.replicate
    )  # fmt: skip
    return {
        **described,
        "command": command(board, cell),
        "data": _tracks(board, cell),
        "schemes": [one for one in described["schemes"] if one["label"] == cell.scheme],
        "attacks": [one for one in described["attacks"] if one["label"] == cell.attack],
        "cells": [planned],
        "jobs": {job: described["jobs"][job] for job in jobs if job in described["jobs"]},
        "broken": [],
    }


def command(board: Board, cell: Cell) -> str:
    """The command that makes just this cell again; of a path, only the last name."""
    words = shlex.split(reproduce(board, cell))
    names = {index + 1 for index, word in enumerate(words) if word in ("--profile", "--plugin", "--data-root")}
    return shlex.join(Path(word).name if index in names else word for index, word in enumerate(words))
