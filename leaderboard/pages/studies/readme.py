"""What the README shows of the published boards: the picture, findings and situations of one, and the list of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from leaderboard.judge.board import Board
from leaderboard.pages.page_model import Inline, Section, Span, joined, moved, strong
from leaderboard.pages.sections.first_page.findings import findings
from leaderboard.pages.sections.first_page.picture import HEAT_MAP
from leaderboard.pages.sections.first_page.situations import situations
from leaderboard.pages.sections.first_page.what_was_run import what_was_run
from leaderboard.pages.studies.published_index import by_task
from leaderboard.pages.writers import markdown

INDEX_PAGE = "leaderboard/README.md"
SHOWN = "quick"  # the board that the README speaks of
_SHARE = "Share of marks that withstood, schemes against families of attacks"


def readme(boards: Mapping[str, Board], text: str) -> str:
    """`text`, a README, with what follows from the published boards between its marks.

    Raises ValueError where a mark is missing.
    """
    for name, made in (("findings", _findings(boards[SHOWN])), ("boards", _boards(boards))):
        text = markdown.inserted(text, name, made)
    return text


def _findings(board: Board) -> str:
    folder = f"leaderboard/published/{SHOWN}/"
    found, choice = findings(board), situations(board)
    picture: Inline = Span(_SHARE, "image", f"{folder}{HEAT_MAP}")
    whole = Span("The whole board", "link", "leaderboard.md")
    about = joined([what_was_run(board), " ", whole, ". ", found.text])
    parts = [Section(text=picture), replace(found, title="", text=about)]
    if choice is not None:
        title = strong("Which scheme for which situation?")
        parts.append(replace(choice, title="", text="", header=[title, *choice.header[1:]]))
    return "\n\n".join(markdown.text(moved(part, folder)) for part in parts)


def _boards(boards: Mapping[str, Board]) -> str:
    found = by_task(boards, "leaderboard/published/")
    index = Span("every published run", "link", INDEX_PAGE)
    every: list[Inline] = ["all", (index, ", with one finding each, reproductions of the works and error rates")]
    return markdown.text(replace(found, rows=[*found.rows, every]))
