"""`reproduction.md` and `reproduction.json`: reported and measured side by side. All names and texts are escaped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from benchmark.planning.reproduction import AFTER_TRIAL, QUANTITIES, TAGS
from leaderboard.analysis.reproduction import (
    DIRECTION_FAILS,
    DIRECTION_HOLDS,
    DIRECTION_UNCLEAR,
    FAILS,
    HOLDS,
    NOT_MEASURED,
    NOT_REPRODUCED,
    REPRODUCED,
    Outcome,
    outcomes,
)
from leaderboard.judge.board import Board
from leaderboard.judge.rules import RULES
from leaderboard.pages.board_json import plain
from leaderboard.pages.page_model import Inline, Section, lines, one_line, strong
from leaderboard.pages.wording import probability
from leaderboard.pages.writers import markdown
from leaderboard.stats.seeds import LEAST_FOR_INTERVAL

SMALL = "small scale: not the paper's size"
_LOUD = (NOT_REPRODUCED, DIRECTION_FAILS, FAILS)
_WORDS = (
    *(REPRODUCED, NOT_REPRODUCED, DIRECTION_HOLDS, DIRECTION_FAILS, HOLDS, FAILS),
    *(DIRECTION_UNCLEAR, NOT_MEASURED),
)


def page(board: Board) -> str:
    """The page of a run that reproduces a work."""
    told, found = board.run.described["reproduction"], outcomes(board)
    small, held = told["scale"] == "small", [one for one in found if one.tolerance]
    text: list[Inline] = [strong(headline(found)), told["about"], *([_SMALL] if small else []), _seeds(board)]
    sections = [
        Section("", lines(text), ["", "this run"], _conditions(board)),
        _compared(held, small, _legend(found)),
    ]
    if len(held) < len(found):
        rows = [[one.claim.id, one.claim.text, _reported(one), one.reason or "–"] for one in found if not one.tolerance]
        header = ["claim", "what the paper says", "reported", "why not"]
        sections.append(Section("Not asked at this scale", header=header, rows=rows))
    header = ["claim", "where in the paper", "measured", "may differ because"]
    title = "Where each number comes from, and why it may differ"
    sections.append(Section(title, header=header, rows=[_source(one) for one in held]))
    return markdown.page(f"Reproduction: {told['work']}{f' ({SMALL})' if small else ''}", sections)


_SMALL = (
    "This run is smaller than the paper's in data, net and training. A verdict here says that a bound or a direction "
    "holds at this size; it confirms no figure of the paper."
)


def _seeds(board: Board) -> str:
    """What the numbers are over."""
    seeds = int(board.run.profile["seeds"])
    if seeds < LEAST_FOR_INTERVAL:
        few = "One seed" if seeds == 1 else f"{seeds} seeds"
        return f"{few}: what is measured has no interval, and another seed may say otherwise."
    return (
        f"Measured: the mean over {seeds} seeds with its 95 % interval (Student's t), which seeds that all agree don't "
        "give. The verdict is that of the mean; in how many seeds alone the tolerance is met stands beside it. A "
        "direction, above or below another claim, is unclear where the 95 % interval of the difference, seed by seed, "
        "contains 0."
    )


def headline(found: Sequence[Outcome]) -> str:
    """The counts; a bound that a trial had shown beforehand is counted apart."""
    late = [one for one in found if one.claim.declared]
    said = _counts([one for one in found if one not in late], "claim")
    return f"{said} Declared {AFTER_TRIAL} and not among them: {_counts(late, 'bound')}" if late else said


def _counts(found: Sequence[Outcome], what: str) -> str:
    counts = Counter(one.verdict for one in found)
    said = [f"{counts[word]} {word}" for word in _WORDS if counts[word]]
    return f"{len(found)} {what}{'s' if len(found) != 1 else ''}: {', '.join(said) or 'none'}."


def _conditions(board: Board) -> list[list[str]]:
    run, told = board.run.described, board.run.described["reproduction"]
    profile = board.run.profile
    used = {scheme["task"] for scheme in run["schemes"]}
    tracks = [track for track in run["data"] if track["task"] in used]
    budgets = ", ".join(f"{one['budget']:g} {one['unit']}" for one in tracks)
    ran = (record["run"] for record in board.run.records.values() if record["status"] == "ok")
    machines = sorted({f"{one['hardware']} ({one['device']})" for one in ran})
    return [
        ["paper", told["paper"]],
        ["scale", SMALL if told["scale"] == "small" else "full"],
        ["profile", f"{profile['name']}: {profile['about']}"],
        ["task, architecture", "; ".join(f"{one['task']}, {one['architecture']}" for one in tracks)],
        ["seeds", str(profile["seeds"])],
        ["unmarked models", ", ".join(f"{one['nulls']}" for one in tracks)],
        ["alpha, budget", f"{probability(board.alpha)}, {budgets}"],
        ["judged by", f"rules {RULES}"],
        ["hardware", "; ".join(machines) or "nothing has run"],
        ["command", run["command"]],
        ["claims and tolerances", f"fixed before the first job: SHA-256 {told['sha256']} of their file"],
    ]


def _compared(found: Sequence[Outcome], small: bool, legend: Section) -> Section:
    header = ["claim", "what the paper says", "reported", "measured", "difference", "tolerance", "verdict"]
    rows: list[list[Inline]] = [
        [
            one.claim.id,
            one.claim.text,
            _reported(one),
            _measured(one),
            "–" if one.difference is None else _number(one.difference, "+"),
            one.tolerance.text if one.tolerance else "–",
            _verdict(one, small),
        ]
        for one in found
    ]
    return Section("Reported and measured", header=header, rows=rows, parts=[legend])


def _reported(one: Outcome) -> str:
    """An unconfirmed figure is never shown as reported."""
    claim = one.claim
    text = "–" if claim.reported is None else _value(claim.reported, one)
    if claim.tag == "reported" or claim.reported is None:
        return text if claim.tag == "reported" else f"– ({claim.tag})"
    return f"{claim.tag}: {text}"


def _value(value: float | str | None, one: Outcome) -> str:
    if value is None or isinstance(value, str):
        return "–" if value is None else one_line(value)
    return f"{_number(value)} {one_line(one.claim.unit or QUANTITIES.get(one.claim.quantity, ''))}".strip()


def _measured(one: Outcome) -> str:
    """The value, and its interval where there is one."""
    if one.interval is None:
        return _value(one.value, one)
    low, high = map(_number, one.interval)
    return f"{_value(one.value, one)} [{low}, {high}]"


def _number(value: float, sign: str = "") -> str:
    """At most two digits behind the point, none that say nothing."""
    return f"{value:{sign}.2f}".rstrip("0").rstrip(".")


def _verdict(one: Outcome, small: bool) -> Inline:
    if one.verdict == NOT_MEASURED:
        return f"{NOT_MEASURED}: {one.reason or ''}"
    word = f"{one.verdict} (small scale)" if small else one.verdict
    word += f" in {one.held} of {len(one.readings)} seeds" if len(one.readings) > 1 else ""
    word += f", declared {one.claim.declared}" if one.claim.declared else ""
    return strong(word) if one.verdict in _LOUD else word


def _legend(found: Sequence[Outcome]) -> Section:
    tags = {one.claim.tag for one in found}
    rows = [[tag, meaning] for tag, meaning in TAGS.items() if tag in tags]
    if tags & {"unconfirmed", "ours"}:
        about = (
            "the bound is this project's, or the comparison is with an unconfirmed figure: it says nothing about that"
        )
        rows.append([f"{HOLDS}, {FAILS}", about])
    return Section(header=["word", "meaning"], rows=rows)


def _source(one: Outcome) -> list[Inline]:
    """Where the paper says it, the cell and the records that it was measured on, and why it may differ."""
    readings = (f"{_value(r.value, one)} (seed {r.seed}, record {r.record[:16] or '–'})" for r in one.readings)
    quantity = f"{one.claim.quantity} {one.claim.channel}".strip()
    measured = [f"{quantity} of {one.scheme} × {one.attack}: {'; '.join(readings)}"] if one.readings else []
    if one.reason:
        measured.append(f"not measured: {one.reason}")
    return [one.claim.id, one.claim.where, lines(measured), one.claim.why or "–"]


def summary(board: Board) -> str:
    """The claims as plain lines for a terminal."""
    found = outcomes(board)
    lines = [headline(found)]
    for one in found:
        why = one.reason or (one.tolerance.text if one.tolerance else "")
        lines.append(f"{one.verdict:<24}{one_line(one.claim.id):<26}{_value(one.value, one):>12}   {one_line(why)}")
    return "\n".join(lines)


def reproduction_json(board: Board) -> str:
    """`reproduction.json`: the same for programs, every number unrounded, records by their whole id."""
    told = board.run.described["reproduction"]
    found = {name: told[name] for name in ("work", "paper", "scale", "sha256")}
    found |= {"run": board.run.described["run"], "command": board.run.described["command"]}
    found |= {"profile": board.run.profile, "claims": [plain(one) for one in outcomes(board)]}
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
