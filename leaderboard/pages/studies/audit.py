"""The page of an audit, `audit.md` and `audit.html`: what would protect one model, at what cost, and what breaks it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmark.vocabulary import ATTACK_KINDS
from leaderboard.analysis.overview import WorstAttack, cheapness, square
from leaderboard.analysis.protection import AdvisedSituation, Protection, advised, taking
from leaderboard.analysis.situations import RELEASES
from leaderboard.judge.board import Board
from leaderboard.judge.verdicts import BROKEN, WITHSTOOD
from leaderboard.pages import wording
from leaderboard.pages.export import write_page
from leaderboard.pages.page_model import Inline, Section, Span, lines, strong
from leaderboard.pages.sections.auto import count
from leaderboard.pages.sections.first_page.limits import limits
from leaderboard.pages.sections.first_page.what_was_run import what_was_run
from leaderboard.pages.sections.reasons import reasons
from leaderboard.pages.short_names import names
from leaderboard.pages.studies.protection import broken, cells, change, forged, in_situation, undecided, widest
from leaderboard.pages.writers import html, markdown

_OUTCOMES = {*BROKEN, *WITHSTOOD, "undecided", "not-marked", "false-positive"}
USUAL_RESULTS = Path("results")  # where `bench show` looks without --results
_MOST_BREAKS = 4  # attacks shown of each scheme, the cheapest first
_ABOUT_SCHEMES = (
    "Best first. Survived: of the cases (a setting at one seed), those whose mark withstood every attack of the "
    "situation, with a 95 % interval (Wilson); two numbers: undecided cases counted as broken, and as survived. Change "
    "by marking: median and range over the marked models (of one, its 90 % interval), against an unmarked net. "
    "Training: the work of marking over that of training one unmarked net, and its time on the machine of this run. "
    "Cheapest break: the attack that broke more than half of the marks for the least work."
)
_ABOUT_BREAKS = (
    f"Of each scheme the {_MOST_BREAKS} cheapest attacks that broke a mark: the owner can no longer prove it, in a "
    "model within the budget. The thief pays work (over training one unmarked net), queries to the model and labels of "
    "his own, and loses or gains utility: medians over the marks that he broke."
)
_ABOUT_INNOCENTS = (
    "Claims believed: keys that thieves made, before a court that sees no dates, with a 95 % interval; and before one "
    "that asks for a commitment made before the release. Innocents accused: verdicts against models that never saw the "
    "mark, over how many independent models, and the rate that these leave possible (one-sided 95 %)."
)


def write_audit(board: Board, folder: Path, results: Path = USUAL_RESULTS) -> list[Path]:
    """Write both forms of the page; returns their paths. Raises BenchError where they can't be written.

    results: the folder of all runs that this one lies in.
    """
    title, sections = audit_page(board, results)
    version = str(board.run.described["version"])
    pages = {"audit.md": markdown.page(title, sections), "audit.html": html.plain_page(title, sections, version)}
    return [write_page(folder / name, page) for name, page in pages.items()]


def audit_page(board: Board, results: Path = USUAL_RESULTS) -> tuple[str, list[Section]]:
    """The title and the sections, each number from the board's records. results: see `write_audit`."""
    nets = " and ".join(f"{part.track.architecture} on {part.track.task}" for part in board.parts)
    sections = [Section(text=what_was_run(board))]
    for part in board.parts:
        sections += _track(part, f" ({part.track.task})" if len(board.parts) > 1 else "")
    return f"What would protect this model: {nets}", [
        *sections, _not_tested(board), limits(board), _again(board, results),
    ]  # fmt: skip


def in_short(board: Board) -> list[Section]:
    """Situation by situation, which schemes are best; track by track."""
    several = len(board.parts) > 1
    return [_in_short(part, f" ({part.track.task})" if several else "") for part in board.parts]


def _in_short(board: Board, on: str) -> Section:
    found = _situations(board)
    said = [*map(in_situation, found), *undecided(_released(board, found), board.track)] if found else []
    return Section(f"In short{on}", lines(said or ["No mark has an outcome: see what was not tested."]))


def _situations(board: Board) -> list[AdvisedSituation]:
    return [one for what in RELEASES for one in advised(board, what)]


def _released(board: Board, found: Sequence[AdvisedSituation]) -> list[Protection]:
    """The schemes as released weights leave them, then those that are known of served answers alone."""
    given_out = advised(board, "weights")
    schemes = [*widest(given_out)] if given_out else []
    known = {one.name for one in schemes}
    return [*schemes, *(one for one in widest(found) if one.name not in known)]


