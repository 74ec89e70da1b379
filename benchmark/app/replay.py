"""Replaying a bundle: check every file, examine the bundled models anew, derive the verdict, compare.

The scheme that examines is the installed one of the bundled name; code in the bundle is never executed. The
result is `equal` where every observation, utility outcome and admission comes out as recorded; `within tolerance`
where they differ by no more than TOLERANCE and the verdict is the same (other hardware may round a sum another
way); else `different`, as where bundle.json states anything that its own records do not give. The observations of
the unmarked models and the fresh key's law are taken as recorded: the bundle holds no nulls, and the command in
bundle.json makes them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmark.app import standalone_files
from benchmark.app.bundle import MANIFEST, SCHEMA, artefact_name, seal, stated, write_json
from benchmark.app.single_model import device_of
from benchmark.app.statement import MALFORMED, falsehoods, plain, read_statement
from benchmark.data.splits import Splits
from benchmark.data.splits import load as load_data
from benchmark.data.tasks import find_task
from benchmark.errors import BenchError
from benchmark.identity import canonical, source_hash
from benchmark.planning.plan import ENGINE
from benchmark.plugins.parameters import Declaration
from benchmark.plugins.registry import Registry, load
from benchmark.protocol import steps
from benchmark.protocol.parties import Court, TaskContext, stream
from benchmark.protocol.scheme import Scheme
from benchmark.store import artefacts
from benchmark.store.records import Record
from benchmark.training.loop import Recipe
from leaderboard.judge.board import judge
from leaderboard.judge.run import Run

TOLERANCE = 0.01  # share of the items of a string of outcomes that may differ (at least one); relative, for scores


@dataclass(frozen=True)
class Check:
    """One thing that was made anew: how it compares with the record, and in how many items it differs."""

    what: str
    outcome: str
    detail: str


@dataclass(frozen=True)
class Replay:
    """What a replay found. `sha256`: the bundle's own hash, to be compared with the published one."""

    outcome: str
    sha256: str
    cell: Mapping[str, Any]
    recorded: Mapping[str, Any]
    derived: Mapping[str, Any]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]


def check_files(folder: Path) -> str:
    """The bundle's own SHA-256. Raises BenchError naming the first file that is missing, extra or changed."""
    data = _read(folder, MANIFEST)
    try:
        manifest = json.loads(data)
        names: dict[str, str] = dict(manifest["files"])
        own = str(manifest["sha256"])
        if manifest["schema"] != SCHEMA or not all(plain(name) for name in names):
            raise ValueError("schema")
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{MANIFEST} was tampered with: it is no longer a bundle's manifest") from error
    sealed = hashlib.sha256(canonical(names).encode()).hexdigest()
    if own != sealed or data != write_json(manifest) or set(manifest) != set(seal({})):
        raise BenchError(f"{MANIFEST} was tampered with: its hashes are not those that were sealed")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()} - {MANIFEST}
    for name in sorted(names.keys() | present):
        if name not in names:
            raise BenchError(f"{name} was tampered with: the bundle has no such file: remove it, or fetch a fresh copy")
        if hashlib.sha256(_read(folder, name)).hexdigest() != names[name]:
            raise BenchError(f"{name} was tampered with: its SHA-256 is not the one in {MANIFEST}: fetch a fresh copy")
    return own


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        if name == MANIFEST:
            raise BenchError(f"{folder} holds no {MANIFEST}: give a folder made by `bench bundle`") from None
        raise BenchError(f"{name} was tampered with: it is missing from the bundle: fetch a fresh copy") from None
    except OSError as error:
        raise BenchError(f"{folder / name} can't be read ({error.strerror})") from error


