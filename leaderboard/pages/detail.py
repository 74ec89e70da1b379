"""Everything known of one cell, as plain text: `bench show`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from benchmark.errors import BenchError
from leaderboard.analysis.power import power
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.evidence import Evidence
from leaderboard.pages import wording
from leaderboard.pages.md_table import one_line
from leaderboard.pages.sections import scores


def find_cells(board: Board, words: Sequence[str]) -> list[Cell]:
    """The cells that `words` name: a scheme's and an attack's label, apart or joined by ` × ` or ` x `.

    `unmarked SCHEME` in place of the scheme names the innocents under its key. Raises BenchError with the close
    matches.
    """
    joined = " × ".join(words) if len(words) == 2 else " ".join(words).replace(" x ", " × ")
    scheme, _, attack = (part.strip() for part in joined.partition("×"))
    innocent = scheme.startswith("unmarked ")
    scheme = scheme.removeprefix("unmarked ").strip()
    schemes = list(dict.fromkeys(cell.scheme for cell in board.cells))
    attacks = list(dict.fromkeys(cell.attack for cell in board.cells))
    scheme, attack = _known("scheme", scheme, schemes), _known("attack", attack, attacks)
    found = board.at(scheme, attack, innocent=innocent)
    if not found:
        raise BenchError(f"this run has no cell {joined!r}: see its leaderboard.md")
    return found


def _known(what: str, name: str, known: Sequence[str]) -> str:
    """`name`, or the only label that begins with it."""
    if name in known:
        return name
    begins = [label for label in known if name and label.startswith(name)]
    if len(begins) == 1:
        return begins[0]
    near = begins or get_close_matches(name, known, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
    raise BenchError(f"this run has no {what} {name!r}: {hint}")


def describe_cell(board: Board, cell: Cell) -> str:
    """Verdict, evidence with both nulls, utility, gates, channels, cost and the records behind them."""
    lines = [f"{'unmarked under ' if cell.innocent else ''}{cell.scheme} × {cell.attack}, seed {cell.replicate}"]
    lines += [f"  {name:<14}{value}" for name, value in _facts(board, cell)]
    return "\n".join(one_line(line) if "\n" in line else line for line in lines)


def _facts(board: Board, cell: Cell) -> Iterator[tuple[str, str]]:
    flags = f" ({', '.join(cell.verdict.flags)})" if cell.verdict.flags else ""
    reason = f": {cell.verdict.reason}" if cell.verdict.reason else ""
    yield "verdict", f"{cell.verdict.word}{flags}{reason}, at {wording.read_at(board.part_of(cell).track)}"
    if cell.committed is not None:
        why = f": {cell.committed.reason}" if cell.committed.reason else ""
        yield "committed", f"{cell.committed.word}{why} (a court that asks for commitment)"
    for name, found in (("before", cell.before), ("after", cell.after)):
        if found is not None:
            yield from _evidence(name, found)
    if cell.utility is not None:
        use = cell.utility
        change = f"{wording.change_interval(use)} {use.unit}, {wording.utility_state(use)}"
        yield "utility", f"{change}: {wording.test_items(use)}"
    if (could := power(cell)) is not None:
        yield "power", scores.said(could)
    if cell.agreement is not None:
        yield "agreement", f"{wording.agreement(cell.agreement)} (with the delivered model, on the test set)"
    if cell.accuracy is not None:
        yield wording.LEVELS[cell.unit], wording.level(cell.accuracy, cell.unit, cell.ssim)
    for name, gate in cell.gates.items():
        yield f"gate {name}", f"{wording.change_interval(gate)} {gate.unit}, {gate.state}"
    for name, (delivered, suspect) in cell.channels.items():
        yield name, f"{wording.channel(delivered)} as delivered, {wording.channel(suspect)} in the suspect"
    if cell.cost is not None:
        cost = cell.cost
        used = f"{cost.labelled} labelled and {cost.unlabelled} unlabelled images, {cost.queries} queries"
        yield "cost", f"{wording.seconds(cost.seconds)}, {cost.peak_memory_mb:.0f} MB, {cost.steps} steps, {used}"
    for role, job in cell.jobs.items():
        record = board.run.records.get(job)
        yield role, f"{job}  {record['status'] if record else 'not run'}"


def _evidence(name: str, found: Evidence) -> Iterator[tuple[str, str]]:
    low, high = found.interval
    state = f"{found.state}{f' ({found.reason})' if found.reason else ''}"
    theta = "no total is enough" if found.theta is None else f"present from {found.theta:g}"
    yield name, f"{wording.evidence(found)}, {state}, 95 % interval of the rate {low:.3f}-{high:.3f}, {theta}"
    for test, log10_p in (("p_key", found.log10_p_key), ("p_null", found.log10_p_null)):
        if log10_p is not None:
            yield "", f"{test} {wording.p_value(log10_p)}"
    for pool, seen in found.pools.items():
        if seen["J"]:
            yield "", f"{pool} nulls: {wording.pool(seen)}"
