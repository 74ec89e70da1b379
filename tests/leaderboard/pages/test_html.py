"""leaderboard.html without a browser: what it holds, and that names and reasons stay text."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from functools import cache
from typing import Any

import pytest

from leaderboard.judge.board import Board
from leaderboard.pages.cell_facts import cell_facts
from leaderboard.pages.export import matrix_csv
from leaderboard.pages.page_model import BREAK, Span, strong
from leaderboard.pages.reproduce_command import reproduce
from leaderboard.pages.writers.html import SCRIPTS, inline, page
from leaderboard.pages.writers.html_squares import cells_of, squares

from ..conftest import published_board
from ..unpacked_page import Reader, Unpacked

HOSTILE = (
    "</script><script>hacked=1</script><img src=x onerror=hacked=1>\"'{{ 7*7 }}&lt;\u2028\u2029\u202e\x1b\n;`$(id)`"
)
MOST_BYTES = 350  # of the page, for each judged cell and seed of the largest published board


@cache
def quick() -> tuple[Board, str]:
    board = published_board("quick-0.1")
    return board, page(board)


def test_the_largest_published_board_makes_a_small_page() -> None:
    board, text = quick()
    judged = sum(cell.verdict.word not in ("not-applicable", "not-run") for cell in board.cells)
    assert judged > 5000
    assert len(text.encode()) <= MOST_BYTES * judged


def test_every_line_of_the_matrix_can_be_reached() -> None:
    board, text = quick()
    lines = csv.DictReader(io.StringIO(matrix_csv(board)))
    wanted = [
        (one["scheme"], one["attack"], int(one["replicate"]), one["innocent"] == "True", one["verdict"])
        for one in lines
    ]
    assert len(wanted) == 10_500
    assert sorted(Unpacked(text).lines()) == sorted(wanted)


def test_every_link_to_a_cell_on_the_page_finds_one() -> None:
    _, text = quick()
    found = Unpacked(text)
    named = {
        (scheme[one], attack[other])
        for square in found.squares
        for scheme in [next(each for each in found.packed["schemes"] if each["label"] == square.scheme)]
        for attack in [next(each for each in found.packed["attacks"] if each["label"] == square.attack)]
        for one in ("slug", "page")
        for other in ("slug", "page")
    }
    named |= {(scheme, "") for scheme, _ in named} | {("", attack) for _, attack in named}
    links = [str(one["href"])[1:].split("/") for one in Reader(text).all("a") if re.match("#.*/", one["href"] or "")]
    assert len(links) > 30
    assert [link for link in links if tuple(link) not in named] == []
    places = {one.get("id") for _, one in Reader(text).elements}
    assert {"matrix", "legend"} <= places


def test_packing_loses_no_fact_of_any_cell() -> None:
    board, text = quick()
    found = Unpacked(text)
    cells = cells_of(squares(board))
    for number, cell in list(enumerate(cells))[::7]:
        assert found.all_facts(number) == cell_facts(board, cell)
        assert found.commands[number] == reproduce(board, cell)


def test_cells_of_other_thieves_and_of_the_ensemble_can_be_reached(case: Any) -> None:
    shared = case.scheme("adi")
    case.hit(shared, "adi", "prune", 96)
    jobs = case.run["cells"][0]["jobs"]
    case.cell("adi", "prune", jobs, share=0.5)
    case.run["auto"] = {"version": 1, "members": ["prune"]}
    board = case.board()
    lines = csv.DictReader(io.StringIO(matrix_csv(board)))
    wanted = [(one["scheme"], one["attack"], int(one["replicate"]), False, one["verdict"]) for one in lines]
    assert len(wanted) == 3
    found = Unpacked(page(board))
    assert sorted(found.lines()) == sorted(wanted)
    assert {one.kind: len(one.cells) for one in found.squares} == {"removal": 2, "auto": 1}


def test_every_square_opens_its_own_evidence(full: Any) -> None:
    board = full.board()
    found = Unpacked(page(board))
    square = found.square("adi", "removed")
    assert found.facts(square, "Verdict")["verdict"] == "removed"
    evidence = found.facts(square, "Evidence in the suspect")
    assert evidence["observed"] == "5/100 hits"
    assert evidence["p_key"].startswith("p=0.98")
    assert evidence["clean nulls"].startswith("16 models, mean 8.88, largest 13")
    assert evidence["grade"].startswith("exact")
    assert evidence["present from (theta)"] == "21/100"
    assert "95 % interval" in evidence["rate"]
    others = found.facts(square, "Other channels, printed and never counted")
    assert others["carried"].startswith("60/100 as delivered")
    cell = next(cell for cell in board.cells if cell.attack == "removed")
    assert found.facts(square, "Records")["judged"] == f"{cell.jobs['judged']} (ok)"


def test_a_claim_shows_its_gate_and_both_courts(full: Any) -> None:
    found = Unpacked(page(full.board()))
    assert found.facts(found.square("adi", "rejected"), "Utility")["gate: fidelity"].endswith("lost")
    assert found.facts(found.square("adi", "forged"), "Verdict")["with commitment"].startswith("rejected: ")


def test_the_word_stands_in_the_square_beside_its_colour(full: Any) -> None:
    found = Unpacked(page(full.board()))
    looks = {"survived": ("held", "●"), "removed": ("broken", "✕"), "utility-lost": ("dear", "◐"),
             "undecided (both)": ("open", "?"), "forged": ("broken", "✕"), "crashed": ("none", "–")}  # fmt: skip
    for name, look in looks.items():
        square = found.square("adi", name, "ambiguity" if name == "forged" else "removal")
        assert square.lines[0] == name
        assert (square.look, square.sign) == look
    assert found.square("adi", "survived", "innocent models").lines[0] == "false-positive"


def test_the_heat_map_counts_what_was_broken(full: Any) -> None:
    heat = page(full.board()).split('class="heat"')[1].split("</table>")[0]
    said = " ".join(re.sub(r"<[^>]+>", " ", heat).split())
    # of eleven marks removed, no-better-than-scratch, unreadable (its mark is gone) and unprovable are broken
    assert "adi 4/11 broken 4 undecided 1/3 forged 1 undecided, 0 with commitment 1/2 accused" in said


def test_seeds_share_a_square_and_keep_their_evidence(case: Any) -> None:
    case.run["profile"]["seeds"] = 2
    for replicate, hits in enumerate((96, 5)):
        case.hit(case.scheme("adi", replicate=replicate), "adi", "prune", hits, replicate=replicate)
    found = Unpacked(page(case.board()))
    square = found.square("adi", "prune")
    assert square.lines[0] == "survived 1/2"
    assert (square.look, square.sign) == ("broken", "●")
    assert [found.seeds[cell] for cell in square.cells] == [0, 1]
    assert square.words == ["survived", "removed"]
    assert "--seeds 2" in found.commands[square.cells[1]]


def test_a_square_shows_the_curve_it_lies_on(case: Any) -> None:
    shared = case.scheme("adi")
    for amount, hits, wrong in ((0.3, 96, 4), (0.5, 60, 8)):
        label = f"prune(amount={amount})"
        case.attack(label, stages=[{"name": "prune", "parameters": {"amount": amount}}])
        case.hit(shared, "adi", label, hits, wrong)
    case.hit(shared, "adi", "jpeg", 96)
    found = Unpacked(page(case.board()))
    (curve,) = found.data["curves"]
    assert [found.squares[number].attack for number in curve["squares"]] == ["prune(amount=0.3)", "prune(amount=0.5)"]
    rows = [[text for name, text in point if name != "evidence"] for point in found.points]
    assert rows == [["0.3", "-1.0", "0.96", "survived"], ["0.5", "-2.0", "0.6", "survived"]]


def test_untrusted_text_is_never_markup(case: Any) -> None:
    shared = case.scheme(HOSTILE)
    case.hit(shared, HOSTILE, HOSTILE, 5, status="crashed", reason=HOSTILE)
    case.run["schemes"][0] |= {"doc": HOSTILE, "paper": HOSTILE, "parameters": {HOSTILE: HOSTILE}}
    case.run |= {"run": HOSTILE, "command": HOSTILE}
    case.run["data"][0]["task"] = case.run["schemes"][0]["task"] = HOSTILE
    text = page(case.board())
    plain = Reader(page_without_names(case))
    found = Reader(text)
    assert len(found.scripts) == 3
    assert not found.all("img")
    assert [name for name, _ in found.elements].count("wbr") > 0
    assert {name for name, _ in found.elements} <= {name for name, _ in plain.elements} | {"wbr"}
    for sign in "\u2028\u2029\u202e\x1b":
        assert sign not in text
    assert "{{ 7*7 }}" in text
    assert Unpacked(text).squares[0].scheme.startswith("</script>")


def page_without_names(case: Any) -> str:
    """The page of a board of the same shape with harmless names."""
    from leaderboard.judge.board import judge
    from leaderboard.judge.run import Run

    harmless = json.loads(json.dumps(case.run).replace(json.dumps(HOSTILE)[1:-1], "plain"))
    return page(judge(Run(harmless, case.read().records)))


def test_only_the_pages_own_script_may_run_and_nothing_is_fetched(full: Any) -> None:
    text = page(full.board())
    reader = Reader(text)
    policy = next(one["content"] for one in reader.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(reader.scripts[2].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert "default-src 'none'" in str(policy)
    for _, attributes in reader.elements:
        assert not attributes.get("src")
        assert not re.match(r"\w+:", attributes.get("href") or "")


def test_another_alpha_makes_another_page_and_the_same_one_the_same(full: Any) -> None:
    """Two readings of the same files agree to the byte; nothing of the first is left in a page at another alpha."""
    first, again, wider = (page(full.board(alpha)) for alpha in (0.001, 0.001, 0.05))
    assert first == again
    assert "p ≤ 0.001" in first
    assert "p ≤ 0.05" in wider
    assert Unpacked(wider).facts(Unpacked(wider).squares[0], "Verdict")["read at"].startswith("alpha 0.05, budget")


def test_marks_and_titles_of_sections_are_escaped() -> None:
    text = (HOSTILE, strong(HOSTILE), BREAK, Span(HOSTILE, "code"), Span("x", "link", 'a"b'))
    found = Reader(inline(text))
    assert [name for name, _ in found.elements if name != "wbr"] == ["strong", "br", "code", "a"]
    assert found.all("a") == [{"href": 'a"b'}]


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("schemes/adi.md", "#adi/"), ("schemes/adi.md#prune-0-3", "#adi/prune-0-3"),
        ("schemes/adi.md#setting-adi-scratch", "#adi-scratch/"), ("attacks/prune.md", "#/prune"),
        ("attacks/prune.md#prune-0-3", "#/prune-0-3"), ("claims.md", "claims.md"),
        ("https://example.org/schemes/adi.md", "https://example.org/schemes/adi.md"),
    ],
)  # fmt: skip
def test_links_to_pages_of_cells_stay_on_this_page(address: str, here: str) -> None:
    assert Reader(inline(Span("x", "link", address))).all("a") == [{"href": here}]


def test_a_run_without_a_record_still_makes_a_page(case: Any) -> None:
    case.attack("prune")
    case.row("adi")
    case.cell("adi", "prune", {"marked": "0" * 64})
    assert Unpacked(page(case.board())).square("adi", "prune").words == ["not-run"]


@pytest.mark.parametrize("name", ["page.html.j2", "page.css", *SCRIPTS])
def test_templates_are_part_of_the_package(name: str) -> None:
    from importlib.resources import files

    assert files("leaderboard.pages").joinpath("templates", name).is_file()