def replay(folder: Path, registry: Registry, device: str) -> Replay:
    """Replay the bundle in `folder`.

    Raises BenchError where it was changed, is no whole bundle, or its scheme is not installed.
    """
    own = check_files(folder)
    found = read_statement(folder)
    described, run, board, cell = found.described, found.run, found.board, found.cell
    lies = tuple(
        Check(f"{what} as stated", "different", detail) for what, detail in falsehoods(folder, found, registry)
    )
    notes = tuple(_notes(folder, described, registry))
    try:
        fresh, checks = _anew(folder, run, cell.jobs, registry, device)
    except MALFORMED as error:  # its models, keys and payloads come from outside
        why = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise BenchError(f"the bundle's models can't be examined ({why}): fetch a fresh copy") from error
    (derived,) = judge(fresh, board.alpha, board.budget).cells
    outcomes = {check.outcome for check in (*checks, *lies)}
    same = (derived.verdict, derived.committed) == (cell.verdict, cell.committed)
    outcome = (
        "different" if "different" in outcomes or _words(stated(derived)) != _words(stated(cell))
        else "equal" if outcomes == {"equal"} and same
        else "within tolerance"
    )  # fmt: skip
    return Replay(outcome, own, described["cell"], described["verdict"], stated(derived), (*checks, *lies), notes)


def _words(verdict: Mapping[str, Any]) -> tuple[Any, ...]:
    return verdict["word"], tuple(verdict["flags"]), verdict["committed"]


def _notes(folder: Path, described: Mapping[str, Any], registry: Registry) -> Iterator[str]:
    """What differs between the place where the bundle was made and here."""
    for source in described["sources"]:
        among = registry.schemes if source["role"] == "scheme" else registry.attacks
        found = next((one for one in among if one.name == source["name"]), None)
        if found is None:
            yield f"the {source['role']} {source['name']} is not installed here"
        elif source_hash(found.source) != source["code"]:
            text = source["file"] and (folder / source["file"]).read_bytes() == found.source.read_bytes()
            where = "what it imports differs, its own file does not" if text else "it was used as it is"
            yield f"the installed {source['role']} {source['name']} differs from the one that ran: {where}"
    if described["engine"] != source_hash(ENGINE):
        yield "the installed benchmark differs from the one that ran"
    for track in described["data"]:
        if track["sha256"] != find_task(track["task"]).data_hash():
            yield f"the data of {track['task']} differ from those of the run"


def _context(run: Run, device: torch.device) -> TaskContext:
    """The world of the bundled jobs."""
    described = next(record["job"]["world"] for record in run.records.values())
    recipe = Recipe(**described["training"])
    return TaskContext(find_task(described["task"]), described["architecture"], recipe, device, described["precision"])


def _anew(
    folder: Path, run: Run, jobs: Mapping[str, str], registry: Registry, device: str
) -> tuple[Run, tuple[Check, ...]]:
    """The run with the observations made here in place of the recorded ones, and how each compares."""
    context = _context(run, device_of(device))
    splits = load_data(context.task)
    records, checks = dict(run.records), []
    for role in ("suspect", "marked", "attacked"):
        id = jobs.get(role)
        if id is None or not (folder / artefact_name(id, "service")).is_file():
            continue
        service = _service(folder, run, id, jobs["judged"], registry)
        outcomes = steps.utility(service, splits.test.to(context.device), context)
        checks.append(compared(f"answers of the {_NAMES[role]}", records[id]["result"]["utility"], outcomes))
        records[id] = _with(records[id], utility=outcomes)
    for role in ("fresh", "judged"):
        judged = jobs.get(role)
        if judged is not None and judged in records:
            scheme = _scheme(records[judged]["job"]["scheme"], registry)
            seen = _observed(folder, run, judged, scheme, context, splits, registry)
            recorded = records[judged]["result"]
            name = "delivered model" if role == "fresh" else "suspect"
            checks += _observation(f"the {name}", recorded["observations"][0], seen["observations"][0])
            same = recorded["admission"] == seen["admission"]
            checks.append(Check(f"admission of the key of the {name}", "equal" if same else "different",
                                "" if same else f"{recorded['admission']} became {seen['admission']}"))  # fmt: skip
            records[judged] = _with(records[judged], **seen)
    return replace(run, records=records, kept={}), tuple(checks)


_NAMES = {"suspect": "suspect", "marked": "delivered model", "attacked": "suspect"}


def _with(record: Record, **results: Any) -> Record:
    return {**record, "result": {**record["result"], **results}}


