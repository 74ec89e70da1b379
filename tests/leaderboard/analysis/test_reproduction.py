"""Reported and measured, from made-up records alone: every quantity, every verdict, and the page."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from scipy import stats

from benchmark.errors import BenchError
from leaderboard.analysis.reproduction import (
    DIRECTION_FAILS,
    DIRECTION_HOLDS,
    DIRECTION_UNCLEAR,
    FAILS,
    HOLDS,
    NOT_MEASURED,
    NOT_REPRODUCED,
    REPRODUCED,
    Outcome,
    outcomes,
)
from leaderboard.judge.board import Board
from leaderboard.pages.studies.reproduction_page import page, reproduction_json, summary

from ..conftest import observation


def claim(id: str, **fields: Any) -> dict[str, Any]:
    common = {"id": id, "text": f"what {id} says", "where": "Table 1", "tag": "reported", "scheme": "adi",
              "attack": "prune", "quantity": "mark", "small": "at least 90"}  # fmt: skip
    return {**common, **fields}


@pytest.fixture
def told(case: Any) -> Any:
    """A reproduction with one scheme, whose mark has 96 hits of 100, under attacks that leave more or less of it."""
    shared = case.scheme("adi")
    case.hit(shared, "adi", "prune(amount=0.3)", 80, wrong=20)
    case.hit(shared, "adi", "none", 96)
    case.hit(shared, "adi", "finetune", 5, status="crashed", reason="ValueError: no")
    case.hit(shared, "adi", "fake1", observation(96, gate_wrong=300), kind="ambiguity")

    def judged(*claims: dict[str, Any], scale: str = "small") -> Board:
        case.run["reproduction"] = {
            "work": "adi", "about": "about", "paper": "Adi", "scale": scale, "sha256": "ab" * 32,
            "schemes": {"adi": "adi"}, "claims": list(claims),
            "attacks": {"prune": "prune(amount=0.3)", "none": "none", "finetune": "finetune", "fake1": "fake1"},
        }  # fmt: skip
        return case.board()

    return judged


def only(told: Any, **fields: Any) -> Outcome:
    (found,) = outcomes(told(claim("it", **fields)))
    return found


@pytest.mark.parametrize(
    ("quantity", "attack", "value"),
    [
        ("mark", "prune", 80.0),
        ("mark", "none", 96.0),
        ("null mark", "none", 13.0),
        ("accuracy", "prune", 95.0),
        ("utility change", "prune", -5.0),
        ("embedding change", "none", 2.0),
        ("claimed accuracy", "fake1", 25.0),
        ("log10 p", "prune", None),
        ("rarity", "prune", -stats.binom.logsf(79, 100, 0.1) / math.log(2)),
        ("evidence", "prune", "present"),
        ("verdict", "prune", "survived"),
        ("verdict", "fake1", "rejected"),
    ],
)
def test_every_quantity_is_read_in_the_records(told: Any, quantity: str, attack: str, value: float | str) -> None:
    worded = quantity in ("evidence", "verdict")
    found = only(told, quantity=quantity, attack=attack, small="is survived" if worded else "at least 0")
    cell = told(claim("it", quantity=quantity, attack=attack, small="is survived" if worded else "at least 0")).at(
        "adi", {"prune": "prune(amount=0.3)"}.get(attack, attack)
    )[0]
    if quantity == "log10 p":
        value = cell.after.log10_p
    assert found.value == (value if isinstance(value, str) else pytest.approx(value))
    (reading,) = found.readings
    assert reading.record in cell.jobs.values()


def test_channels_and_decibels(case: Any) -> None:
    """A counted channel in per cent; PSNR and what it gains over doing nothing."""
    shared = case.scheme("adi")
    jobs = case.hit(shared, "adi", "surrogate", 96)
    record = case.store.read(jobs["attacked"])
    record["result"]["utility"] |= {"psnr": [30.0, 32.0], "identity": [25.0, 26.0]}
    case.store.write(record)
    claims = [
        claim("carried", quantity="channel", channel="carried", small="at least 0"),
        claim("psnr", quantity="psnr", small="at least 31"),
        claim("gain", quantity="psnr gain", small="at least 6"),
        claim("missing", quantity="channel", channel="nc", small="at least 0"),
    ]
    case.run["reproduction"] = {
        "work": "adi", "about": "", "paper": "", "scale": "small", "sha256": "", "schemes": {"adi": "adi"},
        "attacks": {"prune": "surrogate"}, "claims": claims,
    }  # fmt: skip
    carried, psnr, gain, missing = outcomes(case.board())
    assert [one.value for one in (carried, psnr, gain)] == [60.0, 31.0, 5.5]
    assert [one.verdict for one in (carried, psnr, gain)] == [DIRECTION_HOLDS, DIRECTION_HOLDS, DIRECTION_FAILS]
    assert (missing.verdict, missing.reason) == (NOT_MEASURED, "the records of adi × surrogate hold no channel")


def test_verdicts_follow_from_tag_and_tolerance(told: Any) -> None:
    board = told(
        claim("good", reported=81.0, small="within 2"),
        claim("bad", reported=99.0),
        claim("remembered", tag="unconfirmed", reported=99.0, small="at least 70"),
        claim("remembered-bad", tag="unconfirmed", reported=99.0),
        claim("ours", tag="ours"),
        claim("larger", small="", full="at least 90"),
        claim("never", small="", unmeasured="no such data"),
        claim("failed", attack="finetune"),
        claim("failed-too", attack="finetune", quantity="verdict", small="is crashed"),
        claim("fresh", attack="none"),
        claim("falls", small="below fresh"),
        claim("rises", small="above fresh"),
        claim("against-nothing", small="below failed"),
        claim("worded", quantity="verdict", small="is removed or survived"),
    )
    found = {one.claim.id: one for one in outcomes(board)}
    assert {id: one.verdict for id, one in found.items()} == {
        "good": DIRECTION_HOLDS, "bad": DIRECTION_FAILS, "remembered": HOLDS, "remembered-bad": FAILS, "ours": FAILS,
        "larger": NOT_MEASURED, "never": NOT_MEASURED, "failed": NOT_MEASURED,
        "failed-too": NOT_MEASURED, "fresh": DIRECTION_HOLDS, "falls": DIRECTION_HOLDS, "rises": DIRECTION_FAILS,
        "against-nothing": NOT_MEASURED, "worded": DIRECTION_HOLDS,
    }  # fmt: skip
    assert found["larger"].reason == "held at full scale only"
    assert found["never"].reason == "no such data"
    assert found["failed"].reason == "crashed: ValueError: no"
    assert found["against-nothing"].reason == "failed was not measured: crashed: ValueError: no"


def test_only_the_papers_own_size_can_reproduce_a_figure(told: Any) -> None:
    full = [claim("good", small="", full="at least 70"), claim("bad", small="", full="at least 90")]
    assert [one.verdict for one in outcomes(told(*full, scale="full"))] == [REPRODUCED, NOT_REPRODUCED]


@pytest.mark.parametrize("tag", ["unconfirmed", "ours"])
def test_no_agreement_rests_on_a_figure_that_nobody_confirmed(told: Any, tag: str) -> None:
    """What is read in the paper is compared with a claim that is not known to be in it."""
    board = told(claim("falls", small="below fresh"), claim("rises", small="above fresh"),
                 claim("fresh", attack="none", tag=tag))  # fmt: skip
    assert [one.verdict for one in outcomes(board)] == [HOLDS, FAILS, HOLDS]
    assert "or the comparison is with an unconfirmed figure" in page(board)


def test_seeds_have_an_interval_from_three_on(case: Any) -> None:
    for seed, hits in enumerate((80, 84, 94)):
        case.hit(case.scheme("adi", replicate=seed), "adi", "prune", hits, replicate=seed)
        shared = case.scheme("adi", replicate=seed)
        case.hit(shared, "adi", "none", 96, replicate=seed)
    case.run["profile"]["seeds"] = 3
    case.run["reproduction"] = {
        "work": "adi", "about": "", "paper": "", "scale": "small", "sha256": "", "schemes": {"adi": "adi"},
        "attacks": {"prune": "prune", "none": "none"},
        "claims": [claim("varies", small="at least 82"), claim("agrees", attack="none"),
                   claim("falls", small="below agrees")],
    }  # fmt: skip
    board = case.board()
    varies, agrees, falls = outcomes(board)
    assert varies.interval == pytest.approx(stats.t.interval(0.95, 2, 86, stats.sem([80, 84, 94])))
    assert (varies.verdict, varies.held, agrees.interval, falls.held) == (DIRECTION_HOLDS, 2, None, 3)
    text = page(board)
    assert "| 86 % \\[68.09, 103.91\\] |" in text
    assert "direction holds (small scale) in 2 of 3 seeds" in text
    assert "the mean over 3 seeds with its 95 % interval" in text


@pytest.mark.parametrize(
    ("hits", "rival", "verdict", "held"),
    [
        ((95, 96, 96), (96, 96, 96), DIRECTION_UNCLEAR, 1),  # one seed shows it
        ((90, 91, 95), (94, 94, 96), DIRECTION_UNCLEAR, 3),  # all do, so unevenly that chance could
        ((96, 96, 96), (95, 96, 96), DIRECTION_UNCLEAR, 0),  # nor is the other way shown
        ((60, 80, 90), (66, 87, 96), DIRECTION_HOLDS, 3),  # seeds differ, and in each the two alike
        ((94, 94, 94), (96, 96, 96), DIRECTION_HOLDS, 3),
        ((96, 96, 96), (96, 96, 96), DIRECTION_FAILS, 0),
        ((66, 87, 96), (60, 80, 90), DIRECTION_FAILS, 0),
        ((95, 96), (96, 96), DIRECTION_HOLDS, 1),  # of two seeds there is no interval, which the page says
    ],
)
def test_a_direction_that_chance_could_show_is_unclear(
    case: Any, hits: tuple[int, ...], rival: tuple[int, ...], verdict: str, held: int
) -> None:
    for seed, (ours, theirs) in enumerate(zip(hits, rival, strict=True)):
        shared = case.scheme("adi", replicate=seed)
        case.hit(shared, "adi", "prune", ours, replicate=seed)
        case.hit(shared, "adi", "none", theirs, replicate=seed)
    case.run["profile"]["seeds"] = len(hits)
    case.run["reproduction"] = {
        "work": "adi", "about": "", "paper": "", "scale": "small", "sha256": "", "schemes": {"adi": "adi"},
        "attacks": {"prune": "prune", "none": "none"},
        "claims": [claim("rival", attack="none", small="at least 0"), claim("falls", small="below rival")],
    }  # fmt: skip
    board = case.board()
    _, falls = outcomes(board)
    assert (falls.verdict, falls.held) == (verdict, held)
    assert f"{verdict} (small scale) in {held} of {len(hits)} seeds" in page(board)
    assert ("2 claims: 1 direction holds, 1 direction unclear." in page(board)) == (verdict == DIRECTION_UNCLEAR)


def test_a_rejection_by_a_court_that_nobody_could_convince_agrees_with_nothing(told: Any, case: Any) -> None:
    """Seven fresh keys can't be enough for anybody."""
    seen = observation(96)
    seen["channels"]["bits"]["law"] = {"kind": "redrawn", "totals": [9] * 7}
    case.hit(case.scheme("adi"), "adi", "fake1", seen, kind="ambiguity")
    case.run["cells"] = case.run["cells"][-1:]
    (verdict, mark) = outcomes(told(claim("it", attack="fake1", quantity="verdict", small="is rejected"),
                                    claim("mark", attack="fake1")))  # fmt: skip
    assert (verdict.verdict, (verdict.reason or "").split(":")[0]) == (NOT_MEASURED, "no-court")
    assert (mark.value, mark.verdict) == (96.0, DIRECTION_HOLDS)


