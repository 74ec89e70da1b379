"""A cell as a folder that a reviewer can replay on another machine: what it holds, how it is written and read.

    MANIFEST.json        the SHA-256 of every other file, and one over them all
    bundle.json          the form of the bundle, why a plug-in's code is not in it, and the key of the court's stream
    run.json, records.jsonl     a published run with this one cell: every page command reads it
    artefacts/JOB.service.safetensors, JOB.key.safetensors    delivered and attacked model, opened keys
    code/*.py.txt        plug-in code as text: to be read and compared by hash, never executed

The verdict stands nowhere: run.json and the records give it to whoever judges them. No absolute path is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from benchmark.crypto.secret_streams import SecretStreams
from benchmark.description import read
from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError
from benchmark.execution.job_context import court_stream
from benchmark.files import content, json_value, read_json, regular
from benchmark.identity import canonical
from benchmark.plugins.parameters import Declaration, first_few
from benchmark.plugins.registry import Registry
from benchmark.store.records import Record, RecordStore, with_checksum
from benchmark.store.retry import retrying
from benchmark.store.secret import digest_of, known_secret
from leaderboard.judge.board import Board, judge
from leaderboard.judge.cell import Cell
from leaderboard.judge.run import Run, read_run
from leaderboard.pages.reproduce_command import reproduce

BUNDLE_SCHEMA = 2
MANIFEST, BUNDLE, RUN, RECORDS = "MANIFEST.json", "bundle.json", "run.json", "records.jsonl"
MOST_FILES = 1000  # of a bundle: one cell has a handful
FRESH = "fetch a fresh copy"
NO_VERDICT = ("crashed", "timeout", "oom", "not-run", "not-applicable")
LEAFLET = """This folder replays one cell of watermark-bench: `bench replay FOLDER`.

It examines the bundled models with the bundled keys under the installed scheme of the same name, derives the
verdict anew and says equal, within tolerance, or different. What the unmarked models showed is taken from
records.jsonl; the command in run.json trains them again. Nothing in this folder is executed: the code under
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
    manifest = asdict(seal({name: hashlib.sha256(data).hexdigest() for name, data in files.items()}))
    try:
        for name, data in {**files, MANIFEST: write_json(manifest)}.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise BenchError(f"{out} can't be written ({error.strerror}): choose another --out") from error
    return manifest


@dataclass(frozen=True)
class Manifest:
    """The SHA-256 of every file by its name, and the SHA-256 over all of these."""

    files: Mapping[str, str]
    sha256: str
    schema: int = BUNDLE_SCHEMA


@dataclass(frozen=True)
class BundleForm:
    """`bundle.json`. left_out: why the code of a plug-in is not in the bundle, by the name that it would have there.

    court: the key of the court's stream, 64 hexadecimal digits; none of a run from before stores had a secret.
    """

    schema: Literal[2]
    left_out: Mapping[str, str]
    court: str | None = None

    def __post_init__(self) -> None:
        if self.court is not None and not re.fullmatch("[0-9a-f]{64}", self.court):
            raise ValueError("court must be 64 hexadecimal digits")


def seal(hashes: Mapping[str, str]) -> Manifest:
    """The manifest of files whose SHA-256 are these, by name."""
    ordered = dict(sorted(hashes.items()))
    return Manifest(ordered, hashlib.sha256(canonical(ordered).encode()).hexdigest())


