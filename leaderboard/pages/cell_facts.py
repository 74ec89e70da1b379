"""Everything that backs one cell, in words, section by section: what a cell of the HTML page opens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmark.vocabulary import ORACLE_KINDS
from leaderboard.analysis.power import power
from leaderboard.analysis.sweeps import THIEFS_CHOICE, Curve
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.evidence import Evidence
from leaderboard.judge.summaries import work_share
from leaderboard.pages import wording
from leaderboard.pages.md_table import one_line
from leaderboard.pages.reproduce_command import reproduce
from leaderboard.stats.tails import rarity

Facts = list[tuple[str, str]]


def cell_facts(board: Board, cell: Cell, curves: Sequence[Curve] = ()) -> dict[str, Any]:
    """One cell for the page: its seed, titled lists of (name, value), its command, and its curves.

    All texts are on one line each, without control signs or marks that change the direction of reading.
    """
    sections = [(title, facts) for title, facts in _sections(board, cell) if facts]
    return {
        "seed": cell.replicate,
        "sections": [
            [title, [[one_line(name), one_line(value)] for name, value in facts]] for title, facts in sections
        ],
        "command": reproduce(board, cell),
        "curves": [_curve(curve) for curve in curves],
    }


def _sections(board: Board, cell: Cell) -> Iterator[tuple[str, Facts]]:
    yield "Verdict", list(_verdict(board, cell))
    yield "Evidence in the suspect", list(_evidence(cell.after))
    yield "Evidence in the model as delivered", list(_evidence(cell.before))
    yield "Utility", list(_utility(cell))
    yield (
        "Other channels, printed and never counted",
        [
            (name, f"{wording.channel(delivered)} as delivered, {wording.channel(suspect)} in the suspect")
            for name, (delivered, suspect) in cell.channels.items()
        ],
    )
    yield "Cost", list(_cost(board, cell))
    yield "Records", [(role, _record(board, job)) for role, job in cell.jobs.items()]


def _verdict(board: Board, cell: Cell) -> Iterator[tuple[str, str]]:
    yield "verdict", cell.verdict.word
    if cell.verdict.reason:
        yield "reason", cell.verdict.reason
    for flag in cell.verdict.flags:
        yield "flag", f"{flag}: {wording.LEGEND.get(flag, 'a plug-in’s own flag')}"
    if cell.committed is not None:
        why = f": {cell.committed.reason}" if cell.committed.reason else ""
        yield "with commitment", f"{cell.committed.word}{why}"
    yield "read at", wording.read_at(board.part_of(cell).track)
    yield "the word means", wording.LEGEND.get(cell.verdict.word, "–")


def _evidence(found: Evidence | None) -> Iterator[tuple[str, str]]:
    if found is None:
        return
    if wording.is_unreadable(found):
        yield "observed", f"unreadable, so no evidence: {found.reason}"
        return
    count = found.kind == "count"
    low, high = found.interval
    yield "observed", wording.total(found.total, found.n, count) + (" hits" if count else " mean score")
    yield "rate", f"{found.rate:.3f}, 95 % interval {low:.3f} to {high:.3f}"
    yield "state", f"{found.state}{f' ({found.reason})' if found.reason else ''}"
    yield "p", f"{wording.p_value(found.log10_p)}, the larger of the two below"
    yield "p_key", _p(found.log10_p_key, "was the key chosen independently of this suspect?")
    if found.log10_p_key is not None:
        yield "rarity", f"{rarity(found.log10_p_key):.0f} bits, -log2 of p_key: the R of Kallas & Furon 2022"
    yield "p_null", _p(found.log10_p_null, "would an unmarked model score this with this key?")
    yield "grade", f"{found.grade}: {wording.GRADES[found.grade]}"
    yield "present from (theta)", _total(found.theta, found.n, count)
    yield "with unlimited nulls (theta0)", _total(found.theta0, found.n, count)
    yield "upper bound of the rate", f"{found.upper:.3f}, one-sided 95 %"
    for pool, seen in found.pools.items():
        if seen["J"]:
            yield (
                f"{pool} nulls",
                (f"{wording.pool(seen)}, {wording.p_value(seen['log10_p'] or 0.0)}"),
            )


def _p(log10_p: float | None, question: str) -> str:
    return f"{'no such test here' if log10_p is None else wording.p_value(log10_p)} ({question})"


def _total(value: float | None, n: int, count: bool) -> str:
    return "no total is enough" if value is None else wording.total(value, n, count)


def _utility(cell: Cell) -> Iterator[tuple[str, str]]:
    if cell.utility is not None:
        use = cell.utility
        yield "change", f"{wording.change_interval(use)} {use.unit} (90 % interval), {wording.utility_state(use)}"
        yield "test items", wording.test_items(use)
    could = power(cell)
    if could is not None:
        kept = "none" if could.kept is None else f"{could.kept:.{wording.DIGITS[could.unit]}f}"
        lost = "none" if could.lost is None else f"{could.lost:.{wording.DIGITS[could.unit]}f}"
        same = "gains" if could.unit == "points" else "spread"
        yield "power", f"kept up to a loss of {kept} {could.unit}, lost from {lost} {could.unit}, with the same {same}"
    if cell.accuracy is not None:
        yield wording.LEVELS[cell.unit], wording.level(cell.accuracy, cell.unit, cell.ssim)
    if cell.agreement is not None:
        yield "against the delivered model", wording.agreement(cell.agreement)
    for name, gate in cell.gates.items():
        yield f"gate: {name}", f"{wording.change_interval(gate)} {gate.unit}, {gate.state}"


def _cost(board: Board, cell: Cell) -> Iterator[tuple[str, str]]:
    cost = cell.cost
    if cost is None:
        return
    yield "device time", f"{wording.seconds(cost.seconds)}, peak memory {cost.peak_memory_mb:.0f} MB"
    relative = work_share(cost, board.part_of(cell).host_operations)
    if relative is not None:
        yield "counted work", f"{wording.of_a_host(relative)} of training a host"
    yield (
        "used",
        (
            f"{cost.steps:,} steps over {cost.samples:,} samples; {cost.labelled:,} labelled and "
            f"{cost.unlabelled:,} unlabelled images; {cost.queries:,} queries"
        ),
    )


def _record(board: Board, job: str) -> str:
    record = board.run.records.get(job)
    return f"{job} ({record['status'] if record else 'not run'})"


def _curve(curve: Curve) -> dict[str, Any]:
    rows = [
        [
            f"{point.value:g}" + (f" ({THIEFS_CHOICE})" if point.value == curve.choice else ""),
            f"{point.utility_change:+.{wording.DIGITS[curve.unit]}f}",
            wording.p_value(point.log10_p),
            f"{point.rate:.3g}",
            one_line(point.verdict),
        ]
        for point in curve.points
    ]
    header = [one_line(curve.field), f"utility, {curve.unit}", "evidence", "rate", "verdict"]
    return {"title": f"Curve of {one_line(curve.attack)}", "header": header, "rows": rows}


def scheme_threat(described: Mapping[str, Any]) -> Facts:
    """The threat model of a column: what leaves the house, and what the court sees."""
    return _given(
        ("scheme", described["doc"]),
        ("runs on", described["task"] or "no task of this run"),
        ("leaves the house", described["release"]),
        ("the court sees", described["court"]),
        ("starts from", "a trained net" if described["host"] else "nothing"),
        ("parameters", wording.parameters(described["parameters"])),
        ("source", described["paper"]),
        ("expected, and written down before any run", described.get("expected_failure") or ""),
        ("forgery expected, and written down before any run", described.get("expected_forgery") or ""),
    )


def attack_threat(described: Mapping[str, Any], thief: Mapping[str, Any]) -> Facts:
    """The threat model of a row: what the thief needs, knows and has."""
    blind = described["target"] == "none"
    knows = [f"a scheme with {one}" for one in described["requires"]]
    if described["claim"] or described["requires"]:
        knows.append("the scheme's code")
    told = "and the owner's key" if described["kind"] in ORACLE_KINDS else "never a key"
    return _given(
        ("attack", described["doc"]),
        ("kind, family", ", ".join(dict.fromkeys((described["kind"], described["family"])))),
        ("the thief needs", "his own data only" if blind else described["access"]),
        ("the thief knows", ", ".join(knows)),
        ("the thief has", f"{100 * thief['share']:g} % of the {thief['pool']} pool of images; {told}"),
        ("parameters", "; ".join(filter(None, (wording.parameters(one["parameters"]) for one in described["stages"])))),
        ("source", described["paper"]),
    )


def _given(*facts: tuple[str, str]) -> Facts:
    return [(name, one_line(value)) for name, value in facts if one_line(value)]
