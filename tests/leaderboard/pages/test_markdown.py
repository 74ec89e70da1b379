"""The markdown pages: what every square says, what is never summed, and text that is not ours."""

from __future__ import annotations

import math
import re
from html import unescape
from typing import Any

import pytest
from markdown_text import page, rows

from leaderboard.pages import wording
from leaderboard.pages.board_pages import BESIDE, MAIN, markdown_pages
from leaderboard.pages.export import write_pages
from leaderboard.pages.page_model import BREAK, Section, Span, link, strong
from leaderboard.pages.writers.markdown import escape, inline, table


def square(text: str, section: str, attack: str, column: int = 1) -> list[str]:
    (row,) = [row for row in rows(text, section) if row[0] == attack]
    return row[column].split("<br>")


def test_a_square_says_verdict_evidence_and_change(full: Any) -> None:
    text = page(full.board())
    assert rows(text, "### Removal")[0] == ["attack", "adi", "weak"]
    assert square(text, "### Removal", "survived")[0] == "survived"
    assert square(text, "### Removal", "survived")[1] == "96/100 10^-90 exact"
    assert square(text, "### Removal", "utility-lost")[2] == "-20.0"
    assert square(text, "### Removal", "no-better-than-scratch") == [
        "**removed**", "5/100 p=0.98 exact", "-2.0", "no-better-than-scratch",
    ]  # fmt: skip
    assert square(text, "### Removal", "unreadable") == ["**removed**", "unreadable: no evidence", "0.0"]
    assert square(text, "### Removal", "undecided (nulls)")[0] == "undecided (nulls)"
    assert square(text, "### Ambiguity", "forged")[2:] == ["fidelity 0.0", "rejected with commitment"]
    assert square(text, "### Ambiguity", "forged", column=2) == ["–"]


def test_the_headline_gives_each_board_its_own_numbers(full: Any) -> None:
    headline = page(full.board()).split("\n\n")[1]
    assert "Removal: 3 of 10 marks held (4 undecided)" in headline
    assert "ambiguity: 1 of 3 claims forged (1 undecided), 0 where keys must be committed" in headline
    assert "1 of 2 verdicts on innocent models accuse them" in headline


def test_one_seed_gives_counts_and_no_ranks(full: Any) -> None:
    text = page(full.board())
    header, first, last = rows(text, "## Schemes in this run")
    assert header == ["scheme", "removal: held", "ambiguity: rejected", "… with commitment", "squares left out"]
    assert first == ["adi", "3–7/10 (utility lost in 1)", "1–2/3", "3/3", "6"]
    assert last == ["weak", "–", "–", "–", "1"]
    assert "no rates and no ranks" in text


def test_attacks_are_ordered_by_what_they_broke(full: Any) -> None:
    labels = [row[0] for row in rows(page(full.board()), "## Attacks in this run", "### Removal")[1:]]
    assert set(labels[:3]) == {"removed", "no-better-than-scratch", "unreadable"}
    assert all(label.startswith("undecided") for label in labels[3:7])


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
    (forged,), (rejected,) = (rows(text, f"### Ambiguity: {attack}")[1:] for attack in ("forged", "rejected"))
    assert forged[:3] == ["adi", "forged", "rejected"]
    assert rejected[4].startswith("fidelity: -20.0 \\[")
    assert rejected[4].endswith("lost")


def test_other_channels_are_printed_and_never_counted(full: Any) -> None:
    assert rows(page(full.board()), "## Other channels")[1][1] == "60/100 → 60/100"


def test_what_was_expected_beforehand_is_said_of_its_row_alone(full: Any) -> None:
    first, *_ = full.run["schemes"]
    first |= {"expected_failure": "luck", "expected_forgery": "claims stand"}
    said = [line for line in page(full.board()).splitlines() if "Expected before" in line]
    assert said == [f"Expected before any run: {first['label']}, {why}." for why in ("luck", "claims stand")]


def test_other_thresholds_come_from_the_same_records(full: Any) -> None:
    found = {(row[0], row[1]): row[2] for row in rows(page(full.board()), "## At other thresholds")}
    assert found["0.001", "5"] == "3–7/10"
    assert found["0.05", "5"] == "6–7/10"
    assert ("1e-6", "5") in found
    assert found["0.001", "10"] == "3–6/10"


def test_seeds_share_a_square_with_an_interval(case: Any) -> None:
    case.run["profile"]["seeds"] = 3
    for replicate, hits in enumerate((96, 96, 5)):
        case.hit(case.scheme("adi", replicate=replicate), "adi", "prune", hits, replicate=replicate)
    lines = square(page(case.board()), "### Removal", "prune")
    assert lines[:3] == ["survived 2/3", "**removed 1/3**", "held 2/3 \\[0.21, 0.94\\]"]
    assert " to " in lines[3]
    assert "a square counts their verdicts" in page(case.board())


def test_seeds_of_one_p_value_say_it_once(case: Any) -> None:
    case.run["profile"]["seeds"] = 2
    for replicate in range(2):
        case.hit(case.scheme("adi", replicate=replicate), "adi", "prune", 5, replicate=replicate)
    assert "p=0.98 exact" in square(page(case.board()), "### Removal", "prune")


def test_a_run_without_a_record_still_makes_a_page(case: Any) -> None:
    case.attack("prune")
    case.row("adi")
    case.cell("adi", "prune", {"marked": "0" * 64})
    text = page(case.board())
    assert square(text, "### Removal", "prune") == ["not-run"]
    assert "Nothing was judged yet" in text


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
    widths = {len(row) for row in rows(text, "### Removal")}
    assert widths == {2}


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


def test_the_main_page_links_the_pages_beside_it_and_no_other(full: Any, case: Any, tmp_path: Any) -> None:
    every = markdown_pages(full.board())
    assert [*every] == [MAIN, *(name for name in BESIDE if name != "changed.md")]
    case.image_track(attacks=[("augmented", 0.5, 0.1)])
    for name, board in (("full", full.board()), ("small", case.board())):
        text = {path.name: path.read_text() for path in write_pages(board, tmp_path / name) if path.suffix == ".md"}
        linked = set(re.findall(r"\]\(([^)#]+)\)", text[MAIN]))
        assert {MAIN, *linked} == text.keys()
        assert all(f"]({MAIN})" in one for other, one in text.items() if other != MAIN)
        for anchor in re.findall(r"\]\(#([^)]+)\)", text[MAIN]):
            assert f"\n## {anchor.capitalize()}\n" in text[MAIN]


def test_a_page_that_the_board_no_longer_has_is_removed(full: Any, case: Any, tmp_path: Any) -> None:
    write_pages(full.board(), tmp_path)
    assert (tmp_path / "claims.md").exists()
    full.run["attacks"] = [one for one in full.run["attacks"] if not one["claim"]]
    full.run["cells"] = [one for one in full.run["cells"] if one["attack"] in {a["label"] for a in full.run["attacks"]}]
    write_pages(full.board(), tmp_path)
    assert not (tmp_path / "claims.md").exists()


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
