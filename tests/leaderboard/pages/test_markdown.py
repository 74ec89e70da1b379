"""The markdown pages: what every square says, what is never summed, and text that is not ours."""

from __future__ import annotations

import math
import re
from html import unescape
from typing import Any

import pytest
from markdown_text import page, pages, rows, shown, tables

from leaderboard.pages import wording
from leaderboard.pages.page_model import BREAK, Section, Span, link, strong
from leaderboard.pages.sections.results import headlines
from leaderboard.pages.sections.threat_model import attack_facts
from leaderboard.pages.writers.markdown import escape, inline, table


def squares(board: Any, kind: str = "removal") -> dict[str, list[list[str]]]:
    """The matrix of a kind: by attack, the lines of each scheme's square; under "attack" those of the header."""
    (table, *_) = tables(pages(board)[f"matrix-{kind}.md"])
    return {shown(row[0]): [shown(one).split("<br>") for one in row[1:]] for row in table}


def cells(board: Any, scheme: str, attack: str) -> dict[str, str]:
    """The one row of an attack on a scheme's page, by its columns."""
    found = [table for table in tables(pages(board)[f"schemes/{scheme}.md"]) if table[0][:2] == ["attack", "setting"]]
    (row,) = [dict(zip(table[0], row, strict=True)) for table in found for row in table if shown(row[0]) == attack]
    return {shown(name): shown(value) for name, value in row.items()}


def test_a_square_says_verdict_evidence_and_change(full: Any) -> None:
    board = full.board()
    found = {attack: row[0] for attack, row in squares(board).items()}
    assert squares(board)["attack"] == [["adi"], ["weak"]]
    assert found["survived"] == ["survived", "10^-90 exact", "0.0"]
    assert found["utility-lost"][2] == "-20.0"
    assert found["no-better-than-scratch"] == ["removed*", "p=0.98 exact", "-2.0"]
    assert found["unreadable"] == ["removed", "why", "0.0"]
    assert found["undecided (nulls)"][0] == "undecided (nulls)"
    text = pages(board)["matrix-removal.md"]
    assert "| **removed\\***<br>[p=0.98 exact](schemes/adi.md#no-better-than-scratch)<br>-2.0 |" in text
    assert "(scratch) reaches 95.0 %. removed\\*: no better than that." in text
    assert "None of these can be run on weak." in pages(board)["matrix-ambiguity.md"]
    assert squares(board, "ambiguity")["forged"] == [["forged", "10^-70 exact"]]


def test_the_page_of_a_scheme_says_more_of_the_same_cell(full: Any) -> None:
    board = full.board()
    survived = cells(board, "adi", "survived")
    assert (survived["verdict"], survived["withstood [95 %]"], survived["mark left"]) == ("survived", "1/1", "96/100")
    assert (survived["p"], survived["of a host"]) == ("10^-90 exact", "1.0×")
    assert survived["change, points"].startswith("0.0 [")
    assert cells(board, "adi", "unreadable")["notes"] == "its layer 3 has another shape<br>unreadable: no evidence"
    assert cells(board, "adi", "crashed")["notes"] == "ValueError: wrong shape (prune.py:12)"
    assert cells(board, "adi", "unprovable")["notes"] == "gate lost: fidelity"
    assert cells(board, "adi", "forged")["with commitment"] == "rejected"
    (listed,) = [row for row in rows(pages(board)["schemes/adi.md"], "### Can't be run") if row[1] == "every setting"]
    assert shown(listed[0]) == "not-applicable"
    assert listed[2] == "the attack needs a scheme with passports; the scheme has none"