def test_one_seed_is_said_to_have_no_interval(told: Any) -> None:
    assert "One seed: what is measured has no interval" in page(told(claim("it")))


def test_seeds_are_averaged_and_every_word_must_hold(case: Any) -> None:
    for seed, hits in enumerate((80, 5)):
        shared = case.scheme("adi", replicate=seed)
        case.hit(shared, "adi", "prune", hits, replicate=seed)
    case.run["reproduction"] = {
        "work": "adi", "about": "", "paper": "", "scale": "small", "sha256": "", "schemes": {"adi": "adi"},
        "attacks": {"prune": "prune"},
        "claims": [claim("mean"), claim("word", quantity="verdict", small="is survived")],
    }  # fmt: skip
    mean, word = outcomes(case.board())
    assert (mean.value, [one.seed for one in mean.readings]) == (42.5, [0, 1])
    assert (word.value, word.verdict) == ("survived / removed", DIRECTION_FAILS)


def test_an_unconfirmed_figure_is_never_shown_as_reported(told: Any) -> None:
    remembered, read = claim("remembered", tag="unconfirmed", reported=98.7), claim("read", reported=81.5)
    assert [one.difference for one in outcomes(told(remembered, read))] == [None, None]
    full = {"full": "at least 70", "small": ""}
    text = page(told(remembered | full, read | full, scale="full"))
    compared = text[text.index("## Reported and measured") : text.index("## Where each")]
    rows = {line.split("|")[1].strip(): [part.strip() for part in line.split("|")] for line in compared.splitlines()
            if line.startswith("| re")}  # fmt: skip
    assert rows["remembered"][3] == "unconfirmed: 98.7 %"
    assert rows["remembered"][5] == "–"
    assert rows["read"][3:6] == ["81.5 %", "80 %", "-1.5"]
    assert HOLDS in rows["remembered"][7]
    assert "reproduced" not in rows["remembered"][7]


