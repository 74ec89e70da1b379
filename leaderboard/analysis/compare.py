"""Two runs side by side: which cells changed beyond chance, and which verdicts got worse for the owner.

A cell's evidence is compared by a two-sample test of the suspects' hits (Fisher's exact test, Fisher 1935; Welch's
t, 1947, for real scores), its utility by the paired outcomes of the two suspects on the same test set (McNemar
1947, exact; Student's paired t for PSNR). The items are the sample: a small p means that these two suspects differ, not
why. All tests of one comparison are one family, corrected by Holm (1979) at 5 %. Cells whose suspect was judged by the
same job with the same result are the same record, not a comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from benchmark.errors import BenchError
from benchmark.store.run_description import DescribedThief
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.results import observations, outcomes
from leaderboard.judge.run import Run
from leaderboard.stats.scores import ChannelTotal, total_of
from leaderboard.stats.tails import FAMILY_LEVEL, holm
from leaderboard.stats.two_sample import fisher, mcnemar, paired_t, welch
from leaderboard.stats.utility_test import ItemOutcomes, paired, unit_of

# How good an outcome is for the owner. A verdict that is not here is none: the job failed, or the pair can't be run.
_GOOD = {
    "survived": 2, "utility-lost": 2, "rejected": 2, "not-marked": 2,
    "undecided": 1,
    "removed": 0, "unprovable": 0, "embed-failed": 0, "forged": 0, "false-positive": 0,
}  # fmt: skip

CellKey = tuple[str, str, bool, int, DescribedThief]  # scheme, attack, innocent, replicate, thief


@dataclass(frozen=True)
class TwoSampleTest:
    """One two-sample test: what of (`evidence` or `utility`), by which test, its p and Holm's adjusted p.

    channel, totals: of evidence, what was tested, in A and in B.
    """

    what: str
    name: str
    p: float
    adjusted: float = 1.0
    channel: str = ""
    totals: tuple[ChannelTotal, ...] = ()

    @property
    def beyond_chance(self) -> bool:
        return self.adjusted <= FAMILY_LEVEL


@dataclass(frozen=True)
class Change:
    """One cell in both runs. `step`: below 0 worse for the owner, above 0 better, None where one has no verdict."""

    before: Cell
    after: Cell
    step: int | None
    tests: tuple[TwoSampleTest, ...]

    @property
    def beyond_chance(self) -> bool:
        return any(test.beyond_chance for test in self.tests)

    @property
    def reworded(self) -> bool:
        return words(self.before) != words(self.after)


@dataclass(frozen=True)
class Comparison:
    """Cells of two runs A and B. `same`: cells of the same records; `new` only in B, `gone` only in A."""

    changes: Sequence[Change]
    same: int
    new: Sequence[Cell]
    gone: Sequence[Cell]

    @property
    def tests(self) -> int:
        return sum(len(change.tests) for change in self.changes)

    @property
    def worse(self) -> list[Change]:
        return [change for change in self.changes if change.step is not None and change.step < 0]

    @property
    def better(self) -> list[Change]:
        return [change for change in self.changes if change.step is not None and change.step > 0]

    @property
    def unjudged(self) -> list[Change]:
        """Cells that have no verdict in one of the runs, or in either."""
        return [change for change in self.changes if change.step is None and change.reworded]

    @property
    def lost(self) -> list[Cell]:
        """Cells of A with a verdict that have none in B, or are not there at all."""
        unjudged = [change.before for change in self.unjudged if _good(change.after) is None]
        return [cell for cell in (*unjudged, *self.gone) if _good(cell) is not None]

    @property
    def shifted(self) -> list[Change]:
        """Cells as good as before whose evidence or utility changed beyond chance all the same."""
        return [change for change in self.changes if change.step == 0 and change.beyond_chance]


def compare(a: Board, b: Board) -> Comparison:
    """Compare two boards.

    Raises BenchError where they are of different tasks, were judged at other thresholds or only one of them strictly,
    or have no cell in common.
    """
    shown = [{track.task for track in board.shown} for board in (a, b)]
    if shown[0].isdisjoint(shown[1]):
        tasks = " and ".join(", ".join(sorted(names)) for names in shown)
        raise BenchError(f"the two runs are of different tasks, {tasks}: compare runs of the same task")
    read, again = ({one.task: (one.alpha, one.budget, one.strict) for one in board.tracks} for board in (a, b))
    if any(read[task] != again[task] for task in read.keys() & again.keys()):
        raise BenchError("two runs are compared at one alpha and one budget on each task, both strictly or neither")
    old, new = ({key_of(cell): cell for cell in (*board.cells, *board.beside)} for board in (a, b))
    both = [key for key in old if key in new]
    if not both:
        raise BenchError(
            "the two runs have no cell in common: compare runs of the same schemes, attacks, seeds and thieves' images"
        )
    if moved := next((key for key in both if old[key].task != new[key].task), None):
        tasks = f"{old[moved].task} in one run and on {new[moved].task} in the other"
        raise BenchError(f"{moved[0]} was tested on {tasks}: compare runs of the same task")
    images = [{(track.task, track.sha256) for track in board.tracks} for board in (a, b)]
    same_images = {task for task, _ in images[0] & images[1]}
    tests = {key: _tests(a.run, old[key], b.run, new[key], same_images) for key in both}
    adjusted = iter(holm([test.p for found in tests.values() for test in found or ()]))
    changes = []
    for key, found in tests.items():
        corrected = tuple(replace(test, adjusted=next(adjusted)) for test in found or ())
        changes.append(Change(old[key], new[key], _step(old[key], new[key]), corrected))
    return Comparison(
        changes,
        same=sum(found is None for found in tests.values()),
        new=[cell for key, cell in new.items() if key not in old],
        gone=[cell for key, cell in old.items() if key not in new],
    )


def key_of(cell: Cell) -> CellKey:
    """What a cell is called in every run."""
    return cell.scheme, cell.attack, cell.innocent, cell.replicate, cell.thief


def _good(cell: Cell) -> list[int] | None:
    """How good each court's verdict is for the owner; None where a court has none."""
    verdicts = [verdict for verdict in (cell.verdict, cell.committed) if verdict is not None]
    if any(verdict.word not in _GOOD for verdict in verdicts):
        return None
    return [_GOOD[one.word] for one in verdicts]


