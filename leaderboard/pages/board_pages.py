"""Which section stands on which page: `leaderboard.md` with the matrix, and the pages beside it that it links."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from leaderboard.analysis.auto import ensemble
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, Span, lines, strong
from leaderboard.pages.sections import (
    auto,
    changed,
    claims,
    costs,
    innocents,
    legend,
    matrix,
    outside,
    protocol,
    reasons,
    results,
    scores,
    sweeps,
)
from leaderboard.pages.sections.threat_model import threat_model
from leaderboard.pages.writers import markdown
from leaderboard.stats.utility_test import LEAST_GAIN

MAIN = "leaderboard.md"


@dataclass(frozen=True)
class Beside:
    """A page beside the main one: its title, what the link says of it, and its sections."""

    title: str
    about: str
    sections: Sequence[Callable[[Board], Section | None]]
    wanted: Callable[[Board], bool] = lambda board: True


BESIDE = {
    "scores.md": Beside(
        "Scores",
        "scores over seeds with intervals, cost to break, power, and curves of utility against evidence",
        (scores.scores_over_seeds, scores.cost_to_break, scores.power_of_boards, sweeps.curve_tables),
    ),
    "auto.md": Beside(
        "Survival under auto",
        "the number that orders schemes, setting by setting, and what each member of the ensemble adds",
        (auto.survival, auto.settings, auto.members),
        lambda board: ensemble(board) is not None,
    ),
    "claims.md": Beside(
        "Claims of thieves",
        "every claim, with and without commitment",
        (claims.claims,),
        lambda board: any(map(claims.is_judged_claim, board.cells)),
    ),
    "innocents.md": Beside(
        "Innocent models",
        "how often each scheme accuses models that never saw its mark",
        (innocents.false_alarms, innocents.near_misses, matrix.innocent_models),
    ),
    "channels.md": Beside(
        "Other channels",
        "channels beside the evidence, printed and never counted",
        (claims.channels,),
        lambda board: any(cell.channels for cell in board.owners()),
    ),
    "protocol.md": Beside(
        "Protocol",
        "threat model, fidelity and costs, other thresholds, data, versions and the command",
        (threat_model, costs.fidelity, costs.costs, protocol.thresholds, protocol.protocol),
    ),
    "changed.md": Beside(
        "Verdicts under earlier rules",
        "which verdicts are others than under the rules before, and why",
        (changed.changed,),
        changed.has_changed,
    ),
    "reasons.md": Beside("Reasons", "why a square has no outcome", (reasons.reasons,), reasons.has_reasons),
}


def markdown_pages(board: Board) -> dict[str, Callable[[], str]]:
    """What writes each markdown page of the board, by file name."""
    beside = {name: page for name, page in BESIDE.items() if page.wanted(board)}
    made: dict[str, Callable[[], str]] = {MAIN: partial(_main, board, beside)}
    return made | {name: partial(_beside, board, page) for name, page in beside.items()}


def _beside(board: Board, page: Beside) -> str:
    back = Section(text=(f"Read at alpha {wording.probability(board.alpha)}, budget {wording.budgets(board.shown)}. "
                         "The matrix stands in ", Span(MAIN, "link", MAIN), "."))  # fmt: skip
    sections = [section for build in page.sections if (section := build(board)) is not None]
    return markdown.page(f"{page.title}: {board.run.described['run']}", [back, *sections])


def _main(board: Board, beside: Mapping[str, Beside]) -> str:
    more: list[list[Inline]] = [[Span(name, "link", name), page.about] for name, page in beside.items()]
    sizes: list[Inline] = [(strong(f"{size}."), f" {numbers}") for size, numbers in results.headlines(board)]
    theirs = outside.outside(board)
    return markdown.page(
        f"Watermark robustness: {board.run.described['run']}",
        [
            Section(text=lines([*sizes, how_to_read(board)])),
            *filter(None, [auto.survival(board)]),
            Section(header=["page", "what it holds"], rows=more),
            matrix.matrix(board),
            results.by_board(board),
            results.ranked_schemes(board),
            results.ranked_attacks(board),
            *([theirs] if theirs else []),
            protocol.tasks(board),
            legend.legend(board),
        ],
    )


def how_to_read(board: Board) -> Inline:
    """What a square says, and how undecided ones are counted."""
    several = f"{wording.about_seeds(board)} ".lstrip()
    least = {"points": "does not beat the most frequent class", "dB": f"gains less than {LEAST_GAIN:g} dB"}
    useless = " or ".join(least[unit] for unit in dict.fromkeys(one.unit for one in board.shown))
    return (
        "Every square is one scheme under one attack: the verdict, what is left of the mark (hits out of key items, "
        f"the p-value, how it is known), and the change of utility in {wording.units(board.shown)}. A mark is "
        f"present where p <= {wording.probability(board.alpha)}; utility is lost beyond "
        f"{wording.budgets(board.shown)}, and of a model that {useless}. {several}{results.ABOUT_COUNTS} ",
        Span("5–6/7", "code"),
        " reads: 5 of 7, or 6 if the undecided one counts too. The ",
        Span("legend", "link", "#legend"),
        " explains every word.",
    )
