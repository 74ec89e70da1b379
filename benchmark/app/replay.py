"""Replaying a bundle: check every file, examine the bundled models anew, derive each cell's verdict, compare.

The scheme that examines is the installed one of the bundled name; code in the bundle is never executed. The
result is `equal` where every observation, utility outcome and admission comes out as recorded; `within tolerance`
where they differ by no more than TOLERANCE and the verdict is the same (other hardware may round a sum another
way); else `different`. Both verdicts, and what the cell is called, follow from the records. The observations of
the unmarked models are taken as recorded: the bundle holds no nulls, and the command in run.json makes them again.
What another version of the benchmark didn't record is not compared, and a note says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.app import standalone_files
from benchmark.app.bundle import planned, plugins
from benchmark.app.bundle_form import MALFORMED, Bundle, artefact_name, check_files, code_name, read_bundle
from benchmark.app.comparison import Check, as_recorded, compared, observation, same
from benchmark.architectures.net import Net
from benchmark.crypto.secret_streams import keyed_generator
from benchmark.data.splits import load as load_data
from benchmark.data.tasks import find_task
from benchmark.digest.code_digest import engine_hash, source_hash
from benchmark.digest.normal_form import same_code
from benchmark.errors import BenchError
from benchmark.execution.job_context import context_of, court_stream
from benchmark.files import MOST_SOURCE, content
from benchmark.plugins.parameters import Declaration
from benchmark.plugins.registry import Registry, load
from benchmark.protocol import steps
from benchmark.protocol.answers import Answers
from benchmark.protocol.court import Court, Suspect
from benchmark.protocol.objects import Asked, Service, ServiceFailed
from benchmark.protocol.parties import stream
from benchmark.protocol.scheme import Scheme
from benchmark.store import artefacts
from benchmark.store.artefacts import DamagedArtefact
from benchmark.training.device import device_of
from leaderboard.judge.board import judge
from leaderboard.judge.cell import Cell
from leaderboard.judge.outside import called_by_jobs
from leaderboard.judge.run import Run

OUTCOMES = ("equal", "within tolerance", "different")  # the best first
_WORDS = ("word", "flags", "committed")


@dataclass(frozen=True)
class Replay:
    """What a replay of one cell found. sha256: the bundle's own, to be compared with the published one.

    cell: scheme and attack with every parameter, seed and thresholds, as the records name them. recorded, derived: the
    verdict of the records, and of what was seen here.
    """

    outcome: str
    sha256: str
    cell: Mapping[str, Any]
    recorded: Mapping[str, Any]
    derived: Mapping[str, Any]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class RowReplay:
    """What a replay of a bundle found, cell by cell. row: what the bundle is a row of, "" where it holds one cell."""

    row: str
    sha256: str
    cells: tuple[Replay, ...]

    @property
    def outcome(self) -> str:
        """That of the cell which came out worst."""
        return max((one.outcome for one in self.cells), key=OUTCOMES.index)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(note for one in self.cells for note in one.notes))


def replay(folder: Path, registry: Registry, device: str) -> RowReplay:
    """Replay the bundle in `folder`, cell by cell.

    Raises BenchError where it was changed, is no whole bundle, or a scheme of it is not installed.
    """
    own, found = check_files(folder).sha256, read_bundle(folder)
    cells = (_replayed(folder, found, cell, own, registry, device) for cell in found.cells)
    return RowReplay(found.form.row, own, tuple(cells))


def _replayed(folder: Path, found: Bundle, cell: Cell, own: str, registry: Registry, device: str) -> Replay:
    """One cell of the bundle."""
    described = {**found.run.described, "cells": [planned(found.run, cell)]}
    run = replace(found.run, described=described, kept={})
    try:
        checks, notes = _plugin_code(folder, plugins(cell, run, registry))
        notes += _differences(run, cell)
        with ExitStack() as processes:
            examiner = _Examiner(folder, found, cell.jobs["judged"], registry, device, processes)
            fresh, anew, unheld = _anew(examiner, run, cell.jobs)
            notes += unheld
        (derived,) = judge(fresh).cells
        track = found.board.part_of(cell).track
        called = {
            **called_by_jobs(run, cell),
            "innocent": cell.innocent,
            "replicate": run.records[cell.jobs["judged"]]["job"]["replicate"],
            "alpha": track.alpha, "budget": track.budget, "unit": cell.unit,
        }  # fmt: skip
    except (*MALFORMED, DamagedArtefact, ServiceFailed) as error:  # its models, keys and payloads come from outside
        why = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise BenchError(f"the bundle's models can't be examined ({why}): fetch a fresh copy") from error
    outcomes = {check.outcome for check in (*checks, *anew)}
    recorded, again = stated(cell), stated(derived)
    outcome = (
        "different" if "different" in outcomes or any(recorded[name] != again[name] for name in _WORDS)
        else "equal" if outcomes == {"equal"} and recorded == again
        else "within tolerance"
    )  # fmt: skip
    return Replay(outcome, own, called, recorded, again, (*anew, *checks), tuple(notes))


def stated(cell: Cell) -> dict[str, Any]:
    """A cell's verdict without and with commitment, and the p-values behind it."""
    ends = {"before": cell.before, "after": cell.after}
    return {
        "word": cell.verdict.word,
        "reason": cell.verdict.reason,
        "flags": list(cell.verdict.flags),
        "committed": cell.committed.word if cell.committed else None,
        "log10_p": {name: found and round(found.log10_p, 9) for name, found in ends.items()},
        "grade": {name: found and found.grade for name, found in ends.items()},
    }