def write_json(value: Any) -> bytes:
    """The one form in which a bundle's JSON is written, so that a manifest has one spelling."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _files(board: Board, cell: Cell, store: RecordStore, registry: Registry) -> Iterator[tuple[str, bytes]]:
    run = board.run
    jobs = list(dict.fromkeys(one for job in cell.jobs.values() for one in run.ancestors(job)))
    kept = {job: _portable(run.records[job]) for job in jobs if job in run.records}
    for job, role in _artefacts(cell, run.records):
        checksum = run.records[job]["result"]["artefacts"][role]
        yield artefact_name(job, role), _artefact(store.artefact_path(job, role), checksum, run.described["command"])
    left_out = {}
    for plugin, declaration in plugins(cell, kept, registry):
        if declaration is None:
            left_out[code_name(plugin)] = "the plug-in is not installed: name it with --plugin to have its code here"
        elif source_hash(declaration.source) != plugin["code"]:
            left_out[code_name(plugin)] = "the installed code is not the code that ran"
        else:
            yield code_name(plugin), declaration.source.read_bytes()
    yield BUNDLE, write_json({"schema": BUNDLE_SCHEMA, "left_out": left_out} | _court_key(kept, cell, store))
    yield RUN, write_json(_one_cell(board, cell, jobs))
    lines = [json.dumps(record, sort_keys=True, separators=(",", ":")) for record in kept.values()]
    yield RECORDS, "".join(f"{line}\n" for line in sorted(lines)).encode()
    yield "README.txt", LEAFLET.encode()


def _court_key(records: Mapping[str, Record], cell: Cell, store: RecordStore) -> dict[str, str]:
    """The key of the court's stream in this cell, by which its draws can be made again: it opens no other stream."""
    payload = records[cell.jobs["judged"]]["job"]
    if "secret" not in payload:  # made before stores had a secret
        return {}
    secret = known_secret(store.root)
    if secret is None or digest_of(secret) != payload["secret"]:
        raise BenchError(f"the secret that this run was made under is not in {store.root}: bundle it where it was run")
    return {"court": SecretStreams(secret).key(*court_stream(payload)).hex()}


def artefact_name(job: str, role: str) -> str:
    """Where a job's artefact lies in a bundle."""
    return f"artefacts/{job}.{role}.safetensors"


def code_name(plugin: Mapping[str, Any]) -> str:
    """Where a plug-in's code lies in a bundle."""
    return f"code/{plugin['role']}-{plugin['name']}.py.txt"