def _installed(name: str, registry: Registry) -> Declaration:
    try:
        return registry.scheme(name)
    except BenchError as error:
        hint = "a bundle's own code is never run: install the scheme or name it with --plugin"
        raise BenchError(f"{error}; {hint}") from None


def _scheme(described: Mapping[str, Any], registry: Registry) -> Scheme:
    declaration = _installed(described["name"], registry)
    made: Scheme = load(declaration)(**declaration.resolve(described["parameters"]))
    return made


def _service(folder: Path, run: Run, id: str, judged: str, registry: Registry) -> Any:
    path = folder / artefact_name(id, "service")
    _fits(path, run.records[id]["result"]["artefacts"]["service"])
    scheme = _installed(run.records[judged]["job"]["scheme"]["name"], registry)
    return standalone_files.open_service(path, [scheme], registry)


def _fits(path: Path, checksum: str) -> None:
    if standalone_files.peek(path).sha256 != checksum:
        raise BenchError(f"{path.name} was tampered with: its SHA-256 is not the one in its record")


def _observed(
    folder: Path, run: Run, judged: str, scheme: Scheme, context: TaskContext, splits: Splits, registry: Registry
) -> dict[str, Any]:
    """What the court sees now, in the form of a judged record's result."""
    payload = run.records[judged]["job"]
    digest = run.records[payload["key"]]["result"]["artefacts"]["key"]
    path = folder / artefact_name(payload["key"], "key")
    _fits(path, digest)
    key = artefacts.read_key(path, payload["key"], digest, scheme.key_type)
    ledger = [run.result(job) or {} for job in payload["ledger"]]
    admission = steps.admission(scheme, key, any(entry.get("commitment") == digest for entry in ledger))
    name = (payload["replicate"], "court", payload["scheme"]["name"], context.task.name)
    court = Court(context, splits.test.to(context.device), stream(*name))
    service = _service(folder, run, payload["suspects"][0], judged, registry)
    return {"observations": [steps.examine(scheme, key, service, court)], "admission": admission}


def _observation(whose: str, recorded: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Check]:
    if recorded["unreadable"] is not None or seen["unreadable"] is not None:
        same = recorded["unreadable"] == seen["unreadable"]
        yield Check(f"observation of {whose}", "equal" if same else "different", "unreadable" if same else
                    f"unreadable: {recorded['unreadable']} became {seen['unreadable']}")  # fmt: skip
        return
    for part in ("channels", "gates"):
        for name in sorted({*recorded[part], *seen[part]}):
            old, new = recorded[part].get(name), seen[part].get(name)
            what = f"{part.removesuffix('s')} {name} of {whose}"
            if old is None or new is None:
                yield Check(what, "different", "it is there only once")
            else:
                yield compared(what, old, new)


def compared(what: str, recorded: Mapping[str, Any], seen: Mapping[str, Any]) -> Check:
    """Compare channels, gates or outcomes: strings item by item, scores by their differences."""
    if recorded == seen:
        return Check(what, "equal", "")
    worst, words = "equal", []
    for name in sorted({*recorded, *seen}):
        old, new = recorded.get(name), seen.get(name)
        if old == new:
            continue
        close, detail = _close(old, new)
        worst = "within tolerance" if close and worst != "different" else "different"
        words.append(f"{name}: {detail}")
    return Check(what, worst, "; ".join(words))


def _close(old: Any, new: Any) -> tuple[bool, str]:
    """Whether two values of one field differ by no more than TOLERANCE."""
    if type(old) is not type(new):
        return False, "it is there only once"
    if isinstance(old, str):
        if len(old) != len(new):
            return False, f"{len(old)} items became {len(new)}"
        differ = sum(a != b for a, b in zip(old, new, strict=True))
        return differ <= max(1, TOLERANCE * len(old)), f"{differ} of {len(old)} items differ"
    if isinstance(old, list):
        if len(old) != len(new):
            return False, f"{len(old)} scores became {len(new)}"
        scale = max((abs(value) for value in old), default=0.0) or 1.0
        gap = max((abs(a - b) for a, b in zip(old, new, strict=True)), default=0.0)
        return gap <= TOLERANCE * scale, f"scores differ by up to {gap:.3g}"
    return False, "it is another law"
