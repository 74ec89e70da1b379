"""The pages beside the first one: every judged cell is on one, every link leads somewhere, and none is too large."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from markdown_text import lost_links, pages, places, shown, tables

from leaderboard.judge.board import Board
from leaderboard.pages.board_pages import BESIDE, MAIN, markdown_pages
from leaderboard.pages.export import matrix_csv, write_pages

from ..conftest import published_board

LARGEST = 200_000  # bytes: a code host shows no markdown page above some hundred thousand
Cells = Counter[tuple[str, str, bool, str]]  # scheme, attack, whether unmarked, verdict


@cache
def quick() -> tuple[Board, Mapping[str, str]]:
    board = published_board("quick-0.1")
    return board, pages(board)


def judged(board: Board) -> Cells:
    """What matrix.csv holds, one for each seed; of unmarked models without those that no attack could be run on."""
    lines = csv.DictReader(io.StringIO(matrix_csv(board)))
    return Counter(
        (line["scheme"], line["attack"], innocent, line["verdict"])
        for line in lines
        if not (innocent := line["innocent"] == "True") or line["verdict"] != "not-applicable"
    )


def on_pages(board: Board, found: Mapping[str, str]) -> Cells:
    """The same, read off the markdown pages alone; a reader of leaderboard.html would be another such function."""
    seeds = int(board.run.profile["seeds"])
    schemes, attacks = (dict(map(_named, table[1:])) for table in tables(found["legend.md"].split("## Names")[1]))
    cells: Cells = Counter()
    for name in (one for one in found if one.startswith("schemes/")):
        own = [schemes[row[0]] for row in _under(found[name], "setting", "label")]
        attack = ""
        for row in _under(found[name], "attack", "setting"):
            attack = row[0] or attack
            for word, n in _words(row[2]):
                cells[schemes[row[1]], attacks[attack], False, word] += n
        for attack, on, _ in _under(found[name], "attack", "on", "why"):
            those = own if on == "every setting" else [schemes[one] for one in on.split(", ")]
            cells.update({(scheme, attacks[attack], False, "not-applicable"): seeds for scheme in those})
    for header, *body in tables(found["innocents.md"]):
        if header[0] == "unmarked, after":
            for label, *squares in (list(map(shown, row)) for row in body):
                for short, square in zip(map(shown, header[1:]), squares, strict=True):
                    for word, n in _alarms(square):
                        cells[schemes[short], attacks.get(label, label), True, word] += n
    for row in _under(found.get("auto.md", ""), "scheme", "auto"):
        for word, n in _words(row[1]):
            cells[schemes[row[0]], "auto", False, word] += n
    return +cells


def _named(row: list[str]) -> tuple[str, str]:
    return shown(row[0]), shown(row[1])


def _under(text: str, *header: str) -> list[list[str]]:
    """The rows, as they are shown, of every table whose header begins like this."""
    found = (table for table in tables(text) if all(a.startswith(b) for a, b in zip(table[0], header, strict=False)))
    return [list(map(shown, row)) for table in found for row in table[1:]]


def _words(square: str) -> list[tuple[str, int]]:
    """The verdicts of a square and how many seeds each has: `survived (useless) 2/5<br>removed* 3/5`."""
    found = (re.fullmatch(r"([\w-]+)\*?(?: \(.*\))?(?: (\d+)/\d+)?", line) for line in square.split("<br>"))
    return [(one[1], int(one[2] or 1)) for one in found if one]


def _alarms(square: str) -> list[tuple[str, int]]:
    """The verdicts of a square of innocents: `1/5 p=0.12 exact`, other words behind it."""
    first, *rest = square.split("<br>")
    if (counts := re.match(r"(\d+)/(\d+)", first)) is None:
        return [] if square == "–" else _words(square)
    alarms, of = map(int, counts.groups())
    return [("false-positive", alarms), ("not-marked", of - alarms), *(_words("<br>".join(rest)) if rest else [])]


def test_every_cell_of_the_largest_board_is_on_a_page() -> None:
    board, found = quick()
    cells = on_pages(board, found)
    assert judged(board) - cells == Counter()
    assert cells == judged(board)
    assert cells.total() > 7_000


def test_every_cell_of_every_verdict_is_on_a_page(full: Any) -> None:
    board = full.board()
    assert on_pages(board, pages(board)) == judged(board)


def test_every_square_that_was_run_is_in_the_matrix_of_its_kind() -> None:
    board, found = quick()
    shorts, matrices = dict(map(_named, next(tables(found["legend.md"].split("## Names")[1])))), Counter[str]()
    for name in (one for one in found if one.startswith("matrix-")):
        for header, *body in tables(found[name]):
            if shown(header[1]) in shorts:
                matrices[name] += sum(square != "–" for row in body for square in row[1:])
    run = {(cell.scheme, cell.attack) for cell in board.owners() if cell.verdict.word != "not-applicable"}
    assert matrices.total() == len(run)


def test_no_page_of_the_largest_board_is_too_large() -> None:
    _, found = quick()
    assert {name: len(text.encode()) for name, text in found.items() if len(text.encode()) > LARGEST} == {}
    assert {name for name in found if name.startswith("matrix-")} >= {"matrix-removal.md", "matrix-oracle-ambiguity.md"}
    assert {"schemes/passport.md", "attacks/prune-structured.md"} <= found.keys()


def test_every_link_of_the_largest_board_leads_somewhere() -> None:
    _, found = quick()
    assert lost_links(found) == []
    assert {name: twice for name, text in found.items() if (twice := len(places(text)) - len({*places(text)}))} == {}
    assert "schemes/passport.md#prune-amount-0-3" in found["matrix-removal.md"]


@pytest.mark.parametrize("seeds", [1, 2])
def test_links_lead_somewhere_whatever_things_are_called(case: Any, seeds: int) -> None:
    case.run["profile"]["seeds"] = seeds
    for replicate in range(seeds):
        for name in ("prune", "a b|<c>#", "setting-prune", "日本", "../leaderboard"):
            case.hit(case.scheme(name, replicate=replicate), name, name, 5, replicate=replicate)
    board = case.board()
    found = pages(board)
    assert lost_links(found) == []
    assert {re.fullmatch(r"(schemes/|attacks/)?[a-z0-9-]+\.md", name) is None for name in found} == {False}


def test_the_main_page_links_the_pages_beside_it_and_no_other(full: Any, case: Any, tmp_path: Any) -> None:
    every = {*markdown_pages(full.board())}
    assert {name for name in every if "/" not in name and name not in (MAIN, *BESIDE)} == {
        "matrix-removal.md", "matrix-ambiguity.md",
    }  # fmt: skip
    assert {*BESIDE} - every == {"auto.md", "changed.md"}
    assert {"schemes/adi.md", "schemes/weak.md", "attacks/undecided-claim.md"} <= every
    case.image_track(attacks=[("augmented", 0.5, 0.1)])
    for name, board in (("full", full.board()), ("small", case.board())):
        folder = tmp_path / name
        text = {path.relative_to(folder).as_posix(): path.read_text()
                for path in write_pages(board, folder) if path.suffix == ".md"}  # fmt: skip
        linked = set(re.findall(r"\]\(([^)#]+\.md)", text[MAIN]))
        assert {MAIN, *linked} == text.keys()
        assert all(f"]({'../' * ('/' in other)}{MAIN})" in one for other, one in text.items() if other != MAIN)


def test_a_page_that_the_board_no_longer_has_is_removed(full: Any, case: Any, tmp_path: Any) -> None:
    write_pages(full.board(), tmp_path)
    former = [tmp_path / name for name in ("claims.md", "matrix-ambiguity.md", "attacks/forged.md")]
    assert all(path.exists() for path in former)
    (tmp_path / "channels.md").write_text("of an older version")
    (tmp_path / "schemes" / "my notes.md").write_text("not ours")
    full.run["attacks"] = [one for one in full.run["attacks"] if not one["claim"]]
    full.run["cells"] = [one for one in full.run["cells"] if one["attack"] in {a["label"] for a in full.run["attacks"]}]
    write_pages(full.board(), tmp_path)
    assert not any(path.exists() for path in (*former, tmp_path / "channels.md"))
    assert (tmp_path / "schemes" / "my notes.md").read_text() == "not ours"