def test_fidelity_says_which_unmarked_net_it_is_measured_by(case: Any) -> None:
    shared = case.scheme("adi")
    case.hit(shared, "adi", "removed", 5, wrong=12)
    (_, row) = rows(page(case.board()), "## Fidelity and embedding cost")
    assert row[1:5] == ["h 98.0 %", "100.0 %", "+2.0 \\[+1.1, +3.5\\]", "-3.0 \\[-4.7, -1.9\\], kept"]
    twin = case.model("twin", "twin of adi", [shared["marked"]], wrong=4)
    for one in case.run["cells"]:
        one["jobs"]["twin"] = twin
    (_, row) = rows(page(case.board()), "## Fidelity and embedding cost")
    assert row[1:5] == ["99.0 %", "100.0 %", "+1.0 \\[+0.3, +2.2\\]", "-4.0 \\[-5.9, -2.7\\], unclear"]
    ranked = page(case.board()).split("## Its attacks, the worst first")[1]
    header, row = rows(ranked, "### Removal")
    assert dict(zip(header, row, strict=True))["against unmarked"] == "-2.0"
    assert "held" not in header  # a column of dashes


def test_the_headline_gives_each_board_its_own_numbers(full: Any) -> None:
    headline = " ".join(numbers for _, numbers in headlines(full.board()))
    assert "Removal: 1 held, 2 useless, 4 broken of 11 marks (4 undecided)" in headline
    assert "ambiguity: 1 of 3 claims forged (1 undecided), 0 forged where keys must be committed" in headline
    assert "1 of 2 verdicts on innocent models accuse them" in headline


def test_one_seed_gives_counts_and_no_ranks(full: Any) -> None:
    text = page(full.board())
    header, first, last = rows(text, "## Schemes in this run")
    assert header == ["scheme", "removal", "ambiguity: rejected", "… with commitment", "squares left out"]
    assert first == ["adi", "1 held, 2 useless, 4 broken of 11", "1–2/3", "3/3", "6"]
    assert last == ["weak", "–", "–", "–", "1"]
    assert "no rates and no ranks" in text


def test_attacks_are_ordered_by_what_they_broke(full: Any) -> None:
    header, *attacks = rows(page(full.board()), "## Its attacks, the worst first", "### Removal")
    labels = [row[0] for row in attacks]
    assert set(labels[:4]) == {"removed", "unprovable", "no-better-than-scratch", "unreadable"}
    assert all(label.startswith("undecided") for label in labels[4:8])
    assert header[1:5] == ["broken", "no better than scratch", "held", "useless"]
    counts = {row[0]: row[1:5] for row in attacks}
    assert counts["no-better-than-scratch"] == ["1/1", "1", "–", "–"]
    assert counts["unprovable"] == ["1/1", "–", "–", "–"]
    assert counts["useless"] == counts["utility-lost"] == ["0/1", "–", "–", "1"]
    assert counts["survived"] == ["0/1", "–", "1", "–"]


def test_every_square_without_an_outcome_has_its_reason(full: Any) -> None:
    board = full.board()
    given = {(row[0], row[2]): row[1] for row in rows(page(board), "## Reasons")}
    assert given["crashed", "crashed"] == "ValueError: wrong shape (prune.py:12)"
    assert given["timeout", "timeout"] == "stopped after 60 s"
    assert given["not-applicable", "not-applicable"] == "the attack needs a scheme with passports; the scheme has none"
    for cell in board.cells:
        if cell.verdict.word in ("crashed", "timeout", "oom", "not-run", "not-applicable", "embed-failed"):
            assert cell.verdict.reason


def test_the_claims_show_both_courts_and_the_gate(full: Any) -> None:
    text = page(full.board())
    below = [f"### Ambiguity: [{attack}](attacks/{attack}.md#{attack})" for attack in ("forged", "rejected")]
    (forged,), (rejected,) = (rows(text, title)[1:] for title in below)
    assert [shown(one) for one in forged[:3]] == ["adi", "forged", "rejected"]
    assert rejected[5].startswith("fidelity: -20.0 \\[")
    assert rejected[5].endswith("lost")


def test_other_channels_are_printed_and_never_counted(full: Any) -> None:
    assert cells(full.board(), "adi", "survived")["other channels"] == "carried 60/100 → 60/100"


def test_what_was_expected_beforehand_is_said_of_its_row_alone(full: Any) -> None:
    first, *_ = full.run["schemes"]
    first |= {"expected_failure": "luck", "expected_forgery": "claims stand"}
    said = [line for line in pages(full.board())["schemes/adi.md"].splitlines() if "Expected before" in line]
    assert said == [f"Expected before any run: {first['label']}, {why}." for why in ("luck", "claims stand")]