def in_words(verdict: Mapping[str, Any]) -> str:
    """A stated verdict with all that it states."""
    flags = f" ({', '.join(verdict['flags'])})" if verdict["flags"] else ""
    reason = f" for {verdict['reason']!r}" if verdict["reason"] else ""
    committed = f", {verdict['committed']} with commitment" if verdict["committed"] else ""
    grades = verdict["grade"]
    ps = [f"{name} {'none' if p is None else f'{p:.6g} {grades[name]}'}" for name, p in verdict["log10_p"].items()]
    return f"{verdict['word']}{flags}{reason}{committed}, log10 p {', '.join(ps)}"


def _plugin_code(
    folder: Path, ran: Sequence[tuple[Mapping[str, Any], Declaration | None]]
) -> tuple[list[Check], list[str]]:
    """Whether the bundled text is the code that ran, where that is installed; notes where it is not."""
    checks, notes = [], []
    for plugin, here in ran:
        what, path = f"{plugin['role']} {plugin['name']}", folder / code_name(plugin)
        text = _text(path)
        same = here is not None and text is not None and same_code(text, here.source.read_bytes())
        if here is None:
            notes.append(f"the {what} is not installed here")
        elif source_hash(here.source) != plugin["code"]:
            where = "what it imports differs, its own file does not" if same else "it was used as it is"
            notes.append(f"the installed {what} differs from the one that ran: {where}")
        elif text is not None and not same:
            checks.append(Check(f"code of the {what}", "different", "the bundled text is not the code that ran"))
    return checks, notes


def _text(path: Path) -> bytes | None:
    """A plug-in's code as a bundle gives it; None where it does not. A text that is too long is nobody's code."""
    try:
        return content(path, MOST_SOURCE)
    except OSError:
        return None
    except ValueError:
        return b""


def _differences(run: Run, cell: Cell) -> Iterator[str]:
    """How the code and the data here differ from those of the run."""
    if run.records[cell.jobs["judged"]]["job"]["engine"] != engine_hash():
        yield "the installed benchmark differs from the one that ran"
    for track in run.described["data"]:
        if track["sha256"] != find_task(track["task"]).data_hash():
            yield f"the data of {track['task']} differ from those of the run"


