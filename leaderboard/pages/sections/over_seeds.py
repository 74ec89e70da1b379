"""What the cells of one square came to: its seeds in one row of a table, a column for each thing that was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean, median

from leaderboard.analysis.sweeps import THIEFS_CHOICE
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.evidence import Evidence
from leaderboard.judge.summaries import work_share
from leaderboard.judge.verdicts import NO_BETTER_THAN_SCRATCH, USELESS, Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, lines, strong
from leaderboard.stats.scores import ChannelTotal
from leaderboard.stats.tails import wilson

ALARMS = (
    "removed", "unprovable", "forged", "false-positive", "inconsistent", "unreadable", "crashed", "timeout", "oom",
)  # fmt: skip
SAID_ELSEWHERE = ("forged", "rejected", "undecided")  # words whose reason stands beside them, or in a column
MARK = ("verdict", "withstood [95 %]", "mark left", "p", "of a host", "notes")
CLAIM = ("verdict", "with commitment", "evidence for the claim", "p", "gates", "why rejected")
_ABOUT = (
    "One row is one setting under one attack, its seeds together: matrix.csv has them one by one. Withstood: seeds in "
    "which the thief did not win, with a 95 % interval (Wilson). Mark left: how many of the key's items the thief's "
    "model still answers as the key says, or their mean score, the least and the most; p: how often a key drawn anew "
    "would do as well, likewise, with the word that says how it is known (legend.md). Of a host: the thief's median "
    "work over that of training one net. "
)


def about(board: Board) -> str:
    """What the columns of `mark_row` and `claim_row` hold."""
    several = int(board.run.profile["seeds"]) > 1
    change = "the mean over the seeds, the worst and the best" if several else "with its 90 % interval"
    return f"{_ABOUT}Change: of utility, {change}."


def header(board: Board, claims: bool) -> list[str]:
    """The columns of `claim_row` or of `mark_row` for a board of one task."""
    return [*CLAIM] if claims else [*MARK[:4], f"change, {board.track.unit}", *MARK[4:]]


def mark_row(board: Board, cells: Sequence[Cell], *, chosen: bool = False) -> list[Inline]:
    """A marked net under an attack, as `header` names the columns. board: of its task; chosen: the thief's choice."""
    shares = [share for cell in cells if (share := work_share(cell.cost, board.host_operations)) is not None]
    notes = [*_notes(cells), *([THIEFS_CHOICE] if chosen else [])]
    return [verdicts(cells), _withstood(cells), *_evidence(cells), change(cells),
            wording.of_a_host(median(shares) if shares else None), lines(notes)]  # fmt: skip


def claim_row(cells: Sequence[Cell]) -> list[Inline]:
    """A thief's claim before both courts, as `header` names the columns."""
    committed = [cell.committed.word for cell in cells if cell.committed]
    return [verdicts(cells), lines(_counted(committed, len(cells))), *_evidence(cells), lines(_gates(cells)),
            lines(_why_rejected(cells) or _notes(cells))]  # fmt: skip


def verdicts(cells: Sequence[Cell]) -> Inline:
    """The verdicts, the most frequent first, what harms the owner in strong."""
    words = _counted((wording.verdict(cell) for cell in cells), len(cells))
    return lines(strong(word) if leading_word(word) in ALARMS else word for word in words)


def leading_word(line: str) -> str:
    """The verdict that a line of a square begins with, without its star."""
    return line.split(" ")[0].rstrip(wording.STAR)


def p_values(cells: Sequence[Cell]) -> str:
    """The least and the greatest p-value: `10^-97 to 10^-75 exact`; a dash where there is no evidence."""
    found = sorted((one.log10_p, one.grade) for one in _read(cells))
    if not found:
        return "–"
    (least, grade), (greatest, other) = found[0], found[-1]
    if grade != other:
        return f"{wording.graded(least, grade)} to {wording.graded(greatest, other)}"
    return " to ".join(dict.fromkeys((wording.p_value(least), wording.p_value(greatest)))) + f" {grade}"


def change(cells: Sequence[Cell]) -> str:
    """The change of utility, a bare number: of several seeds the mean, the worst and the best."""
    found = [cell.utility for cell in cells if cell.utility is not None]
    if not found:
        return "–"
    if len(cells) == 1:
        return wording.change_interval(found[0])
    losses = sorted(one.delta for one in found)
    ends = [wording.change(end, found[0].unit) for end in (losses[-1], losses[0])]
    mean = wording.change(fmean(losses), found[0].unit)
    return mean if ends[0] == ends[1] else f"{mean} ({ends[0]} to {ends[1]})"


