"""The page of an audit: every number is that of the board, and nothing is fetched."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from leaderboard.analysis.protection import advised
from leaderboard.pages.cell_facts import find_cells
from leaderboard.pages.sections.auto import count
from leaderboard.pages.studies.audit import audit_page, in_short, write_audit

from ..conftest import published_board

BOARD = "fmnist"  # judged fast


def test_the_schemes_stand_in_their_order_with_their_numbers() -> None:
    board = published_board(BOARD)
    title, sections = audit_page(board)
    assert title == "What would protect this model: convnet on fashion-mnist-small"
    (table,) = [one for one in sections if one.title == "Schemes"]
    read = advised(board, "weights")[-1]
    assert [row[1] for row in table.rows] == [count(one.survival) for one in read.schemes]
    served = {one.name: one.survival for one in advised(board, "api")[0].schemes}
    assert [row[2] for row in table.rows] == [count(served[one.name]) for one in read.schemes]


def test_what_breaks_a_scheme_is_told_from_the_cheapest_on() -> None:
    board = published_board(BOARD)
    (table,) = [one for one in audit_page(board)[1] if one.title == "What breaks them"]
    own = [row for row in table.rows if row[0] == "passport"]
    assert own[0][1:5] == ["sign-flip", "weights", "7/7", "0.0016 %"]
    assert [row[3] for row in own[1:]] != []


def test_what_was_not_tested_is_said_without_squares_that_have_an_outcome() -> None:
    (section,) = [one for one in audit_page(published_board(BOARD))[1] if one.title == "Not tested, and why"]
    assert "false-claim" in str(section.text)
    assert {row[0] for row in section.rows} == {"not-applicable", "no-court"}


def test_both_forms_are_whole_and_fetch_nothing(tmp_path: Path) -> None:
    board = published_board(BOARD)
    markdown, html = (path.read_text() for path in write_audit(board, tmp_path))
    assert [one.title for one in in_short(board)] == ["In short"]
    assert re.findall(r"https?://|<script|<img|<link", html) == []
    for title in ("In short", "Schemes", "What breaks them", "Not tested, and why", "Limits", "Make it again"):
        assert f"## {title}\n" in markdown
        assert f"<h2>{title}</h2>" in html
    commands = [shlex.split(one) for one in re.findall(r"`(bench show .*)`", markdown)]
    assert commands
    assert all(find_cells(board, words[2:4]) for words in commands)
    assert "`bench audit --profile fmnist" in markdown