def _track(board: Board, on: str) -> Iterator[Section]:
    """What the page says of one task."""
    yield _in_short(board, on)
    if not (situations := _situations(board)):
        return
    unit = board.track.unit
    schemes, attacks = _released(board, situations), names(board).attacks
    out, served = ({one.name: one for situation in advised(board, what) for one in situation.schemes}
                   for what in RELEASES)  # fmt: skip
    header = ["scheme", "survived, weights released", "survived, answers served", f"change by marking, {unit}",
              "training", "cheapest break"]  # fmt: skip
    rows: list[list[Inline]] = [
        [
            strong(one.name) if one.best else one.name,
            *(count(those[one.name].survival) if one.name in those else "–" for those in (out, served)),
            lines(change(one.cost, unit)),
            _training(one),
            lines(broken(one, attacks, unit)),
        ]
        for one in schemes
    ]
    yield Section(f"Schemes{on}", _ABOUT_SCHEMES, header, rows)
    yield _breaks(board, schemes, situations[0].attacks, attacks, on)
    header = ["scheme", "claims believed", "with commitment", "innocents accused", "models", "rate possible"]
    yield Section(
        f"Forged claims and false alarms{on}", _ABOUT_INNOCENTS, header, list(map(_courts, schemes)), "lrrrrr"
    )


def _courts(one: Protection) -> list[str]:
    claims, seen = list(forged(one)), one.accusations
    innocent = [f"{seen.fired}/{seen.verdicts}", str(seen.models), f"≤ {100 * seen.bound:.0f} %"]
    return [
        one.name,
        " ".join(claims[:2]),
        str(one.committed.broken) if one.forged.judged else "–",
        *(innocent if seen.verdicts else ["none asked", "–", "–"]),
    ]


def _training(one: Protection) -> str:
    seconds = one.cost.seconds
    return wording.of_a_host(one.cost.relative) + ("" if seconds is None else f", {_time(seconds)}")


def _time(seconds: float) -> str:
    """Seconds, minutes or hours, as many as matter."""
    if seconds < 100:
        return wording.seconds(seconds)
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _breaks(
    board: Board, schemes: Sequence[Protection], labels: Sequence[str], attacks: Mapping[str, str], on: str
) -> Section:
    """The cheapest attacks that broke marks of each scheme."""
    rows: list[list[Inline]] = []
    unit, access = board.track.unit, {row.label: str(row.described["access"]) for row in board.attacks}
    for one in schemes:
        found = _broke(board, one, labels)
        for worst in found[:_MOST_BREAKS]:
            cost = taking(board, one.settings, worst)
            rows.append([
                one.name, attacks[worst.attack], access[worst.attack], wording.broken(worst.tally),
                wording.of_a_host(worst.relative), _number(cost.queries), _number(cost.labelled),
                "–" if cost.loss is None else wording.change(cost.loss, unit),
            ])  # fmt: skip
        if len(found) > _MOST_BREAKS:
            rows.append([one.name, f"and {len(found) - _MOST_BREAKS} dearer ones", *["–"] * 6])
    header = ["scheme", "attack", "the thief needs", "marks broken", "of a training", "queries", "labels",
              f"change, {unit}"]  # fmt: skip
    text = _ABOUT_BREAKS if rows else "No attack of this run broke a mark."
    return Section(f"What breaks them{on}", text, header if rows else [], rows, "lllrrrrr")


def _broke(board: Board, one: Protection, labels: Sequence[str]) -> list[WorstAttack]:
    found = [worst for label in labels if (worst := square(board, one.settings, [label]).worst)]
    return sorted((worst for worst in found if worst.tally.broken), key=cheapness)


def _number(value: float | None) -> str:
    return f"{value:,.0f}" if value else "–"


def _not_tested(board: Board) -> Section:
    """What this run says nothing of, and why."""
    missing = [kind for kind in ATTACK_KINDS if kind not in board.kinds and kind != "control"]
    said = [f"No attack of these kinds was run: {', '.join(missing)}."] if missing else []
    homeless = [row.label for row in board.schemes if row.described["task"] is None]
    if homeless:
        said.append(f"This profile has no task for {', '.join(homeless)}.")
    found = reasons(board)
    rows = [row for row in found.rows if row[0] not in _OUTCOMES]
    if not (said or rows):
        said.append("Every square has an outcome.")
    return Section("Not tested, and why", lines(said) if said else "", found.header if rows else [], rows)


def _again(board: Board, results: Path) -> Section:
    """The command that makes the page again, and those that open the cells behind it."""
    command = str(board.run.described["command"])
    if command.startswith("bench run"):
        command = command.replace("bench run", "bench audit", 1)
    run = ["--run", str(board.run.described["run"]), *(["--results", str(results)] if results != USUAL_RESULTS else [])]
    situations = [one for part in board.parts for one in _situations(part)]
    opened = [shlex.join(["bench", "show", *words, *run]) for one in situations
              for words in cells(board, one.schemes)]  # fmt: skip
    said: list[Inline] = [
        Span(command, "code"),
        "What is finished is kept, so an audit that was interrupted goes on with the same command. The cells behind "
        "the numbers, each with the records of its jobs:",
        *(Span(one, "code") for one in dict.fromkeys(opened)),
    ]
    return Section("Make it again", lines(said))
