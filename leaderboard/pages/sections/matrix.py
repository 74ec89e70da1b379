"""The matrix: attacks as rows, schemes as columns, one table for each kind of attack."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from statistics import median

from benchmark.vocabulary import CLAIM_KINDS
from leaderboard.analysis.auto import ensemble, picks
from leaderboard.analysis.sweeps import THIEFS_CHOICE, choices
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.summaries import AttackRow
from leaderboard.pages import wording
from leaderboard.pages.bibliography import works_of
from leaderboard.pages.page_model import Inline, Section, Span, lines, per_task, strong

_ALARMS = (
    "removed", "unprovable", "forged", "false-positive", "inconsistent", "unreadable", "crashed", "timeout", "oom",
)  # fmt: skip


@per_task
def matrix(board: Board) -> Section:
    """Every square with its verdict and what backs it."""
    columns = [scheme.label for scheme in board.schemes]
    chosen = choices(board)

    def row(attack: AttackRow) -> list[Inline]:
        return [attack.label, *(_square(board, scheme, attack.label, chosen) for scheme in columns)]

    header = ["attack", *columns]
    parts = [
        Section(kind.capitalize(), "" if kind in CLAIM_KINDS else scratch(board), header, rows)
        for kind, rows in _by_kind(board, row)
    ]
    return Section("The matrix", parts=[*_auto(board), *parts])


def _auto(board: Board) -> list[Section]:
    """A row for the ensemble, where the run has it: the cell that stands for it at each seed."""
    if (auto := ensemble(board)) is None:
        return []
    found: dict[str, list[Cell]] = {}
    for _, cell in picks(board):
        found.setdefault(cell.scheme, []).append(cell)
    columns = [scheme.label for scheme in board.schemes]
    row = [f"auto (version {auto.version})", *(_lines(wording.square(found.get(label, []))) for label in columns)]
    return [Section("Auto", "The best of an ensemble of thieves, seed by seed.", ["attack", *columns], [row])]


def _by_kind(board: Board, row: Callable[[AttackRow], list[Inline]]) -> Iterator[tuple[str, list[list[Inline]]]]:
    """The rows of each kind of attack."""
    for kind in board.kinds:
        yield kind, [row(attack) for attack in board.attacks if attack.kind == kind]


def squares(board: Board) -> Section:
    """The same square by square, in two columns: for a run of a few squares, on a terminal."""
    rows: list[list[Inline]] = []
    for attack in board.attacks:
        for scheme in board.schemes:
            if cells := board.at(scheme.label, attack.label):
                verdict, *rest = wording.square(cells)
                said = strong(verdict) if verdict.startswith(_ALARMS) else verdict
                rows.append([f"{scheme.label} × {attack.label}", lines([said, ", ".join(rest)])])
    return Section("", _scratch(board), ["scheme × attack", "verdict, mark left, change of utility"], rows)


def scratch(board: Board) -> str:
    """What the scratch control of a board of one task reaches, and what the star means; nothing where it has none."""
    if not board.scratch:
        return ""
    found = [wording.score(value, board.track.unit) for value in sorted(board.scratch)]
    several = f" (median; {found[0]} to {found[-1]} over {len(found)} seeds)" if len(found) > 1 else ""
    middle = wording.score(median(board.scratch), board.track.unit)
    reached = f"Training anew on the same images (scratch) reaches {middle}{several}."
    return f"{reached} removed{wording.STAR}: no better than that."


def _scratch(board: Board) -> Inline:
    """What the scratch control reaches on each task."""
    found = {part.track.task: scratch(part) for part in board.parts}
    said = [f"{task}: {text}" if len(found) > 1 else text for task, text in found.items() if text]
    return lines(said) if said else ""


@per_task
def innocent_models(board: Board) -> Section:
    """Every verdict on models without a mark, under each scheme's key."""
    labels = dict.fromkeys(cell.attack for cell in board.cells if cell.innocent and cell.jobs)
    columns = [scheme.label for scheme in board.schemes]
    rows = [[label, *(_square(board, scheme, label, innocent=True) for scheme in columns)] for label in labels]
    return Section("Every verdict on an innocent model", header=["unmarked, after", *columns], rows=rows)


def _square(
    board: Board, scheme: str, attack: str, chosen: Collection[tuple[str, str]] = (), *, innocent: bool = False
) -> Inline:
    choice = [THIEFS_CHOICE] if (scheme, attack) in chosen else []
    return _lines([*wording.square(board.at(scheme, attack, innocent=innocent)), *choice])


def _lines(said: Sequence[str]) -> Inline:
    """The lines of a square, what harms the owner in strong."""
    return lines(strong(line) if leading_word(line) in _ALARMS else line for line in said)


def leading_word(line: str) -> str:
    """The verdict that a line of a square begins with, without its star."""
    return line.split(" ")[0].rstrip(wording.STAR)


def short_matrix(board: Board) -> Section:
    """The matrix of one track for a paper: verdict and power of ten of p, or counts over seeds; labels cite works."""
    seeds = int(board.run.profile["seeds"])
    shown = (
        "verdict and power of ten of the p-value of what is left of the mark"
        if seeds == 1
        else "verdicts, each with the number of seeds in which it fell"
    )
    title = (
        f"Robustness of watermarks on {board.track.task} ({'one seed' if seeds == 1 else f'{seeds} seeds'}; run "
        f"{board.run.described['run']}): {shown}, at α = {wording.probability(board.alpha)} and a utility budget of "
        f"{board.track.budget:g} {board.track.unit}.{f' {anew}' if (anew := scratch(board)) else ''}"
    )
    header = ["attack", *(_cited(row.label, row.described["paper"]) for row in board.schemes)]

    def row(attack: AttackRow) -> list[Inline]:
        squares = (_short(board.at(scheme.label, attack.label), seeds > 1) for scheme in board.schemes)
        return [_cited(attack.label, attack.described["paper"]), *squares]

    return Section(title, parts=[Section(kind, header=header, rows=rows) for kind, rows in _by_kind(board, row)])


def _cited(label: str, paper: str) -> Inline:
    keys = ",".join(work.key for work in works_of(paper))
    return (label, Span(keys, "cite")) if keys else label


def _short(cells: Sequence[Cell], counted: bool) -> str:
    words = [wording.outcome(cell) for cell in cells]
    if set(words) <= {"not-applicable"}:
        return "–"
    if counted:
        return ", ".join(wording.counted(words, len(cells)))
    after = cells[0].after
    if after is None:
        return words[0]
    if wording.is_unreadable(after):
        return f"{words[0]} unreadable"
    marks = [after.grade] * (after.grade == "extrapolated") + ["inverted"] * after.inverted
    return " ".join([words[0], _power(after.log10_p), *marks])


def _power(log10_p: float) -> str:
    if log10_p == -float("inf"):
        return "p=0"
    digits = f"{log10_p:.1f}" if log10_p > -10 else f"{log10_p:.0f}"
    return "0" if float(digits) == 0 else digits.replace("-", "−")
