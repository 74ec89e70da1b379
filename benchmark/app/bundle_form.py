"""A bundle as a folder that a reviewer can replay on another machine: what it holds, how it is sealed and read.

    MANIFEST.json        the SHA-256 of every other file, and one over them all
    bundle.json          its form, its row, why a plug-in's code is not in it, and the keys of the courts' streams
    run.json, records.jsonl     a published run with these cells alone: every page command reads it
    artefacts/JOB.service.safetensors, JOB.key.safetensors    delivered and attacked models, opened keys
    code/*.py.txt        plug-in code as text: to be read and compared by hash, never executed

A bundle holds one cell, or a row: every cell of an attack or of a scheme. Verdicts stand nowhere: run.json and the
records give them to whoever judges them. No absolute path is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from benchmark.description import read
from benchmark.errors import BenchError
from benchmark.execution.job_context import court_stream
from benchmark.files import content, json_value, read_json, sha256_of
from benchmark.identity import canonical
from benchmark.plugins.parameters import first_few
from leaderboard.judge.board import Board, judge
from leaderboard.judge.cell import Cell
from leaderboard.judge.run import Run, read_run

BUNDLE_SCHEMA = 3
MANIFEST, BUNDLE, RUN, RECORDS = "MANIFEST.json", "bundle.json", "run.json", "records.jsonl"
MOST_FILES = 10_000  # of a bundle: one cell has a handful, a row some hundreds
MOST_BUNDLE = 8 << 30  # bytes of all its files
MOST_CELLS = 10_000
LONGEST_NAME = 300
FRESH = "fetch a fresh copy"
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration)  # of what comes from outside
NO_VERDICT = ("crashed", "timeout", "oom", "not-run", "not-applicable")


@dataclass(frozen=True)
class Manifest:
    """The SHA-256 of every file by its name, and the SHA-256 over all of these."""

    files: Mapping[str, str]
    sha256: str
    schema: int = 2


@dataclass(frozen=True)
class BundleForm:
    """`bundle.json`. row: what the bundle is a row of, "" for one cell. left_out: why the code of a plug-in is not in
    the bundle, by the name that it would have there.

    courts: the keys of the courts' streams, 64 hexadecimal digits each, by the streams' names; empty for a run from
    before stores had a secret. court: the only one of a bundle of schema 2.
    """

    schema: Literal[2, 3]
    left_out: Mapping[str, str]
    row: str = ""
    courts: Mapping[str, str] = field(default_factory=dict)
    court: str | None = None

    def __post_init__(self) -> None:
        keys = [*self.courts.values(), *([] if self.court is None else [self.court])]
        if any(not re.fullmatch("[0-9a-f]{64}", key) for key in keys):
            raise ValueError("the key of a court's stream must be 64 hexadecimal digits")
        if len(self.row) > LONGEST_NAME:
            raise ValueError(f"the name of a row has at most {LONGEST_NAME} signs")

    def court_key(self, payload: Mapping[str, Any]) -> bytes | None:
        """The key of the stream that a judged job's court draws from; None where there was no secret."""
        key = self.court if self.schema == 2 else self.courts.get(stream_name(payload))
        return None if key is None else bytes.fromhex(key)


@dataclass(frozen=True)
class Bundle:
    """What a folder holds. board: of all its cells; cells: those of them that have a verdict, at least one."""

    form: BundleForm
    run: Run
    board: Board
    cells: Sequence[Cell]


def seal(hashes: Mapping[str, str]) -> Manifest:
    """The manifest of files whose SHA-256 are these, by name."""
    ordered = dict(sorted(hashes.items()))
    return Manifest(ordered, hashlib.sha256(canonical(ordered).encode()).hexdigest())


def stream_name(payload: Mapping[str, Any]) -> str:
    """What a bundle calls the stream that a judged job's court draws from."""
    return " ".join(map(str, court_stream(payload)))


def write_json(value: Any) -> bytes:
    """The one form in which a bundle's JSON is written, so that a manifest has one spelling."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def artefact_name(job: str, role: str) -> str:
    """Where a job's artefact lies in a bundle."""
    return f"artefacts/{job}.{role}.safetensors"


def code_name(plugin: Mapping[str, Any]) -> str:
    """Where a plug-in's code lies in a bundle."""
    return f"code/{plugin['role']}-{plugin['name']}.py.txt"


