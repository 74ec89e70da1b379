"""What a bundle states of itself: read once, refused where malformed, and compared with what its records give.

Everything in bundle.json follows from run.json and records.jsonl: the cell, both thresholds, the verdict with its
p-values and reason, the streams, the sources, the command. A folder sealed anew can state anything; whatever does
not follow is named.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from benchmark.app.bundle import BUNDLE, NO_VERDICT, SCHEMA, described_cell, plugins
from benchmark.code_digest import source_hash
from benchmark.errors import BenchError
from benchmark.identity import job_id
from benchmark.normal_form import same_code
from benchmark.plugins.parameters import read_arguments, split_text
from benchmark.plugins.registry import Registry
from leaderboard.judge.board import Board, judge
from leaderboard.judge.cell import Cell
from leaderboard.judge.run import Run, read_run
from leaderboard.judge.verdicts import NO_BETTER_THAN_SCRATCH

P_TOLERANCE = 1e-6  # of a stated log10 p: another machine may round a sum of logarithms another way
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration)
_FOUND = {"suspect": ("utility", "artefacts"), "marked": ("utility", "artefacts"), "judged": ("observations",
          "admission")}  # fmt: skip
_RESULTS = {**_FOUND, "attacked": _FOUND["suspect"], "fresh": _FOUND["judged"], "nulls": _FOUND["judged"],
            "surrogate_nulls": _FOUND["judged"]}  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """A bundle as it was read: bundle.json, its run, the board at the stated thresholds, and the one cell."""

    described: Mapping[str, Any]
    run: Run
    board: Board
    cell: Cell


def plain(name: str) -> bool:
    """Whether a name stays inside the folder."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def read_statement(folder: Path) -> Statement:
    """Raises BenchError for a bundle that is sealed and yet none: a part is missing, or is of another form."""
    try:
        described = json.loads((folder / BUNDLE).read_bytes())
        _check_form(described)
        run = read_run(folder)
        for id, record in run.records.items():
            if job_id(record["job"]) != id:
                raise BenchError(f"records.jsonl was tampered with: the job of record {id[:8]} has another id")
        board = judge(run, described["alpha"], described["budget_points"])
        (cell,) = board.cells
        if cell.verdict.word in NO_VERDICT:
            raise ValueError(f"its cell is {cell.verdict.word}: {cell.verdict.reason}")
        for role, job in cell.jobs.items():
            missing = [name for name in _RESULTS.get(role, ()) if name not in (run.result(job) or {})]
            if missing and not (cell.innocent and role == "marked"):
                raise ValueError(f"the record of its {role} job has no {missing[0]}")
        described_cell(board, cell, run.records, described["sources"])
    except MALFORMED as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise BenchError(f"{folder} is no whole bundle ({why}): fetch a fresh copy") from error
    return Statement(described, run, board, cell)


def _check_form(described: Any) -> None:
    """Raise KeyError, TypeError or ValueError unless bundle.json has its fields, each of its kind."""
    kinds = {"cell": dict, "alpha": float, "verdict": dict, "sources": list, "data": list, "engine": str,
             "command": str, "profile": dict, "streams": dict, "environment": dict}  # fmt: skip
    if not isinstance(described, dict) or described["schema"] != SCHEMA:
        raise ValueError(f"{BUNDLE} is of another schema")
    for name, kind in kinds.items():
        if not isinstance(described[name], kind):
            raise TypeError(f"{name} in {BUNDLE} is no {kind.__name__}")
    if not isinstance(described["budget_points"], float | int | None):
        raise TypeError(f"budget_points in {BUNDLE} is no number")
    cell, verdict = described["cell"], described["verdict"]
    words = [cell["scheme"], cell["attack"], verdict["word"], *verdict["flags"], verdict["reason"] or ""]
    if not all(isinstance(word, str) for word in [*words, verdict["committed"] or ""]):
        raise TypeError(f"cell and verdict in {BUNDLE} are not in words")
    if not isinstance(cell["innocent"], bool) or not isinstance(cell["replicate"], int):
        raise TypeError(f"the cell in {BUNDLE} has no seed")
    for name in ("before", "after"):
        if not isinstance(verdict["log10_p"][name], float | int | None):
            raise TypeError(f"log10_p in {BUNDLE} is no number")
    for source in described["sources"]:
        if not all(isinstance(source[name], str) for name in ("role", "name", "code")):
            raise TypeError(f"a source in {BUNDLE} has no name")
        if source["file"] is not None and not plain(source["file"]):
            raise ValueError(f"a source in {BUNDLE} lies outside the bundle")


