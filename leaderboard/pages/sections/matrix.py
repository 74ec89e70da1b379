"""The matrix: attacks as rows, schemes as columns, a page for each kind of attack."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from statistics import fmean, median

from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS
from leaderboard.analysis.auto import picks
from leaderboard.analysis.meetings import ensemble
from leaderboard.analysis.sweeps import THIEFS_CHOICE, choices
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.summaries import AttackRow
from leaderboard.pages import wording
from leaderboard.pages.bibliography import works_of
from leaderboard.pages.page_model import Inline, Section, Span, lines, strong
from leaderboard.pages.sections import over_seeds
from leaderboard.pages.sections.links import Links

_REJECTED = ("rejected", "no-court", "not-applicable")  # what a court that asks for commitment nearly always says


_ABOUT = (
    "A square gives the verdicts, each with the number of seeds in which it fell, the least and the greatest p-value "
    "of the mark that is left, which leads to all that is known of the square, and the mean change of utility in "
)
_ABOUT_CLAIMS = (
    "A square gives the verdicts of a court that can't see dates, each with the number of seeds in which it fell, and "
    "the least and the greatest p-value of the claims, which leads to all that is known of the square. A court that "
    "asks for keys committed before the release rejects every claim, except where a square says otherwise."
)


def matrix(board: Board, kind: str) -> Section:
    """Every square of one kind of attack, track by track, and what each of its settings did."""
    links, chosen = Links(board), choices(board)
    parts = []
    for part in board.parts:
        attacks = [row.label for row in part.attacks if row.kind == kind]
        schemes = [row.label for row in part.schemes]
        reached = [one for one in schemes if any(is_reached(board.at(one, label)) for label in attacks)]
        if attacks and schemes:
            rows: list[list[Inline]] = [
                [links.attack(label), *(square(board, links, one, label, chosen) for one in reached)]
                for label in attacks
            ]
            header: list[Inline] = ["attack", *(links.scheme(one) for one in reached)]
            unreached = [links.names.schemes[one] for one in schemes if one not in reached]
            text = about(part, kind) + (f" None of these can be run on {', '.join(unreached)}." if unreached else "")
            title = f"{part.track.task}, {part.track.kind}" if len(board.parts) > 1 else ""
            parts.append(Section(title, text, header if reached else (), rows if reached else ()))
    return Section(parts=parts)


def about(part: Board, kind: str) -> str:
    """What a square of a board of one task holds, under attacks of this kind."""
    said = [_ABOUT_CLAIMS] if kind in CLAIM_KINDS else [f"{_ABOUT}{part.track.unit}.", scratch(part)]
    return " ".join(filter(None, [*said, wording.ABOUT_ORACLES if kind in ORACLE_KINDS else ""]))


def is_reached(cells: Sequence[Cell]) -> bool:
    """Whether the square holds anything but the word that it can't be run."""
    return any(cell.verdict.word != "not-applicable" for cell in cells)


def square(board: Board, links: Links, scheme: str, attack: str, chosen: Collection[tuple[str, str]]) -> Inline:
    """The cells of one square in a few short lines; a dash where the attack can't be run."""
    cells = board.at(scheme, attack)
    if not is_reached(cells):
        return "–"
    believed = [cell.committed.word for cell in cells if cell.committed and cell.committed.word not in _REJECTED]
    p = over_seeds.p_values(cells)
    changes = [cell.utility.delta for cell in cells if cell.utility is not None and not cell.claim]
    return lines([
        over_seeds.verdicts(cells),
        *(strong(f"{one} with commitment") for one in wording.counted(believed, len(cells))),
        links.cells(scheme, attack, "why" if p == "–" else p),
        *([wording.change(fmean(changes), cells[0].unit)] if changes else []),
        *([THIEFS_CHOICE] if (scheme, attack) in chosen else []),
    ])  # fmt: skip


def auto_row(board: Board) -> Section | None:
    """The cells that stand for the ensemble, scheme by scheme; None where the run has none."""
    if (auto := ensemble(board)) is None:
        return None
    found: dict[str, list[Cell]] = {}
    for _, cell in picks(board):
        found.setdefault(cell.scheme, []).append(cell)
    links = Links(board)
    rows = [
        [links.scheme(label), over_seeds.verdicts(cells), over_seeds.p_values(cells), over_seeds.change(cells)]
        for label, cells in found.items()
    ]
    text = "The cell that stands for the ensemble in each seed: of the member that did best for the thief."
    header = ["scheme", f"auto (version {auto.version})", "p", f"change, {wording.units(board.shown)}"]
    return Section("What the ensemble did", text, header, rows)


def _by_kind(board: Board, row: Callable[[AttackRow], list[Inline]]) -> Iterator[tuple[str, list[list[Inline]]]]:
    """The rows of each kind of attack."""
    for kind in board.kinds:
        yield kind, [row(attack) for attack in board.attacks if attack.kind == kind]


def scratch(board: Board) -> str:
    """What the scratch control of a board of one task reaches, and what the star means; nothing where it has none."""
    if not board.scratch:
        return ""
    found = [wording.score(value, board.track.unit) for value in sorted(board.scratch)]
    several = f" (median; {found[0]} to {found[-1]} over {len(found)} seeds)" if len(found) > 1 else ""
    middle = wording.score(median(board.scratch), board.track.unit)
    reached = f"Training anew on the same images (scratch) reaches {middle}{several}."
    return f"{reached} removed{wording.STAR}: no better than that."


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
