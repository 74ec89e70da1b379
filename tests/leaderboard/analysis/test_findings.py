"""The findings of a first page: each rule on records in which it applies, and on records in which it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leaderboard.analysis import findings as rules
from leaderboard.analysis.findings import FindingRule, RuleFinding, findings
from leaderboard.analysis.overview import overview
from leaderboard.analysis.situations import situations

from ..conftest import observation, published_board

HELD, GONE, OPEN = 96, 5, 17  # hits of 100: present, absent, unclear


@pytest.fixture
def shown(case: Any) -> Callable[[FindingRule], RuleFinding | None]:
    """What a rule finds on two schemes: `firm` falls to a surrogate, `weak` to a cheap and a dear attack, too."""
    for label in ("firm", "weak"):
        shared = case.scheme(label)
        falls = label == "weak"
        case.hit(shared, label, "cut", GONE if falls else HELD, wrong=4, operations=20)
        case.hit(shared, label, "tune", GONE if falls else HELD, wrong=8, operations=500)
        case.hit(shared, label, "wreck", GONE, wrong=90)
        case.hit(shared, label, "steal", GONE, kind="extraction", operations=2000)
        case.innocent(shared, label, "none", 9)

    def apply(rule: FindingRule) -> RuleFinding | None:
        board = case.board()
        return rule(board, overview(board))

    return apply


def test_survivors(case: Any, shown: Callable[[FindingRule], RuleFinding | None]) -> None:
    found = shown(rules.survivors)
    assert found is not None
    assert found.survival is not None
    assert found.over is not None
    assert (list(found.families), found.survival.high, found.over.high, found.over.seeds) == (["firm"], 0, 0, 2)
    assert (found.attack, found.relative, list(found.cells)) == ("steal", 2.0, [("firm", "steal")])
    case.hit(case.scheme("rock"), "rock", "cut", HELD)
    found = shown(rules.survivors)
    assert found is not None
    assert found.survival is not None
    assert found.over is not None
    assert (list(found.families), found.survival.low, found.over.low, found.attack) == (["rock"], 1, 1, "")


def test_the_kind_that_breaks_most(shown: Callable[[FindingRule], RuleFinding | None]) -> None:
    found = shown(rules.worst_kind)
    assert found is not None
    assert (found.kind, found.attack, found.tally.broken, found.tally.judged) == ("extraction", "steal", 2, 2)
    assert {*found.cells} == {("firm", "steal"), ("weak", "steal")}


def test_the_cheapest_break(shown: Callable[[FindingRule], RuleFinding | None]) -> None:
    found = shown(rules.cheapest_break)
    assert found is not None
    assert (list(found.families), found.attack, found.relative, found.loss) == (["weak"], "cut", 0.02, 0.01)


def test_what_none_broke(shown: Callable[[FindingRule], RuleFinding | None]) -> None:
    found = shown(rules.unbroken)
    assert found is not None
    assert (list(found.families), found.kind, found.tally.judged, found.tally.useless) == (["firm"], "removal", 3, 1)


@pytest.mark.parametrize("rule", [rules.worst_kind, rules.cheapest_break, rules.forgeries, rules.false_alarms,
                                  rules.price, rules.never_there, rules.undecided])  # fmt: skip
def test_rules_that_do_not_apply_are_silent(case: Any, rule: FindingRule) -> None:
    case.hit(case.scheme("firm"), "firm", "cut", HELD)
    board = case.board()
    assert rule(board, overview(board)) is None


def test_a_mark_that_is_left_open_was_not_withstood(case: Any) -> None:
    case.hit(case.scheme("firm"), "firm", "cut", OPEN)
    board = case.board()
    assert rules.unbroken(board, overview(board)) is None
    found = rules.undecided(board, overview(board))
    assert found is not None
    assert (found.tally.undecided, found.tally.judged) == (1, 1)


@pytest.mark.parametrize(("kind", "named"), [("evasion", "asks"), ("function-preserving", "reads")])
def test_what_an_attack_never_touches_is_no_merit_of_a_mark(case: Any, kind: str, named: str) -> None:
    for label in ("reads", "asks"):
        case.hit(case.scheme(label), label, "cut", HELD, kind=kind)
    case.run["schemes"][0]["court"] = "weights"
    board = case.board()
    found = rules.unbroken(board, overview(board))
    assert found is not None
    assert (list(found.families), found.kind) == ([named], kind)


def test_forgeries(case: Any) -> None:
    shared = case.scheme("adi")
    case.hit(shared, "adi", "forge", observation(96, 0), kind="ambiguity")
    case.hit(shared, "adi", "fake", observation(96, 80), kind="ambiguity")
    board = case.board()
    found = rules.forgeries(board, overview(board))
    assert found is not None
    assert (list(found.families), found.tally.broken, found.tally.judged, found.committed.broken) == (["adi"], 1, 2, 0)
    assert list(found.cells) == [("adi", "forge")]


def test_false_alarms(case: Any) -> None:
    shared = case.scheme("adi")
    case.attack("other")
    case.innocent(shared, "adi", "none", 9)
    case.innocent(shared, "adi", "other", 60, case.model("null", "another innocent", [], wrong=9))
    board = case.board()
    found = rules.false_alarms(board, overview(board))
    assert found is not None
    assert (list(found.families), found.tally.count("false-positive"), found.models) == (["adi"], 1, 2)
    assert found.bound == pytest.approx(0.975, abs=0.001)  # 1 of 2: the root of 1 - p^2 = .05


def test_price(case: Any) -> None:
    """`dear` loses 3 points by embedding, `free` none."""
    for label, wrong in (("free", 8), ("dear", 20)):
        shared = case.scheme(label)
        marked = case.model("marked", f"marked by {label}", [shared["host"]], wrong=wrong, operations=3000)
        judged = case.judged(f"fresh of {label}", marked, [marked], [observation(HELD)])
        case.hit(shared | {"marked": marked, "fresh": judged}, label, "cut", HELD)
    board = case.board()
    found = rules.price(board, overview(board))
    assert found is not None
    assert (list(found.families), found.loss, found.relative) == (["dear"], pytest.approx(0.03), 3.0)


def test_marks_that_were_never_there(case: Any) -> None:
    case.hit(case.scheme("faint", hits=10), "faint", "cut", 10)
    board = case.board()
    found = rules.never_there(board, overview(board))
    assert found is not None
    assert (list(found.families), found.tally.count("embed-failed")) == (["faint"], 1)


def test_a_board_shows_six_rules_in_their_order_and_both_tracks(full: Any) -> None:
    full.image_track(attacks=[("shift", 0.01, 0.1)])
    found = findings(full.board())
    assert [those[0].rule for those in found] == [
        "survivors", "worst kind", "cheapest break", "forgeries", "false alarms", "price",
    ]  # fmt: skip
    assert [one.task for one in found[0]] == ["digits", "photos"]


def test_nothing_judged_gives_no_finding(case: Any) -> None:
    case.row("adi")
    case.attack("cut")
    case.cell("adi", "cut", {}, reason="it needs passports")
    assert findings(case.board()) == []
    assert situations(case.board()) == []


def test_situations_count_the_thieves_and_the_schemes_of_each(case: Any) -> None:
    case.attack("steal", "extraction", access="labels")
    for label in ("asked", "reads"):
        shared = case.scheme(label)
        case.hit(shared, label, "cut", GONE if label == "asked" else HELD)
        case.hit(shared, label, "steal", HELD, kind="extraction")
    case.run["schemes"][1]["court"] = "weights"
    found = {one.name: one for one in situations(case.board())}
    assert {name: len(one.attacks) for name, one in found.items()} == {"asked": 1, "answers": 1, "served": 2, "read": 2}
    assert [row.survival.low for row in found["answers"].best] == [1, 1]
    for name in ("asked", "served"):
        assert [row.name for row in found[name].best] == ["asked"]
        assert list(found[name].left) == ["reads"]
    assert [row.name for row in found["read"].best] == ["reads", "asked"]


def test_a_situation_counts_attacks_beyond_auto() -> None:
    """`extract` is no member of auto, and a thief of a service can run it all the same."""
    board = published_board("quick")
    members = {*board.run.described["auto"]["members"]}
    asked = {
        row.label for row in board.parts[0].attacks
        if row.described["access"] != "weights" and row.kind in ("evasion", "extraction", "removal")
    }  # fmt: skip
    assert asked - members == {"extract"}
    found = [one for one in situations(board) if one.name in ("asked", "answers")]
    assert [{*one.attacks} for one in found] == [asked, asked]
