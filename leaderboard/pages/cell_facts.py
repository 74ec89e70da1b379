"""Everything that backs one cell, in words: `bench show`, and what a square of the HTML page opens."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from benchmark.description import did_you_mean
from benchmark.errors import BenchError
from benchmark.plugins.parameters import first_few
from benchmark.store.retry import retrying
from leaderboard.analysis.power import power
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.evidence import Evidence
from leaderboard.judge.summaries import work_share
from leaderboard.pages import wording
from leaderboard.pages.page_model import one_line
from leaderboard.pages.reproduce_command import reproduce
from leaderboard.pages.sections import scores
from leaderboard.pages.sections.threat_model import Facts
from leaderboard.stats.null_tests import grade_of
from leaderboard.stats.tails import rarity

SECTIONS = (
    "Verdict",
    "Evidence in the suspect",
    "Evidence in the model as delivered",
    "Utility",
    "Other channels, printed and never counted",
    "Cost",
    "Records",
)
MEANING: Mapping[str, str] = {  # of a fact's name, said once for all cells of a page
    "p": "p_key where its law is exact, else the larger of p_key and p_null; of several views the least, as often",
    "p_key": "was the key chosen independently of this suspect?",
    "p_null": "would an unmarked model score this with this key?",
    "against unmarked": "change from an unmarked net that was trained as long as the delivered one",
    "innocents": "the check beside an exact p_key: how many unmarked models score as high, and p by rank",
    "rarity": "-log2 of p_key: the R of Kallas & Furon 2022",
}


def find_cells(board: Board, words: Sequence[str]) -> list[Cell]:
    """The cells that `words` name: a scheme's and an attack's label, apart or joined by ` × ` or ` x `.

    The beginning of a label will do where no other has it. `unmarked SCHEME` in place of the scheme names the
    innocents under its key. Raises BenchError with the close matches.
    """
    joined = " × ".join(words) if len(words) == 2 else " ".join(words).replace(" x ", " × ")
    scheme, _, attack = (part.strip() for part in joined.partition("×"))
    innocent = scheme.startswith("unmarked ")
    scheme = scheme.removeprefix("unmarked ").strip()
    schemes = list(dict.fromkeys(cell.scheme for cell in board.cells))
    attacks = list(dict.fromkeys(cell.attack for cell in board.cells))
    if not board.cells:
        raise BenchError("this run has no cells")
    if not (scheme and attack):
        raise BenchError(f"name a scheme and an attack, such as {shlex.join((schemes[0], attacks[0]))}")
    scheme, attack = _known("scheme", scheme, schemes), _known("attack", attack, attacks)
    found = board.at(scheme, attack, innocent=innocent)
    if not found:
        raise BenchError(f"this run has no cell {joined!r}: see its leaderboard.md")
    return found


def _known(what: str, name: str, known: Sequence[str]) -> str:
    """`name`, or the only label that begins with it."""
    if name in known:
        return name
    begins = [label for label in known if label.startswith(name)]
    if len(begins) == 1:
        return begins[0]
    if begins:
        several = f"{name!r} is {len(begins)} {what}s of this run"
        raise BenchError(f"{several}: write one of {first_few([repr(label) for label in begins])}")
    raise BenchError(f"this run has no {what} {name!r}: {did_you_mean(name, known, 'there are')}")


def describe_cell(board: Board, cell: Cell) -> str:
    """The facts of a cell as plain text, and the command that reproduces it."""
    lines = [one_line(f"{wording.square_name(cell)}, seed {cell.replicate}")]
    for title, facts in cell_facts(board, cell):
        lines += [title, *(f"  {name:<22} {value}" for name, value in facts)]
    if cell.verdict.word == "crashed":
        lines += ["Run it again", f"  {retrying(board.run.described['command'], 'crashed')}"]
    return "\n".join([*lines, "Reproduce this cell", f"  {reproduce(board, cell)}"])


def cell_facts(board: Board, cell: Cell) -> list[tuple[str, Facts]]:
    """Titled lists of (name, value), each text on one line without control signs or marks of direction."""
    return [
        (title, [(one_line(name), one_line(value)) for name, value in facts])
        for title, made in _sections(board, cell)
        if (facts := list(made))
    ]


def _sections(board: Board, cell: Cell) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    facts = (
        _verdict(board, cell),
        evidence_facts(cell.after),
        iter(board.once(("delivered", id(cell.before)), lambda: list(evidence_facts(cell.before)))),  # of many cells
        _utility(cell),
        _channels(cell),
        _cost(board, cell),
        ((role, _record(board, job)) for role, job in cell.jobs.items()),
    )
    yield from zip(SECTIONS, facts, strict=True)


def _verdict(board: Board, cell: Cell) -> Iterator[tuple[str, str]]:
    yield "verdict", cell.verdict.word
    if cell.verdict.reason:
        yield "reason", cell.verdict.reason
    for flag in cell.verdict.flags:
        yield "flag", flag
    if cell.channel:
        yield "decided by", f"the channel {cell.channel}, which this attack names"
    if cell.overlap is not None:
        yield "key images held", f"{cell.overlap.held} of {cell.overlap.of} were among the thief's own images"
    if cell.committed is not None:
        why = f": {cell.committed.reason}" if cell.committed.reason else ""
        yield "with commitment", f"{cell.committed.word}{why}"
    yield "read at", wording.read_at(board.part_of(cell).track)


def evidence_facts(found: Evidence | None) -> Iterator[tuple[str, str]]:
    """What was seen of a mark and what it weighs, in (name, value) pairs; nothing for None."""
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
    yield "p", wording.graded(found.log10_p, found.grade)
    if found.inverted:
        yield "inverted", "it is the misses that prove the mark: bits and signs are judged on both sides"
    if found.view is not None:
        yield "view", f"{found.view}, of {found.tries} that the question was put to"
        yield "every view", ", ".join(_view(found, name) for name in found.views)
    yield "p_key", _p(found.log10_p_key, found.key_grade)
    if found.log10_p_key is not None:
        yield "rarity", f"{rarity(found.log10_p_key):.0f} bits {found.key_grade}"
    yield "p_null", _p(found.log10_p_null, found.null_grade)
    yield "grade", found.grade
    if (one := found.innocents) is not None:
        yield "innocents", f"{one.as_high} of {one.of} as high, p={one.rank_p:.2g} by rank"
    yield "present from (theta)", _total(found.theta, found.n, count)
    yield "unlimited nulls", f"{_total(found.theta0, found.n, count)} (theta0)"
    yield "upper bound", f"{found.upper:.3f} for the rate, one-sided 95 %"
    for pool, seen in found.pools.items():
        if seen["J"]:
            log10_p = seen["log10_p"] or 0.0
            yield f"{pool} nulls", f"{wording.pool(seen)}, {wording.graded(log10_p, grade_of(log10_p, int(seen['J'])))}"


def _view(found: Evidence, name: str) -> str:
    return f"{name} {wording.channel(found.views[name])}{' (decided)' if name == found.view else ''}"


def _p(log10_p: float | None, grade: str | None) -> str:
    return "no such test here" if log10_p is None else wording.graded(log10_p, grade)


def _total(value: float | None, n: int, count: bool) -> str:
    return "no total is enough" if value is None else wording.total(value, n, count)


def _utility(cell: Cell) -> Iterator[tuple[str, str]]:
    if cell.utility is not None:
        use = cell.utility
        yield "change", f"{wording.change_interval(use)} {use.unit} (90 % interval), {wording.utility_state(use)}"
        yield "test items", wording.test_items(use)
    if (twin := cell.against_twin) is not None:
        yield "against unmarked", f"{wording.change_interval(twin)} {twin.unit} (90 % interval), {twin.state}"
    if (could := power(cell)) is not None:
        yield "power", scores.said(could)
    if cell.accuracy is not None:
        yield wording.LEVELS[cell.unit], wording.level(cell.accuracy, cell.unit, cell.ssim)
    if cell.agreement is not None:
        yield "against the delivered", wording.agreement(cell.agreement)
    for name, gate in cell.gates.items():
        yield f"gate: {name}", wording.gate(gate)


def _channels(cell: Cell) -> Iterator[tuple[str, str]]:
    for name, (delivered, suspect) in cell.channels.items():
        yield name, f"{wording.channel(delivered)} as delivered, {wording.channel(suspect)} in the suspect"


def _cost(board: Board, cell: Cell) -> Iterator[tuple[str, str]]:
    if (cost := cell.cost) is None:
        return
    yield "device time", f"{wording.seconds(cost.seconds)}, peak memory {cost.peak_memory_mb:.0f} MB"
    if (relative := work_share(cost, board.part_of(cell).host_operations)) is not None:
        yield "counted work", f"{wording.of_a_host(relative)} of training a host"
    images = f"{cost.labelled:,} labelled and {cost.unlabelled:,} unlabelled images"
    yield "used", f"{cost.steps:,} steps over {cost.samples:,} samples; {images}; {cost.queries:,} queries"


def _record(board: Board, job: str) -> str:
    record = board.run.records.get(job)
    return f"{job} ({record['status'] if record else 'not run'})"
