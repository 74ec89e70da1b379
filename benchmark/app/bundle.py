"""Writing a bundle: one cell, or every cell of a row, as a folder that a reviewer can replay on another machine."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmark.app.bundle_form import (
    BUNDLE,
    BUNDLE_SCHEMA,
    LONGEST_NAME,
    MANIFEST,
    MOST_BUNDLE,
    MOST_CELLS,
    MOST_FILES,
    NO_VERDICT,
    RECORDS,
    RUN,
    Manifest,
    artefact_name,
    code_name,
    seal,
    stream_name,
    write_json,
)
from benchmark.crypto.secret_streams import SecretStreams
from benchmark.description import did_you_mean
from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError
from benchmark.execution.job_context import court_stream
from benchmark.files import MOST_TENSORS, content
from benchmark.plugins.parameters import Declaration
from benchmark.plugins.registry import Registry
from benchmark.store.records import Record, RecordStore, with_checksum
from benchmark.store.retry import retrying
from benchmark.store.secret import digest_of, known_secret
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.outside import ran
from leaderboard.judge.run import Run
from leaderboard.pages.reproduce_command import reproduce
from leaderboard.pages.wording import square_name

LEAFLET = """This folder replays one cell, or one row, of watermark-bench: `bench replay FOLDER`.

It examines the bundled models with the bundled keys under the installed scheme of the same name, derives each
verdict anew and says equal, within tolerance, or different. What the unmarked models showed is taken from
records.jsonl; the command in run.json trains them again. Nothing in this folder is executed: the code under
code/ is text, compared by hash. Compare the hash that `bench replay` prints with the one its author published.
"""


def row_of(board: Board, name: str) -> list[Cell]:
    """Every cell of an attack or of a scheme, innocents included: `name` is a label of the run, or a plug-in's name for
    all of its settings. Raises BenchError where the run has no such row, or where it is not whole.
    """
    attacks = {row.label: "+".join(stage["name"] for stage in row.described["stages"]) for row in board.attacks}
    schemes = {row.label: row.described["name"] for row in board.schemes}
    known = ((attacks, "attack"), (schemes, "scheme"))
    rows = [(wanted, role) for labels, role in known if (wanted := {label for label in labels if label == name})]
    rows += [(wanted, role) for labels, role in known if (wanted := {one for one in labels if labels[one] == name})]
    if not rows:
        hint = did_you_mean(name, {*attacks.values(), *schemes.values()}, "there are")
        raise BenchError(f"this run has no attack and no scheme {name!r}: {hint}")
    labels, role = rows[0]
    cells = [cell for cell in board.cells if getattr(cell, role) in labels]
    if len(name) > LONGEST_NAME or len(cells) > MOST_CELLS:
        most = f"{MOST_CELLS:,} cells and a name of {LONGEST_NAME} signs"
        raise BenchError(f"a row has at most {most}: name one of its settings, or run fewer seeds")
    for cell in cells:
        if cell.verdict.word in NO_VERDICT and cell.verdict.word != "not-applicable":
            again = retrying(board.run.described["command"], "crashed")
            raise BenchError(
                f"{square_name(cell)}, seed {cell.replicate}, is {cell.verdict.word}, and a row is bundled whole: "
                f"`{again}` runs it again"
            )
    if all(cell.verdict.word in NO_VERDICT for cell in cells):
        raise BenchError(f"no cell of {name} can be run here, so there is nothing to replay: see bench show")
    return cells


def bundle(
    board: Board, cells: Sequence[Cell], store: RecordStore, registry: Registry, out: Path, row: str = ""
) -> Manifest:
    """Write the folder `out` for these cells, at least one, and return its MANIFEST. row: what they are a row of.

    Raises BenchError where none has a verdict, `out` is not empty, or an artefact is gone or damaged.
    """
    if all(cell.verdict.word in NO_VERDICT for cell in cells):
        raise BenchError(
            f"{cells[0].scheme} × {cells[0].attack} is {cells[0].verdict.word}: there is no verdict to replay"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchError(f"{out} exists already: choose another --out")
    making = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    hashes, size = {}, 0
    try:
        for name, data in _files(board, cells, store, registry, row):
            hashes[name], size = hashlib.sha256(data).hexdigest(), size + len(data)
            if len(hashes) >= MOST_FILES or size > MOST_BUNDLE:
                most = f"{MOST_FILES:,} files or {MOST_BUNDLE >> 30} GiB"
                raise BenchError(f"a bundle holds at most {most}: name one setting, or run fewer seeds")
            _write(making / name, data)
        manifest = seal(hashes)
        _write(making / MANIFEST, write_json(asdict(manifest)))
        making.replace(out)
    except OSError as error:
        raise BenchError(f"{out} can't be written ({error.strerror}): choose another --out") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return manifest


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _files(
    board: Board, cells: Sequence[Cell], store: RecordStore, registry: Registry, row: str
) -> Iterator[tuple[str, bytes]]:
    run, left_out, courts = board.run, dict[str, str](), dict[str, str]()
    seen = [cell for cell in cells if cell.verdict.word not in NO_VERDICT]
    jobs = list(dict.fromkeys(one for cell in cells for job in cell.jobs.values() for one in run.ancestors(job)))
    kept = {job: _portable(run.records[job]) for job in jobs if job in run.records}
    for job, role in dict.fromkeys(one for cell in seen for one in _artefacts(cell, run.records)):
        checksum = run.records[job]["result"]["artefacts"][role]
        yield artefact_name(job, role), _artefact(store.artefact_path(job, role), checksum, run.described["command"])
    for cell in seen:
        courts |= _court_key(kept, cell, store)
    used = (one for cell in seen for one in plugins(cell, run, registry))
    for name, (plugin, declaration) in {code_name(one[0]): one for one in used}.items():
        if declaration is None:
            left_out[name] = "the plug-in is not installed: name it with --plugin to have its code here"
        elif source_hash(declaration.source) != plugin["code"]:
            left_out[name] = "the installed code is not the code that ran"
        else:
            yield name, declaration.source.read_bytes()
    yield BUNDLE, write_json({"schema": BUNDLE_SCHEMA, "row": row, "left_out": left_out, "courts": courts})
    yield RUN, write_json(_described(board, cells, jobs))
    lines = [json.dumps(record, sort_keys=True, separators=(",", ":")) for record in kept.values()]
    yield RECORDS, "".join(f"{line}\n" for line in sorted(lines)).encode()
    yield "README.txt", LEAFLET.encode()


def _court_key(records: Mapping[str, Record], cell: Cell, store: RecordStore) -> dict[str, str]:
    """The key of the court's stream in this cell, by the stream's name: it opens no other."""
    payload = records[cell.jobs["judged"]]["job"]
    if "secret" not in payload:  # made before stores had a secret
        return {}
    secret = known_secret(store.root)
    if secret is None or digest_of(secret) != payload["secret"]:
        raise BenchError(f"the secret that this run was made under is not in {store.root}: bundle it where it was run")
    return {stream_name(payload): SecretStreams(secret).key(*court_stream(payload)).hex()}


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
        data = content(path, MOST_TENSORS)
    except OSError as error:
        raise BenchError(f"{path.name} is no longer in the store: {mend}") from error
    except ValueError as error:
        raise BenchError(f"{path.name} in the store is damaged ({error}): {mend}") from error
    if hashlib.sha256(data).hexdigest() != checksum:
        raise BenchError(f"{path.name} in the store is damaged: {mend}")
    return data


def _portable(record: Record) -> Record:
    """A record without what names this machine's folders."""
    run = {name: value for name, value in record["run"].items() if name != "traceback"}
    return with_checksum({**record, "run": run}) if "checksum" in record else {**record, "run": run}