def same_verdict(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two stated verdicts are the same in every field, the p-values but for rounding."""
    apart = [_apart(one["log10_p"].get(name), other["log10_p"].get(name)) for name in ("before", "after")]
    return {**one, "log10_p": None} == {**other, "log10_p": None} and max(apart) <= P_TOLERANCE


def _apart(one: float | None, other: float | None) -> float:
    if one == other:
        return 0.0
    return float("inf") if one is None or other is None else abs(one - other)


def falsehoods(folder: Path, found: Statement, registry: Registry) -> Iterator[tuple[str, str]]:
    """What the bundle states that its own records do not give, as (what, how they differ)."""
    run, cell, described = found.run, found.cell, found.described
    derived = json.loads(json.dumps(described_cell(found.board, cell, run.records, described["sources"])))
    for name in sorted(derived.keys() | described.keys()):
        old, new = described.get(name), derived.get(name)
        if name == "verdict":
            if not same_verdict(described["verdict"], derived["verdict"]):
                yield "verdict", f"the bundle states {in_words(old)}, its own records give {in_words(new)}"
        elif name == "command":
            if old not in commands(derived["command"], run, cell, registry) or run.described["command"] != old:
                yield "command", f"the bundle states {old}, the cell's own is {new}"
        elif old != new:
            yield name, f"the bundle states {_short(old)}, its own records give {_short(new)}"
    yield from _names(run, cell, registry)
    yield from _sources(folder, found, registry)


def in_words(verdict: Any) -> str:
    """A stated verdict with all that it states."""
    flags = f" ({', '.join(verdict['flags'])})" if verdict["flags"] else ""
    reason = f" for {verdict['reason']!r}" if verdict["reason"] else ""
    committed = f", {verdict['committed']} with commitment" if verdict["committed"] else ""
    ps = [f"{name} {'none' if p is None else f'{p:.6g}'}" for name, p in verdict["log10_p"].items()]
    return f"{verdict['word']}{flags}{reason}{committed}, log10 p {', '.join(ps)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


def commands(own: str, run: Run, cell: Cell, registry: Registry) -> list[str]:
    """The cell's command; with the scratch control where its flag speaks of it, whose own cell is not bundled."""
    scratch = cell.jobs.get("scratch", "")
    if NO_BETTER_THAN_SCRATCH not in cell.verdict.flags or scratch not in run.records:
        return [own]
    label = run.described["jobs"][scratch]["label"].removeprefix("attacked ").partition(" with ")[0]
    if not _fits(label, run.records[scratch]["job"]["stages"][0], "attack", registry):
        return [own]
    words = shlex.split(own)
    at = words.index("--attacks") + 1
    return [own, shlex.join([*words[:at], f"{cell.attack},{label}", *words[at + 1 :]])]


def _names(run: Run, cell: Cell, registry: Registry) -> Iterator[tuple[str, str]]:
    """Whether run.json calls scheme, attack and seed of the cell what the jobs' payloads call them."""
    judged = run.records[cell.jobs["judged"]]["job"]
    ran = run.records.get(cell.jobs.get("attacked", cell.jobs.get("suspect", "")))
    stages = (ran or {"job": {}})["job"].get("stages", [])
    rows: list[tuple[str, Any, list[Any]]] = [
        ("scheme", next((one for one in run.described["schemes"] if one["label"] == cell.scheme), None),
         [judged["scheme"]]),
    ]  # fmt: skip
    if stages or cell.attack != "none":
        attack = next((one for one in run.described["attacks"] if one["label"] == cell.attack), None)
        rows.append(("attack", attack, stages))
    for what, row, ones in rows:
        said = [] if row is None else row.get("stages", [row])
        wanted = [(one["name"], one["parameters"]) for one in ones]
        named = "+".join(one["name"] for one in ones)
        parts = split_text(getattr(cell, what), "+")
        fits = len(parts) == len(ones) and all(_fits(*pair, what, registry) for pair in zip(parts, ones, strict=True))
        if [(one["name"], one["parameters"]) for one in said] != wanted or not fits:
            yield what, f"run.json calls it {getattr(cell, what)}, the records are of {named}"
    if judged["replicate"] != cell.replicate:
        yield "seed", f"run.json states {cell.replicate}, the records are of {judged['replicate']}"


def _fits(label: str, ran: Mapping[str, Any], role: str, registry: Registry) -> bool:
    """Whether a label names the plug-in and parameters that ran; what it leaves out is the default, if known here."""
    name, _, arguments = label.partition("(")
    given = read_arguments(arguments.removesuffix(")"))
    if name != ran["name"] or any(str(ran["parameters"].get(one)) != str(value) for one, value in given.items()):
        return False
    among = registry.schemes if role == "scheme" else registry.attacks
    here = next((one for one in among if one.name == name and source_hash(one.source) == ran["code"]), None)
    return here is None or here.resolve(given) == ran["parameters"]


def _sources(folder: Path, found: Statement, registry: Registry) -> Iterator[tuple[str, str]]:
    """Whether the sources are those of the payloads, and the bundled text is the code that it is said to be."""
    ran = {(one["role"], one["name"]): (one, here) for one, here in plugins(found.cell, found.run.records, registry)}
    named = [(source["role"], source["name"]) for source in found.described["sources"]]
    if sorted(named) != sorted(ran):
        yield "sources", f"the bundle names {_short(named)}, its own records {_short(sorted(ran))}"
        return
    for source in found.described["sources"]:
        one, here = ran[source["role"], source["name"]]
        what = f"the {source['role']} {source['name']}"
        if any(source.get(name) != value for name, value in json.loads(json.dumps(one)).items()):
            yield "sources", f"{what} is not the one that the records name"
        elif source["file"] and here is not None and source_hash(here.source) == one["code"]:
            text = (folder / source["file"]).read_bytes()
            if not same_code(text, here.source.read_bytes()):
                yield "sources", f"the text of {what} is not the code that ran"