def channels(cells: Sequence[Cell]) -> Inline:
    """Channels beside the evidence, as delivered → in the suspect; of several seeds the least and the most."""
    names = dict.fromkeys(name for cell in cells for name in cell.channels)
    found = ((name, [cell.channels[name] for cell in cells if name in cell.channels]) for name in names)
    return lines(f"{name} {_span(one for one, _ in pairs)} → {_span(one for _, one in pairs)}" for name, pairs in found)


def _counted(words: Iterable[str], n: int) -> list[str]:
    return wording.counted(words, n) if n > 1 else list(words)


def _read(cells: Sequence[Cell]) -> list[Evidence]:
    return [cell.after for cell in cells if cell.after is not None and not wording.is_unreadable(cell.after)]


def _withstood(cells: Sequence[Cell]) -> str:
    tally = Tally.of(cell.verdict for cell in cells)
    if not tally.judged:
        return "–"
    low, high = wilson(tally.withstood, tally.judged)
    interval = f" [{low:.2f}, {high:.2f}]" if tally.judged > 1 else ""
    return f"{wording.rejected(tally)}{interval}"


def _evidence(cells: Sequence[Cell]) -> list[str]:
    """How much of the key hits, and the p-values."""
    found = _read(cells)
    return [_span(ChannelTotal(int(one.total) if one.kind == "count" else one.total, one.n) for one in found),
            p_values(cells)]  # fmt: skip


def _span(those: Iterable[ChannelTotal | None]) -> str:
    """The least and the greatest of these totals: `92–96/96`, `0.31 to 0.35 (n 40)`."""
    found = sorted((one for one in those if one is not None), key=lambda one: one.total / one.n)
    if not found:
        return "–"
    least, greatest = found[0], found[-1]
    ends = list(dict.fromkeys(map(wording.channel, (least, greatest))))
    if len(ends) == 2 and least.n == greatest.n and isinstance(least.total, int):
        return f"{least.total}–{ends[1]}"
    return " to ".join(ends)


def _notes(cells: Sequence[Cell]) -> Iterator[str]:
    """Flags, what the court could not read, and why there is no outcome; how often, where not in every seed."""
    said: list[str] = []
    for cell in cells:
        said += [wording.flag(cell, one) for one in cell.verdict.flags if one not in (NO_BETTER_THAN_SCRATCH, USELESS)]
        if cell.verdict.reason and cell.verdict.word not in SAID_ELSEWHERE:
            said.append(cell.verdict.reason)
        if (seen := cell.after) is not None:
            said += ["unreadable: no evidence"] * wording.is_unreadable(seen) + ["inverted"] * seen.inverted
            said += [f"in the view {seen.view}"] * bool(seen.view)
    for text, times in Counter(said).items():
        yield text if times == len(cells) else f"{text} ({times}/{len(cells)})"
    found = [cell.agreement for cell in cells if cell.kind == "function-preserving" and cell.agreement]
    if found:
        yield wording.agreement(min(found, key=lambda one: (one.labels or 0.0, -one.largest_gap)))


def _gates(cells: Sequence[Cell]) -> Iterator[str]:
    """Each gate: what became of it, and the change that it saw."""
    for name in dict.fromkeys(name for cell in cells for name in cell.gates):
        found = [cell.gates[name] for cell in cells if name in cell.gates]
        if len(cells) == 1:
            yield f"{name}: {wording.gate(found[0])}"
            continue
        states = ", ".join(wording.counted((one.state for one in found), len(found)))
        mean = wording.change(fmean(one.delta for one in found), found[0].unit)
        yield f"{name}: {states}, mean {mean} {found[0].unit}"


def _why_rejected(cells: Sequence[Cell]) -> list[str]:
    """Why no court, or only the one that asks for commitment, rejects these claims."""
    said = []
    for cell in cells:
        committed = f"with commitment: {cell.committed.reason}" if cell.committed and cell.committed.reason else None
        if (reason := cell.verdict.reason or committed) and cell.verdict.word != "undecided":
            said.append(reason)
    return [text if times == len(cells) else f"{text} ({times}/{len(cells)})" for text, times in Counter(said).items()]