def plugins(cell: Cell, run: Run, registry: Registry) -> list[tuple[dict[str, Any], Declaration | None]]:
    """The scheme and the attack's stages, as their jobs name them, with their installed declarations."""
    installed = {"scheme": registry.schemes, "attack": registry.attacks}
    return [
        (one, next((found for found in installed[one["role"]] if found.name == one["name"]), None))
        for one in ran(run, cell)
    ]


def planned(run: Run, cell: Cell) -> dict[str, Any]:
    """The entry of run.json that a cell was judged from."""
    found: dict[str, Any] = next(
        one for one in run.described["cells"]
        if (one["scheme"], one["attack"], one.get("innocent", False), one.get("jobs", {}))
        == (cell.scheme, cell.attack, cell.innocent, cell.jobs) and one["replicate"] == cell.replicate
    )  # fmt: skip
    return found


def _described(board: Board, cells: Sequence[Cell], jobs: Sequence[str]) -> dict[str, Any]:
    """The run.json of a run that has these cells alone, on their tracks and at the board's thresholds."""
    described, own = board.run.described, {cell.task: board.part_of(cell).track for cell in cells}
    schemes, attacks = {cell.scheme for cell in cells}, {cell.attack for cell in cells}
    thresholds = {task: {name: getattr(track, name) for name in ("alpha", "budget", "strict")}
                  for task, track in own.items()}  # fmt: skip
    return {
        **described,
        "command": command(board, cells),
        "data": [{**one, **thresholds[one["task"]]} for one in described["data"] if one["task"] in own],
        "schemes": [one for one in described["schemes"] if one["label"] in schemes],
        "attacks": [one for one in described["attacks"] if one["label"] in attacks],
        "cells": [planned(board.run, cell) for cell in cells],
        "jobs": {job: described["jobs"][job] for job in jobs if job in described["jobs"]},
        "broken": [],
    }


def command(board: Board, cells: Sequence[Cell]) -> str:
    """The command that makes just these cells again; of a path, only the last name."""
    longest = max(cells, key=lambda cell: (cell.task == board.tracks[0].task, cell.replicate))
    words = shlex.split(reproduce(board, longest))
    if len(cells) > 1:
        each = [shlex.split(reproduce(board, cell)) for cell in cells]
        for option in ("--schemes", "--attacks"):
            values = (word[word.index(option) + 1] for word in each)
            words[words.index(option) + 1] = ",".join(dict.fromkeys(values))
    paths = ("--profile", "--plugin", "--data-root", "--secret")
    names = {index + 1 for index, word in enumerate(words) if word in paths}
    return shlex.join(Path(word).name if index in names else word for index, word in enumerate(words))