def check_files(folder: Path) -> Manifest:
    """The manifest of a bundle. Raises BenchError naming the first file that is missing, extra or changed."""
    if not os.path.lexists(folder / MANIFEST):
        raise BenchError(f"{folder} holds no {MANIFEST}: give a folder made by `bench bundle`")
    try:
        paths = [path for path in islice(folder.rglob("*"), 2 * MOST_FILES) if not path.is_dir()]
        if len(paths) > MOST_FILES:
            raise BenchError(f"{folder} holds more than {MOST_FILES} files, so it is no bundle")
        if sum(path.lstat().st_size for path in paths) > MOST_BUNDLE:
            raise BenchError(f"{folder} holds more than {MOST_BUNDLE >> 30} GiB, so it is no bundle")
        data = content(folder / MANIFEST, follow=False)
        files = {path.relative_to(folder).as_posix(): sha256_of(path, follow=False) for path in paths}
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
    return sealed


def read_bundle(folder: Path) -> Bundle:
    """What is in a folder whose files fit its manifest. Raises BenchError for a bundle that is sealed and yet none."""
    form = read(BundleForm, read_json(folder / BUNDLE, FRESH), str(folder / BUNDLE), FRESH)
    run = read_run(folder)
    board = judge(run)
    if len(board.cells) > MOST_CELLS:
        raise BenchError(f"{folder} has more than {MOST_CELLS} cells, so it is no bundle")
    cells = [cell for cell in board.cells if cell.verdict.word not in NO_VERDICT]
    idle = [cell for cell in board.cells if cell.verdict.word in NO_VERDICT]
    open_ends = [cell for cell in idle if not form.row or cell.verdict.word != "not-applicable"]
    if not cells or open_ends or (not form.row and len(cells) > 1) or board.beside:
        said = first_few([f"a cell that is {cell.verdict.word}" for cell in (*open_ends, *cells, *board.beside)])
        raise BenchError(f"{folder} is no whole bundle ({said or 'it has no cell with a verdict'}): {FRESH}")
    try:
        wrong = next((one for cell in cells for one in _foreign(run, cell)), None)
    except MALFORMED as error:
        wrong = f"{type(error).__name__}: {str(error)[:200]}".replace("\n", " ")
    if wrong:
        raise BenchError(f"{folder} is no whole bundle ({wrong}): {FRESH}")
    return Bundle(form, run, board, cells)


def _foreign(run: Run, cell: Cell) -> Iterator[str]:
    """What a cell's jobs say that their roles do not: a verdict counts only if all of it is of one key and one seed."""
    jobs = {role: run.records[job]["job"] for role, job in cell.jobs.items() if job in run.records}
    marked, suspect = cell.jobs["marked"], cell.jobs.get("attacked", cell.jobs.get("suspect"))
    key = suspect if cell.claim and not cell.innocent else marked
    needed: dict[str, dict[str, Any]] = {
        "judged": {"suspects": [suspect], "key": key, "ledger": [marked], "scheme": jobs["marked"]["scheme"]},
        "fresh": {"suspects": [marked], "key": marked, "ledger": [marked], "scheme": jobs["marked"]["scheme"]},
        "nulls": {"key": key, "scheme": jobs["marked"]["scheme"]},
        "surrogate_nulls": {"key": key, "scheme": jobs["marked"]["scheme"]},
        "scratch_nulls": {"key": key, "scheme": jobs["marked"]["scheme"]},
        "attacked_null": {"key": marked, "scheme": jobs["marked"]["scheme"]},
        "rival": {"key": marked, "scheme": jobs["marked"]["scheme"]},
        "scratch": {"target": None},
        "twin": {"marked": marked},
    }
    for role, values in needed.items():
        for name, value in values.items() if role in jobs else ():
            if jobs[role].get(name) != value:
                yield f"the {name} of the job that stands as {role} is another cell's"
    if "attacked" in jobs and jobs["attacked"].get("target") not in (marked, cell.jobs.get("innocent"), None):
        yield "the attacked model is another cell's"
    seeds = {one["replicate"] for role, one in jobs.items() if role in ("marked", "attacked", "judged", "fresh")}
    if len(seeds) > 1:
        yield "its jobs are of several seeds"
