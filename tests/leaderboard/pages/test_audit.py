"""The page of an audit: every number is that of the board, and nothing is fetched."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from leaderboard.analysis.protection import advised
from leaderboard.pages.cell_facts import find_cells
from leaderboard.pages.sections.auto import count
from leaderboard.pages.studies.audit import audit_page, in_short, write_audit

from ..conftest import published_board

BOARD = "cifar10-small-0.1"  # judged fast


def test_the_schemes_stand_in_their_order_with_their_numbers() -> None:
    board = published_board(BOARD)
    title, sections = audit_page(board)
    assert title == "What would protect this model: convnet on cifar10-small"
    (table,) = [one for one in sections if one.title == "Schemes"]
    read = advised(board, "weights")[-1]
    assert [row[1] for row in table.rows] == [count(one.survival) for one in read.schemes]
    served = {one.name: one.survival for one in advised(board, "api")[-1].schemes}
    assert [row[2] for row in table.rows] == [count(served[one.name]) for one in read.schemes]


def test_what_breaks_a_scheme_is_told_from_the_cheapest_on() -> None:
    board = published_board(BOARD)
    (table,) = [one for one in audit_page(board)[1] if one.title == "What breaks them"]
    own = [row for row in table.rows if row[0] == "passport"]
    assert own[0][1:5] == ["sign-flip", "weights", "3/3", "0.00074 %"]
    assert [row[3] for row in own[1:]] != []


def test_what_survived_served_answers_alone_is_not_told_of_released_weights(case: Any) -> None:
    case.attack("distill", access="labels")
    for scheme, status in (("adi", "ok"), ("rose", "crashed")):
        shared = case.scheme(scheme)
        case.hit(shared, scheme, "distill", 96)
        case.hit(shared, scheme, "prune", 5, status=status)
    survived = "1/1 [0.21, 1.00]"
    tables = {one.title: one.rows for one in audit_page(case.board())[1]}
    assert [row[1:3] for row in tables["Schemes"]] == [["0/1 [0.00, 0.79]", survived], ["–", survived]]
    assert [row[:2] for row in tables["What breaks them"]] == [["adi", "prune"]]


def test_the_cells_of_a_run_that_lies_elsewhere_are_found(full: Any) -> None:
    board = full.board()
    for results, ending in (("results", ""), ("my runs", " --results 'my runs'")):
        (section,) = [one for one in audit_page(board, Path(results))[1] if one.title == "Make it again"]
        assert f"bench show adi unprovable --run made-up{ending}" in [getattr(one, "text", "") for one in section.text]


def test_what_was_not_tested_is_said_without_squares_that_have_an_outcome() -> None:
    (section,) = [one for one in audit_page(published_board(BOARD))[1] if one.title == "Not tested, and why"]
    assert "false-claim" in str(section.text)
    assert {row[0] for row in section.rows} == {"embed-failed", "no-court", "not-applicable"}


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
    assert "`bench audit --profile cifar10-small" in markdown
