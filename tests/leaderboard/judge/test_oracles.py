"""Attacks that were given the owner's key: shown on boards of their own, and nothing is ordered by them."""

from __future__ import annotations

from typing import Any

from markdown_text import page, pages

from leaderboard.pages.sections.results import headlines, ranked_attacks, ranked_schemes
from leaderboard.pages.sections.scores import cost_to_break
from leaderboard.pages.wording import ABOUT_ORACLES


def test_the_key_oracle_boards_are_shown_and_rank_nothing(case: Any) -> None:
    """Told its key, `weak` falls; without it both schemes are alike."""
    for scheme, hits in (("weak", 5), ("sound", 96)):
        shared = case.scheme(scheme)
        case.hit(shared, scheme, "prune", 96)
        case.hit(shared, scheme, "unlearn", hits, kind="oracle-removal")
    board = case.board()
    assert [cell.verdict.word for cell in board.owners("oracle-removal")] == ["removed", "survived"]
    assert (board.kinds, board.ranked_kinds) == (["removal", "oracle-removal"], ["removal"])
    told = {name for name, one in pages(board).items() if ABOUT_ORACLES in one}
    assert told >= {"matrix-oracle-removal.md", "attacks/unlearn.md", "schemes/weak.md", "schemes/sound.md"}
    assert told.isdisjoint({"matrix-removal.md", "attacks/prune.md", "scores.md"})
    assert "oracle-removal: 1 held, 0 useless, 1 broken of 2 marks" in " ".join(said for _, said in headlines(board))
    for ordered in (ranked_schemes(board), cost_to_break(board)):
        said = " ".join(map(str, [*ordered.header, *(cell for row in ordered.rows for cell in row)]))
        assert "oracle" not in said
        assert "unlearn" not in said
    assert [part.text for part in ranked_attacks(board).parts] == ["", ABOUT_ORACLES]


def test_a_page_without_them_does_not_speak_of_them(case: Any) -> None:
    case.hit(case.scheme("adi"), "adi", "prune", 96)
    board = case.board()
    assert ABOUT_ORACLES not in page(board)
