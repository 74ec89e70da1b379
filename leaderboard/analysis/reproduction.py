"""Reported and measured, claim by claim: whether the records of a run reproduce what a paper reports.

Pure functions of `run.json` (which holds the claims and tolerances from before the first job) and the records.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from benchmark.description import read
from benchmark.errors import BenchError
from benchmark.planning.reproduction import WORDS, ReportedClaim
from benchmark.planning.tolerance import RELATIVE, Tolerance
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.evidence import OWN_POOL
from leaderboard.judge.results import observations
from leaderboard.judge.run import ANOTHER_VERSION, Run
from leaderboard.judge.verdicts import NO_COURT
from leaderboard.stats.seeds import LEAST_FOR_INTERVAL
from leaderboard.stats.tails import rarity, t_interval

REPRODUCED, NOT_REPRODUCED, NOT_MEASURED = "reproduced", "not reproduced", "not measured"
# a smaller run can't reproduce a figure
DIRECTION_HOLDS, DIRECTION_FAILS = "direction holds", "direction does not hold"
DIRECTION_UNCLEAR = "direction unclear"  # of two claims, whose difference the seeds don't tell from none
# what the paper is not known to say can't be reproduced: only the bound that the project set itself can hold
HOLDS, FAILS = "within our bound", "outside our bound"
OURS = ("unconfirmed", "ours")


@dataclass(frozen=True)
class Reading:
    """What was measured in one cell: a number or a word, and the id of the record that holds it."""

    value: float | str
    seed: int
    record: str


@dataclass(frozen=True)
class Outcome:
    """One claim and what became of it.

    scheme, attack: labels of the cells. value: the mean over the seeds, or their one word (several words: joined
    by ' / '). interval: 95 % of the mean (Student's t), from three seeds that differ on. held: in how many seeds alone
    the tolerance is met. difference: measured less reported, at full scale only, where both are numbers and the figure
    is confirmed. reason: why it was not measured.
    """

    claim: ReportedClaim
    tolerance: Tolerance | None
    scheme: str
    attack: str
    readings: Sequence[Reading] = ()
    value: float | str | None = None
    interval: tuple[float, float] | None = None
    held: int = 0
    difference: float | None = None
    verdict: str = NOT_MEASURED
    reason: str | None = None


def is_reproduction(run: Run) -> bool:
    return "reproduction" in run.described


def outcomes(board: Board) -> list[Outcome]:
    """Every claim of the run's work, in the order of its file. Raises BenchError where the run holds none."""
    if not is_reproduction(board.run):
        raise BenchError("this run reproduces no work: start one with bench reproduce")
    declared = board.run.described["reproduction"]
    claims = [read(ReportedClaim, one, f"claim {one.get('id')} of run.json") for one in declared["claims"]]
    for claim in claims:
        if not _names(claim, declared, {one.id for one in claims}):
            raise BenchError(f"claim {claim.id[:40]} of run.json names what is not there: {ANOTHER_VERSION}")
    measured = {claim.id: _measure(board, claim, declared) for claim in claims}
    unknown = {claim.id for claim in claims if claim.tag in OURS}
    return [_judge(claim, declared, measured, unknown) for claim in claims]


def _names(claim: ReportedClaim, declared: Mapping[str, Any], claims: Collection[str]) -> bool:
    """Whether the scheme, the attack and the other claim that a claim rests on are there."""
    if claim.unmeasured or (tolerance := claim.tolerance(declared["scale"])) is None:
        return True
    there = claim.scheme in declared["schemes"] and claim.attack in declared["attacks"]
    return there and (tolerance.kind not in RELATIVE or tolerance.other in claims)


def _measure(board: Board, claim: ReportedClaim, declared: Mapping[str, Any]) -> list[Reading] | str:
    """One reading per seed, or why there is none."""
    if claim.unmeasured:
        return claim.unmeasured
    if claim.tolerance(declared["scale"]) is None:
        return f"held at {'full' if claim.full else 'small'} scale only"
    cells = board.at(declared["schemes"][claim.scheme], declared["attacks"][claim.attack])
    if not cells:
        return "this run has no such cell"
    role, measure = _MEASURES[claim.quantity]
    readings = []
    for cell in cells:
        empty = claim.quantity == "verdict" and cell.verdict.word == NO_COURT  # its other numbers are what they are
        if cell.verdict.word in _UNMEASURED or empty:
            return f"{cell.verdict.word}: {cell.verdict.reason or 'no reason given'}"
        value = measure(board.run, claim, cell)
        if value is None:
            return f"the records of {cell.scheme} × {cell.attack} hold no {claim.quantity}"
        readings.append(Reading(value, cell.replicate, cell.jobs.get(role, "")))
    return readings


def _judge(
    claim: ReportedClaim,
    declared: Mapping[str, Any],
    measured: Mapping[str, list[Reading] | str],
    unknown: Collection[str],
) -> Outcome:
    """unknown: the claims that the paper is not known to make: what is compared with one of them rests on it."""
    found, tolerance = measured[claim.id], claim.tolerance(declared["scale"])
    labels = declared["schemes"].get(claim.scheme, ""), declared["attacks"].get(claim.attack, "")
    if isinstance(found, str):
        return Outcome(claim, tolerance, *labels, reason=found)
    assert tolerance is not None  # without one nothing is measured
    value = _together(found)
    other: float | None = None
    by_seed: dict[int, float] = {}
    unclear = False
    if tolerance.kind in RELATIVE:
        against = measured[tolerance.other]
        if isinstance(against, str):
            reason = f"{tolerance.other} was not measured: {against}"
            return Outcome(claim, tolerance, *labels, found, value, _interval(found), reason=reason)
        other = float(_together(against))
        by_seed = {one.seed: float(one.value) for one in against}
        apart = _interval([replace(one, value=float(one.value) - by_seed.get(one.seed, other)) for one in found])
        unclear = apart is not None and apart[0] <= 0 <= apart[1]
    alone = [tolerance.holds(one.value, claim.reported, by_seed.get(one.seed, other)) for one in found]
    held = all(alone) if claim.quantity in WORDS else tolerance.holds(value, claim.reported, other)
    full = declared["scale"] == "full"
    words = (REPRODUCED, NOT_REPRODUCED) if full else (DIRECTION_HOLDS, DIRECTION_FAILS)
    if claim.id in unknown or tolerance.other in unknown:
        words = HOLDS, FAILS
    difference = None
    if isinstance(value, float) and isinstance(claim.reported, float) and claim.id not in unknown:
        difference = value - claim.reported if full else None
    word = DIRECTION_UNCLEAR if unclear else words[0] if held else words[1]
    return Outcome(claim, tolerance, *labels, found, value, _interval(found), sum(alone), difference, word)


def _interval(readings: Sequence[Reading]) -> tuple[float, float] | None:
    """None for words, for fewer than three seeds, and for seeds that agree, whose spread says nothing."""
    values = [one.value for one in readings if isinstance(one.value, float)]
    if len(values) < max(LEAST_FOR_INTERVAL, len(readings)) or len(set(values)) == 1:
        return None
    return t_interval(fmean(values), stdev(values), len(values))


def _together(readings: Sequence[Reading]) -> float | str:
    """The mean of numbers; of words, each once."""
    values = [one.value for one in readings]
    if all(isinstance(value, str) for value in values):
        return " / ".join(dict.fromkeys(map(str, values)))
    return fmean(map(float, values))


Measure = Callable[[Run, ReportedClaim, Cell], float | str | None]


def _result(run: Run, cell: Cell, role: str) -> Mapping[str, Any]:
    return run.result(cell.jobs.get(role)) or {}


def _percent(outcomes: str | None) -> float | None:
    """Right answers in per cent, of a string of 0 and 1."""
    return 100 * outcomes.count("1") / len(outcomes) if outcomes else None


def _accuracy(run: Run, cell: Cell, role: str) -> float | None:
    return _percent(_result(run, cell, role).get("utility", {}).get("correct"))


def _claimed_accuracy(run: Run, claim: ReportedClaim, cell: Cell) -> float | None:
    """Accuracy with the claimed key installed: the second half of the gate."""
    seen = observations(run, cell.jobs.get("judged"))
    gates = list(seen[0]["gates"].values()) if seen else []
    return _percent(gates[0]["after"]) if len(gates) == 1 else None


def _embedding_change(run: Run, claim: ReportedClaim, cell: Cell) -> float | None:
    """Points that embedding changed: the delivered model against the owner's net without a mark."""
    marked, host = (_accuracy(run, cell, role) for role in ("marked", "host"))
    return None if marked is None or host is None else marked - host


def _null_mark(run: Run, claim: ReportedClaim, cell: Cell) -> float | None:
    """The highest rate that any unmarked model of the owner's pool scores with the same key."""
    if cell.after is None or not cell.after.pools.get(OWN_POOL, {}).get("J"):
        return None
    most = cell.after.pools[OWN_POOL]["max"]
    assert most is not None
    return 100 * most / (cell.after.n if cell.after.kind == "count" else 1)


def _channel(run: Run, claim: ReportedClaim, cell: Cell) -> float | None:
    found = cell.channels.get(claim.channel)
    if found is None:
        return None
    _, suspect = found
    counted = isinstance(suspect.total, int)  # hits out of n, in per cent; real scores are means already
    return 100 * suspect.total / suspect.n if counted else float(suspect.total)


def _rarity(run: Run, claim: ReportedClaim, cell: Cell) -> float | None:
    return None if cell.after is None or cell.after.log10_p_key is None else 0.0 + rarity(cell.after.log10_p_key)


def _psnr(run: Run, claim: ReportedClaim, cell: Cell, over: float = 0.0) -> float | None:
    found = _result(run, cell, "attacked").get("utility", {}).get("psnr")
    return fmean(found) - over if found else None


def _psnr_gain(run: Run, claim: ReportedClaim, cell: Cell) -> float | None:
    """dB over handing back the degraded images."""
    untouched = _result(run, cell, "attacked").get("utility", {}).get("identity")
    return _psnr(run, claim, cell, fmean(untouched)) if untouched else None


# verdicts on models of which nothing can be measured
_UNMEASURED = ("inconsistent", "unreadable", "not-applicable", "not-run", "crashed", "timeout", "oom")
# by quantity: the role of the job whose record holds the value, and how it is read
_MEASURES: dict[str, tuple[str, Measure]] = {
    "accuracy": ("attacked", lambda run, claim, cell: _accuracy(run, cell, "attacked")),
    "claimed accuracy": ("judged", _claimed_accuracy),
    "utility change": ("attacked", lambda run, claim, cell: 0.0 - 100 * cell.utility.delta if cell.utility else None),
    "embedding change": ("marked", _embedding_change),
    "mark": ("judged", lambda run, claim, cell: 100 * cell.after.rate if cell.after else None),
    "null mark": ("nulls", _null_mark),
    "channel": ("judged", _channel),
    "log10 p": ("judged", lambda run, claim, cell: cell.after.log10_p if cell.after else None),
    "rarity": ("judged", _rarity),
    "psnr": ("attacked", _psnr),
    "psnr gain": ("attacked", _psnr_gain),
    "evidence": ("judged", lambda run, claim, cell: cell.after.state if cell.after else None),
    "verdict": ("judged", lambda run, claim, cell: cell.verdict.word),
}