class _Examiner:
    """Who examines a bundle's models anew: under the installed scheme of the bundled name, on the court's images."""

    def __init__(
        self, folder: Path, found: Bundle, judged: str, registry: Registry, device: str, processes: ExitStack
    ) -> None:
        self.folder, self.run, self.form, self.registry = folder, found.run, found.form, registry
        self.device, self._processes = device, processes
        payload = self.run.records[judged]["job"]
        try:
            self.declaration = registry.find("scheme", payload["scheme"]["name"])
        except BenchError as error:
            hint = "a bundle's own code is never run: install the scheme or name it with --plugin"
            raise BenchError(f"{error}; {hint}") from None
        parameters = self.declaration.resolve(payload["scheme"]["parameters"])
        self.scheme: Scheme = load(self.declaration)(**parameters)
        self.context = context_of(payload["world"], device_of(device))
        self.test = load_data(self.context.task).test.to(self.context.device)
        self._answers: dict[str, Answers] = {}
        self._asked: dict[str, tuple[Service, Asked]] = {}

    def asked(self, job: str) -> tuple[Service, Asked]:
        """What a job's model serves: at rest, and ready to be asked."""
        if job not in self._asked:
            path, _ = self._file(job, "service")
            service = standalone_files.open_service(path, self.declaration, self.registry)
            where = self.folder, self.context.task.name, [self.folder]
            running = standalone_files.served(path, service, self.registry, self.device, *where)
            self._asked[job] = service, self._processes.enter_context(running)
        return self._asked[job]

    def answers(self, job: str) -> Answers:
        """What a job's model answers to the judge's images: asked once."""
        if job not in self._answers:
            court = Court(self.context, self.test, stream("answers", self.context.task.name))
            self._answers[job] = court.answers(self.asked(job)[1])
        return self._answers[job]

    def _delivered(self, payload: Mapping[str, Any]) -> Net | None:
        """The net that the owner of a judged job let out; None where the bundle lacks it."""
        job = payload["ledger"][0]
        return self.asked(job)[0].net if (self.folder / artefact_name(job, "service")).is_file() else None

    def _file(self, job: str, role: str) -> tuple[Path, str]:
        """A job's artefact and its SHA-256, which is the one in the record."""
        path = self.folder / artefact_name(job, role)
        digest = standalone_files.peek(path).sha256
        if digest != self.run.records[job]["result"]["artefacts"][role]:
            raise BenchError(f"{path.name} was tampered with: its SHA-256 is not the one in its record")
        return path, digest

    def observed(self, judged: str, *, aligned: bool) -> dict[str, Any]:
        """What the court sees now, in the form of a judged record's result; `aligned`: also after alignment."""
        payload = self.run.records[judged]["job"]
        path, digest = self._file(payload["key"], "key")
        key = artefacts.read_key(path, payload["key"], digest, self.scheme.key_type)
        ledger = [self.run.result(job) or {} for job in payload["ledger"]]
        admission = steps.admission(self.scheme, key, any(entry.get("commitment") == digest for entry in ledger))
        drawn = self.form.court_key(payload)
        rng = stream(*court_stream(payload)) if drawn is None else keyed_generator(drawn)
        court = Court(self.context, self.test, rng, self._delivered(payload), aligned)
        job = payload["suspects"][0]
        service, running = self.asked(job)
        suspect = Suspect(service, running, self.answers(job), self.scheme.court, court)
        return {"observations": [steps.examine(self.scheme, key, suspect, court)], "admission": admission}


def _anew(examiner: _Examiner, run: Run, jobs: Mapping[str, str]) -> tuple[Run, list[Check], list[str]]:
    """The run with what was seen here in place of what was recorded, how each compares, and notes of what is held
    against nothing.
    """
    records, checks, notes = dict(run.records), [], []
    for role, name in (("suspect", "suspect"), ("marked", "delivered model"), ("attacked", "suspect")):
        job = jobs.get(role)
        if job is not None and (examiner.folder / artefact_name(job, "service")).is_file():
            outcomes = steps.utility(examiner.answers(job).outputs, examiner.test)
            result = records[job]["result"]
            known = {field: outcomes[field] for field in outcomes.keys() & result["utility"].keys()}  # older: fewer
            checks.append(compared(f"answers of the {name}", result["utility"], known))
            records[job] = {**records[job], "result": {**result, "utility": known}}
    for role, name in (("fresh", "delivered model"), ("judged", "suspect")):
        job = jobs.get(role)
        if job is not None and job in records:
            result = records[job]["result"]
            recorded, earlier = result["observations"][0], records[job]["job"]["engine"] != engine_hash()
            aligned = not earlier or bool(recorded.get("views"))
            seen = examiner.observed(job, aligned=aligned)
            if examiner.scheme.court == "weights" and not aligned:
                notes.append(f"the record of the {name} lacks alignment: its weights are read as they are")
            if earlier:
                seen["observations"][0], more = as_recorded(recorded, seen["observations"][0])
                notes += [f"the record of the {name} lacks {what}" for what in more]
            checks += observation(f"the {name}", result["observations"][0], seen["observations"][0])
            checks.append(same(f"admission of the key of the {name}", result["admission"], seen["admission"]))
            records[job] = {**records[job], "result": {**result, **seen}}
    return replace(run, records=records), checks, notes
