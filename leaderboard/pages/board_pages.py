"""Which section stands on which page: `leaderboard.md`, and the pages beside it that it links."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from leaderboard.analysis.auto import ensemble
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, Span, lines, one_folder_down, strong
from leaderboard.pages.sections import (
    auto,
    changed,
    claims,
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
from leaderboard.pages.sections.by_plugin.attack import attack_sections
from leaderboard.pages.sections.by_plugin.scheme import scheme_sections
from leaderboard.pages.sections.threat_model import threat_model
from leaderboard.pages.short_names import names, slugs
from leaderboard.pages.writers import markdown
from leaderboard.stats.utility_test import LEAST_GAIN

MAIN = "leaderboard.md"
_FORMER = ("channels.md",)  # pages that boards had, once
_HEAD = 4_000  # letters of a page in which it leads back to the first


@dataclass(frozen=True)
class Beside:
    """A page beside the main one: its title, what the link says of it, and its sections."""

    title: str
    about: str
    sections: Callable[[Board], Sequence[Section | None]]
    wanted: Callable[[Board], bool] = lambda board: True


BESIDE = {
    "scores.md": Beside(
        "Scores",
        "scores over seeds with intervals, cost to break, power, and curves of utility against evidence",
        lambda board: [
            results.ranked_schemes(board),
            scores.scores_over_seeds(board),
            scores.cost_to_break(board),
            scores.power_of_boards(board),
            sweeps.curve_tables(board),
        ],
    ),
    "auto.md": Beside(
        "Survival under auto",
        "the number that orders schemes, setting by setting, and what each member of the ensemble adds",
        lambda board: [auto.survival(board), auto.settings(board), matrix.auto_row(board), auto.members(board)],
        lambda board: ensemble(board) is not None,
    ),
    "claims.md": Beside(
        "Claims of thieves",
        "every claim, with and without commitment",
        lambda board: [claims.claims(board)],
        lambda board: any(map(claims.is_judged_claim, board.cells)),
    ),
    "innocents.md": Beside(
        "Innocent models",
        "how often each scheme accuses models that never saw its mark",
        lambda board: [innocents.false_alarms(board), innocents.near_misses(board), innocents.innocent_models(board)],
    ),
    "protocol.md": Beside(
        "Protocol",
        "what every thief has, counts of every verdict, other thresholds, data, versions and the command",
        lambda board: [threat_model(board), protocol.tasks(board), results.by_board(board), protocol.thresholds(board),
                       protocol.protocol(board)],
    ),
    "changed.md": Beside(
        "Verdicts under earlier rules",
        "which verdicts are others than under the rules before, and why",
        lambda board: [changed.changed(board)],
        changed.has_changed,
    ),
    "reasons.md": Beside(
        "Reasons", "why a square has no outcome", lambda board: [reasons.reasons(board)], reasons.has_reasons
    ),
    "legend.md": Beside(
        "Legend",
        "what every verdict, flag and short name means",
        lambda board: [legend.legend(board), legend.labels(board)],
    ),
}  # fmt: skip


def pages_beside(board: Board) -> dict[str, Beside]:
    """The pages beside the main one, by their address from its folder."""
    named = names(board)
    matrices = {
        f"matrix-{slug}.md": Beside(f"Matrix, {kind}", f"every square of the kind {kind}", partial(_of_kind, kind=kind))
        for kind, slug in slugs(board.kinds).items()
    }
    fixed = {name: page for name, page in BESIDE.items() if page.wanted(board)}
    schemes = {
        f"schemes/{slug}.md": Beside(
            name, f"the scheme {name}: settings, costs, and its cells under every attack",
            partial(scheme_sections, family=name),
        )
        for name, slug in named.family_pages.items()
    }  # fmt: skip
    attacks = {
        f"attacks/{slug}.md": Beside(
            name, f"the attack {name}: what it needs, costs and did", partial(attack_sections, name=name)
        )
        for name, slug in named.attack_pages.items()
    }
    return matrices | fixed | schemes | attacks


def _of_kind(board: Board, kind: str) -> list[Section]:
    """The page of one kind of attack: its matrix, and its settings, the worst first."""
    found = [matrix.matrix(board, kind)]
    if kind != "control":
        own = board.only(attacks=[row.label for row in board.attacks if row.kind == kind])
        found.append(replace(results.ranked_attacks(own), title="Its attacks, the worst first"))
    return found


def markdown_pages(board: Board) -> dict[str, Callable[[], str]]:
    """What writes each markdown page of the board, by its address from the board's folder."""
    beside = pages_beside(board)
    made: dict[str, Callable[[], str]] = {MAIN: partial(_main, board, beside)}
    return made | {name: partial(_beside, board, name, page) for name, page in beside.items()}


def _beside(board: Board, name: str, page: Beside) -> str:
    back = Section(text=(f"Read at alpha {wording.probability(board.alpha)}, budget {wording.budgets(board.shown)}. "
                         "The first page is ", Span(MAIN, "link", MAIN), "; ", Span("legend.md", "link", "legend.md"),
                         " explains words and names."))  # fmt: skip
    sections = [back, *filter(None, page.sections(board))]
    if "/" in name:
        sections = [one_folder_down(section) for section in sections]
    return markdown.page(f"{page.title}: {board.run.described['run']}", sections)


def stale(folder: Path, pages: Collection[str]) -> Iterator[Path]:
    """The markdown pages in `folder` of a board that was written there before, which are not among `pages`.

    Of files whose names follow from a board, those alone that lead back to its first page as its own do.
    """
    yield from (folder / name for name in (*BESIDE, *_FORMER) if name not in pages)
    for pattern, main in (("matrix-*.md", MAIN), ("schemes/*.md", f"../{MAIN}"), ("attacks/*.md", f"../{MAIN}")):
        for path in folder.glob(pattern):
            if path.relative_to(folder).as_posix() not in pages and f"]({main})" in _head(path):
                yield path


def _head(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_HEAD)
    except OSError:
        return ""


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
            results.ranked_schemes(board),
            results.ranked_attacks(board),
            *([theirs] if theirs else []),
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
        Span("legend", "link", "legend.md"),
        " explains every word.",
    )