def _artefacts(cell: Cell, records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """The cell's models, the keys they are examined with, as (job, role): delivered and suspect, each once."""
    seen = dict.fromkeys(cell.jobs[role] for role in ("marked", "attacked", "suspect") if role in cell.jobs)
    judged = {records[cell.jobs[role]]["job"]["key"] for role in ("judged", "fresh") if role in cell.jobs}
    observations = records[cell.jobs["judged"]]["result"].get("observations", ())
    aligned = any(one.get("views") for one in observations)
    for job in seen:
        if aligned or not (cell.innocent and job == cell.jobs["marked"]):  # what an innocent is aligned to, if anything
            yield job, "service"
    for job in sorted(judged):
        yield job, "key"


def _artefact(path: Path, checksum: str, command: str) -> bytes:
    mend = f"`{retrying(command, 'damaged')}` makes it again"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BenchError(f"{path.name} is no longer in the store: {mend}") from error
    if hashlib.sha256(data).hexdigest() != checksum:
        raise BenchError(f"{path.name} in the store is damaged: {mend}")
    return data


def _portable(record: Record) -> Record:
    """A record without what names this machine's folders."""
    run = {name: value for name, value in record["run"].items() if name != "traceback"}
    return with_checksum({**record, "run": run}) if "checksum" in record else {**record, "run": run}


def plugins(
    cell: Cell, records: Mapping[str, Record], registry: Registry
) -> list[tuple[dict[str, Any], Declaration | None]]:
    """The scheme and the attack's stages, as their jobs name them, with their installed declarations."""
    described = [{"role": "scheme", **records[cell.jobs["judged"]]["job"]["scheme"]}]
    attacked = records.get(cell.jobs.get("attacked", cell.jobs.get("suspect", "")))
    described += [{"role": "attack", **stage} for stage in (attacked or {"job": {}})["job"].get("stages", ())]
    installed = {"scheme": registry.schemes, "attack": registry.attacks}
    return [
        (one, next((found for found in installed[one["role"]] if found.name == one["name"]), None)) for one in described
    ]


def _one_cell(board: Board, cell: Cell, jobs: list[str]) -> dict[str, Any]:
    """The run.json of a run that has this cell alone, on its track and at the board's thresholds."""
    described, own = board.run.described, board.part_of(cell).track
    planned = next(
        one for one in described["cells"]
        if (one["scheme"], one["attack"], one.get("innocent", False), one.get("jobs", {}))
        == (cell.scheme, cell.attack, cell.innocent, cell.jobs) and one["replicate"] == cell.replicate
    )  # fmt: skip
    return {
        **described,
        "command": command(board, cell),
        "data": [{**track, "alpha": own.alpha, "budget": own.budget, "strict": own.strict}
                 for track in described["data"] if track["task"] == own.task],
        "schemes": [one for one in described["schemes"] if one["label"] == cell.scheme],
        "attacks": [one for one in described["attacks"] if one["label"] == cell.attack],
        "cells": [planned],
        "jobs": {job: described["jobs"][job] for job in jobs if job in described["jobs"]},
        "broken": [],
    }  # fmt: skip


def command(board: Board, cell: Cell) -> str:
    """The command that makes just this cell again; of a path, only the last name."""
    words = shlex.split(reproduce(board, cell))
    paths = ("--profile", "--plugin", "--data-root", "--secret")
    names = {index + 1 for index, word in enumerate(words) if word in paths}
    return shlex.join(Path(word).name if index in names else word for index, word in enumerate(words))


def check_files(folder: Path) -> str:
    """The bundle's own SHA-256. Raises BenchError naming the first file that is missing, extra or changed."""
    if not os.path.lexists(folder / MANIFEST):
        raise BenchError(f"{folder} holds no {MANIFEST}: give a folder made by `bench bundle`")
    try:
        paths = [path for path in islice(folder.rglob("*"), 2 * MOST_FILES) if not path.is_dir()]
        if len(paths) > MOST_FILES:
            raise BenchError(f"{folder} holds more than {MOST_FILES} files, so it is no bundle")
        data = content(folder / MANIFEST)
        files = {path.relative_to(folder).as_posix(): _sha256(path) for path in paths}
        del files[MANIFEST]
        manifest = read(Manifest, json_value(data))
    except OSError as error:
        raise BenchError(f"{error.filename} can't be read ({error.strerror})") from error
    except (ValueError, BenchError) as error:
        raise BenchError(f"{MANIFEST} was tampered with: it is no longer a bundle's manifest ({error})") from error
    sealed, names = seal(files), manifest.files
    if manifest.schema == 1:
        hint = "replay it with watermark-bench 0.1.0, or ask its author for a new bundle"
        raise BenchError(f"{folder} was made by an older version of watermark-bench, which this one can't read: {hint}")
    for name in sorted(names.keys() | files.keys()):
        if names.get(name) != files.get(name):
            changed = f"its SHA-256 is not the one in {MANIFEST}" if name in names else "the bundle has no such file"
            wrong = changed if name in files else "it is missing from the bundle"
            raise BenchError(f"{name} was tampered with: {wrong}: fetch a fresh copy")
    if data != write_json(asdict(sealed)):
        raise BenchError(f"{MANIFEST} was tampered with: its hashes are not those that were sealed")
    return sealed.sha256


def _sha256(path: Path) -> str:
    with regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def court_key(folder: Path) -> bytes | None:
    """The key of the court's stream; None in a bundle of a run from before stores had a secret."""
    key = _form(folder).court
    return None if key is None else bytes.fromhex(key)


def _form(folder: Path) -> BundleForm:
    return read(BundleForm, read_json(folder / BUNDLE, FRESH), str(folder / BUNDLE), FRESH)


def read_bundle(folder: Path) -> tuple[Run, Board, Cell]:
    """Its run and its one cell. Raises BenchError for a bundle that is sealed and yet none."""
    _form(folder)
    run = read_run(folder)
    board = judge(run)
    verdicts = [f"a cell that is {cell.verdict.word}" for cell in board.cells]
    if len(verdicts) != 1 or board.cells[0].verdict.word in NO_VERDICT:
        raise BenchError(f"{folder} is no whole bundle ({first_few(verdicts) or 'it has no cell'}): {FRESH}")
    return run, board, board.cells[0]
