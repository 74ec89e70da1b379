"""All that a board knows of one attack at all its settings: what it needs, what it costs, and what it did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmark.vocabulary import CLAIM_KINDS
from leaderboard.analysis.auto import gains
from leaderboard.analysis.sweeps import choices
from leaderboard.judge.board import Board
from leaderboard.judge.verdicts import Tally
from leaderboard.pages.page_model import Inline, Section, Span, link
from leaderboard.pages.sections import auto, costs, matrix, results
from leaderboard.pages.sections.by_plugin.settings import settings
from leaderboard.pages.sections.links import Links
from leaderboard.pages.sections.threat_model import attack_facts
from leaderboard.pages.short_names import attack_name

_ABOUT = (
    f"Counts are of settings of schemes and seeds; the other numbers are medians over them. {results.ABOUT_COUNTS} "
    "Change: of utility. Against unmarked: the same, measured from an unmarked net that was trained as long as the "
    f"marked one. Tiers: {results.ABOUT_TIERS}"
)


def attack_sections(board: Board, name: str) -> list[Section]:
    """The sections of an attack's page, given the name of its plug-in, or those of a chain's stages with plus signs."""
    own = board.only(attacks=[row.label for row in board.attacks if attack_name(row.described) == name])
    return [
        *_about(board, own),
        replace(results.ranked_attacks(own), title="What it did", text=_ABOUT),
        *_squares(board, own),
        *_innocents(own),
        costs.costs(own),
        *_in_the_ensemble(board, own),
    ]


def _about(board: Board, own: Board) -> Iterator[Section]:
    first = dict(attack_facts(board, own.attacks[0].described))
    facts: list[list[Inline]] = [
        [name, link(first[name]) if name == "source" else first[name]]
        for name in ("kind, family", "the thief needs", "the thief knows", "the thief has", "source")
        if first[name]
    ]
    yield Section(text=first["attack"], header=["what", "value"], rows=facts)
    links = Links(board)
    yield settings(
        (links.attacked(row.label), links.names.attacks[row.label], row.label,
         [stage["parameters"] for stage in row.described["stages"]])
        for row in own.attacks
    )  # fmt: skip


def _squares(board: Board, own: Board) -> Iterator[Section]:
    """Its squares, a row for each scheme that it can be run on."""
    links, chosen = Links(board), choices(board)
    for part in own.parts:
        labels = [row.label for row in part.attacks]
        rows: list[list[Inline]] = [
            [links.scheme(one.label), *(matrix.square(board, links, one.label, label, chosen) for label in labels)]
            for one in part.schemes
            if any(matrix.is_reached(part.at(one.label, label)) for label in labels)
        ]
        if rows:
            on = f", {part.track.task}" if len(own.parts) > 1 else ""
            text = matrix.about(part, part.attacks[0].kind)
            yield Section(
                f"Against each scheme{on}", text, ["scheme", *(links.names.attacks[one] for one in labels)], rows
            )


def _innocents(own: Board) -> Iterator[Section]:
    """How often keys accused models that never bore a mark, after this attack."""
    if own.attacks[0].kind in CLAIM_KINDS:
        return
    tally = Tally.of(cell.verdict for cell in own.cells if cell.innocent)
    if judged := tally.count("not-marked", "false-positive"):
        said = (
            f"{tally.count('false-positive')} of {judged} verdicts on innocent models after this attack accuse them: "
        )
        yield Section("Innocent models", (said, Span("innocents.md", "link", "innocents.md"), "."))


def _in_the_ensemble(board: Board, own: Board) -> Iterator[Section]:
    """What its settings add to `auto`, where they are members of it."""
    labels = {row.label for row in own.attacks}
    rows = [auto.gain(part, one) for part in board.parts for one in gains(part) if one.member in labels]
    if rows:
        yield Section(
            "As a member of auto",
            (
                "Auto is a fixed set of attacks. Alone: marks that no other of them broke. Added: marks that it breaks "
                "behind those that add more. More in ",
                Span("auto.md", "link", "auto.md"),
                ".",
            ),
            auto.ADDS,
            rows,
            "lrrrlr",
        )