def test_other_thresholds_come_from_the_same_records(full: Any) -> None:
    found = {(row[0], row[1]): row[2] for row in rows(page(full.board()), "## At other thresholds")}
    assert found["0.001", "5"] == "1 held, 2 useless, 4 broken of 11"
    assert found["0.05", "5"] == "4 held, 2 useless, 4 broken of 11"
    assert ("1e-6", "5") in found
    assert found["0.001", "10"] == "1 held, 2 useless, 5 broken of 11"


def test_seeds_share_a_square_with_an_interval(case: Any) -> None:
    case.run["profile"]["seeds"] = 3
    for replicate, hits in enumerate((96, 96, 5)):
        case.hit(case.scheme("adi", replicate=replicate), "adi", "prune", hits, replicate=replicate)
    ((first, second, p, _),) = squares(case.board())["prune"]
    assert (first, second) == ("survived 2/3", "removed 1/3")
    assert p == "10^-90 to p=0.98 exact"
    row = cells(case.board(), "adi", "prune")
    assert (row["withstood [95 %]"], row["mark left"], row["p"]) == ("2/3 [0.21, 0.94]", "5–96/100", p)
    assert "(scratch) reaches 95.0 % (median; 95.0 % to 95.0 % over 3 seeds)." in page(case.board())
    case.hit(case.scheme("adi", replicate=0), "adi", "flip", 96, wrong=80)
    case.hit(case.scheme("adi", replicate=1), "adi", "flip", 5, wrong=80, replicate=1)
    case.hit(case.scheme("adi", replicate=2), "adi", "flip", 96, replicate=2)
    row = cells(case.board(), "adi", "flip")
    assert row["withstood [95 %]"] == "3/3 [0.44, 1.00]"
    assert row["verdict"] == "survived (useless) 1/3<br>utility-lost 1/3<br>survived 1/3"
    assert row["change, points"] == "-13.3 (-20.0 to 0.0)"


def test_the_scores_say_how_many_cells_were_useless(case: Any) -> None:
    case.run["profile"]["seeds"] = 3
    for replicate, wrong in enumerate((0, 80, 80)):
        shared = case.scheme("adi", replicate=replicate)
        case.hit(shared, "adi", "prune", 96, wrong=wrong, replicate=replicate)
        case.hit(shared, "adi", "quantize", 96, replicate=replicate)
    header, row = rows(page(case.board()), "### Scores: Removal")
    assert dict(zip(header, row, strict=True))["useless"] == "2/6"


def test_seeds_of_one_p_value_say_it_once(case: Any) -> None:
    case.run["profile"]["seeds"] = 2
    for replicate in range(2):
        case.hit(case.scheme("adi", replicate=replicate), "adi", "prune", 5, replicate=replicate)
    assert squares(case.board())["prune"] == [["removed 2/2", "p=0.98 exact", "0.0"]]


def test_what_a_thief_has_is_told_as_his_run_named_it(case: Any) -> None:
    case.hit(case.scheme("adi"), "adi", "prune", 96)
    assert "has 100 % of a pool of images that is disjoint from the owner's, and holds a tenth" in page(case.board())
    case.run["profile"]["thief"] = {"pool": "disjoint", "labelled": 24, "unlabelled": 1976}
    case.run["cells"][-1] |= case.run["profile"]["thief"]
    board = case.board()
    assert "has 24 labelled and 1,976 unlabelled images of a pool that is disjoint from the owner's" in page(board)
    assert dict(attack_facts(board, board.attacks[0].described))["the thief has"] == (
        "24 labelled and 1,976 unlabelled images of the disjoint pool; never a key"
    )


def test_a_run_without_a_record_still_makes_a_page(case: Any) -> None:
    case.attack("prune")
    case.row("adi")
    case.cell("adi", "prune", {"marked": "0" * 64})
    assert squares(case.board())["prune"] == [["not-run", "why"]]
    assert "Nothing was judged yet" in page(case.board())


HOSTILE = "a|b<script>`x`*y*_z_[k](http://evil)\n# big\x1b[31m\u202e&amp;$m$~"


