"""leaderboard.html without a browser: what it holds, and that names and reasons stay text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from leaderboard.pages.page_model import BREAK, Span, strong
from leaderboard.pages.writers.html import inline, json_for_script, page

HOSTILE = (
    "</script><script>hacked=1</script><img src=x onerror=hacked=1>\"'{{ 7*7 }}&lt;\u2028\u2029\u202e\x1b\n;`$(id)`"
)


class Reader(HTMLParser):
    """Elements by name with their attributes, texts of buttons and cells, and every script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def data_of(text: str) -> Any:
    return json.loads(Reader(text).scripts[0])


def square(text: str, title: str) -> dict[str, Any]:
    (found,) = [one for one in data_of(text)["squares"] if one["title"] == title]
    return dict(found)


def facts(square: dict[str, Any], section: str) -> dict[str, str]:
    (found,) = [pairs for title, pairs in square["cells"][0]["sections"] if title == section]
    return dict(found)


def test_every_square_of_the_board_opens_its_own_evidence(full: Any) -> None:
    board = full.board()
    text = page(board)
    buttons = [one for one in Reader(text).all("button") if "data-square" in one]
    squares = data_of(text)["squares"]
    assert [int(str(one["data-square"])) for one in buttons] == list(range(len(squares)))
    assert sum(len(one["cells"]) for one in squares) == len([cell for cell in board.cells if not cell.innocent]) + 2
    found = square(text, "adi × removed")
    assert facts(found, "Verdict")["verdict"] == "removed"
    evidence = facts(found, "Evidence in the suspect")
    assert evidence["observed"] == "5/100 hits"
    assert evidence["p_key"].startswith("p=0.98")
    assert evidence["clean nulls"].startswith("16 models, mean 8.88, largest 13")
    assert evidence["grade"].startswith("exact")
    assert evidence["present from (theta)"] == "21/100"
    assert "95 % interval" in evidence["rate"]
    assert facts(found, "Other channels, printed and never counted")["carried"].startswith("60/100 as delivered")
    cell = next(cell for cell in board.cells if cell.attack == "removed")
    assert facts(found, "Records")["judged"] == f"{cell.jobs['judged']} (ok)"


def test_a_claim_shows_its_gate_and_both_courts(full: Any) -> None:
    found = square(page(full.board()), "adi × rejected")
    assert facts(found, "Utility")["gate: fidelity"].endswith("lost")
    assert facts(square(page(full.board()), "adi × forged"), "Verdict")["with commitment"].startswith("rejected: ")


def test_the_word_stands_in_the_square_beside_its_colour(full: Any) -> None:
    text = page(full.board())
    for word in ("survived", "removed", "utility-lost", "forged", "rejected", "crashed", "false-positive"):
        assert f"<strong>{word}</strong>" in text


def test_seeds_share_a_square_and_keep_their_evidence(case: Any) -> None:
    case.run["profile"]["seeds"] = 2
    for replicate, hits in enumerate((96, 5)):
        case.hit(case.scheme("adi", replicate=replicate), "adi", "prune", hits, replicate=replicate)
    text = page(case.board())
    assert '<span class="sign" aria-hidden="true">●</span> <strong>survived 1/2</strong>' in text
    assert 'class="square broken"' in text
    found = square(text, "adi × prune")
    assert [cell["seed"] for cell in found["cells"]] == [0, 1]
    assert found["words"] == ["survived", "removed"]
    assert "--seeds 2" in found["cells"][1]["command"]


def test_a_square_shows_the_curve_it_lies_on(case: Any) -> None:
    shared = case.scheme("adi")
    for amount, hits, wrong in ((0.3, 96, 4), (0.5, 60, 8)):
        label = f"prune(amount={amount})"
        case.attack(label, stages=[{"name": "prune", "parameters": {"amount": amount}}])
        case.hit(shared, "adi", label, hits, wrong)
    case.hit(shared, "adi", "jpeg", 96)
    text = page(case.board())
    (curve,) = square(text, "adi × prune(amount=0.3)")["curves"]
    rows = [[value, change, rate, verdict] for value, change, _, rate, verdict in curve["rows"]]
    assert rows == [["0.3", "-1.0", "0.96", "survived"], ["0.5", "-2.0", "0.6", "survived"]]
    assert square(text, "adi × prune(amount=0.5)")["curves"] == [curve]
    assert square(text, "adi × jpeg")["curves"] == []


def test_untrusted_text_is_never_markup(case: Any) -> None:
    shared = case.scheme(HOSTILE)
    case.hit(shared, HOSTILE, HOSTILE, 5, status="crashed", reason=HOSTILE)
    case.run["schemes"][0] |= {"doc": HOSTILE, "paper": HOSTILE, "parameters": {HOSTILE: HOSTILE}}
    case.run |= {"run": HOSTILE, "command": HOSTILE}
    case.run["data"][0]["task"] = case.run["schemes"][0]["task"] = HOSTILE
    text = page(case.board())
    plain = Reader(page_without_names(case))
    found = Reader(text)
    assert len(found.scripts) == 2
    assert not found.all("img")
    assert [name for name, _ in found.elements].count("wbr") > 0
    assert {name for name, _ in found.elements} <= {name for name, _ in plain.elements} | {"wbr"}
    for sign in "\u2028\u2029\u202e\x1b":
        assert sign not in text
    assert "{{ 7*7 }}" in text
    assert data_of(text)["squares"][0]["title"].startswith("</script>")


def page_without_names(case: Any) -> str:
    """The page of a board of the same shape with harmless names."""
    from leaderboard.judge.board import judge
    from leaderboard.judge.run import Run

    harmless = json.loads(json.dumps(case.run).replace(json.dumps(HOSTILE)[1:-1], "plain"))
    return page(judge(Run(harmless, case.read().records)))


def test_inline_json_can_not_end_its_script() -> None:
    text = json_for_script({"a": "</script><!--\u2028&"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!--\u2028&"}


def test_only_the_pages_own_script_may_run_and_nothing_is_fetched(full: Any) -> None:
    text = page(full.board())
    reader = Reader(text)
    policy = next(one["content"] for one in reader.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(reader.scripts[1].encode()).digest()).decode()
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
    assert "0.001, budget" not in wider


def test_marks_and_titles_of_sections_are_escaped() -> None:
    text = (HOSTILE, strong(HOSTILE), BREAK, Span(HOSTILE, "code"), Span("x", "link", 'a"b'))
    found = Reader(inline(text))
    assert [name for name, _ in found.elements if name != "wbr"] == ["strong", "br", "code", "a"]
    assert found.all("a") == [{"href": 'a"b'}]


def test_a_run_without_a_record_still_makes_a_page(case: Any) -> None:
    case.attack("prune")
    case.row("adi")
    case.cell("adi", "prune", {"marked": "0" * 64})
    assert square(page(case.board()), "adi × prune")["words"] == ["not-run"]


@pytest.mark.parametrize("name", ["page.html.j2", "page.css", "page.js"])
def test_templates_are_part_of_the_package(name: str) -> None:
    from importlib.resources import files

    assert files("leaderboard.pages").joinpath("templates", name).is_file()
