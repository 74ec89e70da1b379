"""Which section stands on which page: `leaderboard.md`, and the pages beside it that it links."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmark.files import regular
from leaderboard.analysis.meetings import ensemble
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, Span, joined, lines, listed, moved
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
from leaderboard.pages.sections.first_page.attacks import attacks
from leaderboard.pages.sections.first_page.families import families
from leaderboard.pages.sections.first_page.findings import findings
from leaderboard.pages.sections.first_page.limits import limits
from leaderboard.pages.sections.first_page.picture import heat_map
from leaderboard.pages.sections.first_page.situations import situations
from leaderboard.pages.sections.first_page.what_was_run import WHAT_IT_IS_ABOUT, what_was_run
from leaderboard.pages.sections.threat_model import threat_model
from leaderboard.pages.short_names import names, slugs
from leaderboard.pages.writers import markdown

MAIN = "leaderboard.md"
_FORMER = ("channels.md",)  # pages that boards had, once
_HEAD = 4_000  # bytes of a page in which it leads back to the first


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
        sections = [moved(section, "../") for section in sections]
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
        with regular(path) as file:
            return file.read(_HEAD).decode(errors="replace")
    except OSError:
        return ""


def _main(board: Board, beside: Mapping[str, Beside]) -> str:
    return markdown.page(
        f"Watermark robustness: {board.run.described['run']}",
        [
            Section(text=lines([WHAT_IT_IS_ABOUT, what_was_run(board)])),
            findings(board),
            *filter(None, [heat_map(board)]),
            *families(board),
            attacks(board),
            *filter(None, [situations(board), outside.outside(board)]),
            limits(board),
            _other_pages(beside),
        ],
    )


def _other_pages(beside: Mapping[str, Beside]) -> Section:
    """The pages beside the first one, those of a kind in one row."""
    rows: list[list[Inline]] = []
    for start, about in _SETS:
        named = [(page.title, name) for name, page in beside.items() if name.startswith(start)]
        if named:
            rows.append([joined([listed([Span(title, "link", name) for title, name in named])]), about])
    single = [name for name in beside if not name.startswith(tuple(start for start, _ in _SETS))]
    rows += [[Span(name, "link", name), beside[name].about] for name in single]
    return Section("Other pages", header=["page", "what it holds"], rows=rows)


_SETS = (
    ("matrix-", "every square of one kind of attack: the verdict, the evidence, the change of utility"),
    ("schemes/", "all of one scheme: settings, costs, and its cells under every attack"),
    ("attacks/", "all of one attack: what it needs, what it costs, and what it did to every scheme"),
)
