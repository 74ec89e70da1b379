"""The first page: short, complete and readable by a stranger, for boards of every shape; names stay text."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from markdown_text import lost_links, pages, rows, shown

from leaderboard.analysis.overview import FamilySquare, overviews
from leaderboard.judge.board import Board
from leaderboard.judge.verdicts import Tally
from leaderboard.pages.board_pages import MAIN, markdown_pages
from leaderboard.pages.export import page_makers
from leaderboard.pages.writers import heat_map

from ..conftest import published_board

LARGEST, MOST_LINES = 60_000, 200
HOSTILE = "a|b<script>alert(1)</script>`x`*y*&\x1b[31m]]>"
SVG = "{http://www.w3.org/2000/svg}"


def quick() -> Board:
    return published_board("quick-0.1")


def first(board: Board) -> str:
    return markdown_pages(board)[MAIN]()


def test_the_largest_board_s_first_page_is_short_and_in_its_order() -> None:
    text = first(quick())
    assert len(text.encode()) <= LARGEST
    assert text.count("\n") <= MOST_LINES
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "Findings", "What is left of the marks", "Schemes", "Schemes against kinds of attack", "Attacks",
        "Which scheme for which situation", "Limits", "Other pages",
    ]  # fmt: skip
    assert len(rows(text, "## Findings")) == 1 + 6


def test_the_first_page_answers_a_stranger_s_questions() -> None:
    text = first(quick())
    found = [shown(row[2]) for row in rows(text, "## Findings")[1:]]
    assert "distill house" in found[1]
    assert found[2].startswith("On digits sign-flip broke passport in 55 of 55 cases for 0.0066 % of a training")
    assert "adi withstood removal in 160 of 160 tries" in found[3]
    adi = next(row for row in rows(text, "## Schemes", "### digits") if shown(row[1]).startswith("adi"))
    assert (shown(adi[2]), adi[6], adi[9]) == ("0/10 [0.00, 0.28]", "0/230", "best")
    header, asked, _, served, *_ = rows(text, "## Which scheme for which situation")
    assert shown(asked[0]).startswith("API: you serve answers only, and a court sees answers of the copy only")
    assert shown(asked[1]) == "distill house, distill resnet8, extract, jpeg quality=75 and jpeg quality=50"
    row = dict(zip(header, map(shown, served), strict=True))
    assert row["can't be used"] == "passport"
    assert row["best"].startswith("No mark was seen to survive. Not told apart: adi 0/10 ")
    assert row["cheapest break"] == "distill house in 9 of 10, for 1.3 trainings"
    assert "No scheme is shown to be worse than the best by 5 seeds: that takes 8 seeds or more." in found[0]


def test_settings_that_accuse_innocents_are_named() -> None:
    """One of four settings of content did, on the published board."""
    (found,) = (shown(row[2]) for row in rows(first(published_board("quick")), "## Findings") if "innocent" in row[2])
    assert "accuse them (by content unrelated)" in found


def test_every_finding_names_a_cell_or_counts_innocents(full: Any) -> None:
    for row in rows(first(full.board()), "## Findings")[1:]:
        assert "](schemes/" in row[2] or "innocent" in row[2]


def shapes(case: Any, shape: str) -> Board:
    """Boards of every shape, each with little on it."""
    if shape == "images":
        case.image_track(attacks=[("shift", 0.01, 0.1)])
        case.run["data"].pop(0)
        return case.board()
    if shape == "nothing judged":
        case.row("adi")
        case.attack("cut")
        case.cell("adi", "cut", {}, reason="it needs passports")
        return case.board()
    if shape == "claims":
        case.hit(case.scheme("adi"), "adi", "forge", 96, kind="ambiguity")
        return case.board()
    if shape == "control":
        case.hit(case.scheme("adi"), "adi", "none", 96, kind="control")
        return case.board()
    case.run["profile"]["seeds"] = 3 if shape == "seeds" else 1
    for replicate in range(case.run["profile"]["seeds"]):
        shared = case.scheme("adi", replicate=replicate)
        case.hit(shared, "adi", "cut", 5, replicate=replicate)
        case.hit(shared, "adi", "trim", 96, replicate=replicate)
    if shape == "auto":
        case.run["auto"] = {"version": 3, "members": ["cut", "trim"]}
    return case.board()


@pytest.mark.parametrize("shape", ["images", "nothing judged", "claims", "control", "one seed", "seeds", "auto"])
def test_boards_of_every_shape_make_a_page_and_a_picture(case: Any, shape: str) -> None:
    board = shapes(case, shape)
    found = pages(board)
    assert lost_links(found) == []
    assert "\n\n\n" not in found[MAIN]
    assert not re.search(r"\bNone\b(?! of)|\bnan\b", found[MAIN])
    ElementTree.fromstring(heat_map.page(board))
    picture = re.search(r"!\[[^\]]+\]\(([^)]+)\)", found[MAIN])
    assert (picture is not None) is (shape != "control")
    assert picture is None or picture[1] in page_makers(board)
    if shape == "nothing judged":
        assert "Nothing was judged yet." in found[MAIN]
    assert ("survived auto" in found[MAIN]) is (shape == "auto")


def test_untrusted_names_stay_text(case: Any) -> None:
    case.attack(HOSTILE, family=HOSTILE, kind="removal")
    case.hit(case.scheme(HOSTILE), HOSTILE, HOSTILE, 5)
    board = case.board()
    for text in (first(board), heat_map.page(board)):
        assert "<script" not in text
        assert "\x1b" not in text
    assert len(rows(first(board), "## Schemes against kinds of attack")) == 2
    labels = ["".join(one.itertext()) for one in ElementTree.fromstring(heat_map.page(board)).iter(f"{SVG}text")]
    assert any(label.startswith("a|b<script>") for label in labels)


@pytest.mark.parametrize(
    ("words", "sign", "number", "place"),
    [
        ({"survived": 3}, "●", "100", -1),
        ({"removed": 3}, "✕", "0", 0),
        ({"survived": 1, "removed": 999}, "◐", "1", 1),
        ({"survived": 999, "removed": 1}, "◐", "99", -2),
        ({"survived": 6, "utility-lost": 2, "removed": 1, "undecided": 1}, "◐", "80–90", -2),
    ],
)
def test_a_square_has_a_sign_a_number_and_a_shade(words: dict[str, int], sign: str, number: str, place: int) -> None:
    square = FamilySquare(Tally(words), Tally(words), None, 0)
    assert (heat_map.sign(square), heat_map.number(square)) == (sign, number)
    assert heat_map.shade(square) == heat_map.SHADES[place]


def test_squares_without_an_answer_have_signs_of_their_own() -> None:
    unclear, empty = (FamilySquare(Tally(words), Tally(words), None, 0) for words in ({"undecided": 2}, {}))
    assert (heat_map.sign(unclear), heat_map.shade(unclear)) == ("?", heat_map.UNCLEAR)
    assert (heat_map.sign(empty), heat_map.number(empty), heat_map.shade(empty)) == ("–", "", heat_map.BLANK)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2.1)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_picture_s_text_reads_in_both_colour_schemes(full: Any) -> None:
    assert [contrast(fill, ink) >= 4.5 for fill, ink in (*heat_map.SHADES, heat_map.UNCLEAR)] == [True] * 7
    svg = heat_map.page(full.board())
    light, dark = svg.split("@media (prefers-color-scheme: dark)")
    for style in (light, dark):
        colour = re.search(r"svg \{ color: (#\w{6})", style)
        ground = re.search(r"\.ground \{ fill: (#\w{6})", style)
        assert colour is not None
        assert ground is not None
        assert contrast(colour[1], ground[1]) >= 7


def test_the_picture_has_a_square_for_every_family_and_column_and_stays_within_its_frame() -> None:
    root = ElementTree.fromstring(heat_map.page(quick()))
    views = overviews(quick())
    assert len(list(root.iter(f"{SVG}g"))) == sum(len(view.rows) * len(view.families) for view in views)
    wide, high = map(int, (root.attrib["width"], root.attrib["height"]))
    for one in root.iter(f"{SVG}rect"):
        assert float(one.attrib["x"]) + float(one.attrib["width"]) <= wide
        assert float(one.attrib["y"]) + float(one.attrib["height"]) <= high
    assert "adi: removal 100" in str(root.findtext(f"{SVG}desc"))