def _step(before: Cell, after: Cell) -> int | None:
    old, new = _good(before), _good(after)
    if old is None or new is None or len(old) != len(new):
        return None
    steps = [n - o for o, n in zip(old, new, strict=True)]
    return min(steps) if min(steps) < 0 else max(steps)


def _tests(a: Run, before: Cell, b: Run, after: Cell, same_images: Set[str]) -> list[TwoSampleTest] | None:
    """The tests of one cell; None where both runs hold the very same records of it. same_images: of which tasks."""
    roles = ("judged", "suspect" if before.innocent else "attacked")
    jobs = [(before.jobs.get(role), after.jobs.get(role)) for role in roles]
    if before.jobs and all(old == new and a.result(old) == b.result(new) for old, new in jobs):
        return None
    judged, suspect = jobs
    deciding = [(one.after.view if one.after else None) or one.channel for one in (after, before)]
    found = [_evidence_test(observations(a, judged[0]), observations(b, judged[1]), deciding)]
    if before.task == after.task and before.task in same_images:
        found.append(_utility_test(outcomes(a, suspect[0]), outcomes(b, suspect[1])))
    return [test for test in found if test is not None]


def _evidence_test(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], deciding: Sequence[str]
) -> TwoSampleTest | None:
    """Fisher's exact test of two suspects' hits on one channel, Welch's t for scores; None where one was not read.

    deciding: the channels that decide the cell in B and in A, where they are not the scheme's own. The first of them
    that both suspects show is tested, else the scheme's own; None where they have no channel in common.
    """
    if not before or not after or before[0]["unreadable"] is not None or after[0]["unreadable"] is not None:
        return None
    seen = before[0], after[0]
    names = (*deciding, after[0]["evidence"], before[0]["evidence"])
    channel = next((name for name in names if all(name in one["channels"] for one in seen)), None)
    if channel is None:
        return None
    old, new = (one["channels"][channel] for one in seen)
    totals = total_of(old), total_of(new)
    if "hits" in old and "hits" in new:
        counts = ((one["hits"].count("1"), len(one["hits"])) for one in (old, new))
        return TwoSampleTest("evidence", "Fisher", fisher(*counts), channel=channel, totals=totals)
    if "values" in old and "values" in new and min(len(old["values"]), len(new["values"])) > 1:
        p = welch(old["values"], new["values"])
        return TwoSampleTest("evidence", "Welch", p, channel=channel, totals=totals)
    return None


def _utility_test(before: ItemOutcomes | None, after: ItemOutcomes | None) -> TwoSampleTest | None:
    """McNemar's test of right and wrong answers, Student's paired t of PSNR; None where the items aren't the same."""
    if before is None or after is None or unit_of(before) != unit_of(after):
        return None
    name = "correct" if unit_of(before) == "points" else "psnr"
    if len(before[name]) != len(after[name]):
        return None
    if name == "psnr":
        return TwoSampleTest("utility", "paired t", paired_t(before[name], after[name]))
    losses, gains, _ = paired(before[name], after[name])
    return TwoSampleTest("utility", "McNemar", mcnemar(losses, gains))


def words(cell: Cell) -> str:
    """A cell's verdict with its flags and, for a claim, that of the court that asks for commitment."""
    word = cell.verdict.word
    word += f" ({', '.join(cell.verdict.flags)})" if cell.verdict.flags else ""
    return word if cell.committed is None else f"{word}, {cell.committed.word} with commitment"