def test_the_page_marks_a_small_run_and_names_its_records(told: Any) -> None:
    board = told(claim("it", attack="none"))
    text, record = page(board), outcomes(board)[0].readings[0].record
    assert text.startswith("# Reproduction: adi (small scale: not the paper's size)")
    assert "direction holds (small scale)" in text
    assert f"mark of adi × none: 96 % (seed 0, record {record[:16]})" in text
    assert "SHA-256 " + "ab" * 32 in text
    assert "a cpu (cpu)" in text
    full = page(told(claim("it", attack="none", full="at least 90"), scale="full"))
    assert "small scale" not in full


def test_untrusted_text_is_no_markup(told: Any) -> None:
    board = told(claim("it", text="<img src=x> | `a`\n# b", why="[x](y)", attack="none", quantity="mark", unit="<b>"))
    text = page(board)
    assert "<img" not in text
    assert "<b>" not in text
    assert "&lt;img src=x&gt; \\| \\`a\\` # b" in text
    assert "\\[x\\](y)" in text


def test_the_json_and_the_terminal_say_the_same(told: Any) -> None:
    board = told(claim("it", attack="none", reported=99.0))
    (found,) = json.loads(reproduction_json(board))["claims"]
    assert (found["claim"]["id"], found["value"], found["verdict"]) == ("it", 96.0, DIRECTION_HOLDS)
    assert found["readings"][0]["record"] in board.run.records
    assert summary(board).splitlines()[0] == "1 claim: 1 direction holds."


def test_a_run_without_claims_is_refused(case: Any) -> None:
    case.hit(case.scheme("adi"), "adi", "none", 96)
    with pytest.raises(BenchError, match="reproduces no work"):
        outcomes(case.board())


def test_a_bound_declared_after_a_trial_is_counted_apart(told: Any) -> None:
    late = claim("late", tag="ours", declared="after a trial", small="at most 90")
    board = told(claim("early"), late)
    assert summary(board).splitlines()[0] == (
        "1 claim: 1 direction does not hold. Declared after a trial and not among them: 1 bound: 1 within our bound."
    )
    assert "within our bound (small scale), declared after a trial" in page(board)
    with pytest.raises(BenchError, match="declared must be one of \"\", after a trial, not 'later'"):
        outcomes(told(claim("it", declared="later")))
    without = told(claim("early"))
    assert "after a trial" not in page(without)
