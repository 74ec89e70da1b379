"""`reproduction.md` and `reproduction.json`: reported and measured side by side. All names and texts are escaped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmark.planning.reproduction import AFTER_TRIAL, QUANTITIES, TAGS
from leaderboard.analysis.reproduction import (
    FAILS,
    HOLDS,
    NOT_MEASURED,
    NOT_REPRODUCED,
    REPRODUCED,
    Outcome,
    Reading,
    outcomes,
)
from leaderboard.judge.board import Board
from leaderboard.pages.board_json import plain
from leaderboard.pages.md_table import escape, one_line, table
from leaderboard.pages.wording import probability

SMALL = "small scale: not the paper's size"
_LOUD = (NOT_REPRODUCED, FAILS)


def page(board: Board) -> str:
    """The page of a run that reproduces a work."""
    told, found = board.run.described["reproduction"], outcomes(board)
    small, held = told["scale"] == "small", [one for one in found if one.tolerance]
    parts = [
        f"# Reproduction: {escape(told['work'])}{f' ({SMALL})' if small else ''}",
        f"**{_headline(found)}**",
        escape(told["about"]),
        *([_SMALL] if small else []),
        _conditions(board),
        "## Reported and measured",
        _table(held, small),
        _legend(found),
        *(["## Not asked at this scale", _unasked(found)] if len(held) < len(found) else []),
        "## Where each number comes from, and why it may differ",
        *(_detail(one) for one in held),
    ]
    return "\n\n".join(parts) + "\n"


_SMALL = (
    "This run is smaller than the paper's in data, net and training. A verdict here says that a bound or a direction "
    "holds at this size; it confirms no figure of the paper."
)


def _headline(found: Sequence[Outcome]) -> str:
    """The counts; a bound that a trial had shown beforehand is counted apart."""
    late = [one for one in found if one.claim.declared]
    said = _counts([one for one in found if not one.claim.declared], "claim")
    return f"{said} Declared {AFTER_TRIAL} and not among them: {_counts(late, 'bound')}" if late else said


def _counts(found: Sequence[Outcome], what: str) -> str:
    counts = Counter(one.verdict for one in found)
    said = [f"{counts[word]} {word}" for word in (REPRODUCED, NOT_REPRODUCED, HOLDS, FAILS, NOT_MEASURED)
            if counts[word]]  # fmt: skip
    return f"{len(found)} {what}{'s' if len(found) != 1 else ''}: {', '.join(said) or 'none'}."


def _conditions(board: Board) -> str:
    run, told = board.run.described, board.run.described["reproduction"]
    profile = board.run.profile
    used = {scheme["task"] for scheme in run["schemes"]}
    tracks = [track for track in run["data"] if track["task"] in used]
    budgets = ", ".join(f"{one['budget']:g} {escape(one['unit'])}" for one in tracks)
    machines = sorted({f"{record['run']['hardware']} ({record['run']['device']})" for record in _ran(board)})
    rows = [
        ["paper", escape(told["paper"])],
        ["scale", SMALL if told["scale"] == "small" else "full"],
        ["profile", escape(f"{profile['name']}: {profile['about']}")],
        ["task, architecture", escape("; ".join(f"{one['task']}, {one['architecture']}" for one in tracks))],
        ["seeds", f"{profile['seeds']}"],
        ["unmarked models", ", ".join(f"{one['nulls']}" for one in tracks)],
        ["alpha, budget", f"{probability(board.alpha)}, {budgets}"],
        ["hardware", escape("; ".join(machines)) or "nothing has run"],
        ["command", escape(run["command"])],
        ["claims and tolerances", f"fixed before the first job: SHA-256 {escape(told['sha256'])} of their file"],
    ]
    return table(["", "this run"], rows)


def _ran(board: Board) -> list[Any]:
    return [record for record in board.run.records.values() if record["status"] == "ok"]


def _table(found: Sequence[Outcome], small: bool) -> str:
    rows = [
        [
            escape(one.claim.id),
            escape(one.claim.text),
            _reported(one),
            _value(one.value, one),
            "–" if one.difference is None else f"{_number(one.difference, sign=True)}",
            escape(one.tolerance.text if one.tolerance else "–"),
            _verdict(one, small),
        ]
        for one in found
    ]
    header = ["claim", "what the paper says", "reported", "measured", "difference", "tolerance", "verdict"]
    return table(header, rows, "lllll")


def _unasked(found: Sequence[Outcome]) -> str:
    rows = [
        [escape(one.claim.id), escape(one.claim.text), _reported(one), escape(one.reason or "–")]
        for one in found
        if not one.tolerance
    ]
    return table(["claim", "what the paper says", "reported", "why not"], rows)


def _reported(one: Outcome) -> str:
    """An unconfirmed figure is never shown as reported."""
    claim = one.claim
    text = "–" if claim.reported is None else _value(claim.reported, one)
    if claim.tag == "reported" or claim.reported is None:
        return text if claim.tag == "reported" else f"– ({claim.tag})"
    return f"{claim.tag}: {text}"


def _value(value: float | str | None, one: Outcome) -> str:
    return escape(_plain(value, one))


def _plain(value: float | str | None, one: Outcome) -> str:
    if value is None or isinstance(value, str):
        return "–" if value is None else one_line(value)
    return f"{_number(value)} {one_line(one.claim.unit or QUANTITIES.get(one.claim.quantity, ''))}".strip()


def _number(value: float, *, sign: bool = False) -> str:
    """At most two digits behind the point, none that say nothing."""
    text = f"{value:+.2f}" if sign else f"{value:.2f}"
    return text.rstrip("0").rstrip(".")


def _verdict(one: Outcome, small: bool) -> str:
    if one.verdict == NOT_MEASURED:
        return f"{NOT_MEASURED}: {escape(one.reason or '')}"
    word = f"{one.verdict} (small scale)" if small else one.verdict
    word += f", declared {escape(one.claim.declared)}" if one.claim.declared else ""
    return f"**{word}**" if one.verdict in _LOUD else word


def _legend(found: Sequence[Outcome]) -> str:
    tags = dict.fromkeys(one.claim.tag for one in found)
    lines = [f"- {tag}: {TAGS[tag]}" for tag in TAGS if tag in tags]
    if "unconfirmed" in tags:
        lines.append(f"- {HOLDS}, {FAILS}: the bound is this project's; it says nothing about the unconfirmed figure")
    return "\n".join(lines)


def _detail(one: Outcome) -> str:
    claim = one.claim
    lines = [f"**{escape(claim.id)}** ({escape(claim.where)}). {escape(claim.text)}"]
    if one.readings:
        quantity = f"{claim.quantity} {claim.channel}".strip()
        cell = f"{escape(one.scheme)} × {escape(one.attack)}"
        lines.append(f"- measured: {escape(quantity)} of {cell}: {'; '.join(_source(r, one) for r in one.readings)}")
    if one.reason:
        lines.append(f"- not measured: {escape(one.reason)}")
    if claim.why:
        lines.append(f"- may differ because: {escape(claim.why)}")
    return "\n".join(lines)


def _source(reading: Reading, one: Outcome) -> str:
    return f"{_value(reading.value, one)} (seed {reading.seed}, record {escape(reading.record[:16] or '–')})"


def summary(board: Board) -> str:
    """The claims as plain lines for a terminal."""
    found = outcomes(board)
    lines = [_headline(found)]
    for one in found:
        measured = "–" if one.value is None else _plain(one.value, one)
        why = one.reason or (one.tolerance.text if one.tolerance else "")
        lines.append(f"{one.verdict:<19}{one_line(one.claim.id):<26}{measured:>12}   {one_line(why)}")
    return "\n".join(lines)


def reproduction_json(board: Board) -> str:
    """`reproduction.json`: the same for programs, every number unrounded, records by their whole id."""
    told = board.run.described["reproduction"]
    found = {name: told[name] for name in ("work", "paper", "scale", "sha256")}
    found |= {"run": board.run.described["run"], "command": board.run.described["command"]}
    found |= {"profile": board.run.profile, "claims": [plain(one) for one in outcomes(board)]}
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