def test_untrusted_text_is_never_markup(case: Any) -> None:
    shared = case.scheme(HOSTILE)
    case.hit(shared, HOSTILE, HOSTILE, 5, status="crashed", reason=HOSTILE)
    case.run["broken"].append({"path": f"/somewhere/{HOSTILE}", "reason": HOSTILE})
    case.run["schemes"][0] |= {
        "doc": HOSTILE,
        "paper": f"https://example.org/{HOSTILE}",
        "parameters": {HOSTILE: HOSTILE},
    }
    text = page(case.board())
    assert "<script>" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\n# big" not in text
    without_escapes = re.sub(r"\\.", "", text)
    assert "[k]" not in without_escapes
    assert "*y*" not in without_escapes
    for line in text.splitlines():
        assert line.count("`") % 2 == 0
    assert {len({len(row) for row in table}) for table in tables(text)} == {1}


def test_escape_leaves_plain_names_alone() -> None:
    assert escape("prune(amount=0.3)+jpeg(quality=75)") == "prune(amount=0.3)+jpeg(quality=75)"
    assert escape("a|b") == "a\\|b"
    assert escape("<b> & `c`\n d") == "&lt;b&gt; &amp; \\`c\\` d"


@pytest.mark.parametrize(
    "text",
    ["https://evil.example", "HTTP://evil.example/x", "see www.evil.example", "WWW.evil.example", "@someone",
     "a:@someone", "someone@evil.example", "ftp://evil.example", "mailto:a@evil.example"],
)  # fmt: skip
def test_nothing_in_escaped_text_becomes_a_link_or_a_mention(text: str) -> None:
    found = escape(text)
    assert not re.search(r"://|www\.|@", found, re.IGNORECASE)
    assert unescape(found).replace("<!-- -->", "") == text
    for piece in found.split("<!-- -->"):  # what stands between two comments is one text to a code host
        assert not re.search(r"@\w", unescape(piece))


def test_a_link_is_an_address_and_nothing_else() -> None:
    assert inline(link("https://arxiv.org/abs/1802.04633")) == "<https://arxiv.org/abs/1802.04633>"
    assert inline(link("javascript:alert(1)")) == "javascript:alert(1)"
    assert inline(link("https://x.org/> <b>")) == "https:&#47;&#47;x.org/&gt; &lt;b&gt;"
    assert inline(link("")) == "–"


def test_marks_are_written_and_what_they_hold_stays_text() -> None:
    text = ("a ", strong("b*"), BREAK, Span("c`d", "code"), Span("claims.md", "link", "claims.md"))
    assert inline(text) == "a **b\\***<br>`c d`[claims.md](claims.md)"
    assert inline(text, "\n\n").count("\n\n") == 1


def test_tables_have_no_padding() -> None:
    written = table(Section(header=["a", "long"], rows=[["x", "1"], ["yyyy", "22"]], align="lr"))
    assert written == "| a | long |\n| --- | --: |\n| x | 1 |\n| yyyy | 22 |"


@pytest.mark.parametrize(("log10_p", "said"), [
    (0.0, "p=1"), (math.log10(0.27), "p=0.27"), (math.log10(0.011), "p=0.011"), (-3.24, "10^-3.2"), (-9.87, "10^-9.9"),
    (-58.9, "10^-59"), (-9.97, "10^-10"), (-1000.0, "10^-1000"), (-math.inf, "p=0"),
])  # fmt: skip
def test_p_values_are_short(log10_p: float, said: str) -> None:
    assert wording.p_value(log10_p) == said


@pytest.mark.parametrize(
    ("delta", "said"), [(0.0133, "-1.3"), (-0.005, "+0.5"), (0.0, "0.0"), (0.0002, "0.0"), (1.0, "-100.0")]
)
def test_a_loss_is_a_negative_change(delta: float, said: str) -> None:
    assert wording.change(delta) == said


def test_the_innocents_nearest_to_an_accusation_are_listed(full: Any) -> None:
    nearest, second = rows(page(full.board()), "## Near misses")[1:3]
    assert nearest[2].startswith("60/100")
    assert nearest[4] == "**false-positive**"
    assert second[2].startswith("9/100")
    assert second[4] == "not-marked"
